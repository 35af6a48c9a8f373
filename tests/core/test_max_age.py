"""max_age: processes replaced because they are old, one of a watcher at a time."""

from __future__ import annotations

import unittest

from cvec_circus.core.process import Purpose
from tests.support.world import FakeWorld


class TestMaxAge(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.luck = 0.5
        self.world.stop_delay = 1.0

    def up(self, **options: object):
        return self.world.up(**{"max_age": 100, "max_age_variance": 0, **options})

    def test_new_first_and_only_when_it_is_old_enough(self) -> None:
        watcher = self.up()
        self.world.advance(99.9)
        self.assertEqual(self.world.spawned, [100])
        self.world.advance(1)
        self.assertEqual(self.world.actions(), ["add", "spawn", "start", "spawn"])
        self.world.advance(0.1)
        self.assertEqual(self.world.actions(), ["add", "spawn", "start", "spawn", "kill"])
        self.world.advance(1)
        self.assertEqual(watcher.places.pids(), [101])

    def test_one_of_a_watcher_at_a_time(self) -> None:
        watcher = self.up(numprocesses=3)
        self.world.advance(101)
        for number in range(1, 4):
            self.assertEqual(self.world.actions().count("kill"), number)
            self.assertEqual(len(watcher.places.fresh), 3)
            self.world.advance(2)
        self.assertEqual(self.world.actions().count("kill"), 3)
        self.assertEqual(sorted(watcher.places.pids()), [103, 104, 105])

    def test_what_an_old_one_left_behind_counts_as_well(self) -> None:
        self.world.leftovers = 3.0
        self.up(numprocesses=2)
        self.world.advance(104.9)  # proved after 1 s, ended after 1 s, empty after 3 s
        self.assertEqual(self.world.actions().count("kill"), 1)
        self.world.advance(1.1)
        self.assertEqual(self.world.actions().count("kill"), 2)

    def test_beside_a_crash_loop(self) -> None:
        """It is neither waited for nor judged, and keeps its backoff."""
        watcher = self.up(numprocesses=3, min_uptime=2)
        while self.world.clock < 1200:
            looping = watcher.places.slots[3]
            if looping.has_leader:
                self.world.die(looping.pid, 1)
            self.world.advance(0.3)
            ready = sum(one.is_ready for one in watcher.places.leaders())
            self.assertGreaterEqual(ready, 2 if self.world.clock > 1003 else 0)
        self.assertNotIn("rollback", self.world.actions())
        aged = [p["process_pid"] for p in self.world.payloads("kill") if p["cause"] == "max_age"]
        self.assertEqual(aged, [100, 101])
        self.assertGreater(watcher.places.backoffs[3].deaths, 20)

    def test_what_is_not_ready_is_replaced_first(self) -> None:
        self.up(numprocesses=3, live={"a": "notify"}, live_action="report")
        self.world.advance(60)
        self.world.probed(102, "check a: no", is_live=True)
        self.world.advance(42)
        self.assertEqual(self.world.payloads("kill")[0]["process_pid"], 102)

    def test_singletons_stop_first(self) -> None:
        self.up(singleton=True)
        self.world.advance(100)
        self.assertEqual(self.world.actions()[-1], "kill")
        self.world.advance(1)
        self.assertEqual(self.world.actions()[-2:], ["reap", "spawn"])

    def test_the_variance_is_drawn_for_each_process(self) -> None:
        self.world.luck = None
        watcher = self.up(numprocesses=20, max_age_variance=50)
        places, now = watcher.places, self.world.now()
        due = {(places.deadline(p, Purpose.EXPIRE) or 0.0) - now for p in places.slots.values()}
        self.assertEqual(len(due), 20)
        self.assertGreaterEqual(min(due), 100)
        self.assertLess(max(due), 150)

    def test_it_is_no_reload(self) -> None:
        self.up()
        self.world.advance(1000)
        self.assertNotIn("reload", self.world.actions())
        self.assertEqual({p["cause"] for p in self.world.payloads("kill")}, {"max_age"})
        self.assertEqual({p["cause"] for p in self.world.payloads("reap")}, {"max_age"})
        causes = [payload["cause"] for payload in self.world.payloads("spawn")]
        self.assertEqual(causes, ["config"] + ["max_age"] * (len(causes) - 1))

    def test_a_death_between_two_of_them_keeps_its_own_cause(self) -> None:
        watcher = self.up()
        for _ in range(3):
            self.world.advance(50)
            self.world.die(watcher.places.pids()[0])
            self.world.advance(101)
        causes = [payload["cause"] for payload in self.world.payloads("spawn")]
        self.assertEqual(causes, ["config", *["exit", "max_age"] * 3])

    def test_a_new_max_age_counts_for_those_that_run(self) -> None:
        watcher = self.up(numprocesses=2)
        self.world.advance(60)
        self.world.set_options(watcher, {"max_age": 50.0}, "command:set", None)
        self.world.advance(5)
        self.assertEqual(sorted(watcher.places.pids()), [102, 103])

    def test_and_none_at_all_for_those_that_are_due_too(self) -> None:
        watcher = self.up(numprocesses=3)
        self.world.advance(101)
        self.world.set_options(watcher, {"max_age": 0}, "command:set", None)
        self.world.advance(1000)
        self.assertEqual(self.world.actions().count("kill"), 1)
        self.assertEqual(len(watcher.places.fresh), 3)

    def test_one_shots_are_replaced_too(self) -> None:
        watcher = self.up(respawn=False)
        self.world.advance(102)
        self.assertEqual(watcher.places.pids(), [101])
        self.world.die(101)
        self.world.settle()
        self.assertEqual(self.world.actions()[-1], "stop")


if __name__ == "__main__":
    unittest.main()
