"""signal: send a signal to processes of a watcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import NAME, PID, Call, Command, Fields, Property
from cvec_circus.exc import ArgumentError, MessageError
from cvec_circus.options.kinds import to_boolean, to_integer, to_signal
from cvec_circus.wire import orders

_CHILDREN = "The children, not the processes."


class Signal(Command):
    name = "signal"
    doc = "Send a signal to processes of a watcher."
    properties = (
        NAME,
        Property("signum", to_signal, mandatory=True, doc="The signal, by number or name."),
        PID,
        Property("childpid", to_integer, low=1, doc="A child of the process `pid`."),
        Property("children", to_boolean, default=False, switch=True, doc=_CHILDREN),
        Property(
            "recursive", to_boolean, default=False, switch=True, doc="Their descendants as well."
        ),
    )
    usage = "NAME [PID [CHILDPID]] SIGNAL"
    named = (("SIGNAL", "signum"),)
    mutating = True

    def execute(self, call: Call) -> Fields | None:
        props = call.props
        if props["childpid"] is not None and props["pid"] is None:
            raise MessageError("message invalid: childpid: pid is missing")
        watcher = call.one()
        processes = call.target.processes(watcher, props["pid"])
        which = props["childpid"], props["children"], props["recursive"]
        # No wait: a signal that is sent has no end to wait for.
        call.target.give(orders.Signal(watcher, processes, props["signum"], call.cause, *which))
        return {}

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        if not 2 <= len(args) <= 4:
            raise ArgumentError("give NAME SIGNAL, NAME PID SIGNAL or NAME PID CHILDPID SIGNAL")
        name, *pids, signum = args
        return self.typed(
            {"name": name, "signum": signum, **dict(zip(("pid", "childpid"), pids)), **switches}
        )
