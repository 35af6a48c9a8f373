"""What came of an order that somebody waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable


@dataclass
class Outcome:
    """What an order did. Immutable by convention: made by the core, read by the command.

    Attributes:
        error: Why the order did not come to its end, in a sentence; None when it did.
        started: Pids that run now and did not when the order was given.
        stopped: Pids that ran when the order was given and are gone now.
        kept: Pids that ran then and run now.
        numprocesses: How many processes are wanted now, over all watchers of the order.
    """

    error: str | None = None
    started: list[int] = field(default_factory=list)
    stopped: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    numprocesses: int = 0


@dataclass(frozen=True)
class Wait:
    """Somebody waits for the end of an order. Owned by the supervisor thread.

    Attributes:
        then: Called exactly once with the outcome, on the supervisor thread.
        timeout: Seconds after which the outcome is an error; None waits as long as it takes.
    """

    then: Callable[[Outcome], None]
    timeout: float | None = None
