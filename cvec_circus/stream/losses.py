"""The count of output that could not be written, and saying so, not too often."""

from __future__ import annotations

from collections.abc import Callable

from cvec_circus.base.clock import Clock

SAY_DELAY = 60.0


class Losses:
    """What one stream has lost. Owned by the pump thread.

    Attributes:
        total: Bytes lost since the stream was made. Any thread may read it.
    """

    def __init__(self, clock: Clock, on_loss: Callable[[str], object]) -> None:
        self.total = 0
        self._unsaid = 0
        self._why = ""
        self._clock = clock
        self._on_loss = on_loss
        self._say_at = clock.monotonic()

    @property
    def waiting(self) -> bool:
        """Whether there is a loss that nobody has been told of."""
        return self._unsaid > 0

    def count(self, size: int, why: str) -> None:
        """Add bytes that were lost, and say so if a minute has gone by since something was said."""
        self.total += size
        self._unsaid += size
        self._why = why
        self.look()

    def note(self, text: str) -> None:
        """Say something else that went wrong, unless something was said a short while ago."""
        now = self._clock.monotonic()
        if now >= self._say_at:
            self._say(text, now)

    def look(self) -> None:
        """Say what has been lost, if it is time to."""
        now = self._clock.monotonic()
        if self._unsaid and now >= self._say_at:
            self._say_losses(now)

    def settle(self) -> None:
        """Say what is left to say: nobody will look again."""
        if self._unsaid:
            self._say_losses(self._clock.monotonic())

    def _say_losses(self, now: float) -> None:
        size, self._unsaid = self._unsaid, 0
        self._say(f"{self._why}; {size} bytes of output are lost", now)

    def _say(self, text: str, now: float) -> None:
        self._say_at = now + SAY_DELAY
        self._on_loss(text)
