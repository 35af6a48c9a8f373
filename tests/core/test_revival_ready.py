"""The core after a crash: what was not ready is not, before its checks hold again."""

from __future__ import annotations

import unittest
from unittest import mock

from cvec_circus.core.phase import phase
from cvec_circus.supervisor.answers.reason import failed_rollout
from tests.core.test_revival import RevivalCase, crashed
from tests.support.desks import FakeProbes


class TestReadiness(RevivalCase):
    def test_one_that_is_doubted(self) -> None:
        self.world.up(live={"b": "notify"}, min_uptime=0.5)
        self.world.advance(2)
        self.world.probed(100, "check b: refused", is_live=True)
        for seconds in (0.3, 5):  # before it counts as ready, and after that
            self.world.advance(seconds)
            watcher = self.crash()
            self.next.advance(5)
            self.assertEqual((phase(watcher), watcher.is_ready), ("unready", False))
        self.next.probed(101, is_live=True)
        self.next.settle()
        self.assertEqual((phase(watcher), watcher.is_ready), ("up", True))
        self.next, there = crashed(self.next, self.next.books._ledger)
        self.assertTrue(there["web"].is_ready)

    def test_one_that_is_not_ready(self) -> None:
        """It stays so until its checks hold again."""
        options = {"ready": {"a": "notify"}, "live": {"b": "notify"}, "live_action": "report"}
        self.world.up(**options)
        self.world.probes.all_hold()
        self.world.probed(100, "check b: HTTP 500", is_live=True)
        self.world.settle()
        watcher = self.crash()
        self.next.advance(60)
        said = "process 100: check b: HTTP 500"
        self.assertEqual((phase(watcher), self.next.why(watcher)), ("unready", said))
        self.next.probed(100)
        self.next.settle()
        self.assertEqual(phase(watcher), "up")

    def test_one_that_was_not_ready_in_time(self) -> None:
        self.world.up(ready={"a": "notify"}, ready_timeout=5)
        self.world.advance(6)
        watcher = self.crash()
        self.assertEqual(phase(watcher), "unready")
        self.next.probed(100)
        self.next.settle()
        self.assertEqual(phase(watcher), "up")

    def test_one_whose_checks_were_taken_away(self) -> None:
        self.world.up(live={"b": "notify"}, live_action="report")
        self.world.advance(5)
        self.world.probed(100, "check b: HTTP 500", is_live=True)
        with mock.patch.object(FakeProbes, "proved"):  # before it tells that none fails
            watcher = self.world.roster.watchers()[0]
            self.world.set_options(watcher, {"live": {}}, "command:set", None)
            self.world.settle()
        self.assertEqual(phase(self.crash()), "up")

    def test_a_rollout_to_one_that_is_not_ready_any_more(self) -> None:
        old = self.world.up(numprocesses=2, ready={"a": "notify"}, ready_timeout=5)
        self.world.probes.all_hold()
        self.world.reload([old], "command:reload", False, None)
        self.world.settle()
        self.world.probed(102)
        self.world.settle()
        self.world.probed(102, "check a: HTTP 500")
        self.world.advance(3)
        self.assertEqual(old.places.pids(), [101, 102, 103])
        watcher = self.crash()
        self.next.probed(103)
        self.next.advance(4)
        self.assertIn(101, watcher.places.pids())
        self.next.advance(2)
        self.assertEqual(sorted(watcher.places.pids()), [101, 103])
        self.assertIn("though it had been ready", failed_rollout(watcher))


if __name__ == "__main__":
    unittest.main()
