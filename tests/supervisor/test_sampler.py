"""Questions for samples: each is answered once, whatever happens, and they share their sweeps."""

from __future__ import annotations

import os
import threading
from typing import Any
from unittest import mock

from cvec_circus import exc
from cvec_circus.base.clock import Clock
from cvec_circus.supervisor.chores import Chore
from cvec_circus.supervisor.sampler import MOST_QUESTIONS, REST, STOPPED, SampleDesk
from tests.support.leaks import LeakCheckedTestCase

OURS = os.getpid()


class Posts:
    """A loop that keeps what is posted, and never turns."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.kept: list[Any] = []
        self.posted = threading.Semaphore(0)
        self.timers: list[Any] = []

    def post(self, fn: Any, *args: Any) -> bool:
        self.kept.append((fn, args))
        self.posted.release()
        return True

    def call_at(self, when: float, fn: Any, *args: Any) -> None:
        self.timers.append((when, fn, args))

    def turn(self) -> None:
        """Wait for what is posted, and do it."""
        assert self.posted.acquire(timeout=20.0)
        fn, args = self.kept.pop(0)
        fn(*args)

    def ring(self) -> float:
        """Do what the timer is for; returns its time."""
        ((when, fn, args),) = self.timers
        self.timers.clear()
        fn(*args)
        return float(when)


class Hands(Clock):
    """A clock that is set by hand."""

    now = 1000.0
    tick = 0.0

    def monotonic(self) -> float:
        self.now += self.tick
        return self.now


class SampleCase(LeakCheckedTestCase):
    """A desk with a thread of its own, and a loop that turns when the test says so."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Hands()
        self.posts: Any = Posts(self.clock)
        self.chore = Chore(self.posts, "sampling")
        self.addCleanup(self.chore.join, 20.0)
        self.addCleanup(self.chore.stop)
        self.desk = SampleDesk(self.posts, self.chore)
        self.sweeps: list[set[int]] = []
        self.answers: list[Any] = []
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)

    def count_sweeps(self, failure: BaseException | None = None) -> None:
        """Keep what each sweep is for; none ends before the gate is open."""

        def sample(pids: list[int]) -> dict[int, dict[str, Any]]:
            self.sweeps.append(set(pids))
            self.gate.wait(20.0)
            if failure is not None:
                raise failure
            return {pid: {"pid": pid} for pid in pids}

        self.desk._sampler = mock.Mock(sample=sample)


class TestAnswers(SampleCase):
    def test_one_that_the_end_of_the_loop_overtakes(self) -> None:
        desk = SampleDesk(self.posts, self.chore)
        desk.sample([OURS], self.answers.append, self.answers.append)
        desk.sample([OURS], self.answers.append, self.answers.append)
        self.chore.stop()
        self.assertTrue(self.chore.join(20.0))
        desk.refuse_all()
        self.assertEqual(self.answers, [STOPPED] * 2)
        self.posts.turn()
        self.assertEqual(self.answers, [STOPPED] * 2)

    def test_a_real_one(self) -> None:
        self.desk.sample([OURS], self.answers.append, self.answers.append)
        self.posts.turn()
        self.assertEqual([list(rows) for rows in self.answers], [[OURS]])

    def test_one_sweep_at_a_time_and_a_rest_after_each(self) -> None:
        self.clock.tick = 1.0  # with each look
        self.desk.sample([OURS], self.answers.append, self.answers.append)
        self.desk.sample([], self.answers.append, self.answers.append)
        self.assertEqual(self.posts.timers, [])
        self.posts.turn()
        self.assertEqual([list(rows) for rows in self.answers], [[OURS]])
        before = self.clock.now
        self.assertGreater(self.posts.timers[0][0], before - 4 + REST)
        self.clock.now += 100
        self.posts.ring()
        self.posts.turn()
        self.assertEqual(self.answers[1:], [{}])

    def test_all_that_wait_share_one_sweep(self) -> None:
        self.count_sweeps()
        for number in range(3000):
            self.desk.sample([1, 2], self.answers.append, self.answers.append)
            self.desk.sample([number], self.answers.append, self.answers.append)
        self.gate.set()
        self.clock.tick = 0.001  # so that the share of a turn ends
        self.posts.turn()
        turns = 0
        while len(self.answers) < 6000:
            turns += 1
            if self.posts.timers:
                self.clock.now += 100
                self.posts.ring()
            else:
                self.posts.turn()
        self.assertEqual(self.sweeps, [{1, 2}, set(range(3000))])
        self.assertGreater(turns, 1000)
        self.assertEqual(self.answers[0], {1: {"pid": 1}, 2: {"pid": 2}})
        self.assertEqual(self.answers[-1][2999], {"pid": 2999})

    def test_too_many(self) -> None:
        self.count_sweeps()
        for _ in range(MOST_QUESTIONS):
            self.desk.sample([1], self.answers.append, self.answers.append)
        with self.assertRaisesRegex(
            exc.CircusError, "too many requests for statistics are waiting"
        ):
            self.desk.sample([1], self.answers.append, self.answers.append)
        self.gate.set()
        self.posts.turn()
        self.desk.sample([1], self.answers.append, self.answers.append)
        self.desk.refuse_all()
        self.assertEqual(len(self.answers), MOST_QUESTIONS + 1)

    def test_an_answer_that_fails_is_no_trouble_of_others(self) -> None:
        self.count_sweeps()
        self.gate.set()
        self.desk.sample([1], self.answers.append, self.answers.append)
        self.desk.sample([1], mock.Mock(side_effect=ValueError), self.answers.append)
        self.desk.sample([2], self.answers.append, self.answers.append)
        self.posts.turn()
        with self.assertLogs("cvec_circus", "ERROR"):
            self.posts.turn()
        self.assertEqual(len(self.answers), 2)


class TestTrouble(SampleCase):
    def test_no_thread(self) -> None:
        with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("none")):
            with self.assertRaisesRegex(exc.CircusError, "measured now: no thread .*: none"):
                self.desk.sample([OURS], self.answers.append, self.answers.append)
        self.assertEqual(self.answers, [])
        self.desk.sample([OURS], self.answers.append, self.answers.append)
        self.posts.turn()
        self.assertEqual(len(self.answers), 1)

    def test_no_thread_after_the_rest(self) -> None:
        self.count_sweeps()
        self.gate.set()
        self.clock.tick = 1.0
        self.desk.sample([1], self.answers.append, self.answers.append)
        self.desk.sample([1], self.answers.append, self.answers.append)
        self.posts.turn()
        self.clock.now += 100
        with mock.patch.object(self.chore, "attempt", side_effect=exc.CircusError("no thread")):
            self.posts.ring()
        self.assertEqual(self.answers[1:], ["nothing can be measured now: no thread"])

    def test_no_memory(self) -> None:
        self.count_sweeps(MemoryError())
        self.gate.set()
        self.desk.sample([1], self.answers.append, self.answers.append)
        with self.assertLogs("cvec_circus", "WARNING"):
            self.posts.turn()
        self.assertEqual(self.answers, ["nothing can be measured now: no memory"])

    def test_a_fault_of_ours(self) -> None:
        self.count_sweeps(ValueError("fault"))
        self.gate.set()
        self.desk.sample([1], self.answers.append, self.answers.append)
        with self.assertLogs("cvec_circus", "ERROR") as logged:
            self.posts.turn()
            self.chore.stop()
            self.assertTrue(self.chore.join(20.0))
        self.assertEqual(self.answers, ["nothing can be measured now"])
        self.assertIn("ValueError: fault", "\n".join(logged.output))
