"""Reload: every process replaced by a fresh one, or told to reload by itself."""

from __future__ import annotations

import signal
import unittest

from cvec_circus.core.process import ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Reload
from tests.support.world import IMMORTAL, STUBBORN, FakeWorld


class ReloadCase(unittest.TestCase):
    """A world in which a stop takes a second. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.stop_delay = 1.0

    def reload(self, watcher: Watcher, sequential: bool = False) -> int:
        """Orders it and returns how many events there were before."""
        mark = len(self.world.events)
        self.world.reload([watcher], "command:reload", sequential, None)
        self.world.settle()
        return mark

    def told(self, mark: int) -> list[str]:
        return [action for _, action in self.world.since(mark)]


class TestGraceful(ReloadCase):
    def test_what_was_not_proved_yet_ends_as_soon_as_a_new_one_runs(self) -> None:
        watcher = self.world.up(numprocesses=2)
        mark = self.reload(watcher)
        self.assertEqual(self.told(mark), ["spawn", "spawn", "kill", "kill"])
        self.world.advance(1)
        self.assertEqual(self.told(mark)[4:], ["reap", "reap", "reload"])
        self.assertEqual(watcher.places.pids(), [102, 103])
        self.assertEqual(watcher.status, "active")
        self.assertEqual(self.world.actions().count("start"), 1)
        self.assertEqual(self.world.actions().count("stop"), 0)

    def test_with_a_warm_up_each_old_one_serves_until_a_new_one_is_proved(self) -> None:
        watcher = self.world.up(numprocesses=2, warmup_delay=5)
        self.world.advance(60)
        mark = self.reload(watcher)
        self.world.advance(0.9)
        self.assertEqual(self.told(mark), ["spawn"])
        self.world.advance(0.1)
        self.assertEqual(self.told(mark), ["spawn", "kill"])
        self.world.advance(6)
        self.assertEqual(self.told(mark), ["spawn", "kill", "reap"] * 2 + ["reload"])

    def test_an_old_one_that_dies_meanwhile_is_not_replaced_twice(self) -> None:
        watcher = self.world.up(numprocesses=2)
        mark = self.reload(watcher)
        self.world.die(100)
        self.world.advance(5)
        self.assertEqual(self.told(mark).count("spawn"), 2)
        self.assertEqual(len(watcher.places.fresh), 2)

    def test_of_a_stopped_watcher_it_is_a_start(self) -> None:
        watcher = self.world.add()
        mark = self.reload(watcher)
        self.assertEqual(self.told(mark), ["spawn", "start"])

    def test_while_it_stops_it_is_a_start_afterwards(self) -> None:
        watcher = self.world.up()
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        mark = self.reload(watcher)
        self.world.advance(1)
        self.assertEqual(self.told(mark), ["reap", "stop", "spawn", "start"])

    def test_during_the_start_only_what_runs_is_replaced(self) -> None:
        watcher = self.world.up(numprocesses=3, warmup_delay=5)
        self.reload(watcher)
        self.world.advance(60)
        self.assertEqual(len(self.world.spawned), 4)
        self.assertEqual(self.world.payloads("reap")[0]["process_pid"], 100)
        actions = self.world.actions()
        self.assertLess(actions.index("start"), actions.index("reload"))

    def test_none_running_is_done_at_once(self) -> None:
        watcher = self.world.up(numprocesses=0)
        self.assertEqual(self.told(self.reload(watcher)), ["reload"])

    def test_a_stop_ends_it(self) -> None:
        watcher = self.world.up(numprocesses=2)
        mark = self.reload(watcher)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(5)
        self.assertNotIn("reload", self.told(mark))
        self.assertEqual(watcher.status, "stopped")
        self.assertIsNone(watcher.rollout)


class TestNotGraceful(ReloadCase):
    """All of the old processes end before one of the new ones starts."""

    def test_as_a_restart(self) -> None:
        watcher = self.world.up(numprocesses=2)
        mark = len(self.world.events)
        outcomes, wait = self.world.wait()
        self.world.roster.give(Reload([watcher], Cause("command:reload"), graceful=False), wait)
        self.world.advance(5)
        told = ["kill", "kill", "reap", "reap", "stop", "spawn", "spawn", "start"]
        self.assertEqual(self.told(mark), told)
        self.assertEqual(outcomes[0].stopped, [100, 101])
        causes = {payload["cause"] for payload in self.world.payloads("kill")}
        self.assertEqual(causes, {"command:reload"})


class TestOneAfterTheOther(ReloadCase):
    """Several reloads: each is carried out, and they do not pile up."""

    def test_one_that_comes_meanwhile_overtakes_the_first(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.world.advance(60)
        mark = self.reload(watcher)
        for _ in range(5):
            self.world.advance(0.1)
            self.reload(watcher)
        self.assertEqual(self.told(mark), ["spawn", "spawn", "kill", "kill"])
        self.assertEqual([process.pid for process in watcher.places.stale], [100, 101])
        self.world.advance(5)
        cycle = ["spawn", "spawn", "kill", "kill", "reap", "reap"]
        self.assertEqual(self.told(mark), cycle * 2 + ["reload"])
        self.assertEqual(watcher.places.pids(), [104, 105])

    def test_a_storm_of_reloads_runs_two_generations_at_most(self) -> None:
        for age in (0, 60):
            with self.subTest(age):
                self.setUp()
                self.world.temper = STUBBORN
                watcher = self.world.up(numprocesses=4, graceful_timeout=30)
                self.world.advance(age)
                for _ in range(1000):
                    self.reload(watcher)
                    self.world.advance(0.001)
                    self.assertLessEqual(len(watcher.places.slots), 8)
                self.world.advance(100)
                self.assertEqual(self.world.actions().count("reload"), 1)
                self.assertIsNone(watcher.rollout)

    def test_a_process_that_cannot_be_killed_does_not_hold_up_the_next_one(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(graceful_timeout=1)
        mark = self.reload(watcher)
        self.world.advance(10)
        self.world.temper = "obedient"
        self.reload(watcher)
        self.world.advance(10)
        self.assertEqual(watcher.places.pids(), [100, 102])
        self.assertEqual(self.told(mark).count("reload"), 0)
        self.world.die(100, -9)
        self.world.settle()
        self.assertEqual(self.told(mark).count("reload"), 1)

    def test_graceful_after_sequential_does_not_leave_places_empty(self) -> None:
        watcher = self.world.up(numprocesses=4)
        self.reload(watcher, sequential=True)
        self.world.advance(1.5)
        self.reload(watcher)
        for _ in range(100):
            self.assertGreaterEqual(len([*watcher.places.fresh, *watcher.places.stale]), 3)
            self.world.advance(0.1)
        self.assertEqual(len(watcher.places.fresh), 4)
        self.assertLess(min(watcher.places.pids()), 112)
        self.assertFalse(watcher.places.stale_count)


class TestSequential(ReloadCase):
    def test_one_by_one_each_replaced_before_the_next_is_stopped(self) -> None:
        watcher = self.world.up(numprocesses=3)
        mark = self.reload(watcher, sequential=True)
        self.assertEqual(self.told(mark), ["kill"])
        self.world.advance(10)
        self.assertEqual(self.told(mark), ["kill", "reap", "spawn"] * 3 + ["reload"])
        self.assertEqual([watcher.places.slots[wid].pid for wid in (1, 2, 3)], [103, 104, 105])

    def test_the_oldest_goes_first(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.world.advance(60)
        self.world.die(100)
        self.world.advance(2)  # until its successor is ready
        self.reload(watcher, sequential=True)
        self.assertEqual(self.world.payloads("kill")[0]["process_pid"], 101)

    def test_a_new_one_that_keeps_dying_halts_it(self) -> None:
        watcher = self.world.up(numprocesses=3)
        mark = self.reload(watcher, sequential=True)
        self.world.advance(1)
        for _ in range(10):
            self.world.die(watcher.places.slots[1].pid, 1)
            self.world.advance(0.01)
        self.assertEqual(self.told(mark).count("kill"), 2)

    def test_it_goes_past_a_process_that_cannot_be_killed(self) -> None:
        watcher = self.world.up(numprocesses=3, graceful_timeout=1)
        self.world.temper = IMMORTAL
        mark = self.reload(watcher, sequential=True)
        self.world.advance(5.9)
        self.assertEqual(self.told(mark), ["kill"])
        self.world.temper = "obedient"
        self.world.advance(0.1)
        self.assertEqual(self.told(mark), ["kill", "kill"])
        self.world.advance(10)
        self.assertEqual(self.told(mark), ["kill", *["kill", "reap", "spawn"] * 2])
        self.assertEqual(watcher.places.pids(), [100, 103, 104])
        self.world.die(100, -9)
        self.world.settle()
        self.assertEqual(self.told(mark)[-3:], ["reap", "spawn", "reload"])
        self.assertEqual(watcher.places.pids(), [105, 103, 104])

    def test_what_is_left_of_one_is_waited_for(self) -> None:
        self.world.leftovers = 2.0
        watcher = self.world.up(numprocesses=2)
        mark = self.reload(watcher, sequential=True)
        self.world.advance(2.9)
        self.assertEqual(self.told(mark), ["kill", "reap"])
        self.world.advance(0.1)
        self.assertEqual(self.told(mark), ["kill", "reap", "spawn", "kill"])

    def test_the_event_comes_after_the_last_new_one_also_with_a_warm_up(self) -> None:
        watcher = self.world.up(numprocesses=2, warmup_delay=5)
        self.world.advance(60)
        mark = self.reload(watcher, sequential=True)
        self.world.advance(60)
        self.assertEqual(self.told(mark), ["kill", "reap", "spawn"] * 2 + ["reload"])


class TestSingletons(ReloadCase):
    def test_the_old_one_ends_first(self) -> None:
        watcher = self.world.up(singleton=True)
        mark = self.reload(watcher)
        self.assertEqual(self.told(mark), ["kill"])
        self.world.advance(1)
        self.assertEqual(self.told(mark), ["kill", "reap", "spawn", "reload"])

    def test_and_all_it_left_behind(self) -> None:
        self.world.leftovers = 5.0
        watcher = self.world.up(singleton=True)
        mark = self.reload(watcher)
        self.world.advance(5.9)
        self.assertEqual(self.told(mark), ["kill", "reap"])
        self.world.advance(0.1)
        self.assertEqual(self.told(mark), ["kill", "reap", "spawn", "reload"])

    def test_a_process_that_cannot_be_killed_is_never_joined_by_another(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(singleton=True, graceful_timeout=1)
        self.reload(watcher)
        self.world.advance(100)
        self.assertEqual(self.world.spawned, [100])
        self.assertIs(watcher.places.slots[1].state, ProcessState.KILLED)


class TestSendHup(ReloadCase):
    def test_the_processes_get_sighup_and_stay(self) -> None:
        watcher = self.world.up(numprocesses=2, send_hup=True)
        mark = self.reload(watcher)
        self.assertEqual(self.world.signals, [(100, signal.SIGHUP), (101, signal.SIGHUP)])
        self.assertEqual(self.told(mark), ["reload"])
        self.assertEqual(watcher.places.pids(), [100, 101])

    def test_a_stopped_watcher_is_started(self) -> None:
        watcher = self.world.add(send_hup=True)
        self.assertEqual(self.told(self.reload(watcher)), ["spawn", "start"])

    def test_one_that_is_stopping_is_started_afterwards(self) -> None:
        watcher = self.world.up(send_hup=True)
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        mark = self.reload(watcher)
        self.world.advance(1)
        self.assertEqual(self.told(mark), ["reap", "stop", "spawn", "start"])

    def test_it_overtakes_a_stop_of_the_same_turn(self) -> None:
        watcher = self.world.up(send_hup=True)
        outcomes, wait = self.world.wait()
        self.world.stop([watcher], "command:stop", wait)
        self.reload(watcher)
        self.assertEqual(outcomes[0].error, "stop of web abandoned: a later order reloaded it")
        self.assertEqual(watcher.places.pids(), [100])


if __name__ == "__main__":
    unittest.main()
