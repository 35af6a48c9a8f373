"""More or fewer processes: incr, decr, and what goes first."""

from __future__ import annotations

import signal
import unittest
from collections.abc import Callable

from cvec_circus.core.spawning import OPEN_AHEAD
from cvec_circus.core.watcher import Watcher
from tests.support.world import FakeWorld


class TestNumprocesses(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()

    def resize(self, watcher, size: int, cause: str = "command:decr") -> None:
        self.world.resize(watcher, size, cause, None)
        self.world.settle()

    def test_more(self) -> None:
        watcher = self.world.up()
        self.resize(watcher, 3, "command:incr")
        self.assertEqual(watcher.places.pids(), [100, 101, 102])
        actions = ["add", "spawn", "start", "updated", "spawn", "spawn"]
        self.assertEqual(self.world.actions(), actions)
        self.assertEqual(self.world.payloads("spawn")[-1]["cause"], "command:incr")

    def test_from_none(self) -> None:
        watcher = self.world.up(numprocesses=0)
        self.assertEqual((watcher.status, watcher.places.pids()), ("active", []))
        self.resize(watcher, 1, "command:incr")
        self.assertEqual((watcher.status, watcher.places.pids()), ("active", [100]))

    def test_fewer_the_oldest_first(self) -> None:
        watcher = self.world.up(numprocesses=3)
        self.world.advance(60)
        self.world.die(watcher.places.slots[1].pid)
        self.world.advance(60)
        self.resize(watcher, 1)
        killed = [payload["process_pid"] for payload in self.world.payloads("kill")]
        self.assertEqual(killed, [101, 102])
        self.world.advance(1)
        self.assertEqual(watcher.places.pids(), [103])

    def test_what_is_not_ready_goes_before_what_is(self) -> None:
        watcher = self.world.up(numprocesses=3, ready={"a": "notify"}, respawn_delay=5)
        for pid in (100, 102):
            self.world.probed(pid)
        self.world.advance(60)
        self.assertTrue(watcher.places.slots[2].unready)
        self.resize(watcher, 4)  # this one is not ready yet
        self.resize(watcher, 3)
        self.assertEqual(self.killed(), [101])
        self.resize(watcher, 2)
        self.assertEqual(self.killed(), [101, 103])
        self.world.probed(102, "check a: HTTP 500")
        self.resize(watcher, 1)
        self.assertEqual(self.killed(), [101, 103, 102])

    def test_the_slot_of_a_crash_loop_goes_first(self) -> None:
        for wait in (0.0, 0.04):  # it runs again, or waits for its backoff
            with self.subTest(wait):
                self.setUp()
                watcher = self.world.up(numprocesses=3)
                self.world.luck = 0.5
                self.world.advance(60)
                for _ in range(2):
                    self.world.die(watcher.places.slots[1].pid, 1)
                    self.world.advance(0.01)
                self.world.advance(wait)
                self.resize(watcher, 2)
                self.world.advance(60)
                self.assertEqual(watcher.places.pids(), [101, 102])

    def killed(self) -> list[int]:
        self.world.advance(1)
        return [payload["process_pid"] for payload in self.world.payloads("kill")]

    def test_what_does_not_run_yet_goes_before_what_runs(self) -> None:
        watcher = self.world.up(numprocesses=4, warmup_delay=5)
        self.world.advance(5)
        self.resize(watcher, 2)
        self.world.advance(60)
        self.assertEqual(watcher.places.pids(), [100, 101])
        self.assertEqual(self.world.payloads("kill"), [])
        self.assertEqual(watcher.status, "active")

    def test_what_is_ending_anyway_goes_before_what_runs(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.world.kill(watcher, [watcher.places.slots[2]], None, None, None)
        self.resize(watcher, 1)
        self.world.advance(1)
        self.assertEqual(watcher.places.pids(), [100])

    def test_none_is_active_with_nothing_running(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.resize(watcher, 0)
        self.world.advance(1)
        self.assertEqual(watcher.status, "active")
        self.assertEqual(watcher.places.slots, {})
        self.assertNotIn("stop", self.world.actions())
        self.resize(watcher, 1)
        self.assertEqual(len(watcher.places.pids()), 1)

    def test_back_and_forth_in_one_turn_is_nothing(self) -> None:
        watcher = self.world.up(numprocesses=2)
        for size in (5, 0, 3, 2):
            self.world.resize(watcher, size, "command:incr", None)
        self.world.advance(1)
        self.assertEqual(self.world.actions(), ["add", "spawn", "spawn", "start", *["updated"] * 4])

    def test_who_wants_another_number_may_say_why(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.world.resize(watcher, 2, "command:incr", None, "no change")
        self.world.resize(watcher, 3, "command:incr", None, "a sale")
        self.world.resize(watcher, 2, "command:decr", None)
        self.world.set_options(watcher, {"priority": 1}, "command:set", None, "a whim")
        self.assertEqual(
            self.world.payloads("updated"),
            [
                {"cause": "command:incr", "numprocesses": 3, "reason": "a sale"},
                {"cause": "command:decr", "numprocesses": 2},
                {"cause": "command:set", "reason": "a whim"},
            ],
        )

    def test_what_ended_those_that_were_too_many_is_said_whatever_else_was_ordered(self) -> None:
        watcher = self.world.up(numprocesses=3)
        self.world.resize(watcher, 2, "command:decr", None)
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assertEqual(self.world.payloads("kill")[0]["cause"], "command:decr")

    def test_of_a_stopped_watcher_it_only_changes_the_number(self) -> None:
        watcher = self.world.add()
        self.resize(watcher, 3)
        self.assertEqual(self.world.spawned, [])
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assertEqual(len(watcher.places.pids()), 3)

    def test_while_it_is_stopping_too(self) -> None:
        watcher = self.world.up()
        self.world.stop([watcher], "command:stop", None)
        self.resize(watcher, 3, "command:incr")
        self.world.advance(1)
        self.assertEqual(self.world.spawned, [100])
        self.assertEqual(self.world.payloads("stop"), [{"cause": "command:stop"}])

    def test_fewer_during_a_graceful_reload(self) -> None:
        watcher = self.world.up(numprocesses=3, warmup_delay=5)
        self.world.advance(60)
        self.world.reload([watcher], "command:reload", False, None)
        self.world.advance(1)
        self.resize(watcher, 2)
        self.world.advance(60)
        self.assertEqual(watcher.places.pids(), [103, 104])
        self.assertEqual(self.world.actions().count("reload"), 1)

    def test_fewer_during_a_sequential_reload_takes_the_old_ones(self) -> None:
        self.world.stop_delay = 1.0
        watcher = self.world.up(numprocesses=3)
        self.world.reload([watcher], "command:reload", True, None)
        self.world.advance(1.5)
        self.resize(watcher, 1)
        self.world.advance(60)
        self.assertEqual(watcher.places.pids(), [103])
        self.assertEqual(len(self.world.spawned), 4)

    def test_ten_thousand_places_open_as_turns_allow(self) -> None:
        self.world.spawns_a_turn = 20
        watcher = self.world.add(numprocesses=10_000)
        self.world.start([watcher], "command:start", None)
        most = turns = 0
        more = True
        while more:
            self.world.begin_turn()
            more = self.world.roster.turn()
            most = max(most, len(watcher.places.pending))
            turns += 1
        self.assertLessEqual(most, OPEN_AHEAD + 2)
        self.assertGreaterEqual(turns, 500)
        self.assertEqual((len(self.world.spawned), watcher.status), (10_000, "active"))

    def test_a_thousand_are_stopped_as_turns_allow(self) -> None:
        world = self.world
        world.stop_delay = 60.0
        orders: dict[str, Callable[[Watcher], None]] = {
            "decr": lambda watcher: world.resize(watcher, 0, "command:decr", None),
            "stop": lambda watcher: world.stop([watcher], "command:stop", None),
            "reload": lambda watcher: world.reload([watcher], "command:reload", False, None),
        }
        for name, order in orders.items():
            with self.subTest(name):
                world.spawns_a_turn = 0
                watcher = world.up(name, numprocesses=1000, graceful_timeout=90)
                world.spawns_a_turn = 20
                before = set(watcher.places.pids())
                order(watcher)
                most, more = 0, True
                while more:
                    world.begin_turn()
                    asked = len(world.signals)
                    more = world.roster.turn()
                    most = max(most, len(world.signals) - asked)
                self.assertLessEqual(most, 2 * 20)  # SIGCONT follows each
                terms = {pid for pid, signum in world.signals if signum == signal.SIGTERM}
                self.assertLessEqual(before, terms)

    def test_nor_do_more_wait_for_a_warm_up(self) -> None:
        watcher = self.world.up(numprocesses=1000, warmup_delay=1)
        self.assertEqual(len(watcher.places.pending), OPEN_AHEAD)
        self.resize(watcher, 3)
        self.assertEqual(len(watcher.places.pending), 2)
        self.resize(watcher, 200)
        self.world.advance(198.9)
        self.assertEqual((len(watcher.places.pending), watcher.status), (1, "starting"))
        self.world.advance(0.1)
        self.assertEqual((len(watcher.places.pids()), watcher.status), (200, "active"))

    def test_a_singletons_place_is_one(self) -> None:
        watcher = self.world.up(singleton=True)
        self.resize(watcher, 0)
        self.resize(watcher, 1)
        self.assertEqual(self.world.spawned, [100])
        self.world.advance(1)
        self.assertEqual(watcher.places.pids(), [101])


if __name__ == "__main__":
    unittest.main()
