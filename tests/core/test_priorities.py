"""A lower priority waits for the higher ones, and never for ever."""

from __future__ import annotations

import errno
import unittest

from cvec_circus.core.facts import Exited
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.campaign import Pace
from cvec_circus.system.collecting import Exit
from tests.core.test_campaign import CampaignCase
from tests.support.world import IMMORTAL, OBEDIENT, FakeWorld

MISSING = FileNotFoundError(errno.ENOENT, "no such file")
SHORT = OSError(errno.EAGAIN, "none left")
NO = "hook says no"


class PriorityCase(CampaignCase):
    """Two watchers, of which `low` comes after `high`. Owned by the test's thread."""

    def start_both(self, **options: object) -> tuple[Watcher, Watcher]:
        high = self.world.add("high", **{"priority": 1, **options})
        low = self.world.add("low")
        self.start_all()
        self.world.advance(0)
        return high, low

    def assert_starts_after(self, low: Watcher, seconds: float) -> None:
        """The lower one is asked after that time, and not before."""
        self.world.advance(seconds - 0.1)
        self.assertEqual(low.status, "stopped")
        self.world.advance(0.2)
        self.assertEqual(low.status, "active")

    def left_behind(self) -> list[str]:
        return [note for note in self.world.notes if "wait for it no longer" in note]


class TestFailures(PriorityCase):
    """One that has failed once for good of this start is not waited for."""

    def test_a_program_that_is_missing_however_often_it_is_tried(self) -> None:
        self.world.refuse = MISSING
        high, low = self.start_both(max_retry=-1)
        self.assertEqual((high.status, low.status), ("starting", "starting"))
        self.world.refuse = None
        self.world.advance(1)
        self.assertEqual((high.status, low.status), ("active", "active"))
        self.assertEqual(self.left_behind(), [])

    def test_one_that_fails_after_its_fork(self) -> None:
        high, low = self.start_both(numprocesses=2, warmup_delay=5)
        self.assertEqual(low.status, "stopped")
        process = self.world.alive.pop(100)
        self.world.facts.append(Exited(high, process, Exit(127), failure=MISSING))
        self.world.settle()
        self.assertEqual((high.status, low.status), ("starting", "active"))

    def test_a_hook_that_refuses(self) -> None:
        for hook in ("before_start", "before_spawn", "after_spawn", "after_start"):
            with self.subTest(hook):
                self.setUp()
                self.world.answers[hook] = NO
                self.world.stop_delay = 0.0
                high, low = self.start_both(hooks=[hook])
                self.assertEqual((high.reason, low.status), (NO, "active"))

    def test_a_shortage_is_no_failure_and_no_movement(self) -> None:
        self.world.refuse = SHORT
        high, low = self.start_both()
        self.world.advance(59.9)
        self.assertEqual(low.status, "stopped")
        self.world.advance(0.2)
        self.assertEqual((high.status, low.status), ("starting", "starting"))
        self.world.refuse = None
        self.world.advance(2)
        self.assertEqual((high.status, low.status), ("active", "active"))

    def test_a_failure_of_the_life_before_says_nothing_of_this_one(self) -> None:
        self.world.refuse = MISSING
        high = self.world.up("high", priority=1, max_retry=1, numprocesses=2, warmup_delay=5)
        self.world.refuse = None
        low = self.world.add("low")
        self.start_all()
        self.assertEqual((high.status, low.status), ("starting", "stopped"))
        self.world.advance(5)
        self.assertEqual((high.status, low.status), ("active", "active"))


class TestTimeout(PriorityCase):
    """Without movement it is waited for as long as `priority_timeout` says."""

    def test_a_hook_that_does_not_answer(self) -> None:
        self.world.answers["before_start"] = None
        high, low = self.start_both(hooks=["before_start"])
        hook = "waits for the answer of its hook before_start"
        why = f"waits for high (priority 1), which is starting: {hook}"
        self.assertEqual(self.world.why(low), why)
        self.assert_starts_after(low, 60)
        note = f"high: is starting ({hook}); the others wait for it no longer"
        self.assertEqual(self.left_behind(), [note])
        self.world.answer("before_start")
        self.world.advance(0)
        self.assertEqual(high.status, "active")
        self.assertEqual(self.world.actions("low").count("start"), 1)

    def test_what_takes_the_place_of_another_is_no_movement(self) -> None:
        for how in ("max_age", "kill"):
            with self.subTest(how):
                self.setUp()
                self.world.answers["after_start"] = None
                options = {"max_age": 5, "max_age_variance": 0} if how == "max_age" else {}
                high, low = self.start_both(hooks=["after_start"], hook_timeout=None, **options)
                for _ in range(61):
                    if how == "kill":
                        self.world.kill(high, list(high.places.leaders()), None, None, None)
                    self.world.advance(1)
                self.assertEqual(low.status, "active")

    def test_questions_in_a_row_are_no_movement(self) -> None:
        self.world.hook_delay = 3.0
        _, low = self.start_both(hooks=["after_spawn"], hook_timeout=5, min_uptime=0)
        for _ in range(70):
            for pid in list(self.world.alive):
                if self.world.owner[pid] is not low:
                    self.world.die(pid)
            self.world.advance(1)
        self.assertEqual(low.status, "active")

    def test_it_can_be_changed(self) -> None:
        self.world.campaign.pace = Pace(priority_timeout=5.0)
        self.world.answers["before_start"] = None
        _, low = self.start_both(hooks=["before_start"])
        self.assert_starts_after(low, 5)

    def test_a_hook_within_its_hook_timeout_counts_as_movement(self) -> None:
        for hook in ("before_start", "after_start"):
            with self.subTest(hook):
                self.setUp()
                self.world.answers[hook] = None
                _, low = self.start_both(hooks=[hook], hook_timeout=100)
                self.assert_starts_after(low, 100)

    def test_so_does_a_hook_that_is_asked_about_a_process(self) -> None:
        for hook in ("before_spawn", "after_spawn"):
            self.setUp()
            self.world.answers[hook] = None
            _, low = self.start_both(hooks=[hook], hook_timeout=100)
            self.assert_starts_after(low, 100)

    def test_a_hook_with_less_time_than_that_changes_nothing(self) -> None:
        self.world.answers["before_start"] = None
        _, low = self.start_both(hooks=["before_start"], hook_timeout=10)
        self.assert_starts_after(low, 60)

    def test_it_counts_from_the_last_movement(self) -> None:
        self.world.answers["after_start"] = None
        _, low = self.start_both(hooks=["after_start"], numprocesses=3, warmup_delay=50)
        self.assert_starts_after(low, 2 * 50 + 60)

    def test_a_warm_up_within_it_is_waited_for(self) -> None:
        high, low = self.start_both(numprocesses=5, warmup_delay=50)
        self.world.advance(199.9)
        self.assertEqual((high.status, low.status), ("starting", "stopped"))
        self.world.advance(0.1)
        self.assertEqual((high.status, low.status), ("active", "active"))
        self.assertEqual(self.left_behind(), [])

    def test_so_is_the_warm_up_of_the_daemon_however_long(self) -> None:
        self.world = FakeWorld(warmup_delay=100.0)
        self.roster = self.world.roster
        self.world.add("high", priority=1)
        self.world.add("other", priority=1)
        low = self.world.add("low")
        self.start_all()
        self.assert_starts_after(low, 200)
        self.assertEqual(self.told("start"), ["high", "other", "low"])
        self.assertEqual(self.left_behind(), [])

    def test_a_predecessor_that_cannot_be_killed(self) -> None:
        self.world.temper = IMMORTAL
        before = self.world.up("high", graceful_timeout=1)
        self.world.remove(before, "command:rm", False, None)
        self.world.advance(10)
        self.world.temper = OBEDIENT
        high, low = self.start_both()
        left = "process 100 does not end, not even by SIGKILL"
        gone = f"waits for the end of the one that was removed: {left}"
        self.assertEqual(self.world.why(high), gone)
        self.assertEqual(
            self.world.why(low), f"waits for high (priority 1), which is stopped: {gone}"
        )
        self.assert_starts_after(low, 60)
        self.assertEqual(high.status, "stopped")

    def test_of_each_priority_that_stands_still(self) -> None:
        self.world.answers["before_start"] = None
        self.world.add("a", priority=3, hooks=["before_start"])
        b = self.world.add("b", priority=2, hooks=["before_start"])
        c = self.world.add("c", priority=1)
        self.start_all()
        hook = "waits for the answer of its hook before_start"
        why = f"waits for a (priority 3), which is starting: {hook}"
        self.assertEqual(self.world.why(b), why)
        self.assertEqual(self.world.why(c), why)
        self.world.advance(60)
        why = f"waits for b (priority 2), which is starting: {hook}"
        self.assertEqual(self.world.why(c), why)
        self.assert_starts_after(c, 60)
        self.assertEqual([note[0] for note in self.left_behind()], ["a", "b"])

    def test_one_that_moves_does_not_wait_for_the_others_of_its_priority(self) -> None:
        self.world.answers["before_start"] = None
        self.world.add("a", priority=1, hooks=["before_start"])
        b = self.world.add("b", priority=1)
        self.start_all()
        self.assertEqual(b.status, "active")

    def test_nobody_waits_after_an_order_of_its_own(self) -> None:
        self.world.answers["before_start"] = None
        _, low = self.start_both(hooks=["before_start"])
        self.world.start([low], "command:start", None)
        self.world.settle()
        self.assertEqual(low.status, "active")


class TestStops(PriorityCase):
    """A restart of all goes on though one does not come down."""

    def test_the_others_start_again_after_shutdown_timeout(self) -> None:
        self.world.answers["before_stop"] = None
        slow = self.world.up("a", graceful_timeout=10, hooks=["before_stop"])
        other = self.world.up("b", graceful_timeout=10)
        self.world.restart(None, "command:restart", None)
        self.world.advance(2)
        hook = "waits for the answer of its hook before_stop"
        self.assertEqual(self.world.why(other), f"waits for a, which is stopping: {hook}")
        self.world.advance(12.9)
        self.assertEqual((slow.status, other.status), ("stopping", "stopped"))
        self.world.advance(0.2)
        self.assertEqual((slow.status, other.status), ("stopping", "active"))
        self.world.answer("before_stop")
        self.world.advance(2)
        self.assertEqual(slow.status, "active")

    def test_why_a_helper_waits_that_was_down_before(self) -> None:
        helper = self.world.add("a", helper=True)
        other = self.world.up("b", graceful_timeout=10)
        self.world.restart(None, "command:restart", None)
        self.world.settle()
        self.assertEqual(other.status, "stopping")
        ending = "process 100 has not ended; SIGKILL in 10.0 s"
        self.assertEqual(self.world.why(helper), f"waits for b, which is stopping: {ending}")


if __name__ == "__main__":
    unittest.main()
