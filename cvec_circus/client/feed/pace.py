"""How often a daemon is asked."""

from __future__ import annotations

from cvec_circus.base.clock import SYSTEM, Clock


class Pace:
    """Keeps questions apart. Owned by the thread that asks.

    Whoever is to ask a daemon no more often than agreed hands one of these to everything of it that
    asks.
    """

    def __init__(self, interval: float, clock: Clock = SYSTEM) -> None:
        """Agree on a pace.

        Args:
            interval: Seconds from one question to the next.
            clock: The time.
        """
        self.interval = interval
        self._clock = clock
        self._next_at = clock.monotonic()

    def reserve(self) -> float:
        """Take the next turn, and tell in how many seconds it is; 0.0 for now."""
        now = self._clock.monotonic()
        turn = max(now, self._next_at)
        self._next_at = turn + self.interval
        return turn - now
