"""What came of an order that somebody waits for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable


class Outcome:
    """What an order did. Immutable by convention: made by the core, read by the command.

    Attributes:
        error: Why the order did not come to its end, in a sentence; None when it did.
        started: Pids that run now and did not when the order was given.
        stopped: Pids that ran when the order was given and are gone now.
        kept: Pids that ran then and run now.
        numprocesses: How many processes are wanted now, over all watchers of the order.
    """

    __slots__ = ("error", "kept", "numprocesses", "started", "stopped")

    def __init__(
        self,
        error: str | None = None,
        started: Iterable[int] = (),
        stopped: Iterable[int] = (),
        kept: Iterable[int] = (),
        numprocesses: int = 0,
    ) -> None:
        self.error = error
        self.started = list(started)
        self.stopped = list(stopped)
        self.kept = list(kept)
        self.numprocesses = numprocesses


class Wait:
    """Somebody waits for the end of an order. Owned by the supervisor thread.

    Attributes:
        then: Called exactly once with the outcome, on the supervisor thread.
        timeout: Seconds after which the outcome is an error; None waits as long as it takes.
    """

    __slots__ = ("then", "timeout")

    def __init__(self, then: Callable[[Outcome], None], timeout: float | None = None) -> None:
        self.then = then
        self.timeout = timeout
