"""reload: new processes in place of those that run."""

from __future__ import annotations

from cvec_circus.commands.base import (
    ANY_NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
    Switch,
    later,
    replaced,
    several,
    waiter,
)
from cvec_circus.options.kinds import to_boolean
from cvec_circus.wire import orders


class Reload(Command):
    """Immutable. The command `reload`."""

    name = "reload"
    doc = "Replace processes, without a moment in which none runs; start watchers that are stopped."
    properties = (
        ANY_NAME,
        Property("graceful", to_boolean, default=True, doc="New ones first; else like a restart."),
        Property("sequential", to_boolean, default=False, doc="One process after the other."),
    )
    arguments = ("name",)
    usage = "[NAME]"
    switches = (
        Switch("match", "match"),
        Switch("sequential", "sequential", True),
        Switch("terminate", "graceful", False, "Stop the old ones first."),
    )
    mutating = True

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Order it."""
        watchers = several(target, props)
        wait = waiter(props, answer, replaced)
        cause = answer.cause("command:reload", props["reason"])
        order = orders.Reload(watchers, cause, props["sequential"], props["graceful"])
        target.give(order, wait)
        return later(wait)
