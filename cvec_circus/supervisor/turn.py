"""The time, and the share of it that one turn of the loop has for the core."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Optional

from cvec_circus import logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.reserve import make_room

TURN = 0.005
"""Seconds of work on exits and spawns before the sockets are looked at again. With 256 exits a turn
a ping took up to 554 ms while 1000 processes died at once; with a turn like this one, 37 ms."""

LOOK = 0.05
"""Seconds between two looks whether there is memory."""


class Turn:
    """The clock desk of the core. Owned by the supervisor thread."""

    def __init__(self, clock: Clock) -> None:
        self.now, self.time = clock.monotonic, clock.time
        self._ends_at = self._look_at = 0.0

    def random(self) -> float:
        """See `core.ports.TurnClock`."""
        # From the kernel, because loading the module `random` takes a millisecond of each start.
        return int.from_bytes(os.urandom(4), "big") / 2**32

    def begin(self) -> None:
        """Begin a new share of time for the core, which has memory for it."""
        now = self.now()
        self._ends_at = now + TURN
        if now >= self._look_at:
            self._look_at = now + LOOK
            make_room()

    def turn_is_over(self) -> bool:
        """See `core.ports.TurnClock`."""
        return self.now() >= self._ends_at


Post = Optional[Callable[[Callable[[], object]], object]]
"""Calls a function in the next turn; None where there is no such turn."""


class Backlog:
    """Answers that are given in order, for a share of each turn. Owned by the supervisor thread.

    Args:
        now: Returns the instant on the monotonic clock.
        post: Calls a function in the next turn; None gives all answers in the same one.
        share: Seconds of a turn.
    """

    def __init__(
        self,
        now: Callable[[], float],
        post: Post,
        share: float,
    ) -> None:
        self._now = now
        self.post = post
        self.share = share
        self._answers: deque[Callable[[], object]] = deque()

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, answers: Iterable[Callable[[], object]]) -> None:
        """Give these answers after those before them."""
        was_idle = not self._answers
        self._answers.extend(answers)
        if was_idle:
            self._go_on()

    def drain(self) -> None:
        """Give all answers now, because the loop has ended."""
        self.post = None
        self._go_on()

    def _go_on(self) -> None:
        until = self._now() + self.share
        while self._answers:
            try:
                self._answers[0]()
            except Exception as error:  # the others wait for theirs
                logger.error("an answer failed", exc_info=error)
            self._answers.popleft()  # only now: an answer may lead to an order, and to another one
            if self._answers and self.post is not None and self._now() >= until:
                self.post(self._go_on)
                return
