"""The clock, and how long to poll."""

import unittest

from cvec_circus.base.clock import LONGEST_POLL, SYSTEM, poll_milliseconds
from tests.support.clock import FakeClock


class ClockTest(unittest.TestCase):
    def test_the_system_clock_moves_on(self):
        self.assertLessEqual(SYSTEM.monotonic(), SYSTEM.monotonic())
        self.assertGreater(SYSTEM.time(), 1_600_000_000)

    def test_a_fake_one_is_moved(self):
        clock = FakeClock(now=5.0, wall=100.0)
        clock.advance(1.5)
        self.assertEqual((clock.monotonic(), clock.time()), (6.5, 101.5))


class PollMillisecondsTest(unittest.TestCase):
    def test_rounds_up_so_that_no_poll_ends_before_its_timer(self):
        self.assertEqual(poll_milliseconds(0.0007), 1)
        self.assertEqual(poll_milliseconds(0.0101), 11)
        self.assertEqual(poll_milliseconds(2.0), 2000)

    def test_the_past_is_now(self):
        self.assertEqual(poll_milliseconds(-3.0), 0)
        self.assertEqual(poll_milliseconds(0.0), 0)

    def test_none_is_for_ever(self):
        self.assertIsNone(poll_milliseconds(None))

    def test_an_int_of_milliseconds_never_overflows(self):
        self.assertEqual(poll_milliseconds(1e12), LONGEST_POLL * 1000)
        self.assertEqual(poll_milliseconds(float("inf")), LONGEST_POLL * 1000)
