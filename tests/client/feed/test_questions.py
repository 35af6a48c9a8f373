"""The pace of questions to a daemon."""

from __future__ import annotations

import unittest
from typing import Any
from unittest import mock

import zmq

from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.feed import questions
from cvec_circus.client.feed.questions import Pace, Questions
from tests.support.clock import FakeClock


class TestPace(unittest.TestCase):
    def test_turns_are_an_interval_apart(self) -> None:
        clock = FakeClock()
        pace = Pace(1.0, clock)
        self.assertEqual([pace.reserve() for _ in range(3)], [0.0, 1.0, 2.0])
        clock.advance(2.5)
        self.assertEqual(pace.reserve(), 0.5)

    def test_time_that_nobody_used_is_gone(self) -> None:
        clock = FakeClock()
        pace = Pace(1.0, clock)
        clock.advance(100)
        self.assertEqual([pace.reserve(), pace.reserve()], [0.0, 1.0])


class TestAsking(unittest.TestCase):
    def test_a_socket_that_takes_nothing(self) -> None:
        """libzmq makes one of a socket that something else than a daemon has answered."""
        loop, context, replies = ZmqLoop(), zmq.Context[Any](), []
        self.addCleanup(context.term)
        self.addCleanup(loop.close)
        asking = Questions(loop, context, "ipc:///nowhere")
        self.addCleanup(asking.drop)
        loop.on_error = lambda error, name: self.fail(f"{name}: {error!r}")

        def take(reply: Any) -> None:
            replies.append(reply)
            loop.stop()

        def unconnected(context: Any, endpoint: str) -> Any:
            return context.socket(zmq.DEALER)

        asking._patience = 0.01
        with mock.patch.object(questions, "open_dealer", unconnected):
            asking.ask("status", {}, take)
            loop.run()
        self.assertEqual(replies, [None])
        self.assertFalse(asking.busy)


if __name__ == "__main__":
    unittest.main()
