"""Questions to the sampler thread: each is answered once, whatever happens."""

from __future__ import annotations

import os
import threading
from typing import Any

from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.supervisor.sampler import REST, SamplerThread
from tests.support.leaks import LeakCheckedTestCase


class Posts:
    """A loop that keeps what is posted, and never turns."""

    def __init__(self) -> None:
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
        """Wait for what the sampler thread posts, and do it."""
        assert self.posted.acquire(timeout=20.0)
        fn, args = self.kept.pop()
        fn(*args)


class Ticking(Clock):
    """A clock that moves on by a second whenever somebody looks at it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now


class TestAnswers(LeakCheckedTestCase):
    def test_one_that_the_end_of_the_loop_overtakes(self) -> None:
        posts: Any = Posts()
        sampler = SamplerThread(posts, SYSTEM)
        answers: list[Any] = []
        sampler.sample([os.getpid()], answers.append)
        sampler.stop()
        self.assertTrue(sampler.join(20.0))
        sampler.answer_all()
        self.assertEqual(answers, [{}])
        ((fn, args),) = posts.kept
        fn(*args)
        self.assertEqual(answers, [{}])

    def test_one_sweep_at_a_time_and_a_rest_after_each(self) -> None:
        posts: Any = Posts()
        sampler = SamplerThread(posts, Ticking())
        self.addCleanup(sampler.join, 20.0)
        self.addCleanup(sampler.stop)
        answers: list[Any] = []
        sampler.sample([os.getpid()], answers.append)
        sampler.sample([], answers.append)
        self.assertEqual(posts.timers, [])
        posts.turn()
        self.assertEqual([list(rows) for rows in answers], [[os.getpid()]])
        ((when, fn, args),) = posts.timers
        self.assertGreaterEqual(when, 1002.0 + REST)
        fn(*args)
        posts.turn()
        self.assertEqual(answers[1:], [{}])
        self.assertEqual(len(posts.timers), 1)
