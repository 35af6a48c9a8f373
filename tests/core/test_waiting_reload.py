"""Waiting for orders to what runs once, and for orders to several watchers."""

from __future__ import annotations

import unittest

from cvec_circus.wire.orders import Reload, Resize, Start
from tests.core.test_waiting_proved import CAUSE, ProvedCase

KEPT = "the old process was kept"


class TestOnce(ProvedCase):
    """Reloads of what runs once, and is done at once."""

    def test_it_was_down(self) -> None:
        for exit_code in (0, 4):
            with self.subTest(exit_code):
                self.setUp()
                watcher = self.world.up(respawn=False)
                self.world.die(100)
                self.world.advance(1)
                outcomes = self.proved(Reload([watcher], CAUSE))
                self.world.die(101, exit_code)
                self.world.advance(1)
                if exit_code:
                    self.assertIn("reload of web: process 101 exited with 4", outcomes[0].error)
                else:
                    self.assert_done(outcomes)

    def test_it_ran(self) -> None:
        watcher = self.world.up(respawn=False)
        self.world.advance(5)
        outcomes = self.proved(Reload([watcher], CAUSE))
        self.world.die(101)
        self.world.advance(5)
        self.assert_done(outcomes)
        self.assertTrue(watcher.has_completed)

    def test_what_takes_its_place_fails(self) -> None:
        for rollout, left in (("recreate", "no old process was left"), ("auto", KEPT)):
            with self.subTest(rollout):
                self.setUp()
                watcher = self.world.up(respawn=False, rollout=rollout, min_uptime=3)
                self.world.advance(5)
                outcomes = self.proved(Reload([watcher], CAUSE))
                self.world.advance(1)  # with `recreate` the old process ends
                self.world.at(0.5, lambda: self.world.die(101, 4))
                self.world.advance(5)
                self.assertEqual(watcher.has_completed, rollout == "recreate")
                self.assertEqual(self.world.spawned, [100, 101])
                how = f"exited with 4 after [0-9.]+ s, before it was ready; {left}"
                self.assertRegex(outcomes[0].error, f"^reload of web: process 101 {how}$")

    def test_one_more(self) -> None:
        watcher = self.world.up(respawn=False)
        outcomes = self.proved(Resize(watcher, 2, CAUSE))
        self.world.die(100)
        self.world.die(101)
        self.world.advance(1)
        self.assert_done(outcomes)

    def test_a_stop_overtakes_it_all_the_same(self) -> None:
        watcher = self.world.up(respawn=False, min_uptime=60)
        outcomes = self.proved(Reload([watcher], CAUSE))
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(5)
        self.assert_fails(outcomes, "reload of web abandoned: a later order stopped it")


class TestSeveral(ProvedCase):
    """Each one that fails is named."""

    def test_a_reload(self) -> None:
        x, y, z = (self.world.up(name, use_sockets=True) for name in "xyz")
        self.world.advance(60)
        outcomes = self.proved(Reload([x, y, z], CAUSE))
        self.world.die(103, 1)
        self.world.advance(0.5)
        self.assertEqual(outcomes, [])
        self.world.die(104, 2)
        self.world.advance(5)
        [outcome] = outcomes
        self.assertRegex(
            outcome.error or "",
            "^reload of x: process 103 exited with 1 [^;]*; the old process was kept; "
            "reload of y: process 104 exited with 2 [^;]*; the old process was kept$",
        )
        self.assertEqual((outcome.failed, self.world.pids(z)), (["x", "y"], [105]))

    def test_a_start(self) -> None:
        outcomes = self.proved(Start([self.world.add(name) for name in "xy"], CAUSE))
        self.world.die(100, 1)
        self.world.advance(0.5)
        self.world.die(101, 1)
        self.world.settle()
        [outcome] = outcomes
        for name in outcome.failed:
            self.assertIn(f"start of {name}: process ", outcome.error or "")
        self.assertEqual(outcome.failed, ["x", "y"])

    def test_what_waits_for_one_that_fails_is_not_waited_for(self) -> None:
        x, y = self.world.add("x"), self.world.add("y", depends_on="x")
        outcomes = self.proved(Start([x, y], CAUSE))
        self.world.die(100, 1)
        self.world.settle()
        self.assertIn("start of x: process 100 exited with 1", outcomes[0].error or "")


if __name__ == "__main__":
    unittest.main()
