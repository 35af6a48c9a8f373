"""reload: replace the processes of watchers."""

from __future__ import annotations

from cvec_circus.commands.base import (
    ANY_NAMES,
    MATCH,
    YES,
    Call,
    Command,
    Fields,
    Property,
    Switch,
    replaced,
)
from cvec_circus.options.kinds import to_boolean
from cvec_circus.wire import orders


class Reload(Command):
    name = "reload"
    doc = "Replace processes without a gap in service; start watchers that are stopped."
    properties = (
        ANY_NAMES,
        MATCH,
        Property("graceful", to_boolean, default=True, doc="New ones first; else like a restart."),
        Property(
            "sequential", to_boolean, default=False, switch=True, doc="One process after the other."
        ),
    )
    usage = "[NAME ...]"
    switches = (Switch("terminate", "graceful", False, "Stop the old ones first."),)
    local = (YES,)
    mutating = True

    def execute(self, call: Call) -> Fields | None:
        watchers, props = call.several(starts=True), call.props
        order = orders.Reload(watchers, call.cause, props["sequential"], props["graceful"])
        return call.give(order, replaced)
