"""restart: stop watchers, then start them."""

from __future__ import annotations

from cvec_circus.commands.base import (
    ANY_NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Switch,
    later,
    replaced,
    several,
    waiter,
)
from cvec_circus.wire import orders


class Restart(Command):
    """Immutable. The command `restart`."""

    name = "restart"
    doc = "Stop watchers, then start them; all of them without a name."
    properties = (ANY_NAME,)
    arguments = ("name",)
    usage = "[NAME]"
    switches = (Switch("match", "match"),)
    mutating = True

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Order it."""
        watchers = several(target, props)
        wait = waiter(props, answer, replaced)
        cause = answer.cause("command:restart", props["reason"])
        target.give(orders.Restart(watchers, cause), wait)
        return later(wait)
