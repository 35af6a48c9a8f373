"""Rollouts amid other orders, deaths and the next rollout."""

from __future__ import annotations

import unittest

from tests.core.test_rollouts import RolloutCase


class TestInterplay(RolloutCase):
    def test_a_stop_overtakes_it(self) -> None:
        watcher = self.up(numprocesses=2, ready={"a": "notify"})
        outcomes = self.reload(watcher)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(5)
        self.assertIn("a later order stopped it", self.error(outcomes))
        self.assertEqual(watcher.status, "stopped")

    def test_one_that_fails_while_a_stop_waits_for_its_turn(self) -> None:
        for is_partial in (False, True):
            with self.subTest(is_partial=is_partial):
                self.setUp()
                db = self.up(name="db", ready={"a": "notify"})
                web = self.up(name="web", depends_on={"db": ""})
                if is_partial:
                    self.world.kill(db, list(db.places.leaders()), None, None, None, surge=True)
                else:
                    self.reload(db)
                self.world.settle()
                old, new = self.world.pids(db)
                self.world.stop(None, "command:stop", None)
                self.world.settle()
                self.world.die(new, 1)
                self.world.settle()
                self.assertEqual((web.status, self.world.pids(db)), ("stopping", [old]))
                self.assertNotIn("kill", self.world.actions("db"))
                self.world.advance(5)
                self.assertEqual((web.status, db.status), ("stopped", "stopped"))

    def test_a_kill_with_surge_begins_when_surplus_places_are_free(self) -> None:
        watcher = self.up(numprocesses=2, ready={"a": "notify"})
        olds = list(watcher.places.leaders())
        self.world.kill(watcher, olds, None, None, None, surge=True)
        self.world.resize(watcher, 1, "command:decr", None)
        self.world.settle()
        self.assertEqual((watcher.places.stale_count, self.world.spawned[-1]), (1, 102))
        self.world.probed(102)
        self.world.advance(1)
        self.assertEqual(self.world.pids(watcher), [102])

    def test_a_newer_one_keeps_the_same_way_back(self) -> None:
        watcher = self.up(numprocesses=2, use_sockets=True)
        self.set(watcher, cmd="a")
        self.world.advance(0.1)
        second = self.set(watcher, env={"A": "1"})
        self.world.advance(0.3)
        self.assertEqual(self.world.reaped, [102, 103])
        self.world.die(104, 1)
        self.world.advance(5)
        self.assertIn("the options of before are back", self.error(second))
        self.assertEqual((watcher.options.cmd, watcher.options.env), ("run", {}))
        self.assertEqual(watcher.places.pids(), [100, 101])

    def test_a_newer_one_counts_what_the_one_before_has_left(self) -> None:
        watcher = self.up(numprocesses=3, ready={"a": "notify"})
        self.reload(watcher)
        self.world.probed(103)
        self.world.advance(0.5)
        self.assertEqual((watcher.replaced, watcher.rollout and watcher.rollout.total), (1, 3))
        self.reload(watcher)
        self.world.advance(0.5)
        self.assertEqual((watcher.replaced, watcher.rollout and watcher.rollout.total), (0, 3))
        news = self.world.spawned[-3:]
        for count, pid in enumerate(news, 1):
            self.assertEqual(watcher.replaced, count - 1)
            self.world.probed(pid)
            self.world.settle()
        self.world.advance(0.5)
        self.assertEqual((watcher.rollout, self.world.pids(watcher)), (None, news))

    def test_what_one_before_has_replaced_stays_when_changed_options_fail(self) -> None:
        """A reload has changed no option, so its processes are as good as those of before."""
        watcher = self.up(numprocesses=4, ready={"a": "notify"}, max_surge=1)
        self.reload(watcher)
        self.world.probed(104)
        self.world.advance(0.5)
        kept = [101, 102, 103, 104]
        for _ in range(2):
            outcomes = self.set(watcher, cmd="broken")
            self.world.advance(0.5)
            self.world.die(self.world.spawned[-1], 1)
            self.world.settle()
            said = self.error(outcomes)
            self.assertIn("the options of before are back; the old processes were kept", said)
            self.assertEqual(self.world.payloads("rollback")[-1]["kept"], kept)
            self.world.advance(60)
            self.assertEqual(sorted(self.world.pids(watcher)), kept)
            self.assertEqual(watcher.rollout, None)

    def test_what_other_options_have_replaced_does_not_stay(self) -> None:
        watcher = self.up(numprocesses=2, ready={"a": "notify"}, max_surge=1)
        self.set(watcher, cmd="good")
        self.world.probed(102)
        self.world.advance(0.5)
        outcomes = self.set(watcher, env={"A": "1"})
        self.world.advance(0.5)
        self.world.die(self.world.spawned[-1], 1)
        self.world.settle()
        said = "the options of before are back; 1 of 2 old processes was kept"
        self.assertIn(said, self.error(outcomes))
        self.assertEqual(self.world.payloads("rollback")[-1]["kept"], [101])
        self.world.probed(self.world.spawned[-1])
        self.world.advance(60)
        self.assertNotIn(102, self.world.pids(watcher))
        self.assertIn(101, self.world.pids(watcher))

    def test_another_size_meanwhile(self) -> None:
        watcher = self.up(numprocesses=2)
        self.reload(watcher)
        self.world.resize(watcher, 4, "command:incr", None)
        self.world.advance(5)
        self.assertEqual(watcher.places.pids(), [102, 103, 104, 105])
        self.assertEqual(self.world.reaped, [100, 101])

    def test_a_failed_max_age_is_tried_again_later_and_later(self) -> None:
        watcher = self.up(max_age=300, max_age_variance=0, use_sockets=True)
        self.world.advance(240)
        tried = []
        for pid in range(101, 107):
            self.assertEqual(self.world.spawned[-1], pid)
            tried.append(self.world.now())
            self.world.die(pid, 1)
            self.world.settle()
            self.assertEqual(self.world.pids(watcher), [100])
            spawned = len(self.world.spawned)
            while len(self.world.spawned) == spawned:
                self.world.advance(1)
        self.assertEqual([b - a for a, b in zip(tried, tried[1:])], [60, 120, 240, 300, 300])
        self.world.advance(5)
        self.assertEqual(self.world.pids(watcher), [107])

    def test_a_neighbour_that_crashes_stays_a_neighbour(self) -> None:
        watcher = self.up(numprocesses=2, max_age=300, max_age_variance=0, use_sockets=True)
        self.world.die(101)
        self.world.advance(240.5)
        self.assertEqual(self.world.pids(watcher), [100, 102, 103])
        self.world.advance(5)
        self.assertEqual(sorted(self.world.pids(watcher)), [102, 103])


if __name__ == "__main__":
    unittest.main()
