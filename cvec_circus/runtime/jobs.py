"""Blocking work of a plugin, away from its thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from cvec_circus.base.thread import Worker

WORKERS = 4
"""Jobs done at once: one that hangs does not hold up the rest, and many jobs start few threads."""


class Jobs:
    """A queue that a few workers share, started as they are needed. Safe from any thread."""

    def __init__(self, name: str, on_crash: Callable[[BaseException, str], object]) -> None:
        """Make it, without any thread; the arguments are those of `Worker`."""
        self._name = name
        self._on_crash = on_crash
        self._lock = threading.RLock()
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._workers: list[Worker] = []
        self._idle: list[Worker] = []
        self._stopped = False

    def do(self, fn: Callable[..., object], *args: Any) -> None:
        """Call a function on a worker's thread; not after `stop`. Never blocks."""
        with self._lock:
            if self._stopped:
                return
            self._waiting.append((fn, args))
            if not self._idle and len(self._workers) < WORKERS:
                worker = Worker(f"{self._name} worker {len(self._workers) + 1}", self._on_crash)
                self._workers.append(worker)
                self._idle.append(worker)
            if self._idle:
                worker = self._idle.pop()
                worker.do(self._work, worker)

    def stop(self) -> None:
        """Begin no more jobs, and let the threads end after their current ones."""
        with self._lock:
            self._stopped = True
            self._waiting.clear()
            for worker in self._workers:
                worker.stop()

    def _work(self, worker: Worker) -> None:
        """Do jobs as long as there are any. A worker's thread."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._idle.append(worker)
                    return
                fn, args = self._waiting.popleft()
            try:
                fn(*args)
            except BaseException as error:  # sys.exit() in a plugin's code ends only its job
                self._on_crash(error, getattr(fn, "__qualname__", repr(fn)))
            del fn, args  # so that objects of a job do not live until the next job
