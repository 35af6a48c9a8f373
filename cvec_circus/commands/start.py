"""start: run watchers."""

from __future__ import annotations

from cvec_circus.commands.base import ANY_NAMES, MATCH, Call, Command, Fields
from cvec_circus.wire import orders
from cvec_circus.wire.outcome import Outcome


class Start(Command):
    name = "start"
    doc = "Start watchers; all of them without a name."
    properties = (ANY_NAMES, MATCH)
    usage = "[NAME ...]"
    mutating = True
    proves = True

    def execute(self, call: Call) -> Fields | None:
        return call.give(orders.Start(call.several(starts=True), call.cause), _started)


def _started(outcome: Outcome) -> Fields:
    return {"info": {"started": outcome.started, "kept": outcome.kept}}
