"""kill: end processes, which are then replaced."""

from __future__ import annotations

from cvec_circus.commands.base import NAME, PID, Call, Command, Fields, Property
from cvec_circus.options.kinds import to_seconds, to_signal
from cvec_circus.wire import orders

_SIGNUM = "The signal to begin with, instead of stop_signal."
_TIMEOUT = "Seconds until SIGKILL, instead of graceful_timeout."


class Kill(Command):
    name = "kill"
    doc = "End processes of a watcher; it replaces them."
    properties = (
        NAME,
        PID,
        Property("signum", to_signal, switch=True, doc=_SIGNUM),
        Property("graceful_timeout", to_seconds, low=0, switch=True, doc=_TIMEOUT),
    )
    usage = "NAME [PID]"
    mutating = True

    def execute(self, call: Call) -> Fields | None:
        watcher, props = call.one(), call.props
        processes = call.target.processes(watcher, props["pid"])
        how = props["signum"], props["graceful_timeout"]
        return call.give(orders.Kill(watcher, processes, call.cause, *how))
