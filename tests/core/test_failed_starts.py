"""Starts that the system refuses: tried again after a wait, given up after max_retry."""

from __future__ import annotations

import errno
import unittest
from typing import Any
from unittest import mock

from cvec_circus.core.facts import Exited
from cvec_circus.system.collecting import Exit
from tests.support.world import FakeWorld

MISSING = FileNotFoundError(errno.ENOENT, "no such file")


class TestFailedStarts(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.luck = 0.5
        patch = mock.patch.object(self.world, "spawn", side_effect=self.world.spawn)
        self.launches = patch.start()
        self.addCleanup(patch.stop)

    def attempts(self) -> int:
        """Counts the attempts by what the log says of them."""
        return sum("attempt " in note for note in self.world.notes)

    @property
    def refused(self) -> int:
        """How often the launcher has refused."""
        return self.launches.call_count - len(self.world.spawned)

    def test_five_attempts_a_growing_wait_apart_and_then_no_more(self) -> None:
        self.world.refuse = MISSING
        watcher = self.world.up()
        started_at = self.world.now()
        self.assertEqual(watcher.status, "starting")
        self.world.advance(60)
        self.assertEqual(watcher.status, "stopped")
        at, _, _, payload = next(event for event in self.world.events if event[2] == "giveup")
        self.assertAlmostEqual(at - started_at, 0.05 + 0.1 + 0.2 + 0.4)
        self.assertEqual(payload["reason"], "[Errno 2] no such file (5 attempts)")
        self.assertEqual(watcher.reason, payload["reason"])
        self.assertEqual(self.world.why(watcher), payload["reason"])
        self.assertEqual(self.world.actions(), ["add", "giveup", "stop"])

    def test_why_and_when_is_known_between_the_attempts(self) -> None:
        self.world.refuse = MISSING
        watcher = self.world.up()
        self.world.advance(0.25)
        self.assertEqual(self.world.why(watcher), "[Errno 2] no such file; attempt 4 of 5 in 0.1 s")

    def test_an_attempt_that_succeeds_ends_it(self) -> None:
        self.world.refuse = MISSING
        watcher = self.world.up()
        self.world.advance(0.4)
        self.world.refuse = None
        self.world.advance(1)
        self.assertEqual(watcher.status, "active")
        said = "slot 1: process 100 runs, and is not ready yet, after 4 failures in a row"
        self.assertEqual(self.world.why(watcher), said)

    def test_only_failures_in_a_row_count(self) -> None:
        watcher = self.world.up(max_retry=2)
        for _ in range(5):
            self.world.refuse = MISSING
            self.world.advance(60)
            self.world.die(watcher.places.slots[1].pid)
            self.world.settle()
            self.world.refuse = None
            self.world.advance(60)
        self.assertEqual(watcher.status, "active")

    def test_max_retry_of_one_gives_up_at_the_first(self) -> None:
        self.world.refuse = MISSING
        watcher = self.world.up(max_retry=1)
        self.assertEqual(watcher.status, "stopped")

    def test_max_retry_of_minus_one_never_gives_up(self) -> None:
        self.world.refuse = MISSING
        watcher = self.world.up(max_retry=-1)
        self.world.advance(3600)
        self.assertEqual(watcher.status, "starting")
        self.assertGreater(self.attempts(), 3000)
        self.world.refuse = None
        self.world.advance(1)
        self.assertEqual(watcher.status, "active")

    def test_attempts_are_a_second_apart_at_most(self) -> None:
        self.world.refuse = MISSING
        self.world.up(max_retry=-1)
        self.world.up("other", max_retry=-1, backoff=False)
        self.world.advance(100)
        before = self.attempts()
        self.world.advance(100)
        self.assertEqual(self.attempts() - before, 200)

    def test_waits_of_a_second_are_told(self) -> None:
        self.world.refuse = MISSING
        self.world.up(max_retry=-1)
        self.world.advance(3)
        expected = {"cause": "exec", "wid": 1, "deaths": 6, "delay": 1.0}
        self.assertEqual(self.world.payloads("backoff")[0], expected)

    def test_what_the_system_is_short_of_never_counts(self) -> None:
        for number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
            with self.subTest(errno.errorcode[number]):
                self.world.refuse = OSError(number, "none left")
                watcher = self.world.up(f"w{number}", max_retry=1)
                self.world.advance(60)
                self.assertEqual(watcher.status, "starting")
                self.world.refuse = None
                self.world.advance(1.1)
                self.assertEqual(watcher.status, "active")

    def test_no_memory_in_the_daemon_itself_is_such_a_shortage(self) -> None:
        self.world.refuse = MemoryError()
        watcher = self.world.up(max_retry=1)
        self.world.advance(60)
        self.assertRegex(self.world.why(watcher), "^MemoryError; next start in")
        self.world.refuse = None
        self.world.advance(1.1)
        self.assertEqual(watcher.status, "active")

    def test_a_shortage_is_one_timer_and_one_note_of_a_watcher(self) -> None:
        self.world.refuse = OSError(errno.EAGAIN, "again")
        watcher = self.world.up(numprocesses=50)
        self.world.advance(100)
        self.assertEqual(len(self.world.notes), 1)
        self.assertRegex(self.world.notes[0], "^web: .*again; trying again until")
        self.assertEqual(self.world.payloads("backoff"), [])
        self.assertLess(self.refused, 120)
        self.assertAlmostEqual(watcher.places.next_spawn_at, self.world.roster.next_at())
        self.world.refuse = None
        self.world.advance(1.1)
        self.assertEqual(watcher.status, "active")
        self.world.refuse = OSError(errno.EAGAIN, "again")
        self.world.die(100)
        self.world.advance(1)
        self.assertEqual(len(self.world.notes), 2)

    def test_nor_does_it_count_together_with_failures_that_do(self) -> None:
        self.world.refuse = OSError(errno.EAGAIN, "again")
        watcher = self.world.up(max_retry=2)
        self.world.advance(10)
        self.world.refuse = MISSING
        self.world.advance(self.world.roster.next_at() - self.world.now())
        self.assertEqual(watcher.status, "starting")
        self.world.advance(1)
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(watcher.reason, "[Errno 2] no such file (2 attempts)")

    def test_options_that_make_no_command_count(self) -> None:
        self.world.refuse = ValueError("cmd: No closing quotation")
        watcher = self.world.up(max_retry=2)
        self.world.advance(10)
        self.assertEqual(watcher.reason, "cmd: No closing quotation (2 attempts)")

    def test_giving_up_stops_what_runs(self) -> None:
        watcher = self.world.up(numprocesses=2, fatal_exit_codes=[2])
        self.world.advance(60)
        self.world.die(100, 2)
        self.world.advance(1)
        self.assertEqual(watcher.status, "stopped")
        causes = [payload["cause"] for payload in self.world.payloads("reap")]
        self.assertEqual(causes, ["exit", "giveup"])
        self.assertEqual(self.world.payloads("stop"), [{"cause": "giveup"}])

    def test_a_slot_that_fails_later_leaves_the_others_alone(self) -> None:
        watcher = self.world.up(numprocesses=5, max_retry=2)
        self.world.advance(60)
        self.world.refuse = MISSING
        self.world.die(102)
        self.world.advance(60)
        self.assertEqual((watcher.status, watcher.reason), ("active", ""))
        self.assertEqual(watcher.places.pids(), [100, 101, 103, 104])
        self.assertRegex(self.world.why(watcher), r"^\[Errno 2\] no such file; next start in")
        self.world.refuse = None
        self.world.advance(1.1)
        self.assertEqual(watcher.places.pids(), [100, 101, 105, 103, 104])
        said = "slot 3: process 105 runs, and is not ready yet, after 64 failures in a row"
        self.assertEqual(self.world.why(watcher), said)
        self.assertNotIn("giveup", self.world.actions())

    def test_nor_does_one_give_up_when_some_could_be_started(self) -> None:
        watcher = self.world.up(numprocesses=3, warmup_delay=1, max_retry=2)
        self.world.refuse = MISSING
        self.world.advance(60)
        self.assertEqual((watcher.status, watcher.places.pids()), ("starting", [100]))
        self.world.die(100)
        self.world.advance(60)
        self.assertEqual(watcher.status, "starting")
        self.world.refuse = None
        self.world.advance(10)
        self.assertEqual((watcher.status, len(watcher.places.pids())), ("active", 3))

    def test_nor_when_one_has_only_just_been_started(self) -> None:
        spawn = self.world.spawn

        def two_is_missing(watcher: Any, process: Any) -> int:
            self.world.refuse = MISSING if process.wid == 2 or len(self.world.notes) < 4 else None
            return spawn(watcher, process)

        with mock.patch.object(self.world, "spawn", two_is_missing):
            watcher = self.world.up(numprocesses=2, max_retry=5)
            self.world.advance(0.9)
        self.assertEqual((watcher.places.pids(), watcher.places.exhausted), ([100], True))
        self.assertEqual((watcher.status, watcher.reason), ("starting", ""))

    def fail_after_fork(self, pid: int) -> None:
        """A process ends before it has become its program."""
        process = self.world.alive.pop(pid)
        self.world.facts.append(Exited(self.world.owner[pid], process, Exit(127), failure=MISSING))
        self.world.settle()

    def test_processes_that_never_become_their_program_are_such_failures(self) -> None:
        for size in (1, 3):
            self.setUp()
            watcher = self.world.up(numprocesses=size, max_retry=2)
            for _ in range(2):
                for pid in watcher.places.pids():
                    self.fail_after_fork(pid)
                self.world.advance(0.5)
            self.assertEqual(watcher.status, "stopped")
            self.assertEqual(watcher.reason, "[Errno 2] no such file (2 attempts)")

    def test_so_they_are_where_nothing_is_respawned(self) -> None:
        watcher = self.world.up(respawn=False, max_retry=2)
        self.fail_after_fork(100)
        self.world.advance(0.1)
        self.assertEqual(watcher.places.pids(), [101])
        self.fail_after_fork(101)
        self.assertEqual(watcher.reason, "[Errno 2] no such file (2 attempts)")

    def test_it_leaves_the_others_alone_too(self) -> None:
        watcher = self.world.up(numprocesses=2, max_retry=1)
        self.world.advance(60)
        for _ in range(5):
            self.fail_after_fork(watcher.places.slots[2].pid)
            self.world.advance(2)
        self.assertEqual(watcher.places.slots[1].pid, 100)
        self.assertEqual((watcher.status, watcher.reason), ("active", ""))

    def test_in_a_rollout_one_failure_is_enough(self) -> None:
        watcher = self.world.up(numprocesses=2, max_retry=3)
        self.world.advance(60)
        self.world.refuse = MISSING
        reloaded, wait = self.world.wait()
        self.world.reload([watcher], "command:reload", False, wait)
        self.world.settle()
        said = "slot 3: [Errno 2] no such file; the old processes were kept"
        self.assertEqual([outcome.error for outcome in reloaded], [f"reload of web: {said}"])
        self.assertEqual(watcher.places.pids(), [100, 101])
        self.assertEqual(self.world.payloads("rollback")[0]["reason"], said)
        self.world.advance(100)
        self.assertEqual((watcher.places.pids(), watcher.reason), ([100, 101], ""))

    def test_and_who_waits_for_a_start_of_it(self) -> None:
        watcher = self.world.add(numprocesses=2, max_retry=3, warmup_delay=1)
        outcomes, wait = self.world.wait()
        self.world.start([watcher], "command:start", wait)
        self.world.settle()
        self.world.refuse = MISSING
        self.world.advance(1)
        self.assertEqual(outcomes, [])
        self.world.advance(1)
        said = "start of web: [Errno 2] no such file"
        self.assertEqual([outcome.error for outcome in outcomes], [said])
        self.assertEqual(watcher.status, "starting")

    def test_an_order_asks_such_a_slot_anew(self) -> None:
        watcher = self.world.up(numprocesses=2, max_retry=2)
        self.world.refuse = MISSING
        self.world.die(100)
        self.world.advance(10)
        outcomes, wait = self.world.wait()
        self.world.resize(watcher, 3, "command:incr", wait)
        self.world.settle()
        self.assertEqual(outcomes, [])
        self.world.refuse = None
        self.world.advance(0.1)
        self.assertEqual([outcome.error for outcome in outcomes], [None])

    def test_an_order_starts_the_counting_anew(self) -> None:
        self.world.refuse = MISSING
        watcher = self.world.up()
        self.world.advance(0.4)
        self.world.start([watcher], "command:start", None)
        self.world.advance(0.7)
        self.assertEqual(watcher.status, "starting")
        self.world.advance(0.1)
        self.assertEqual(watcher.status, "stopped")
        self.world.refuse = None
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assertEqual(watcher.status, "active")
        self.assertEqual(watcher.reason, "")

    def test_exit_codes_that_mean_it_is_of_no_use(self) -> None:
        watcher = self.world.up(fatal_exit_codes=[2])
        self.world.advance(60)
        self.world.die(100, 2, report="cannot import name 'Loger'")
        self.world.settle()
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(watcher.reason, "cannot import name 'Loger'")
        self.assertEqual(self.world.actions()[-3:], ["reap", "giveup", "stop"])

    def test_such_a_code_means_nothing_when_the_process_was_asked_to_end(self) -> None:
        watcher = self.world.up(fatal_exit_codes=[2])
        self.world.restart([watcher], "command:restart", None)
        self.world.settle()
        self.world.die(100, 2)
        self.world.settle()
        self.assertEqual(watcher.status, "active")

    def test_nor_when_a_restart_has_been_ordered_before(self) -> None:
        watcher = self.world.up(fatal_exit_codes=[2])
        self.world.restart([watcher], "command:restart", None)
        self.world.die(100, 2)
        self.world.settle()
        self.assertEqual(watcher.status, "active")


if __name__ == "__main__":
    unittest.main()
