"""What deciding costs: as much as has changed, not as much as there is.

The bounds are ten times what a slow machine needs: they are to find a pass that has become
quadratic, not to measure.
"""

from __future__ import annotations

import os
import unittest
from collections.abc import Callable

from tests.support.world import FakeWorld


def took(fn: Callable[[], object]) -> float:
    """Seconds of processor time that a call takes, however busy the machine is with others."""
    before = os.times()
    fn()
    after = os.times()
    return after.user - before.user + after.system - before.system


class TestCosts(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()

    def test_1000_deaths_in_one_watcher_decided_in_one_turn(self) -> None:
        watcher = self.world.up(numprocesses=1000)
        self.world.advance(60)

        def die() -> None:
            for pid in watcher.places.pids():
                self.world.die(pid)
            self.world.settle()

        self.assertLess(took(die), 2.0)
        self.assertEqual(len(self.world.alive), 1000)

    def test_1000_deaths_in_one_watcher_four_a_turn(self) -> None:
        watcher = self.world.up(numprocesses=1000)
        self.world.advance(60)

        def die() -> None:
            for number, pid in enumerate(watcher.places.pids()):
                self.world.die(pid)
                if number % 4 == 3:
                    self.world.settle()

        self.assertLess(took(die), 2.0)
        self.assertEqual(len(self.world.alive), 1000)

    def test_1000_deaths_one_a_turn_while_somebody_waits_for_a_stop(self) -> None:
        watcher = self.world.up(numprocesses=1000)
        self.world.temper = "stubborn"
        outcomes, wait = self.world.wait()
        self.world.stop([watcher], "command:stop", wait)
        self.world.settle()

        def die() -> None:
            for pid in watcher.places.pids():
                self.world.die(pid)
                self.world.settle()

        self.assertLess(took(die), 2.0)
        self.assertIsNone(outcomes[0].error)

    def test_half_an_hour_of_a_watcher_that_keeps_dying(self) -> None:
        watcher = self.world.up(numprocesses=4)

        def half_an_hour() -> None:
            for _ in range(1800):
                for pid in watcher.places.pids():
                    self.world.die(pid, 1)
                self.world.advance(1)

        self.assertLess(took(half_an_hour), 2.0)

    def test_half_an_hour_of_a_quiet_one_costs_nothing(self) -> None:
        self.world.up(numprocesses=100)
        self.world.advance(1)  # it has been proved by then
        self.assertIsNone(self.world.roster.next_at())
        self.assertLess(took(lambda: self.world.advance(1800)), 0.1)

    def test_1000_watchers_start_and_stop(self) -> None:
        for number in range(1000):
            self.world.add(f"w{number}", priority=number % 5)

        def there_and_back() -> None:
            self.world.start(None, "config", None)
            self.world.advance(1)
            self.world.stop(None, "command:stop", None)
            self.world.advance(1)

        self.assertLess(took(there_and_back), 3.0)
        self.assertTrue(self.world.roster.is_down)

    def test_a_turn_looks_only_at_watchers_that_something_happened_to(self) -> None:
        watchers = [self.world.up(f"w{number}") for number in range(1000)]
        self.world.advance(60)

        def deaths() -> None:
            for number in range(1000):
                watcher = watchers[number % 10]
                self.world.die(watcher.places.pids()[0])
                self.world.settle()
                self.world.advance(2)

        self.assertLess(took(deaths), 2.0)


if __name__ == "__main__":
    unittest.main()
