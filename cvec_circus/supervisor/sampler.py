"""Measuring processes, on a thread that may take its time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cvec_circus import exc, logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.loop import Loop
from cvec_circus.base.worker import Worker

if TYPE_CHECKING:
    from cvec_circus.system.procfs import Sampler

Then = Callable[[dict[int, dict[str, Any]]], object]

REST = 2.0
"""Times the length of a sweep for which nothing is measured after it. While one thread of Python
works the others wait for it again and again: with a client that asked for statistics in a loop a
respawn took 1.5 times as long when there was no rest."""


class SamplerThread:
    """Measures on the sampler thread, answers on the supervisor thread.

    `sample` is called on the supervisor thread; the processes' history, from which their share of
    the CPU is worked out, belongs to the sampler thread. A sweep over 100 processes takes about
    10 ms, one that asked psutil for the children of each took 35 ms a process. There is one sweep
    at a time, and a rest after each.
    """

    def __init__(self, loop: Loop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._worker = Worker("sampler", _log_crash)
        self._sampler: Sampler | None = None
        self._asked: dict[object, Then] = {}
        self._queue: deque[tuple[object, list[int]]] = deque()
        self._is_busy = False
        self._rests_until = 0.0

    def sample(self, pids: list[int], then: Then) -> None:
        """Has `then` called with what there is to say about each process that still is there.

        Raises:
            CircusError: The system has no thread for it.
        """
        question = object()
        self._asked[question] = then
        self._queue.append((question, pids))
        try:
            self._begin()
        except RuntimeError as error:
            del self._asked[question]
            raise exc.CircusError(f"nothing can be measured now: {error}") from None

    def _begin(self) -> None:
        """Begins the next sweep, now or after the rest.

        Raises:
            RuntimeError: The thread, which lives on after the first sweep, cannot be started.
        """
        if self._is_busy or not self._queue:
            return
        self._is_busy = True
        question, pids = self._queue.popleft()
        if self._clock.monotonic() < self._rests_until:
            self._loop.call_at(self._rests_until, self._worker.do, self._measure, pids, question)
            return
        try:
            self._worker.do(self._measure, pids, question)
        except RuntimeError:
            self._is_busy = False
            raise

    def _measure(self, pids: list[int], question: object) -> None:
        """On the sampler thread."""
        began = self._clock.monotonic()
        rows: dict[int, dict[str, Any]] = {}
        try:
            sampler = self._procfs()
            began = self._clock.monotonic()
            rows = sampler.sample(pids)
        finally:
            # Whatever happened, somebody waits for an answer.
            took = self._clock.monotonic() - began
            self._loop.post(self._measured, question, rows, took)

    def _measured(self, question: object, rows: dict[int, dict[str, Any]], took: float) -> None:
        self._is_busy = False
        self._rests_until = self._clock.monotonic() + REST * took
        self._answer(question, rows)
        self._begin()

    def _answer(self, question: object, rows: dict[int, dict[str, Any]]) -> None:
        then = self._asked.pop(question, None)
        if then is not None:
            then(rows)

    def answer_all(self) -> None:
        """Answers whoever still waits, with nothing: the loop that brings the rows has ended."""
        for question in list(self._asked):
            self._answer(question, {})

    def _procfs(self) -> Sampler:
        if self._sampler is None:
            # psutil takes 1.5 MiB and 20 ms, and most daemons are never asked for statistics.
            from cvec_circus.system.procfs import Sampler

            self._sampler = Sampler(self._clock)
        return self._sampler

    def sample_daemon(self, then: Callable[[dict[str, Any]], object]) -> None:
        """Has `then` called with what there is to say about this very process."""
        pid = os.getpid()
        self.sample([pid], lambda rows: then(rows.get(pid, {})))

    def stop(self) -> None:
        """Asks the thread to end."""
        self._worker.stop()

    def join(self, timeout: float) -> bool:
        """Waits that many seconds for its end, and returns whether it came."""
        return self._worker.join(timeout)


def _log_crash(error: BaseException, description: str) -> None:
    logger.error("sampler: %s failed", description, exc_info=error)
