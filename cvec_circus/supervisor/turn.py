"""The time, and the share of it that one turn of the loop has for the core."""

from __future__ import annotations

import os

from cvec_circus.base.clock import Clock

TURN = 0.005
"""Seconds of work on exits and spawns before the sockets are looked at again. With 256 exits a turn
a ping took up to 554 ms while 1000 processes died at once; with a turn like this one, 37 ms."""


class Turn:
    """The clock desk of the core. Owned by the supervisor thread."""

    def __init__(self, clock: Clock) -> None:
        self.now = clock.monotonic
        self._ends_at = 0.0

    def random(self) -> float:
        """See `core.ports.TurnClock`."""
        # From the kernel, because loading the module `random` takes a millisecond of each start.
        return int.from_bytes(os.urandom(4), "big") / 2**32

    def begin(self) -> None:
        """Begin a new share of time for the core."""
        self._ends_at = self.now() + TURN

    def turn_is_over(self) -> bool:
        """See `core.ports.TurnClock`."""
        return self.now() >= self._ends_at
