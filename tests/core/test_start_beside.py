"""Watchers that start while others do."""

from __future__ import annotations

import unittest

from tests.support.world import FakeWorld


class TestStartBeside(unittest.TestCase):
    """`Start` with `beside`."""

    def setUp(self) -> None:
        self.world = FakeWorld(warmup_delay=1.0)

    def test_in_order_of_priority(self) -> None:
        low, high = self.world.add("low"), self.world.add("high", priority=5)
        outcomes, wait = self.world.wait()
        self.world.start_beside([low, high], "command:reloadconfig", wait)
        self.world.settle()
        self.assertEqual((high.is_up, low.is_up), (True, False))
        self.world.advance(1.0)
        self.assertTrue(low.is_up)
        self.assertEqual([outcome.error for outcome in outcomes], [None])

    def test_nobody_else_is_started(self) -> None:
        other = self.world.add("other")
        self.world.start_beside([self.world.add("web")], "x", None)
        self.world.advance(5.0)
        self.assertFalse(other.is_up)

    def test_a_start_of_all_goes_on(self) -> None:
        names = ("a", "b", "z")
        a, b, z = (self.world.add(name) for name in names)
        late = self.world.add("late", priority=-1)
        self.world.start(None, "config", None)
        self.world.settle()
        self.assertEqual([w.is_up for w in (a, b, z, late)], [True, False, False, False])
        new = self.world.add("m")
        self.world.start_beside([new, a], "x", None)
        self.world.settle()
        self.assertEqual([w.is_up for w in (a, b, new, z)], [True, False, False, False])
        self.world.advance(1.0)
        self.assertEqual([w.is_up for w in (b, new, z, late)], [True, False, False, False])
        self.world.advance(10.0)
        self.assertTrue(all(w.is_up for w in self.world.roster.watchers()))

    def test_during_a_restart_of_all(self) -> None:
        a = self.world.up("a")
        before = self.world.pids(a)
        self.world.restart(None, "x", None)
        self.world.settle()
        self.assertTrue(self.world.campaign.asks(False))
        new = self.world.add("new")
        self.world.start_beside([new], "x", None)
        self.world.advance(10.0)
        self.assertFalse(self.world.campaign.asks(False))
        self.assertTrue(a.is_up and new.is_up)
        self.assertNotEqual(self.world.pids(a), before)


if __name__ == "__main__":
    unittest.main()
