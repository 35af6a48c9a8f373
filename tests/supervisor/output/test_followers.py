"""Thousands that follow one output: answered a share of a turn at a time."""

from __future__ import annotations

import unittest
from typing import Any
from unittest import mock

from cvec_circus.base.clock import SYSTEM
from cvec_circus.supervisor.output import histories
from cvec_circus.supervisor.output.histories import Follower, Histories

COUNT = 300


class TestManyFollowers(unittest.TestCase):
    def setUp(self) -> None:
        self.loop = mock.Mock(clock=SYSTEM)
        self.answers: list[dict[str, Any]] = []
        self.histories = Histories(self.loop)
        self.histories._backlog.share = 0.0
        history = self.histories.keep(mock.Mock(), "stdout", 100_000)
        assert history is not None
        self.history = history

    def follow(self, count: int, since: int = 0) -> None:
        followers = self.histories._followers.setdefault(self.history, {})
        for _ in range(count):
            followers[Follower(since, self.answers.append)] = None

    def serve(self) -> None:
        """Serve them in one turn after another, until none is asked for."""
        self.histories._due.add(self.history)
        self.loop.post.side_effect = None
        self.histories._serve(self.history)
        while self.loop.post.call_args is not None:
            fn, *args = self.loop.post.call_args.args
            self.loop.post.reset_mock()
            self.turns += 1
            fn(*args)

    turns = 1

    def test_turn_by_turn(self) -> None:
        self.history.append(b"one\n", 7)
        self.follow(COUNT)
        self.follow(3, since=4)
        self.serve()
        self.assertEqual(len(self.answers), COUNT)
        self.assertGreaterEqual(self.turns, COUNT)
        self.assertEqual(len(self.histories._followers[self.history]), 3)
        self.assertEqual(self.histories._due, set())

    def test_those_without_a_line_are_looked_at_once(self) -> None:
        self.history.append(b"no end", 7)
        self.follow(COUNT)
        page = mock.Mock(side_effect=histories.page)
        with mock.patch.object(histories, "page", page):
            self.serve()
        self.assertEqual((page.call_count, len(self.answers)), (COUNT, 0))
        self.assertEqual(len(self.histories._followers[self.history]), COUNT)

    def test_the_last_answers_take_no_long_time(self) -> None:
        self.history.append(b"one\n", 7)
        self.follow(COUNT)
        with mock.patch.object(histories, "LAST_SHARE", 0.0):
            self.histories.end()
        self.assertEqual(len(self.answers), COUNT)
        told = [(len(one["lines"]), one["missed"], "ended" in one) for one in self.answers]
        self.assertEqual(told, [(0, 4, True)] * COUNT)


if __name__ == "__main__":
    unittest.main()
