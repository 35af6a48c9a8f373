"""Measuring processes, on a thread that may take its time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cvec_circus import exc, logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.loop import Loop
from cvec_circus.base.worker import Worker

if TYPE_CHECKING:
    from cvec_circus.system.procfs import Sampler

Then = Callable[[dict[int, dict[str, Any]]], object]


class SamplerThread:
    """Measures on the sampler thread, answers on the supervisor thread.

    `sample` is called on the supervisor thread; the processes' history, from which their share of
    the CPU is worked out, belongs to the sampler thread. A sweep over 100 processes takes about
    10 ms, one that asked psutil for the children of each took 35 ms a process.
    """

    def __init__(self, loop: Loop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._worker = Worker("sampler", _log_crash)
        self._sampler: Sampler | None = None
        self._asked: dict[object, Then] = {}

    def sample(self, pids: list[int], then: Then) -> None:
        """Has `then` called with what there is to say about each process that still is there.

        Raises:
            CircusError: The system has no thread for it.
        """
        question = object()
        try:
            self._worker.do(self._measure, pids, question)
        except RuntimeError as error:
            raise exc.CircusError(f"nothing can be measured now: {error}") from None
        # Answers come by post, so none is there before this.
        self._asked[question] = then

    def _measure(self, pids: list[int], question: object) -> None:
        """On the sampler thread."""
        rows: dict[int, dict[str, Any]] = {}
        try:
            rows = self._procfs().sample(pids)
        finally:
            # Whatever happened, somebody waits for an answer.
            self._loop.post(self._answer, question, rows)

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
