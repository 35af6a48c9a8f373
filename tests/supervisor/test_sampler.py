"""Questions to the sampler thread: each is answered once, whatever happens."""

from __future__ import annotations

import os
from typing import Any

from cvec_circus.base.clock import SYSTEM
from cvec_circus.supervisor.sampler import SamplerThread
from tests.support.leaks import LeakCheckedTestCase


class Posts:
    """A loop that keeps what is posted, and never turns."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def post(self, fn: Any, *args: Any) -> bool:
        self.kept.append((fn, args))
        return True


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
