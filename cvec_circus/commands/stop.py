"""stop: stop watchers."""

from __future__ import annotations

from cvec_circus.commands.base import (
    ANY_NAMES,
    MATCH,
    YES,
    Call,
    Command,
    Fields,
    Property,
    strays,
)
from cvec_circus.options.kinds import to_boolean
from cvec_circus.wire import orders


class Stop(Command):
    name = "stop"
    doc = "Stop watchers; all of them without a name."
    properties = (
        ANY_NAMES,
        MATCH,
        Property("failed", to_boolean, default=False, doc="Give them up: they cannot run."),
    )
    usage = "[NAME ...]"
    local = (YES,)
    mutating = True

    def execute(self, call: Call) -> Fields | None:
        order = orders.Stop(call.several(), call.cause, failed=call.props["failed"])
        return call.give(order, lambda outcome: {"info": None, **strays(outcome)})
