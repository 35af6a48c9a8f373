"""restart: stop watchers, then start them."""

from __future__ import annotations

from typing import Any

from cvec_circus.commands.base import ANY_NAMES, MATCH, YES, Call, Command, Fields
from cvec_circus.commands.target import replaced, strays
from cvec_circus.wire import orders


class Restart(Command):
    name = "restart"
    doc = "Stop watchers, then start them; all of them without a name."
    properties = (ANY_NAMES, MATCH)
    usage = "[NAME ...]"
    local = (YES,)
    mutating = True
    proves = True

    def execute(self, call: Call) -> Fields | None:
        order = orders.Restart(call.several(starts=True), call.cause)
        return call.give(order, lambda outcome: {**replaced(outcome), **strays(outcome)})


def __getattr__(name: str) -> Any:
    """Find what programs for Circus import from here, on first use."""
    from cvec_circus.compat.paths import find

    return find(__name__, name)
