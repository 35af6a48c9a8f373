"""The outcome of an order; the record of a death and of a stray process; durations in words."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Callable

from cvec_circus.base.named import NamedTuple


class Outcome:
    """The result of an order. Immutable by convention: made by the core, read by the command.

    Attributes:
        error: Why the order was not completed, a sentence; None if it was.
        timed_out: Whether the only reason is that its time was up.
        started: Pids that run now and did not when the order was given.
        stopped: Pids that ran when the order was given and are gone now.
        kept: Pids that ran then and run now.
        numprocesses: How many processes are wanted now, in all watchers of the order.
        strays: Processes left behind outside the groups: watcher, pid and command of each.
        failed: The watchers for which the order failed.
        gap: The watchers that had no process for a moment: the old ones were stopped first.
    """

    __slots__ = (
        *("error", "failed", "gap", "kept", "numprocesses", "started", "stopped", "strays"),
        "timed_out",
    )

    def __init__(
        self,
        error: str | None = None,
        started: Iterable[int] = (),
        stopped: Iterable[int] = (),
        kept: Iterable[int] = (),
        numprocesses: int = 0,
        strays: Iterable[dict[str, Any]] = (),
        timed_out: bool = False,
        gap: Iterable[str] = (),
        failed: Iterable[str] = (),
    ) -> None:
        self.error = error
        self.failed = list(failed)
        self.timed_out = timed_out
        self.started = list(started)
        self.stopped = list(stopped)
        self.kept = list(kept)
        self.numprocesses = numprocesses
        self.strays = list(strays)
        self.gap = list(gap)


class Wait:
    """A sender waiting for the end of an order. Owned by the supervisor thread.

    Attributes:
        then: Called once with the outcome, or never if the sender is gone.
        timeout: Seconds after which the outcome is an error; None for no limit.
        proved: Whether the processes must be proved: see `core.proof`.
        parts: What the supervisor's desk records before the order is applied.
    """

    __slots__ = ("_gone", "parts", "proved", "then", "timeout")

    def __init__(
        self,
        then: Callable[[Outcome], None],
        timeout: float | None = None,
        proved: bool = False,
    ) -> None:
        self.then = then
        self.timeout = timeout
        self.proved = proved
        self.parts: list[Any] = []
        self._gone: Callable[[], object] | None = None

    def on_gone(self, fn: Callable[..., object], *args: Any) -> None:
        """Call a function when the sender is gone, to release what is kept for it."""
        self._gone = partial(fn, *args)

    def gone(self) -> None:
        """Note that the sender is gone."""
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()

    def forget(self) -> None:
        """Drop the function, or the two would keep each other alive."""
        self._gone = None


class Death(NamedTuple):
    """The record of a process that has ended. Immutable."""

    wid: int
    pid: int
    exit_code: int | None  # negative for a signal; None if other code in this process reaped it
    cause: str  # what ended it, as published
    at: float  # when that became known
    actor: str = ""  # who ordered it; "" if it was not ordered
    why: str = ""  # the reason that the actor gave
    lived: float = 0.0  # seconds from its spawn on
    life: int = 0  # the number of the watcher's life in which it died
    was_proved: bool = False  # it had been ready once, or had done its work
    failure: str = ""  # why it never executed its program
    oom: bool = False  # the kernel killed it because its cgroup was out of memory
    output: tuple[str, ...] | None = None  # its last output; None if that is not known
    is_awaited: bool = False  # its output is on its way
    was_rolled: bool = False  # a rollout judged it, or was replacing it

    def to_state(self) -> list[Any]:
        """Return what is saved: all but what only a waiting order needs."""
        return list(self[:-1])


WROTE = "it wrote last: "
"""Introduces the output of a failed process at the end of a sentence."""

STANDING = {
    "unready": "is not ready",
    "backoff": "is in backoff",
    "completed": "has completed",
    "failed": "has failed",
    "invalid": "cannot be used",
}
"""Predicates of phases that do not follow "is"."""


def standing(phase: str) -> str:
    """Return the phase of a watcher as a predicate."""
    return STANDING.get(phase, f"is {phase}")


def lasting(seconds: float) -> str:
    """Render a duration in seconds with two digits, in whole seconds from ten on."""
    if seconds < 0.001:
        return "less than 0.001 s"
    return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.2g} s"


class Stray(NamedTuple):
    """A process that one of a watcher's processes left behind, outside its slots. Immutable."""

    pid: int
    start_time: int  # in clock ticks since boot
    command: str
