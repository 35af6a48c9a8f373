"""signal: send a signal to processes of a watcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.commands.base import (
    NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
    Switch,
    one,
)
from cvec_circus.exc import ArgumentError, MessageError
from cvec_circus.options.kinds import to_boolean, to_integer, to_signal
from cvec_circus.wire import orders


class Signal(Command):
    """Immutable. The command `signal`."""

    name = "signal"
    doc = "Send a signal to processes of a watcher."
    properties = (
        NAME,
        Property("signum", to_signal, mandatory=True, doc="The signal, by number or name."),
        Property("pid", to_integer, low=1, doc="The process; all of the watcher's without it."),
        Property("childpid", to_integer, low=1, doc="A child of the process `pid`."),
        Property("children", to_boolean, default=False, doc="The children, not the processes."),
        Property("recursive", to_boolean, default=False, doc="Their children as well."),
    )
    usage = "NAME [PID [CHILDPID]] SIGNAL"
    named = (("SIGNAL", "signum"),)
    switches = (Switch("children", "children", True), Switch("recursive", "recursive", True))
    mutating = True

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Have it sent; there is no end to wait for."""
        if props["childpid"] is not None and props["pid"] is None:
            raise MessageError("message invalid: childpid: pid is missing")
        watcher = one(target, props)
        order = orders.Signal(
            watcher,
            target.processes(watcher, props["pid"]),
            props["signum"],
            answer.cause("command:signal", props["reason"]),
            props["childpid"],
            props["children"],
            props["recursive"],
        )
        target.give(order)
        return {}

    def message(self, args: Sequence[str], switches: Mapping[str, Any]) -> Fields:
        """Take the signal last, as circusctl does."""
        if not 2 <= len(args) <= 4:
            raise ArgumentError("NAME and SIGNAL are wanted, and a PID between them if you like")
        name, *pids, signum = args
        return self.typed(
            {"name": name, "signum": signum, **dict(zip(("pid", "childpid"), pids)), **switches}
        )
