"""Start, stop, restart: what runs, what is told, and in which order."""

from __future__ import annotations

import unittest

from tests.support.world import FakeWorld


class TestStart(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()

    def test_a_watcher_is_stopped_until_somebody_wants_it_up(self) -> None:
        watcher = self.world.add()
        self.world.advance(10)
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(self.world.actions(), ["add"])

    def test_start_spawns_all_processes_and_is_told_last(self) -> None:
        watcher = self.world.up(numprocesses=3)
        self.assertEqual(watcher.status, "active")
        self.assertEqual(self.world.actions(), ["add", "spawn", "spawn", "spawn", "start"])
        self.assertEqual(sorted(watcher.places.slots), [1, 2, 3])
        for process in watcher.places.fresh:
            self.assertEqual(process.started, self.world.time())

    def test_streams_are_open_before_the_first_spawn_and_closed_after_the_last_reap(self) -> None:
        watcher = self.world.up()
        self.assertEqual(self.world.streams, [("web", "open")])
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.assertEqual(self.world.streams, [("web", "open")])
        self.world.advance(1)
        self.assertEqual(self.world.streams, [("web", "open"), ("web", "close")])

    def test_none_wanted_is_active_with_nothing_running(self) -> None:
        watcher = self.world.up(numprocesses=0)
        self.assertEqual(watcher.status, "active")
        self.assertEqual(self.world.actions(), ["add", "start"])

    def test_started_again_while_it_is_up_nothing_happens(self) -> None:
        watcher = self.world.up()
        self.world.start([watcher], "command:start", None)
        self.world.advance(10)
        self.assertEqual(self.world.actions(), ["add", "spawn", "start"])

    def test_a_process_that_ends_is_replaced_at_once_under_its_wid(self) -> None:
        watcher = self.world.up(numprocesses=3)
        self.world.advance(60)
        self.world.die(watcher.places.slots[2].pid)
        self.world.settle()
        self.assertEqual(watcher.places.slots[2].pid, 103)
        self.assertEqual(self.world.actions()[-2:], ["reap", "spawn"])

    def test_a_turn_that_is_over_goes_on_in_the_next_one(self) -> None:
        self.world.spawns_a_turn = 1
        watcher = self.world.add(numprocesses=5)
        self.world.start([watcher], "command:start", None)
        self.world._spawns_left = 1
        self.assertTrue(self.world.roster.turn())
        self.assertEqual(len(self.world.spawned), 1)
        self.world.settle()
        self.assertEqual(len(self.world.spawned), 5)


class TestStopAndRestart(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()

    def test_stop_asks_all_processes_at_once(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.assertEqual(self.world.actions()[-2:], ["kill", "kill"])
        self.assertEqual(watcher.status, "stopping")
        self.world.advance(1)
        self.assertEqual(self.world.actions()[-3:], ["reap", "reap", "stop"])
        self.assertEqual(watcher.status, "stopped")

    def test_stop_during_the_warm_up_never_signals_what_has_not_been_spawned(self) -> None:
        watcher = self.world.up(numprocesses=3, warmup_delay=10)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(60)
        self.assertEqual(self.world.spawned, [100])
        self.assertEqual({pid for pid, _ in self.world.signals}, {100})
        self.assertEqual(self.world.actions(), ["add", "spawn", "kill", "reap", "stop"])

    def test_restart_is_down_then_up(self) -> None:
        watcher = self.world.up(numprocesses=2)
        mark = len(self.world.events)
        self.world.restart([watcher], "command:restart", None)
        self.world.advance(1)
        self.assertEqual(
            [action for _, action in self.world.since(mark)],
            ["kill", "kill", "reap", "reap", "stop", "spawn", "spawn", "start"],
        )

    def test_restart_of_a_stopped_watcher_starts_it(self) -> None:
        watcher = self.world.add()
        self.world.restart([watcher], "command:restart", None)
        self.world.settle()
        self.assertEqual(self.world.actions(), ["add", "spawn", "start"])

    def test_start_while_it_is_stopping_comes_after_the_stop(self) -> None:
        watcher = self.world.up()
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assertEqual(self.world.actions()[-1], "kill")
        self.world.advance(1)
        self.assertEqual(self.world.actions()[-4:], ["reap", "stop", "spawn", "start"])

    def test_the_last_of_many_orders_in_one_turn_counts(self) -> None:
        watcher = self.world.up()
        for _ in range(3):
            self.world.stop([watcher], "command:stop", None)
            self.world.start([watcher], "command:start", None)
        self.world.advance(1)
        self.assertEqual(self.world.actions(), ["add", "spawn", "start"])
        self.world.start([watcher], "command:start", None)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(1)
        self.assertEqual(self.world.actions()[-1], "stop")

    def test_wids_begin_at_one_again(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.world.reload([watcher], "command:reload", False, None)
        self.world.advance(1)
        self.assertEqual(sorted(watcher.places.slots), [3, 4])
        self.world.restart([watcher], "command:restart", None)
        self.world.advance(1)
        self.assertEqual(sorted(watcher.places.slots), [1, 2])


class TestWarmUp(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()

    def test_processes_start_a_delay_apart(self) -> None:
        watcher = self.world.up(numprocesses=3, warmup_delay=5)
        self.assertEqual(watcher.status, "starting")
        self.world.advance(4.9)
        self.assertEqual(len(self.world.spawned), 1)
        self.world.advance(0.1)
        self.assertEqual(len(self.world.spawned), 2)
        self.assertEqual(watcher.status, "starting")
        self.world.advance(5)
        self.assertEqual(watcher.status, "active")

    def test_a_process_that_ends_in_the_warm_up_does_not_put_off_the_start(self) -> None:
        watcher = self.world.up(numprocesses=2, warmup_delay=5)
        self.world.advance(4.9)
        self.world.die(100)
        self.world.advance(0.1)
        self.assertEqual(watcher.status, "active")

    def test_a_restart_does_not_wait_for_the_warm_up_of_before(self) -> None:
        watcher = self.world.up(numprocesses=2, warmup_delay=60)
        self.world.restart([watcher], "command:restart", None)
        self.world.advance(1)
        self.assertEqual(len(watcher.places.pids()), 1)
        self.assertEqual(self.world.why(watcher), "next start in 59.1 s")


class TestOneShots(unittest.TestCase):
    """`respawn = False`: a start grants so many spawns."""

    def setUp(self) -> None:
        self.world = FakeWorld()

    def test_each_process_runs_once_and_then_the_watcher_stops(self) -> None:
        watcher = self.world.up(numprocesses=2, respawn=False)
        self.world.die(100)
        self.world.advance(60)
        self.assertEqual(watcher.status, "active")
        self.assertEqual(len(self.world.spawned), 2)
        self.world.die(101)
        self.world.advance(60)
        self.assertEqual(watcher.status, "stopped")
        self.assertFalse(watcher.goal.up)
        self.assertEqual(self.world.payloads("stop"), [{"cause": "exit"}])
        self.assertEqual(len(self.world.spawned), 2)

    def test_one_that_finishes_during_the_warm_up_is_not_missing(self) -> None:
        watcher = self.world.up(numprocesses=3, warmup_delay=5, respawn=False)
        self.world.die(100)
        self.world.advance(10)
        self.assertEqual(watcher.status, "active")
        self.assertEqual(self.world.spawned, [100, 101, 102])

    def test_all_that_finish_during_the_warm_up_have_been_active(self) -> None:
        watcher = self.world.add(numprocesses=2, warmup_delay=5, respawn=False)
        outcomes, wait = self.world.wait()
        self.world.start([watcher], "command:start", wait)
        self.world.settle()
        self.world.die(100)
        self.world.advance(5)
        self.world.die(101)
        self.world.settle()
        self.assertIsNone(outcomes[0].error)
        self.assertEqual(self.world.actions()[-2:], ["reap", "stop"])
        self.assertEqual(watcher.status, "stopped")

    def test_a_new_start_grants_anew(self) -> None:
        watcher = self.world.up(respawn=False)
        self.world.die(100)
        self.world.settle()
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assertEqual(self.world.spawned, [100, 101])

    def test_none_wanted_is_not_the_same_as_finished(self) -> None:
        watcher = self.world.up(numprocesses=0, respawn=False)
        self.world.advance(10)
        self.assertEqual(watcher.status, "active")

    def test_more_of_them_are_granted_too(self) -> None:
        watcher = self.world.up(respawn=False)
        self.world.resize(watcher, 3, "command:incr", None)
        self.world.settle()
        self.assertEqual(len(self.world.spawned), 3)
        for pid in self.world.spawned:
            self.world.die(pid)
        self.world.settle()
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(len(self.world.spawned), 3)

    def test_a_reload_replaces_what_still_runs(self) -> None:
        watcher = self.world.up(numprocesses=2, respawn=False)
        self.world.die(100)
        self.world.reload([watcher], "command:reload", False, None)
        self.world.advance(1)
        self.assertEqual(watcher.places.pids(), [102])

    def test_what_a_one_shot_left_behind_keeps_the_watcher_up(self) -> None:
        watcher = self.world.up(respawn=False)
        self.world.leftovers = 3.0
        self.world.die(100)
        self.world.advance(2)
        self.assertEqual(watcher.status, "active")
        self.world.advance(1)
        self.assertEqual(watcher.status, "stopped")


if __name__ == "__main__":
    unittest.main()
