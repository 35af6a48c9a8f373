"""kill: end processes, which are then replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import (
    MATCH,
    NAMES,
    PID,
    Call,
    Command,
    Fields,
    Property,
)
from cvec_circus.commands.kinds import SIGNALS
from cvec_circus.commands.naming import names_and_numbers
from cvec_circus.exc import MessageError
from cvec_circus.options.kinds import to_boolean, to_seconds, to_signal
from cvec_circus.wire import orders

_SIGNUM = "The signal to begin with, instead of stop_signal."
_SURGE = "Start the successor of each first, and stop it when that is ready."
_TIMEOUT = "Seconds until SIGKILL, instead of graceful_timeout."


class Kill(Command):
    name = "kill"
    doc = "End processes of watchers, which replace them."
    properties = (
        NAMES,
        MATCH,
        PID,
        Property("signum", to_signal, switch=True, doc=_SIGNUM, choices=SIGNALS),
        Property("graceful_timeout", to_seconds, low=0, switch=True, doc=_TIMEOUT),
        Property("surge", to_boolean, default=False, switch=True, doc=_SURGE),
    )
    usage = "NAME [NAME ...] [PID]"
    mutating = True

    def execute(self, call: Call) -> Fields | None:
        props, cause, found = call.props, call.cause, call.target.processes
        pid, how = props["pid"], (props["signum"], props["graceful_timeout"], props["surge"])
        if props["surge"] and how[:2] != (None, None):
            raise MessageError("message invalid: surge: not with signum or graceful_timeout")
        watchers = call.each() if pid is None else [call.one()]
        each = [orders.Kill(one, found(one, pid), cause, *how) for one in watchers]
        return call.give(orders.together(each, call.cause))

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        return self.typed({**names_and_numbers(args, "pid"), **switches})
