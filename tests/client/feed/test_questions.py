"""The pace of questions to a daemon."""

from __future__ import annotations

import unittest

from cvec_circus.client.feed.questions import Pace
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


if __name__ == "__main__":
    unittest.main()
