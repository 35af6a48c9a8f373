"""What is told of a rollout that has failed: how many old processes stay, and the last output."""

from __future__ import annotations

import unittest
from signal import SIGKILL
from typing import Any

from cvec_circus.core.facts import Written
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.answers.reason import failed_rollout
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Reload
from cvec_circus.wire.outcome import Outcome
from tests.core.test_rollouts import RolloutCase


class TestHowMany(RolloutCase):
    """How many old processes were kept."""

    def fail_second(self, **options: Any) -> str:
        """The first new process is proved, the second one fails; return what is told."""
        watcher = self.up(rollout="recreate", **options)
        outcomes = self.reload(watcher)
        self.world.advance(0.3)
        while watcher.replaced == 0:
            self.world.advance(0.1)
        self.world.advance(0.3)
        self.world.die(max(self.world.alive), 1)
        self.world.settle()
        return self.error(outcomes)

    def broken(self, watcher: Watcher, seconds: float = 0.3) -> str:
        outcomes = self.reload(watcher)
        self.world.advance(seconds)
        self.world.die(max(self.world.alive), 1)
        self.world.settle()
        return self.error(outcomes)

    def test_by_the_shape_of_the_rollout(self) -> None:
        for options, left in (
            ({"numprocesses": 1, "use_sockets": True}, "the old process was kept"),
            ({"numprocesses": 2, "use_sockets": True}, "the old processes were kept"),
            ({"numprocesses": 1, "rollout": "recreate"}, "no old process was left"),
            ({"numprocesses": 2, "rollout": "recreate"}, "1 of 2 old processes was kept"),
            ({"numprocesses": 2, "ready": {"a": "tcp://x:1"}}, "1 of 2 old processes was kept"),
            ({"numprocesses": 3, "rollout": "recreate"}, "2 of 3 old processes were kept"),
            (
                {"numprocesses": 4, "max_surge": 0, "max_unavailable": "50%"},
                "2 of 4 old processes were kept",
            ),
        ):
            with self.subTest(options):
                self.setUp()
                watcher = self.up(**options)
                olds = self.world.pids(watcher)
                said = self.broken(watcher)
                self.assertTrue(said.endswith(f"before it was ready; {left}"), said)
                (told,) = self.world.payloads("rollback")
                self.assertTrue(said.endswith(told["reason"]))
                self.assertEqual(told["kept"], [p for p in self.world.pids(watcher) if p in olds])

    def test_after_some_have_been_replaced(self) -> None:
        said = self.fail_second(numprocesses=3)
        self.assertTrue(said.endswith("; stopped at 1 of 3; 1 of 3 old processes was kept"), said)
        self.setUp()
        said = self.fail_second(numprocesses=2)
        self.assertTrue(said.endswith("; stopped at 1 of 2; no old process was left"), said)

    def test_when_it_was_tried_once_more(self) -> None:
        watcher = self.up(numprocesses=2)
        outcomes = self.reload(watcher)
        self.world.die(101, 1)  # an old one, by itself
        self.world.die(102, 1)
        self.world.advance(0.3)
        self.world.die(104, 1)
        self.world.settle()
        said = self.error(outcomes)
        self.assertTrue(said.endswith("; 1 of 2 old processes was kept"), said)

    def test_old_and_new_ones_are_killed_together(self) -> None:
        for first, second in ((102, 100), (100, 102)):
            with self.subTest(first):
                self.setUp()
                watcher = self.up(numprocesses=2, use_sockets=True)
                outcomes = self.reload(watcher)
                self.world.die(first, -SIGKILL)
                self.world.die(second, -SIGKILL)
                self.world.settle()
                said = self.error(outcomes)
                self.assertTrue(said.endswith("; 1 of 2 old processes was kept"), said)
                (told,) = self.world.payloads("rollback")
                self.assertEqual(told["kept"], [101])

    def test_all_are_killed_together(self) -> None:
        watcher = self.up(use_sockets=True)
        outcomes = self.reload(watcher)
        for pid in (101, 100):
            self.world.die(pid, -SIGKILL)
        self.world.settle()
        self.assertTrue(self.error(outcomes).endswith("; no old process was left"))
        self.assertIn("no old process was left", self.world.why(watcher))
        self.world.advance(60)
        self.assertEqual(self.world.why(watcher), "")  # it is up


class TestWhatItWrote(RolloutCase):
    """The last output of the process that failed."""

    SAID = "; the old process was kept; it wrote last: no module x"

    def begin(self) -> list[Outcome]:
        """A rollout fails, and what the process wrote is not known yet."""
        self.watcher = self.up(use_sockets=True)
        self.world.output[101] = None
        outcomes = self.reload(self.watcher)
        self.world.die(101, 1)
        self.world.settle()
        self.assertEqual((outcomes, self.world.payloads("rollback")), ([], []))
        return outcomes

    def written(self) -> None:
        self.world.output[101] = "no module x"
        self.world.facts.append(Written(self.watcher, 101, ("no module x",)))
        self.world.settle()

    def test_it_is_in_the_event_the_answer_and_the_reason(self) -> None:
        outcomes = self.begin()
        self.written()
        said = self.error(outcomes)
        self.assertTrue(said.endswith(self.SAID), said)
        (told,) = self.world.payloads("rollback")
        self.assertEqual(f"reload of web: {told['reason']}", said)
        self.assertEqual(self.world.why(self.watcher), f"the last rollout failed: {told['reason']}")

    def test_of_one_that_is_not_ready_in_time(self) -> None:
        watcher = self.up(ready={"a": "notify"}, ready_timeout=5)
        self.world.output[101] = "waits for db"
        outcomes = self.reload(watcher)
        self.world.advance(5)
        self.assertTrue(self.error(outcomes).endswith("; it wrote last: waits for db"))

    def test_another_order_comes_first(self) -> None:
        self.begin()
        self.world.stop([self.watcher], "command:stop", None)
        self.world.advance(1)
        self.written()
        (told,) = self.world.payloads("rollback")
        self.assertTrue(told["reason"].endswith("; it wrote last: no module x"))
        self.assertEqual(failed_rollout(self.watcher), "")

    def test_the_next_one_fails_first(self) -> None:
        self.begin()
        self.reload(self.watcher)
        self.world.die(102, 1)
        self.world.settle()
        first, second = self.world.payloads("rollback")
        self.assertTrue(first["reason"].startswith("process 101"))
        self.assertTrue(second["reason"].startswith("process 102"))

    def test_the_core_is_written_down_meanwhile(self) -> None:
        self.begin()
        (self.watcher,) = self.world.restore()
        self.written()
        (told,) = self.world.payloads("rollback")
        self.assertEqual((told["cause"], told["kept"]), ("command:reload", [100]))
        self.assertTrue(told["reason"].endswith(self.SAID))


class TestHowLong(RolloutCase):
    """Until when it counts."""

    def failed(self, **options: Any) -> Watcher:
        watcher = self.up(use_sockets=True, **options)
        self.reload(watcher)
        self.world.die(max(self.world.alive), 1)
        self.world.advance(5)
        self.assertIn("the last rollout failed", self.world.why(watcher))
        return watcher

    def test_what_was_kept_has_been_replaced_since(self) -> None:
        watcher = self.failed(numprocesses=2, max_age=3600, max_age_variance=0)
        self.world.kill(watcher, [watcher.places.slots[1]], None, None, None)
        self.world.advance(5)
        self.assertIn("the last rollout failed", self.world.why(watcher))
        self.world.kill(watcher, list(watcher.places.fresh), None, None, None)
        self.world.advance(5)
        self.assertEqual((self.world.why(watcher), failed_rollout(watcher)), ("", ""))

    def test_a_live_check_restarts_it(self) -> None:
        watcher = self.failed(live={"a": "tcp://x:1"})
        self.world.probed(100, "refused", is_live=True)
        self.world.advance(5)
        self.assertEqual(self.world.pids(watcher), [102])
        self.world.probed(102, is_live=True)
        self.assertEqual(self.world.why(watcher), "")

    def test_options_that_are_back_are_told_while_a_kept_process_is_there(self) -> None:
        watcher = self.up(use_sockets=True, numprocesses=2)
        self.set(watcher, cmd="broken")
        self.world.die(102, 1)
        for pid in (100, 101):
            self.world.advance(60)
            said = "the options of before are back; the old processes were kept"
            self.assertIn(said, self.world.why(watcher))
            self.world.die(pid, -9)
        self.world.settle()
        self.assertEqual((self.world.why(watcher), failed_rollout(watcher)), ("", ""))

    def test_options_that_are_back_with_no_old_process_are_told_on(self) -> None:
        watcher = self.up(rollout="recreate")
        self.set(watcher, cmd="broken")
        self.world.advance(0.5)
        self.world.die(101, 1)
        self.world.advance(60)
        said = "the options of before are back; no old process was left"
        self.assertIn(said, self.world.why(watcher))


class TestGap(RolloutCase):
    """Whether no process ran for a moment."""

    def test_by_the_options(self) -> None:
        for options, gap in (
            ({"rollout": "recreate"}, True),
            ({"singleton": True}, True),
            ({"max_surge": 0}, True),
            ({"numprocesses": 2, "max_unavailable": "100%"}, True),
            ({"numprocesses": 2, "rollout": "recreate"}, False),
            ({"use_sockets": True}, False),
        ):
            with self.subTest(options):
                self.setUp()
                watcher = self.up(**options)
                outcomes = self.reload(watcher)
                self.world.advance(10)
                self.assertEqual([one.gap for one in outcomes], [["web"] if gap else []])
                (told,) = self.world.payloads("reload")
                self.assertEqual(told.get("gap", False), gap)

    def test_one_after_the_other(self) -> None:
        watcher = self.up(use_sockets=True)
        outcomes = self.reload(watcher, sequential=True)
        self.world.advance(10)
        self.assertEqual([one.gap for one in outcomes], [["web"]])

    def test_all_old_ones_first(self) -> None:
        a, b = self.up(name="a", use_sockets=True), self.world.add("b")
        outcomes, wait = self.world.wait()
        self.world.roster.give(Reload([a, b], Cause("command:reload"), graceful=False), wait)
        self.world.advance(10)
        self.assertEqual([(one.error, one.gap) for one in outcomes], [(None, ["a"])])

    def test_all_old_ones_first_and_the_new_one_fails(self) -> None:
        watcher = self.up(use_sockets=True)
        outcomes, wait = self.world.wait()
        wait.proved = True
        self.world.roster.give(Reload([watcher], Cause("command:reload"), graceful=False), wait)
        self.world.advance(0.5)
        self.world.die(101, 3)
        self.world.settle()
        self.assertIn("reload of web: process 101 exited with 3", self.error(outcomes))


if __name__ == "__main__":
    unittest.main()
