"""The core after a crash: processes that a client wants replaced are replaced all the same."""

from __future__ import annotations

import unittest

from cvec_circus.core.watcher import Watcher
from tests.core.test_revival import RevivalCase


class TestChosen(RevivalCase):
    """Each kind of moment of a `kill` with `surge`, one by one."""

    def assert_replaced(self, old: Watcher, number: int) -> None:
        """The first processes of a watcher are replaced after a crash, each when its successor is
        ready, and by an order of that time."""
        olds = old.places.pids()[:number]
        kept = set(old.places.pids()[number : old.goal.numprocesses])
        watcher = self.crash()
        for _ in range(40):
            self.next.advance(1)
            ready = [one for one in watcher.places.slots.values() if one.is_ready]
            self.assertGreaterEqual(len(ready), old.goal.numprocesses)
        self.assertFalse(set(olds) & set(self.next.alive))
        self.assertLessEqual(kept, set(self.next.alive))
        reaps = {one["process_pid"]: one["cause"] for one in self.next.payloads("reap")}
        self.assertEqual([reaps[pid] for pid in olds], ["command:kill"] * number)
        self.assertEqual(len(self.next.alive), old.goal.numprocesses)
        self.assertEqual(watcher.places.expired, {})

    def surge(self, watcher: Watcher, *wids: int) -> None:
        slots = watcher.places.slots
        self.world.kill(watcher, [slots[wid] for wid in wids], None, None, None, surge=True)
        self.world.settle()

    def test_processes_that_a_client_has_chosen(self) -> None:
        old = self.world.up(numprocesses=4, min_uptime=5)
        self.world.advance(60)
        self.surge(old, 1, 2)
        self.assertEqual(len(self.world.alive), 6)
        self.surge(old, 3)
        self.assertEqual([one.wid for one in old.places.expired], [3])
        self.assert_replaced(old, 3)

    def test_one_that_waits_for_a_reload(self) -> None:
        old = self.world.up(numprocesses=2, min_uptime=5, max_surge=1)
        self.world.advance(60)
        olds = old.places.pids()
        self.world.reload([old], "command:reload", False, None)
        self.world.advance(7)
        new = next(process for process in old.places.fresh if process.proved)
        self.surge(old, new.wid)
        self.assertEqual(list(old.places.expired), [new])
        watcher = self.crash()
        self.next.advance(40)
        self.assertFalse({new.pid, *olds} & set(self.next.alive))
        self.assertEqual((len(self.next.alive), watcher.places.expired), (2, {}))

    def test_one_that_was_chosen_and_is_kept(self) -> None:
        old = self.world.up(min_uptime=5, rollout="surge")
        self.world.advance(60)
        (pid,) = old.places.pids()
        self.surge(old, 1)
        self.world.die(self.world.spawned[-1], 1)
        self.world.settle()
        self.crash()
        self.next.advance(60)
        self.assertEqual(list(self.next.alive), [pid])


if __name__ == "__main__":
    unittest.main()
