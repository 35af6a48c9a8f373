"""A clock that stands still until a test moves it."""

from __future__ import annotations

from cvec_circus.base.clock import Clock


class FakeClock(Clock):
    """Time that a test advances. Safe from any thread.

    Attributes:
        now: The monotonic instant, in seconds.
        wall: Seconds since 1970; a test may make it jump.
    """

    def __init__(self, now: float = 1000.0, wall: float = 1_700_000_000.0) -> None:
        self.now = now
        self.wall = wall

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.wall

    def advance(self, seconds: float) -> None:
        """Let seconds go by, on both clocks."""
        self.now += seconds
        self.wall += seconds
