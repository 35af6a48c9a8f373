"""Where two things happen at once: histories that a straight road never meets."""

from __future__ import annotations

import errno
import unittest

from cvec_circus.core.facts import Exited
from cvec_circus.system.collecting import Exit
from tests.support.world import IMMORTAL, OBEDIENT, FakeWorld

MISSING = FileNotFoundError(errno.ENOENT, "no such file")
SHORT = OSError(errno.EAGAIN, "again")
USELESS = 3


class EdgeCase(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.luck = 0.5

    def never_ran(self, pid: int, failure: Exception = MISSING, exit_code: int = 127) -> None:
        """End a process before it has become its program."""
        process = self.world.alive.pop(pid)
        watcher = self.world.owner[pid]
        self.world.facts.append(Exited(watcher, process, Exit(exit_code), failure=failure))
        self.world.settle()


class TestFailedStarts(EdgeCase):
    """Processes that do not become their program."""

    def test_what_runs_by_now_is_not_stopped_for_its_failures_of_before(self) -> None:
        watcher = self.world.up(numprocesses=2, max_retry=3)
        self.never_ran(watcher.places.slots[1].pid)
        self.world.advance(1.5)  # the next one of slot 1 runs
        for _ in range(4):
            self.never_ran(watcher.places.slots[2].pid)
            self.world.advance(0.9)
        self.assertEqual((watcher.status, watcher.reason), ("active", ""))

    def test_there_is_a_wait_without_min_uptime_and_without_backoff_max(self) -> None:
        for failure in (MISSING, SHORT):
            for options in ({"min_uptime": 0}, {"backoff_max": 0}, {"min_uptime": 0, "backoff": 0}):
                with self.subTest(failure=failure, **options):
                    self.setUp()
                    watcher = self.world.up(max_retry=-1, **options)
                    began, pid = self.world.now(), 100
                    for _ in range(8):
                        while pid not in self.world.alive:
                            self.world.advance(0.05)
                        self.never_ran(pid, failure)
                        pid += 1
                    self.assertGreater(self.world.now() - began, 1.0)
                    self.assertIn("attempt 8", self.world.notes[-1])
                    self.assertEqual(watcher.reason, "")

    def test_one_death_gives_up_once(self) -> None:
        watcher = self.world.up(helper=True, fatal_exit_codes=[USELESS], max_retry=1)
        self.never_ran(watcher.places.slots[1].pid, exit_code=USELESS)
        self.world.advance(1)
        self.assertEqual(self.world.actions().count("giveup"), 1)


class TestRestarts(EdgeCase):
    """What happens in the life that a restart ends says nothing of the next one."""

    def test_a_useless_exit_code_while_before_stop_is_asked(self) -> None:
        self.world.answers["before_stop"] = None
        watcher = self.world.up(helper=True, fatal_exit_codes=[USELESS], hooks=["before_stop"])
        self.world.restart([watcher], "command:restart", None)
        self.world.settle()
        self.world.die(100, USELESS)
        self.world.settle()
        self.world.answer("before_stop")
        self.world.advance(1)
        self.assertEqual((watcher.status, watcher.reason), ("active", ""))


class TestCampaigns(EdgeCase):
    """Orders to all, and orders to one meanwhile."""

    def test_a_crash_loop_is_no_movement(self) -> None:
        self.world.answers["after_start"] = None
        high = self.world.add("high", priority=5, hooks=["after_start"], hook_timeout=1)
        low = self.world.add("low")
        self.world.start(None, "config", None)
        for _ in range(70):
            self.world.advance(1.0)
            for pid in list(self.world.alive):
                if self.world.owner[pid] is high:
                    self.world.die(pid, 1)
        self.assertEqual((high.status, low.status), ("starting", "active"))

    def test_one_with_an_order_of_its_own_is_waited_for_though_others_join(self) -> None:
        self.world.answers["before_start"] = None
        first = self.world.add("first", priority=3, hooks=["before_start"])
        second = self.world.add("second", priority=2, hooks=["before_start"])
        third = self.world.add("third", priority=1)
        self.world.start(None, "config", None)
        self.world.settle()
        self.world.start([second], "command:start", None)
        self.world.settle()
        self.world.start_beside([self.world.add("new", priority=3)], "x", None)
        self.world.settle()
        self.world.answer("before_start", watcher=first)
        self.world.settle()
        self.assertEqual([w.status for w in (first, second)], ["active", "starting"])
        self.assertEqual(third.status, "stopped")
        self.world.answer("before_start", watcher=second)
        self.world.settle()
        self.assertEqual(third.status, "active")

    def test_a_restart_of_all_that_are_stopping_keeps_the_sequence(self) -> None:
        self.world.stop_delay = 2.0
        low, high = self.world.up("low"), self.world.up("high", priority=5)
        self.world.stop(None, "command:stop", None)
        self.world.settle()
        self.world.answers["before_start"] = None
        self.world.set_options(high, {"hooks": {"before_start": None}}, "x", None)
        self.world.restart(None, "command:restart", None)
        self.world.advance(5)
        self.assertEqual((high.status, low.status), ("starting", "stopped"))
        self.world.answer("before_start")
        self.world.advance(1)
        self.assertEqual((high.status, low.status), ("active", "active"))

    def test_a_removed_watcher_that_is_gone_can_be_written_down(self) -> None:
        helper = self.world.up("helper", helper=True)
        other = self.world.up("other")
        self.world.stop_delay = 3.0
        self.world.remove(helper, "command:rm", False, None)
        self.world.settle()
        self.world.temper = IMMORTAL
        self.world.shut_down("quit")
        self.world.advance(3.5)
        self.assertTrue(helper.is_gone)
        self.assertFalse(other.is_gone)
        self.assertEqual([w.name for w in self.world.restore()], ["other"])


class TestRollouts(EdgeCase):
    """`reload` is published when what was to be replaced is replaced, and never before."""

    def test_with_a_process_that_waits_for_its_respawn(self) -> None:
        watcher = self.world.up(warmup_delay=5.0)
        self.world.die(100)
        self.world.settle()
        self.world.reload([watcher], "command:reload", False, None)
        self.world.settle()
        self.assertNotIn("reload", self.world.actions())
        self.world.advance(5.0)
        self.assertEqual(self.world.actions()[-2:], ["spawn", "reload"])

    def test_one_by_one_with_an_after_spawn_that_is_not_answered(self) -> None:
        watcher = self.world.up(hooks=["after_spawn"])
        self.world.answers["after_spawn"] = None
        self.world.reload([watcher], "command:reload", True, None)
        self.world.advance(1.0)
        self.assertEqual(self.world.actions()[-1], "spawn")
        self.world.answer("after_spawn")
        self.world.settle()
        self.assertEqual(self.world.actions()[-1], "reload")

    def test_never_before_the_start_and_never_after_a_give_up(self) -> None:
        for answer in ("", "no"):
            with self.subTest(answer):
                self.setUp()
                self.world.answers["after_start"] = None
                watcher = self.world.up(hooks=["after_start"])
                self.world.reload([watcher], "command:reload", False, None)
                self.world.advance(1.0)
                self.assertFalse({"start", "reload"} & set(self.world.actions()))
                self.world.answer("after_start", answer)
                self.world.advance(1.0)
                published = [a for a in self.world.actions() if a in ("start", "reload", "giveup")]
                self.assertEqual(published, ["giveup"] if answer else ["start", "reload"])

    def test_an_unkillable_process_does_not_keep_the_others_from_growing_too_old(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(max_age=10, max_age_variance=0, graceful_timeout=1)
        self.world.advance(30)
        self.assertTrue(watcher.places.unkillable())
        self.world.temper = OBEDIENT
        self.world.advance(60)
        self.assertGreater(len(self.world.spawned), 4)

    def test_a_watcher_that_becomes_a_singleton_amid_a_rollout(self) -> None:
        watcher = self.world.up(warmup_delay=5.0)
        self.world.advance(1.0)
        self.world.reload([watcher], "command:reload", False, None)
        self.world.settle()
        self.assertEqual((len(self.world.alive), len(watcher.places.pending)), (1, 1))
        self.world.set_options(watcher, {"singleton": True}, "command:set", None)
        most = 0
        for _ in range(100):
            self.world.advance(0.1)
            most = max(most, len(self.world.alive))
        self.assertEqual((most, len(self.world.spawned)), (1, 2))
        self.assertEqual(watcher.status, "active")


class TestAnswers(EdgeCase):
    """The answer of a hook counts for what it was asked about, and for nothing else."""

    def test_before_spawn_of_a_slot_that_is_gone(self) -> None:
        self.world.answers["before_spawn"] = None
        watcher = self.world.up(numprocesses=1, hooks=["before_spawn"])
        self.world.answer("before_spawn")
        self.world.settle()
        for size in (2, 1, 2):
            self.world.resize(watcher, size, "x", None)
            self.world.settle()
        self.assertEqual(len(self.world.spawned), 1)
        self.world.answer("before_spawn", "no")  # the one that was asked first
        self.world.settle()
        self.assertEqual((watcher.reason, len(self.world.spawned)), ("", 1))
        self.world.answer("before_spawn")
        self.world.settle()
        self.assertEqual((watcher.reason, len(self.world.spawned)), ("", 2))

    def test_what_an_unkillable_process_leaves_is_not_unkillable(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(graceful_timeout=1)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(10)
        self.assertTrue(watcher.places.unkillable())
        self.world.leftovers = 1.0
        self.world.die(100, -9)
        self.world.settle()
        self.assertFalse(watcher.places.unkillable())


if __name__ == "__main__":
    unittest.main()
