"""From the stop signal to SIGKILL, and what a leader leaves behind."""

from __future__ import annotations

import signal
import unittest

from cvec_circus.core.facts import Extended, Strayed
from cvec_circus.core.process import ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.outcome import Stray
from tests.support.world import IMMORTAL, STUBBORN, FakeWorld


class StoppingCase(unittest.TestCase):
    """A watcher with 3 s to stop. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()

    def stopping(self, **options: object) -> Watcher:
        watcher = self.world.up(**{"graceful_timeout": 3.0, **options})
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        return watcher

    def signals(self) -> list[tuple[int, str]]:
        """Every signal sent, by name; a negative pid is the leader's descendants."""
        return [(pid, signal.Signals(signum).name) for pid, signum in self.world.signals]


class TestSignals(StoppingCase):
    def test_the_leader_alone_gets_the_stop_signal_and_is_woken(self) -> None:
        self.stopping()
        self.assertEqual(self.signals(), [(100, "SIGTERM"), (100, "SIGCONT")])
        payload = self.world.payloads("kill")[0]
        self.assertEqual((payload["process_pid"], payload["signum"]), (100, 15))

    def test_stop_signal_is_an_option(self) -> None:
        self.stopping(stop_signal="QUIT")
        self.assertEqual(self.signals()[0], (100, "SIGQUIT"))

    def test_its_children_get_it_too_with_stop_children(self) -> None:
        self.stopping(stop_children=True)
        self.assertEqual(self.signals()[:2], [(-100, "SIGTERM"), (100, "SIGTERM")])

    def test_nobody_has_to_be_woken_for_sigkill(self) -> None:
        self.stopping(stop_signal=9)
        self.assertEqual(self.signals(), [(100, "SIGKILL")])

    def test_one_that_is_being_stopped_is_not_asked_again(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.stopping()
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(1)
        self.assertEqual(len(self.signals()), 2)
        self.assertEqual(self.world.actions().count("kill"), 1)


class TestEscalation(StoppingCase):
    def test_sigkill_comes_when_the_time_is_up_and_not_before(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.stopping()
        self.world.advance(2.9)
        self.assertIs(watcher.places.slots[1].state, ProcessState.STOPPING)
        self.world.advance(0.1)
        self.assertEqual(self.signals()[-1], (100, "SIGKILL"))
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(self.world.payloads("reap")[0]["exit_code"], -9)
        self.assertEqual(self.world.actions().count("kill"), 1)

    def test_a_graceful_timeout_of_zero_kills_at_once(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.stopping(graceful_timeout=0)
        self.assertEqual([name for _, name in self.signals()], ["SIGTERM", "SIGCONT", "SIGKILL"])
        self.world.advance(0)
        self.assertEqual(watcher.status, "stopped")

    def test_who_does_not_even_end_by_sigkill_is_named_after_5_s_and_every_10_s(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.stopping()
        self.world.advance(7.9)
        self.assertEqual(watcher.places.unkillable(), [])
        self.assertEqual(len(self.world.notes), 1)
        self.world.advance(0.1)
        self.assertEqual(watcher.places.unkillable(), [watcher.places.slots[1]])
        self.assertEqual(self.world.why(watcher), "process 100 does not end, not even by SIGKILL")
        self.world.advance(9.9)
        self.assertEqual(len(self.world.notes), 2)
        self.world.advance(0.1)
        self.assertEqual(
            self.world.notes,
            [
                "web: process 100 did not end in time; killing it and its group",
                "web: process 100 does not end, not even by SIGKILL",
                "web: process 100 does not end, not even by SIGKILL",
            ],
        )
        self.assertEqual(watcher.status, "stopping")

    def test_it_stays_until_it_does_end(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.stopping()
        self.world.advance(100)
        self.world.start([watcher], "command:start", None)
        self.world.advance(100)
        self.assertEqual(self.world.spawned, [100])
        self.world.die(100, -9)
        self.world.settle()
        self.assertEqual(self.world.spawned, [100, 101])
        self.assertEqual(watcher.status, "active")
        self.assertEqual(self.world.why(watcher), "")

    def test_the_others_of_an_unkillable_watcher_go_on(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(numprocesses=2, graceful_timeout=1)
        other = self.world.up("other")
        self.world.kill(watcher, [watcher.places.slots[1]], None, None, None)
        self.world.advance(20)
        self.world.die(watcher.places.slots[2].pid)
        self.world.die(other.places.slots[1].pid)
        self.world.settle()
        self.assertEqual(watcher.places.slots[2].state, ProcessState.RUNNING)
        self.assertEqual(other.places.slots[1].state, ProcessState.RUNNING)
        self.assertEqual(len(watcher.places.slots), 2)


class TestLeftovers(StoppingCase):
    def test_stop_waits_for_what_the_leader_left(self) -> None:
        self.world.leftovers = 1.0
        watcher = self.stopping()
        self.world.advance(0.1)
        self.assertIs(watcher.places.slots[1].state, ProcessState.LEFTOVER)
        self.assertEqual(self.world.actions()[-1], "reap")
        self.world.advance(0.9)
        self.assertEqual(watcher.status, "stopping")
        self.world.advance(0.1)
        self.assertEqual(watcher.status, "stopped")

    def test_it_is_killed_at_the_leaders_own_deadline(self) -> None:
        self.world.leftovers = 100.0
        watcher = self.stopping()
        self.world.advance(2.9)
        self.assertIs(watcher.places.slots[1].state, ProcessState.LEFTOVER)
        self.world.advance(0.1)
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(
            self.world.notes, ["web: what process 100 left behind did not end; killing it"]
        )

    def test_what_a_killed_leader_leaves_is_killed_at_once(self) -> None:
        self.world.temper = STUBBORN
        self.world.leftovers = 100.0
        watcher = self.stopping()
        self.world.advance(3)
        self.assertEqual(watcher.status, "stopped")

    def test_what_sigkill_does_not_end_is_let_go_of_and_the_place_is_free(self) -> None:
        watcher = self.world.up(graceful_timeout=3)
        self.world.temper = IMMORTAL
        self.world.leftovers = 0.0
        self.world.die(100)
        self.world.advance(7.9)
        self.assertEqual((self.world.spawned, self.world.abandoned), ([100], []))
        self.world.advance(0.1)
        self.assertEqual(self.world.abandoned, [100])
        self.assertEqual(watcher.places.unkillable(), [])
        self.assertEqual(self.world.spawned, [100, 101])
        failed = "after a failure: process 100 exited with 0"
        said = f"slot 1: process 101 runs, and is not ready yet, {failed}"
        self.assertEqual((watcher.status, self.world.why(watcher)), ("active", said))

    def test_it_gets_no_more_time_by_what_its_leader_has_asked_for(self) -> None:
        watcher = self.world.up(graceful_timeout=3)
        process = watcher.places.slots[1]
        self.world.temper = STUBBORN
        self.world.leftovers = 0.0
        self.world.die(100)
        self.world.facts.append(Extended(watcher, process, 60.0))
        self.world.advance(2.9)
        self.assertFalse(process.killed)
        self.world.advance(0.1)
        self.assertTrue(process.killed)

    def test_a_stop_does_not_wait_for_it_for_ever(self) -> None:
        watcher = self.world.up(graceful_timeout=30)
        self.world.leftovers = 0.0
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.world.temper = IMMORTAL
        self.world.die(100, -15)
        self.world.advance(9.9)
        self.assertEqual(watcher.status, "stopping")
        self.world.advance(0.1)
        self.assertEqual((watcher.status, self.world.abandoned), ("stopped", [100]))

    def test_what_a_killed_leader_left_too(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.stopping()
        self.world.advance(2.9)
        self.world.temper = IMMORTAL
        self.world.leftovers = 0.0
        self.world.advance(0.1)
        self.world.die(100, -9)
        self.world.advance(4.9)
        self.assertEqual((watcher.status, self.world.abandoned), ("stopping", []))
        self.world.advance(0.1)
        self.assertEqual((watcher.status, self.world.abandoned), ("stopped", [100]))

    def test_a_leader_that_dies_by_itself_is_replaced_when_nothing_of_it_is_left(self) -> None:
        watcher = self.world.up(graceful_timeout=3)
        self.world.advance(60)
        self.world.leftovers = 2.0
        self.world.die(100)
        self.world.advance(1.9)
        self.assertEqual(self.world.spawned, [100])
        self.assertEqual(watcher.places.pids(), [])
        self.world.advance(0.1)
        self.assertEqual(self.world.spawned, [100, 101])
        self.assertEqual(watcher.places.slots[1].pid, 101)

    def test_what_it_left_has_leftover_timeout_to_end_and_at_most_graceful_timeout(self) -> None:
        for graceful, leftover, time in ((3, 5, 3.0), (30, 5, 5.0), (30, 0.5, 0.5), (30, 60, 30.0)):
            with self.subTest(graceful=graceful, leftover=leftover):
                self.setUp()
                watcher = self.world.up(graceful_timeout=graceful, leftover_timeout=leftover)
                self.world.advance(60)
                self.world.leftovers = 100.0
                self.world.die(100)
                self.world.advance(time - 0.1)
                self.assertEqual(self.world.spawned, [100])
                left = "slot 1 waits until nothing of process 100 is left; SIGKILL in 0.1 s"
                self.assertEqual(self.world.why(watcher), left)
                self.world.advance(0.1)
                self.assertEqual(self.world.spawned, [100, 101])
                self.assertEqual(self.world.why(watcher), "")

    def test_the_wait_of_a_quick_death_counts_from_the_death(self) -> None:
        self.world.luck = 0.5
        self.world.up(graceful_timeout=3, respawn_delay=2)
        self.world.leftovers = 1.5
        self.world.die(100)
        self.world.advance(1.9)
        self.assertEqual(self.world.spawned, [100])
        self.world.advance(0.1)
        self.assertEqual(self.world.spawned, [100, 101])

    def test_a_stop_amid_a_respawn_waits_for_the_strays_of_the_dead_leader(self) -> None:
        world = self.world
        watcher = world.up(respawn_delay=5.0)
        world.unsettled.add(watcher)
        world.die(100)
        world.settle()
        outcomes, wait = world.wait()
        world.stop([watcher], "command:stop", wait)
        world.settle()
        self.assertEqual((watcher.status, outcomes), ("stopping", []))
        world.unsettled.clear()
        world.facts.append(Strayed(watcher, (Stray(200, 1, "sleep"),)))
        world.settle()
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual([one["pid"] for one in outcomes[0].strays], [200])

    def test_one_reap_whatever_is_left(self) -> None:
        self.world.leftovers = 1.0
        self.stopping()
        self.world.advance(10)
        self.assertEqual(self.world.actions(), ["add", "spawn", "start", "kill", "reap", "stop"])


class TestKill(StoppingCase):
    """The command `kill`: ends processes now, and their places are filled again."""

    def test_it_is_replaced_after_its_end(self) -> None:
        watcher = self.world.up(numprocesses=2)
        self.world.kill(watcher, [watcher.places.slots[1]], None, None, None)
        self.world.advance(1)
        self.assertEqual([watcher.places.slots[1].pid, watcher.places.slots[2].pid], [102, 101])
        self.assertEqual(self.world.payloads("reap")[0]["cause"], "command:kill")

    def test_another_signal_and_another_time(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.world.up(graceful_timeout=30)
        self.world.kill(watcher, list(watcher.places.leaders()), signal.SIGINT, 1.0, None)
        self.world.advance(0.9)
        self.assertEqual(self.signals(), [(100, "SIGINT"), (100, "SIGCONT")])
        self.world.advance(0.1)
        self.assertEqual(self.world.spawned, [100, 101])

    def test_one_that_is_being_stopped_can_be_given_less_time(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.stopping(graceful_timeout=30)
        self.world.kill(watcher, list(watcher.places.leaders()), None, 1.0, None)
        self.world.advance(1)
        self.assertEqual(watcher.status, "stopped")

    def test_but_not_more(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.stopping()
        self.world.kill(watcher, list(watcher.places.leaders()), None, 60.0, None)
        self.world.advance(3)
        self.assertEqual(watcher.status, "stopped")

    def test_one_that_is_being_stopped_gets_the_signal_that_was_named(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.stopping(graceful_timeout=30)
        self.world.kill(watcher, list(watcher.places.leaders()), signal.SIGKILL, None, None)
        self.world.advance(0)
        self.assertEqual(watcher.status, "stopped")


if __name__ == "__main__":
    unittest.main()
