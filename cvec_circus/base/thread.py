"""A thread that either begins, or fails to within a time."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable
from typing import Any

BIRTH_TIMEOUT = 1.0
"""Seconds that `start` waits at most for the first step of a thread, on a machine that is busy."""

LOOK_DELAY = 0.01
"""Seconds between two looks for a thread that has died before its first step."""


class Thread(threading.Thread):
    """A daemon thread whose `start` ends. Started by any thread, once.

    The one of the standard library waits without an end for the thread's first step. A thread that
    finds no memory for that step dies without a word, and takes with it the thread that waits.

    Args:
        target: Called on it.
        name: Its name.
    """

    def __init__(self, target: Callable[[], object], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self._started: Any = _Birth()

    def start(self) -> None:
        """Start it. Waits microseconds as a rule, `BIRTH_TIMEOUT` at most.

        A thread that is late has begun all the same: it comes when the machine lets it.

        Raises:
            RuntimeError: The system has no thread, or no memory for its first step.
        """
        super().start()
        if self._started.has_failed:
            threading._limbo.pop(self, None)  # type: ignore[attr-defined]
            raise RuntimeError("no memory for a thread")

    @property
    def has_ended(self) -> bool:
        """Whether it has been there, and is no more. One that is late is still to come."""
        return not self.is_alive() and (self._started.is_set() or self._started.step() is None)

    @property
    def _bootstrap(self) -> Callable[[], object]:
        """What the new thread calls first. It alone holds this, so it goes when the thread does."""
        step = functools.partial(super()._bootstrap)  # type: ignore[misc]
        self._started.step = weakref.ref(step)
        return step


class _Birth(threading.Event):
    """Set by a thread's first step. Shared by that thread and the one that starts it."""

    step: Callable[[], object]
    has_failed = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the thread has begun, or is dead, or `BIRTH_TIMEOUT` seconds."""
        for _ in range(round(BIRTH_TIMEOUT / LOOK_DELAY)):
            if super().wait(LOOK_DELAY):
                return True
            if self.step() is None:
                self.has_failed = not self.is_set()
                return not self.has_failed
        return False
