"""Blocking work of a plugin, away from its thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from cvec_circus.base.worker import Worker

WORKERS = 4
"""Jobs done at once. So three that hang do not hold up the rest, and a flood starts no flood."""


class Jobs:
    """A few workers, started as they are needed. Safe from any thread."""

    def __init__(self, name: str, on_crash: Callable[[BaseException, str], object]) -> None:
        """Make it, without any thread.

        Args:
            name: What the workers are named after.
            on_crash: Called on a worker's thread with the exception of a job that raised.
        """
        self._name = name
        self._on_crash = on_crash
        self._lock = threading.RLock()
        self._workers: list[Worker] = []
        self._pending: list[int] = []
        self._stopped = False

    def do(self, fn: Callable[..., object], *args: Any) -> None:
        """Have a function called on a worker's thread; not after `stop`. Never blocks."""
        with self._lock:
            if self._stopped:
                return
            place = self._place()
            self._pending[place] += 1
            self._workers[place].do(self._make, place, fn, args)

    def stop(self) -> None:
        """Begin no more jobs, and let the threads end after those they are at."""
        with self._lock:
            self._stopped = True
            for worker in self._workers:
                worker.stop()

    def _place(self) -> int:
        """Find the worker with the least to do, a new one rather than one that is busy."""
        places = range(len(self._workers))
        place = min(places, key=self._pending.__getitem__, default=-1)
        if (place < 0 or self._pending[place]) and len(self._workers) < WORKERS:
            place = len(self._workers)
            self._workers.append(Worker(f"{self._name} worker {place + 1}", self._on_crash))
            self._pending.append(0)
        return place

    def _make(self, place: int, fn: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            if not self._stopped:
                fn(*args)
        finally:
            with self._lock:
                self._pending[place] -= 1
