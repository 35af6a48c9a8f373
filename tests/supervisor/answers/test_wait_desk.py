"""Thousands that wait for the same end: judged once, and answered a share of a turn at a time."""

from __future__ import annotations

import gc
import unittest
import weakref
from collections.abc import Callable
from unittest import mock

from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.answers import verdicts
from cvec_circus.supervisor.answers.waiting import WaitDesk
from cvec_circus.wire.orders import Stop
from cvec_circus.wire.outcome import Outcome, Wait
from tests.support.world import FakeWorld

COUNT = 1000


class TestManyWaits(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.stop_delay = 1.0
        self.watcher = self.world.up(numprocesses=3)
        self.desk: WaitDesk = self.world.waits
        self.posted: list[Callable[[], object]] = []
        self.outcomes: list[Outcome] = []

    def stop(self, watcher: Watcher, timeout: float | None = None) -> Wait:
        wait = Wait(self.outcomes.append, timeout)
        self.world.stop([watcher], "command:stop", wait)
        return wait

    def parts(self) -> int:
        kinds = self.desk._parts.get(self.watcher, {})
        return sum(len(parts) for parts in kinds.values())

    def test_one_is_judged_for_all(self) -> None:
        with mock.patch.dict(verdicts.ENDS):
            word, reached = verdicts.ENDS[Stop]
            judge = mock.Mock(side_effect=reached)
            verdicts.ENDS[Stop] = word, judge
            for _ in range(COUNT):
                self.stop(self.watcher)
            self.world.settle()
            self.world.advance(1)
        self.assertEqual(len(self.outcomes), COUNT)
        self.assertEqual({outcome.error for outcome in self.outcomes}, {None})
        self.assertLess(judge.call_count, 50)

    def test_the_pids_are_kept_once(self) -> None:
        for _ in range(COUNT):
            self.stop(self.watcher)
        kinds = self.desk._parts[self.watcher].values()
        self.assertEqual(len({id(part.before) for parts in kinds for part in parts}), 1)

    def test_answers_are_given_turn_by_turn(self) -> None:
        self.desk._backlog.post = self.posted.append
        self.desk._backlog.share = 0.0
        for _ in range(COUNT):
            self.stop(self.watcher)
        self.world.settle()
        self.world.advance(1)
        first = len(self.outcomes)
        self.assertLess(first, 5)  # one of each kind
        for turn in range(1, 10):
            self.posted.pop()()
            self.assertEqual(len(self.outcomes), first + turn)
        self.desk.refuse_all("it is over")
        self.assertEqual({outcome.error for outcome in self.outcomes}, {None})
        self.assertEqual(len(self.outcomes), COUNT)

    def test_nothing_is_left_of_those_that_ran_out_of_time(self) -> None:
        for _ in range(COUNT):
            self.stop(self.watcher, timeout=0.5)
        self.world.settle()
        self.world.advance(0.5)
        self.assertEqual(len(self.outcomes), COUNT)
        self.assertIn("timed out", str(self.outcomes[0].error))
        self.assertEqual(self.parts(), 0)

    def test_nothing_is_left_of_those_whose_client_is_gone(self) -> None:
        waits = [self.stop(self.watcher) for _ in range(COUNT)]
        self.assertEqual(self.parts(), COUNT)
        for wait in waits:
            wait.gone()
        self.assertEqual((self.parts(), len(self.desk._agenda)), (0, 0))
        self.world.settle()
        self.world.advance(1)
        self.assertEqual(self.outcomes, [])

    def test_nothing_is_left_of_an_order_that_raises(self) -> None:
        then = mock.Mock()
        kept = weakref.ref(then)
        raises = mock.patch.object(self.world.roster, "begin", side_effect=ValueError)
        with raises, self.assertRaises(ValueError):
            self.world.stop([self.watcher], "command:stop", Wait(then))
        del then
        gc.collect()
        self.assertIsNone(kept())

    def test_nothing_waits_for_the_garbage_collector(self) -> None:
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        gone, answered = self.stop(self.watcher), self.stop(self.watcher)
        kept = [weakref.ref(waiting) for waiting, _ in self.desk._agenda.entries()]
        gone.gone()
        self.world.settle()
        self.world.advance(1)
        self.outcomes.clear()
        del gone, answered
        self.assertEqual([ref() for ref in kept], [None, None])

    def test_an_answer_that_fails_keeps_none_from_the_others(self) -> None:
        self.world.stop([self.watcher], "command:stop", Wait(mock.Mock(side_effect=OSError("no"))))
        self.stop(self.watcher)
        self.world.settle()
        with self.assertLogs("cvec_circus", "ERROR"):
            self.world.advance(1)
        self.assertEqual(len(self.outcomes), 1)


if __name__ == "__main__":
    unittest.main()
