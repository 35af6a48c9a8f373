"""When a process counts as ready, and what is said when it does not."""

from __future__ import annotations

import unittest

from cvec_circus.core.phase import phase
from tests.support.world import FakeWorld


class ProofCase(unittest.TestCase):
    """A world with processes that are checked. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()

    def told(self) -> list[tuple[float, str]]:
        """What was published of readiness, with the seconds since the beginning."""
        return [(round(at - 1000.0, 3), action) for at, _, action, _ in self.world.readiness]


class TestWithoutChecks(ProofCase):
    def test_it_is_ready_when_it_has_lived_min_uptime(self) -> None:
        for min_uptime, at in ((1.0, 1.0), (2.5, 2.5), (0, 0.0)):
            with self.subTest(min_uptime):
                self.setUp()
                watcher = self.world.up(numprocesses=3, min_uptime=min_uptime)
                self.world.advance(10)
                self.assertEqual(self.told(), [(at, "ready")])
                self.assertTrue(watcher.is_ready)

    def test_a_crash_loop_never_is(self) -> None:
        watcher = self.world.up()
        for _ in range(20):
            self.world.advance(0.9)
            for pid in self.world.pids(watcher):
                self.world.die(pid, 1)
        self.assertEqual(self.told(), [])
        self.assertFalse(watcher.is_ready)

    def test_after_spawn_must_have_said_yes(self) -> None:
        self.world.answers["after_spawn"] = None
        watcher = self.world.up(hooks=["after_spawn"], min_uptime=0)
        self.world.advance(10)
        self.assertFalse(watcher.is_ready)
        self.world.answer("after_spawn")
        self.world.settle()
        self.assertTrue(watcher.is_ready)

    def test_each_life_is_told_of(self) -> None:
        watcher = self.world.up(min_uptime=0)
        self.world.restart([watcher], "command:restart", None)
        self.world.advance(1)
        self.assertEqual([action for _, action in self.told()], ["ready", "ready"])

    def test_a_death_is_no_news_of_readiness(self) -> None:
        watcher = self.world.up()
        self.world.advance(5)
        self.world.die(100)
        self.world.settle()
        self.assertFalse(watcher.is_ready)
        self.world.advance(5)
        self.assertTrue(watcher.is_ready)
        self.assertEqual(self.told(), [(1.0, "ready")])


class TestWithChecks(ProofCase):
    def up(self, **options: object):
        return self.world.up(**{"ready": {"a": "notify"}, "ready_timeout": 5, **options})

    def test_it_is_ready_when_they_hold(self) -> None:
        watcher = self.up()
        self.world.advance(3)
        self.assertFalse(watcher.is_ready)
        self.world.probed(100)
        self.world.settle()
        self.assertTrue(watcher.is_ready)
        self.world.advance(100)
        self.assertEqual(self.told(), [(3.0, "ready")])

    def test_one_that_is_not_ready_in_time_is_kept_and_named(self) -> None:
        watcher = self.up()
        self.world.advance(4.999)
        self.assertEqual(self.told(), [])
        self.world.advance(0.001)
        (row,) = self.world.readiness
        said = "process 100 was not ready within 5 s: check a: no answer"
        self.assertEqual(row[2:], ("unready", {**row[3], "reason": said, "wid": 1}))
        self.assertEqual((self.world.pids(watcher), watcher.status), ([100], "active"))
        self.world.probed(100)  # better late than never
        self.world.settle()
        self.assertEqual([action for _, action in self.told()], ["unready", "ready"])

    def test_a_check_that_fails_later_is_said_and_nothing_is_stopped(self) -> None:
        watcher = self.up()
        self.world.probed(100)
        self.world.advance(60)
        self.world.probed(100, "check a: HTTP 500")
        self.world.settle()
        self.assertFalse(watcher.is_ready)
        self.assertEqual(self.world.readiness[-1][3]["reason"], "process 100: check a: HTTP 500")
        self.world.probed(100)
        self.world.settle()
        self.assertTrue(watcher.is_ready)
        self.assertEqual(self.world.pids(watcher), [100])

    def test_checks_end_with_the_process(self) -> None:
        for ends in (lambda w: self.world.die(100), lambda w: self.world.stop([w], "x", None)):
            self.setUp()
            watcher = self.up()
            ends(watcher)
            self.world.settle()
            self.assertNotIn(100, self.world.probes.watched)

    def test_more_time(self) -> None:
        watcher = self.up()
        process = watcher.places.slots[1]
        self.world.advance(4)
        self.world.roster.steps.extend(watcher, process, 10)
        self.world.roster.touch(watcher)
        self.world.advance(9.9)
        self.assertEqual(self.told(), [])
        self.world.advance(0.2)
        self.assertEqual([action for _, action in self.told()], ["unready"])


class TestLive(ProofCase):
    def up(self, **options: object):
        watcher = self.world.up(live={"b": "notify"}, **options)
        self.world.advance(1)
        return watcher

    def test_it_begins_after_the_proof(self) -> None:
        watcher = self.world.up(live={"b": "notify"})
        self.assertEqual(self.world.probes.live, {})
        self.world.advance(1)
        self.assertEqual(list(self.world.probes.live), [100])
        self.assertTrue(watcher.is_ready)

    def test_a_failure_replaces_the_process(self) -> None:
        watcher = self.up()
        self.world.probed(100, "check b: no WATCHDOG=1 for 30 s", is_live=True)
        self.world.advance(0.2)
        (kill,) = self.world.payloads("kill")
        self.assertEqual((kill["cause"], kill["process_pid"]), ("live", 100))
        self.assertEqual(self.world.pids(watcher), [101])
        self.world.advance(5)
        self.assertEqual([action for _, action in self.told()], ["ready", "unready"])
        before = "check b: no WATCHDOG=1 for 30 s"
        said = f"process 101 has not passed its live checks yet; the one before: {before}"
        self.assertEqual((phase(watcher), self.world.why(watcher)), ("unready", said))
        self.world.probed(101, is_live=True)
        self.world.settle()
        self.assertEqual([action for _, action in self.told()], ["ready", "unready", "ready"])
        self.assertEqual((phase(watcher), self.world.why(watcher)), ("up", ""))

    def test_one_that_is_being_stopped_for_it(self) -> None:
        watcher = self.up()
        self.world.stop_delay = 5.0
        self.world.probed(100, "check b: refused", is_live=True)
        self.world.advance(1)
        self.assertEqual((self.world.pids(watcher), phase(watcher)), ([], "unready"))
        self.world.advance(5)
        self.assertEqual((self.world.pids(watcher), phase(watcher)), ([101], "unready"))

    def test_one_that_is_never_alive_is_never_up(self) -> None:
        watcher = self.up(numprocesses=2, min_uptime=0.5, ready={"a": "notify"})
        self.world.probes.all_hold()
        self.assertEqual(phase(watcher), "up")
        for _ in range(10):
            for pid in list(self.world.probes.live):
                self.world.probed(pid, "check b: refused", is_live=True)
            for _ in range(12):
                self.world.advance(0.05)
                self.assertNotEqual(phase(watcher), "up")
                for pid in self.world.pids(watcher):
                    self.world.probed(pid)
                    self.world.probed(pid, "check a: HTTP 500")
                    self.world.probed(pid)  # these hold again, and say nothing of the others
                self.assertNotEqual(phase(watcher), "up")

    def test_an_order_forgets_the_failure(self) -> None:
        watcher = self.up(respawn_delay=30)
        self.world.probed(100, "check b: refused", is_live=True)
        self.world.advance(1)
        self.world.reload([watcher], "command:reload", False, None)
        self.world.advance(1)
        self.assertEqual((self.world.pids(watcher), phase(watcher)), ([101], "up"))

    def test_one_that_never_holds_is_not_restarted_without_a_pause(self) -> None:
        """Also where a process need not live for any time."""
        watcher = self.up(min_uptime=0)
        for number in range(8):
            self.world.probed(100 + number, "check b: refused", is_live=True)
            self.world.advance(0)
            self.assertEqual(self.world.pids(watcher), [])
            while not self.world.pids(watcher):
                self.world.advance(0.01)
        self.assertGreater(self.world.now(), 1 + 0.05 * 2**7 / 2)
        self.world.probed(108, "check b: refused", is_live=True)
        self.world.advance(0.2)
        said = "slot 1 was not alive 9 times in a row, each once it was ready: process 108: check b"
        self.assertIn(said, self.world.why(watcher))

    def test_or_is_only_said(self) -> None:
        watcher = self.up(live_action="report")
        self.world.probed(100, "check b: refused", is_live=True)
        self.world.advance(60)
        self.assertEqual(self.world.pids(watcher), [100])
        self.assertFalse(watcher.is_ready)
        self.world.probed(100, is_live=True)
        self.world.settle()
        self.assertTrue(watcher.is_ready)

    def test_one_given_later_counts_for_those_that_run(self) -> None:
        watcher = self.world.up()
        self.world.advance(5)
        self.world.set_options(watcher, {"live": {"b": None}}, "command:set", None)
        self.assertEqual(list(self.world.probes.live), [100])


if __name__ == "__main__":
    unittest.main()
