"""stop: have watchers run no longer."""

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
    several,
    waiter,
)
from cvec_circus.wire import orders

if TYPE_CHECKING:
    from cvec_circus.wire.outcome import Outcome


def _stopped(outcome: Outcome) -> Fields:
    return {"info": None, **ended(outcome)}


class Stop(Command):
    """Immutable. The command `stop`."""

    name = "stop"
    doc = "Stop watchers; all of them without a name."
    properties = (ANY_NAME,)
    arguments = ("name",)
    usage = "[NAME]"
    switches = (Switch("match", "match"),)
    mutating = True

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Order it."""
        watchers = several(target, props)
        wait = waiter(props, answer, _stopped)
        cause = answer.cause("command:stop", props["reason"])
        target.give(orders.Stop(watchers, cause), wait)
        return later(wait)
