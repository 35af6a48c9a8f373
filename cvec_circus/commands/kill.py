"""kill: end processes, which are then replaced."""

from __future__ import annotations

from cvec_circus.commands.base import (
    NAME,
    Answer,
    Command,
    CommandTarget,
    Fields,
    Property,
    Switch,
    later,
    one,
    waiter,
)
from cvec_circus.options.kinds import to_integer, to_seconds, to_signal
from cvec_circus.wire import orders


class Kill(Command):
    """Immutable. The command `kill`."""

    name = "kill"
    doc = "End processes of a watcher; it replaces them."
    properties = (
        NAME,
        Property("pid", to_integer, low=1, doc="The process; all of the watcher's without it."),
        Property("signum", to_signal, doc="The signal to begin with, instead of stop_signal."),
        Property(
            "graceful_timeout", to_seconds, low=0, doc="Seconds until SIGKILL, instead of its own."
        ),
    )
    arguments = ("name", "pid")
    usage = "NAME [PID]"
    switches = (Switch("signum", "signum"), Switch("graceful_timeout", "graceful_timeout"))
    mutating = True

    def execute(self, target: CommandTarget, props: Fields, answer: Answer) -> Fields | None:
        """Have them ended."""
        watcher = one(target, props)
        wait = waiter(props, answer)
        processes = target.processes(watcher, props["pid"])
        cause = answer.cause("command:kill", props["reason"])
        order = orders.Kill(watcher, processes, cause, props["signum"], props["graceful_timeout"])
        target.give(order, wait)
        return later(wait)
