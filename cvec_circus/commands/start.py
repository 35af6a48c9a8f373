"""start: have watchers run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvec_circus.commands.base import (
    ANY_NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Switch,
    later,
    several,
    waiter,
)
from cvec_circus.wire import orders

if TYPE_CHECKING:
    from cvec_circus.wire.outcome import Outcome


def _started(outcome: Outcome) -> Fields:
    return {"info": {"started": outcome.started, "kept": outcome.kept}}


class Start(Command):
    """Immutable. The command `start`."""

    name = "start"
    doc = "Start watchers; all of them without a name."
    properties = (ANY_NAME,)
    arguments = ("name",)
    usage = "[NAME]"
    switches = (Switch("match", "match"),)
    mutating = True

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Order it."""
        watchers = several(target, props)
        wait = waiter(props, answer, _started)
        cause = answer.cause("command:start", props["reason"])
        target.give(orders.Start(watchers, cause), wait)
        return later(wait)
