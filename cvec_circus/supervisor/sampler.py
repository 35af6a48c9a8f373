"""Measuring processes, on a thread that may take its time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import exc, logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.loop import Loop
from cvec_circus.core.process import ManagedProcess
from cvec_circus.supervisor.chores import Chore
from cvec_circus.supervisor.turn import Backlog, Post

if TYPE_CHECKING:
    from cvec_circus.system.procfs import Sampler

Rows = dict[int, dict[str, Any]]
Then = Callable[[Rows], object]
Refuse = Callable[[str], object]
Question = tuple[Then, Refuse]

REST = 2.0
"""Times the length of a sweep for which nothing is measured after it. While one thread of Python
works the others wait for it again and again: with a client that asked for statistics in a loop a
respawn took 1.5 times as long when there was no rest."""

MOST_QUESTIONS = 10_000
"""Questions that wait for an answer, at most; more are refused."""

STOPPED = "the supervisor has stopped"
NOTHING = "nothing can be measured now"

SHARE = 0.002
"""Seconds of a turn in which questions are answered, for each answer has to be put together."""


class SampleDesk:
    """Takes samples on the sampling thread, and gives them to the clients that asked.

    Owned by the supervisor thread; the processes' history, from which their share of the CPU is
    worked out, belongs to the sampling thread. A sweep over 100 processes takes about 10 ms.

    There is one sweep at a time, and a rest after each. Meanwhile all questions share the next one,
    so a question waits for two sweeps at most, however many others there are.

    Args:
        loop: The supervisor's loop.
        chore: The sampling thread.
    """

    def __init__(self, loop: Loop, chore: Chore) -> None:
        self._loop = loop
        self._clock = loop.clock
        self._chore = chore
        self._sampler: Sampler | None = None
        self._sampler_here: Sampler | None = None
        self._wanted: set[int] = set()
        self._asked: list[Question] = []
        self._measured: list[Question] = []
        self._backlog = Backlog(loop.clock.monotonic, loop.post, SHARE)
        self._is_busy = False
        self._rests_until = 0.0

    def sample(self, pids: Iterable[int], then: Then, refuse: Refuse) -> None:
        """Measure processes, in a later turn.

        Args:
            pids: Which.
            then: Called with a row for each process that is still there, and for others too.
            refuse: Called with the reason instead, if nothing could be measured.

        Raises:
            CircusError: There is no thread for it, or too many questions wait already.
        """
        if len(self._asked) + len(self._measured) + len(self._backlog) >= MOST_QUESTIONS:
            raise exc.CircusError("too many requests for statistics are waiting; try again later")
        self._wanted.update(pids)
        self._asked.append((then, refuse))
        try:
            self._begin()
        except exc.CircusError as error:
            self._asked.pop()
            raise exc.CircusError(f"{NOTHING}: {error}") from None

    def sample_now(self, pids: Sequence[int]) -> Rows:
        """Measure processes within this turn, which takes its time: for a callback of a program.

        Raises:
            CircusError: Nothing can be measured.
        """
        try:
            if self._sampler_here is None:
                self._sampler_here = _sampler(self._clock)
            return self._sampler_here.sample(pids)
        except (MemoryError, OSError, ImportError) as error:
            raise exc.CircusError(_nothing(error)) from None

    def sample_daemon(self, then: Callable[[dict[str, Any]], object], refuse: Refuse) -> None:
        """Measure this very process; see `sample`."""
        pid = os.getpid()
        self.sample([pid], lambda rows: then(rows.get(pid, {})), refuse)

    def examine_machine(self, then: Callable[[list[dict[str, Any]]], object]) -> None:
        """Find out what this machine allows; call `then` with the checks, in a later turn.

        Raises:
            CircusError: There is no thread for it.
        """
        self._chore.attempt(self._examine, then)

    def _examine(self, then: Callable[[list[dict[str, Any]]], object]) -> None:
        """On the sampling thread."""
        from cvec_circus.system import doctor  # hardly ever asked for

        self._loop.post(then, [check.row for check in doctor.examine()])

    def refuse_all(self, reason: str = STOPPED, post: Post = None) -> None:
        """Refuse all that still wait at once: nothing brings the rows any more.

        Args: See `WaitDesk.refuse_all`.
        """
        self._backlog.drain()
        waiting = self._measured + self._asked
        self._measured, self._asked = [], []
        self._give(waiting, reason)
        self._backlog.post = post

    def _begin(self) -> None:
        """Begin the next sweep, now or after the rest.

        Raises:
            CircusError: There is no thread for it.
        """
        if self._is_busy or not self._asked:
            return
        if self._clock.monotonic() < self._rests_until:
            self._is_busy = True
            self._loop.call_at(self._rests_until, self._begin_after_rest)
            return
        self._chore.attempt(self._sweep, self._wanted)
        self._is_busy = True
        self._wanted = set()
        self._measured, self._asked = self._asked, []

    def _begin_after_rest(self) -> None:
        self._is_busy = False
        try:
            self._begin()
        except exc.CircusError as error:
            self._wanted.clear()
            refused, self._asked = self._asked, []
            self._give(refused, f"{NOTHING}: {error}")

    def _sweep(self, pids: set[int]) -> None:
        """On the sampling thread."""
        began = self._clock.monotonic()
        answer: Rows | str = NOTHING  # whatever happens, clients wait for it
        try:
            if self._sampler is None:
                self._sampler = _sampler(self._clock)
            began = self._clock.monotonic()
            answer = self._sampler.sample(list(pids))
        except (MemoryError, OSError, ImportError) as error:
            answer = _nothing(error)
        finally:
            self._loop.post(self._swept, answer, self._clock.monotonic() - began)

    def _swept(self, answer: Rows | str, took: float) -> None:
        self._rests_until = self._clock.monotonic() + REST * took
        if isinstance(answer, str):
            logger.warning("%s", answer)
        measured, self._measured = self._measured, []
        self._begin_after_rest()
        self._give(measured, answer)

    def _give(self, questions: list[Question], answer: Rows | str) -> None:
        if isinstance(answer, str):
            self._backlog.add(partial(refuse, answer) for _, refuse in questions)
        else:
            self._backlog.add(partial(then, answer) for then, _ in questions)


def _sampler(clock: Clock) -> Sampler:
    # psutil takes 1.5 MiB and 20 ms, and most daemons are never asked for statistics.
    from cvec_circus.system.procfs import Sampler

    return Sampler(clock)


def _nothing(error: Exception) -> str:
    return f"{NOTHING}: {' '.join(str(error).split()) or 'no memory'}"


def rows_of(processes: Iterable[ManagedProcess], rows: Rows) -> dict[str, dict[str, Any]]:
    """Return the measurements of one watcher's processes, with what only the daemon knows."""
    found = (process for process in processes if process.pid in rows)
    return {str(p.pid): {**rows[p.pid], "started": p.started, "wid": p.wid} for p in found}
