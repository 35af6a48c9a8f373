"""signal: send a signal to processes of watchers."""

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
from cvec_circus.commands.naming import names_and_numbers
from cvec_circus.exc import ArgumentError, MessageError
from cvec_circus.options.kinds import to_boolean, to_integer, to_signal
from cvec_circus.wire import orders

_CHILDREN = "Signal the children, not the processes."


class Signal(Command):
    name = "signal"
    doc = "Send a signal to processes of watchers."
    properties = (
        NAMES,
        MATCH,
        Property("signum", to_signal, mandatory=True, doc="The signal, by number or name."),
        PID,
        Property("childpid", to_integer, low=1, doc="A child of the process `pid`."),
        Property("children", to_boolean, default=False, switch=True, doc=_CHILDREN),
        Property(
            "recursive",
            to_boolean,
            default=False,
            switch=True,
            doc=("Signal their descendants as well."),
        ),
    )
    usage = "NAME [NAME ...] [PID [CHILDPID]] SIGNAL"
    named = (("SIGNAL", "signum"),)
    mutating = True

    def execute(self, call: Call) -> Fields | None:
        props = call.props
        if props["childpid"] is not None and props["pid"] is None:
            raise MessageError("message invalid: childpid: pid is missing")
        pid, cause, found = props["pid"], call.cause, call.target.processes
        how = props["signum"], cause, props["childpid"], props["children"], props["recursive"]
        watchers = call.each() if pid is None else [call.one()]
        # No wait: a signal that is sent has no end to wait for.
        each = [orders.Signal(one, found(one, pid), *how) for one in watchers]
        call.target.give(orders.together(each, call.cause))
        return {}

    def properties_of(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        if len(args) < 2:
            raise ArgumentError("give NAME ... SIGNAL, NAME PID SIGNAL or NAME PID CHILDPID SIGNAL")
        given = names_and_numbers(args[:-1], "pid", "childpid")
        return self.typed({**given, "signum": args[-1], **switches})
