"""restart: stop watchers, then start them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvec_circus.commands.base import (
    ANY_NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Switch,
    ended,
    later,
    replaced,
    several,
    waiter,
)
from cvec_circus.wire import orders

if TYPE_CHECKING:
    from cvec_circus.wire.outcome import Outcome


def _restarted(outcome: Outcome) -> Fields:
    return {**replaced(outcome), **ended(outcome)}


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
        wait = waiter(props, answer, _restarted)
        cause = answer.cause("command:restart", props["reason"])
        target.give(orders.Restart(watchers, cause), wait)
        return later(wait)
