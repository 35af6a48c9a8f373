"""When a dead process is replaced: the restart policy."""

from __future__ import annotations

import unittest

from cvec_circus.base.clock import exponential, jittered
from cvec_circus.core.phase import phase
from cvec_circus.core.watcher import Watcher
from tests.support.world import FakeWorld


class BackoffCase(unittest.TestCase):
    """A world without jitter. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.luck = 0.5

    def crash(self, lived: float = 0.0, wid: int = 1) -> float:
        """Ends the process of that slot after `lived` seconds; returns how long it stayed away."""
        self.world.advance(lived)
        watcher = self.world.roster.watchers()[0]
        self.world.die(watcher.places.slots[wid].pid, 1)
        died_at = self.world.now()
        self.world.settle()
        while watcher.places.slots[wid].pid not in self.world.alive:
            next_at = self.world.roster.next_at()
            assert next_at is not None, "nothing is going to happen any more"
            self.world.advance(next_at - self.world.now())
        return round(self.world.now() - died_at, 6)


class TestLive(BackoffCase):
    """Processes that `live` has stopped."""

    def setUp(self) -> None:
        super().setUp()
        self.world.stop_delay = 0.0

    def crash(self, lived: float = 0.0, wid: int = 1) -> float:
        """Lets its check fail, after it has held for so long; returns how long it stayed away."""
        self.world.advance(5)
        watcher = self.world.roster.watchers()[0]
        pid = watcher.places.slots[wid].pid
        self.world.probed(pid, "live check b failed", is_live=True, well=lived)
        ended_at = self.world.now()
        self.world.advance(0)
        while watcher.places.slots[wid].pid in (0, pid):
            next_at = self.world.next_at()
            self.world.advance(next_at - self.world.now())
        return round(self.world.now() - ended_at, 6)

    def test_endless_restarts_wait_as_those_that_die(self) -> None:
        watcher = self.world.up(live={"b": "notify"}, numprocesses=2)
        delays = [self.crash() for _ in range(7)]
        self.assertEqual(delays, [0, 0.05, 0.1, 0.2, 0.4, 0.8, 1])
        self.assertEqual(self.crash(wid=2), 0, "each slot has its own")
        self.assertEqual(watcher.places.restarts, 8)
        waits = [one for one in self.world.events if one[2] == "backoff"]
        self.assertEqual([one[3]["cause"] for one in waits], ["live"])

    def test_a_written_state_remembers_how_long_it_was_well(self) -> None:
        self.world.stop_delay = 3.0
        watcher = self.world.up(live={"b": "notify"})
        self.world.advance(5)
        self.world.probed(100, "live check b failed", is_live=True, well=20.0)
        self.world.advance(1)
        (watcher,) = self.world.restore()
        self.world.advance(5)
        self.assertEqual((watcher.places.restarts, watcher.places.backoff(1).deaths), (1, 0))

    def test_one_that_was_alive_for_long_is_replaced_at_once(self) -> None:
        self.world.up(live={"b": "notify"}, min_uptime=2)
        for _ in range(4):
            self.crash()
        self.assertGreater(self.crash(1.9), 0)
        self.assertEqual(self.crash(2), 0)

    def test_an_order_makes_it_start_at_once(self) -> None:
        watcher = self.world.up(live={"b": "notify"}, backoff_max=60)
        for _ in range(6):
            self.crash()
        self.world.advance(5)
        (pid,) = self.world.pids(watcher)
        self.world.probed(pid, "live check b failed", is_live=True)
        self.world.advance(0.1)
        self.assertEqual(self.world.pids(watcher), [])
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assertEqual(len(self.world.pids(watcher)), 1)


class TestDelays(BackoffCase):
    def test_quick_deaths_wait_0_50_100_ms_doubling_to_a_second(self) -> None:
        self.world.up()
        delays = [self.crash() for _ in range(10)]
        self.assertEqual(delays, [0, 0.05, 0.1, 0.2, 0.4, 0.8, 1, 1, 1, 1])

    def test_backoff_max(self) -> None:
        self.world.up(backoff_max=0.3)
        self.assertEqual([self.crash() for _ in range(6)], [0, 0.05, 0.1, 0.2, 0.3, 0.3])

    def test_the_longest_wait_may_be_none(self) -> None:
        self.world.up(backoff_max=0)
        self.assertEqual([self.crash() for _ in range(4)], [0, 0, 0, 0])

    def test_backoff_off(self) -> None:
        self.world.up(backoff=False)
        self.assertEqual([self.crash() for _ in range(8)], [0] * 8)

    def test_a_life_of_min_uptime_is_replaced_at_once(self) -> None:
        self.world.up(min_uptime=2)
        for _ in range(5):
            self.crash()
        self.assertGreater(self.crash(1.9), 0)
        self.assertEqual(self.crash(2), 0)

    def test_and_lowers_the_step_by_one(self) -> None:
        self.world.up()
        self.assertEqual([self.crash() for _ in range(4)], [0, 0.05, 0.1, 0.2])
        self.crash(1)
        self.assertEqual(self.crash(), 0.2)
        self.crash(1)
        self.crash(1)
        self.assertEqual(self.crash(), 0.1)

    def test_however_long_the_crash_loop_was(self) -> None:
        self.world.up()
        for _ in range(50):
            self.crash()
        self.crash(1)
        self.assertEqual(self.crash(), 0.8)

    def test_a_life_of_backoff_reset_clears_it(self) -> None:
        self.world.up()
        for _ in range(20):
            self.crash()
        self.assertEqual(self.crash(10), 0)
        self.assertEqual([self.crash() for _ in range(3)], [0, 0.05, 0.1])

    def test_backoff_reset_is_an_option(self) -> None:
        self.world.up(backoff_reset=60)
        for _ in range(20):
            self.crash()
        self.crash(59)
        self.assertEqual(self.crash(), 0.8)
        self.crash(60)
        self.assertEqual(self.crash(), 0)

    def test_each_slot_backs_off_by_itself(self) -> None:
        self.world.up(numprocesses=2)
        self.assertEqual([self.crash() for _ in range(4)], [0, 0.05, 0.1, 0.2])
        self.assertEqual([self.crash(wid=2) for _ in range(3)], [0, 0.05, 0.1])

    def test_a_crash_loop_keeps_its_slot_where_lower_wids_are_free(self) -> None:
        watcher = self.world.up()
        self.world.reload([watcher], "command:reload", False, None)
        self.world.advance(0.5)
        self.assertEqual(list(watcher.places.slots), [2])
        self.assertEqual([self.crash(wid=2) for _ in range(4)], [0, 0.05, 0.1, 0.2])


class TestRespawnDelay(BackoffCase):
    def test_every_replacement_waits_so_long_to_the_letter(self) -> None:
        self.world.luck = 0.0
        self.world.up(respawn_delay=5)
        self.assertEqual([self.crash(60), self.crash(60)], [5, 5])

    def test_the_longer_wait_counts(self) -> None:
        self.world.up(respawn_delay=0.15)
        self.assertEqual([self.crash() for _ in range(5)], [0.15, 0.15, 0.15, 0.2, 0.4])

    def test_with_backoff_off_too(self) -> None:
        self.world.up(respawn_delay=0.15, backoff=False)
        self.assertEqual([self.crash() for _ in range(5)], [0.15] * 5)

    def test_what_was_ordered_does_not_wait(self) -> None:
        watcher = self.world.up(respawn_delay=5)
        self.world.advance(60)
        self.world.kill(watcher, list(watcher.places.leaders()), None, None, None)
        self.world.advance(0.1)
        self.assertEqual(self.world.spawned, [100, 101])
        self.world.restart([watcher], "command:restart", None)
        self.world.advance(0.1)
        self.assertEqual(self.world.spawned, [100, 101, 102])


class TestJitter(BackoffCase):
    def test_a_wait_is_made_up_to_a_tenth_longer_or_shorter(self) -> None:
        self.assertEqual([jittered(1.0, luck) for luck in (0.0, 0.5)], [0.9, 1.0])
        self.assertAlmostEqual(jittered(1.0, 1.0), 1.1)

    def test_watchers_that_crash_together_come_back_one_by_one(self) -> None:
        self.world.luck = None
        watchers = [self.world.up(f"w{number}", min_uptime=5) for number in range(200)]
        for _ in range(8):
            for watcher in watchers:
                self.world.die(watcher.places.slots[1].pid)
            self.world.advance(1.2)
        spawns = [at for at, _, action, _ in self.world.events if action == "spawn"][-200:]
        self.assertGreater(len(set(spawns)), 190)
        self.assertGreater(max(spawns) - min(spawns), 0.15)

    def test_the_numbers(self) -> None:
        self.assertEqual(
            [exponential(step, 0.05, 1e9) for step in range(5)], [0, 0.05, 0.1, 0.2, 0.4]
        )
        self.assertEqual(exponential(10_000, 0.05, 3.0), 3.0)


class TestNeverReady(BackoffCase):
    """Processes that end before their checks of `ready` have held."""

    def test_they_wait_however_long_they_lived(self) -> None:
        watcher = self.world.up(ready={"a": "notify"}, ready_timeout=5)
        self.assertEqual(phase(watcher), "starting")
        delays = []
        for _ in range(4):
            delays.append(self.crash(lived=3))
            self.assertEqual(phase(watcher), "backoff")
        delays += [self.crash(lived=30), self.crash(lived=30)]  # after their time is up
        self.assertEqual(delays, [0, 0.05, 0.1, 0.2, 0.4, 0.8])
        self.world.probes.all_hold()
        self.assertEqual(phase(watcher), "up")
        self.assertEqual(self.crash(lived=30), 0)
        self.assertEqual(phase(watcher), "starting")

    def test_work_that_is_done_is_no_failure(self) -> None:
        watcher = self.world.up(ready={"a": "notify"}, on_demand=True, use_sockets=True)
        for pid in (100, 101, 102):
            self.world.connect(watcher)
            self.world.settle()
            self.assertEqual(self.world.pids(watcher), [pid])
            self.world.advance(3)
            self.world.die(pid)
            self.world.settle()

    def test_the_reason(self) -> None:
        watcher = self.world.up(ready={"a": "notify"}, ready_timeout=5)
        said = []
        for _ in range(3):
            self.world.advance(3)
            pid = self.world.pids(watcher)[0]
            self.world.die(pid, 6)
            self.world.settle()
            said.append(self.world.why(watcher))
            self.world.advance(0.2)
        runs = "is not ready yet, after a failure: process 100 exited with 6"
        self.assertEqual(said[0], f"slot 1: process 101 runs, and {runs}")
        for times, pid, told in ((2, 101, said[1]), (3, 102, said[2])):
            row = f"slot 1 has died {times} times in a row, never ready"
            self.assertRegex(told, f"^{row}: process {pid} exited with 6; next start in 0.[01] s$")
        self.world.probes.all_hold()
        self.assertEqual(self.world.why(watcher), "")
        self.world.die(103, 6)
        self.world.advance(0)
        row = "slot 1 has died 4 times in a row, each within 1 s or before it was ready"
        self.assertIn(row, self.world.why(watcher))


class TestWhatIsTold(BackoffCase):
    def test_a_wait_of_a_second_or_more_is_an_event(self) -> None:
        self.world.up()
        for _ in range(6):
            self.crash()
        self.assertEqual(self.world.payloads("backoff"), [])
        self.crash()
        expected = {"cause": "exit", "wid": 1, "deaths": 7, "delay": 1.0}
        self.assertEqual(self.world.payloads("backoff"), [expected])

    def test_the_reason_and_the_time_left_can_be_asked_for(self) -> None:
        watcher = self.world.up()
        for _ in range(6):
            self.crash()
        self.world.die(watcher.places.slots[1].pid)
        self.world.advance(0.3)
        row = "slot 1 has died 7 times in a row, each within 1 s"
        self.assertEqual(
            self.world.why(watcher), f"{row}: process 106 exited with 0; next start in 0.7 s"
        )
        self.world.advance(0.7)
        said = "slot 1: process 107 runs, and is not ready yet, after 7 failures in a row"
        self.assertEqual(self.world.why(watcher), f"{said}: process 106 exited with 0")

    def test_a_one_shot_that_is_not_replaced_does_not_back_off(self) -> None:
        self.world.up(respawn=False, respawn_delay=5)
        self.world.die(100)
        self.world.settle()
        self.assertEqual(self.world.payloads("backoff"), [])

    def test_nobody_hears_of_a_backoff_after_a_stop(self) -> None:
        watcher = self.world.up(respawn_delay=5)
        self.world.stop([watcher], "command:stop", None)
        self.world.die(100)
        self.world.settle()
        self.assertEqual(self.world.actions(), ["add", "spawn", "start", "reap", "stop"])


class TestOrders(BackoffCase):
    """Every explicit order forgets the deaths and ends the wait."""

    def in_backoff(self, **options: object) -> Watcher:
        watcher = self.world.up(**options)
        for _ in range(7):
            self.crash()
        self.world.die(watcher.places.slots[1].pid)
        self.world.settle()
        self.spawned = len(self.world.spawned)
        self.world.advance(0.1)
        self.assertEqual(len(self.world.spawned), self.spawned)
        return watcher

    def assert_hastened(self, watcher: Watcher) -> None:
        self.world.settle()
        self.assertEqual(len(self.world.spawned), self.spawned + 1)
        self.assertEqual([self.crash() for _ in range(3)], [0, 0.05, 0.1])

    def test_start(self) -> None:
        watcher = self.in_backoff()
        self.world.start([watcher], "command:start", None)
        self.assert_hastened(watcher)

    def test_restart(self) -> None:
        watcher = self.in_backoff()
        self.world.restart([watcher], "command:restart", None)
        self.assert_hastened(watcher)

    def test_reload(self) -> None:
        watcher = self.in_backoff()
        self.world.reload([watcher], "command:reload", False, None)
        self.assert_hastened(watcher)

    def test_reload_by_sighup(self) -> None:
        watcher = self.in_backoff(send_hup=True)
        self.world.reload([watcher], "command:reload", False, None)
        self.assert_hastened(watcher)

    def test_resize_to_the_same_number(self) -> None:
        watcher = self.in_backoff()
        self.world.resize(watcher, 1, "command:incr", None)
        self.assert_hastened(watcher)

    def test_set(self) -> None:
        watcher = self.in_backoff()
        self.world.set_options(watcher, {"max_retry": 7}, "command:set", None)
        self.assert_hastened(watcher)

    def test_kill(self) -> None:
        watcher = self.in_backoff()
        self.world.kill(watcher, [], None, None, None)
        self.assert_hastened(watcher)


if __name__ == "__main__":
    unittest.main()
