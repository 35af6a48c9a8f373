"""A core that was written down and read again does what the other one would have done."""

from __future__ import annotations

import errno
import unittest

from cvec_circus.supervisor.campaign import Pace
from tests.core.test_state import StateCase
from tests.support.world import IMMORTAL, OBEDIENT, STUBBORN

MISSING = FileNotFoundError(errno.ENOENT, "no such file")


class TestRestored(StateCase):
    def test_one_that_is_up_does_not_notice(self) -> None:
        self.world.up(numprocesses=3)
        (watcher,) = self.go_on()
        self.world.advance(60)
        self.assertEqual(self.world.spawned, [100, 101, 102])
        self.world.die(101, 1)
        self.world.settle()
        self.assertEqual(watcher.places.slots[2].pid, 103)
        self.assertEqual(watcher.places.restarts, 1)

    def test_a_stop_reaches_its_deadline(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.world.up(graceful_timeout=30)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(10)
        (watcher,) = self.go_on()
        self.world.advance(19.9)
        self.assertEqual(watcher.status, "stopping")
        self.world.advance(0.1)
        self.assertEqual(watcher.status, "stopped")

    def test_a_backoff_and_a_warm_up_go_on(self) -> None:
        self.world.up("a", respawn_delay=5)
        self.world.up("b", numprocesses=2, warmup_delay=5)
        self.world.die(100)
        self.world.advance(3)
        a, b = self.go_on()
        self.world.advance(1.9)
        self.assertEqual(self.world.spawned, [100, 101])
        self.world.advance(0.2)
        self.assertEqual(len(self.world.spawned), 4)
        self.assertTrue(a.is_up and b.is_up)

    def test_a_reload_goes_on(self) -> None:
        for sequential in (False, True):
            with self.subTest(sequential=sequential):
                self.setUp()
                watcher = self.world.up(numprocesses=3)
                self.world.reload([watcher], "command:reload", sequential, None)
                self.world.advance(0.5)
                (watcher,) = self.go_on()
                self.world.advance(10)
                self.assertEqual(self.world.actions().count("reload"), 1)
                self.assertEqual(sorted(watcher.places.pids()), [103, 104, 105])
                self.assertIsNone(watcher.rollout)

    def test_an_answer_comes_to_the_one_that_went_on(self) -> None:
        for hook in ("before_start", "before_spawn", "after_spawn", "after_start"):
            with self.subTest(hook):
                self.setUp()
                self.world.answers[hook] = None
                self.world.up(hooks=[hook])
                (watcher,) = self.go_on()
                self.assertEqual(
                    self.world.why(watcher), f"waits for the answer of its hook {hook}"
                )
                self.assertEqual(self.world.hooks_asked(), [hook])
                self.world.answer(hook)
                self.world.settle()
                self.assertEqual(watcher.status, "active")

    def test_a_start_of_all_goes_on(self) -> None:
        self.world.campaign.pace = Pace(warmup_delay=2.0)
        for name, priority in (("c", 0), ("b", 5), ("a", 5)):
            self.world.add(name, priority=priority)
        self.world.start(None, "config", None)
        self.world.advance(1)
        self.go_on()
        self.world.advance(0.9)
        self.assertEqual(self.starts(), ["b"])
        self.world.advance(0.2)
        self.assertEqual(self.starts(), ["b", "a"])
        self.world.advance(2)
        self.assertEqual(self.starts(), ["b", "a", "c"])

    def starts(self) -> list[str]:
        return [name for _, name, action, _ in self.world.events if action == "start"]

    def test_one_that_holds_up_the_others_does_so_as_long_as_before(self) -> None:
        self.world.answers["before_start"] = None
        self.world.add("high", priority=1, hooks=["before_start"])
        self.world.add("low")
        self.world.start(None, "config", None)
        self.world.advance(40)
        _, low = self.go_on()
        self.world.advance(19.9)
        self.assertEqual(low.status, "stopped")
        self.world.advance(0.2)
        self.assertEqual(low.status, "active")

    def test_a_restart_of_all_goes_on(self) -> None:
        self.world.up("a")
        self.world.up("b", helper=True)
        self.world.restart(None, "command:restart", None)
        self.world.advance(0.5)
        self.go_on()
        self.world.advance(10)
        told = [f"{n} {a}" for _, n, a, _ in self.world.events if a in ("stop", "spawn")]
        expected = ["a spawn", "b spawn", "a stop", "b stop", "a spawn", "b spawn"]
        self.assertEqual(told, expected)

    def test_the_end_of_all_goes_on(self) -> None:
        self.world.up("helper", helper=True)
        self.world.up("web")
        self.world.shut_down("signal:TERM")
        self.world.advance(0.5)
        self.go_on()
        self.world.advance(10)
        self.assertTrue(self.world.roster.is_down)
        stops = [name for _, name, action, _ in self.world.events if action == "stop"]
        self.assertEqual(stops, ["web", "helper"])

    def test_a_connection_starts_it(self) -> None:
        self.world.up(on_demand=True, use_sockets=True)
        (watcher,) = self.go_on()
        self.assertTrue(watcher.rests)
        self.world.connect(watcher)
        self.world.settle()
        self.assertEqual((watcher.status, self.world.listening), ("active", set()))

    def test_the_next_one_of_a_name_starts_when_the_one_before_is_gone(self) -> None:
        self.world.remove(self.world.up(), "command:rm", False, None)
        self.world.up()
        watcher, before = self.go_on()
        self.assertTrue(before.is_removed)
        self.world.advance(1)
        self.assertEqual((watcher.status, self.world.spawned), ("active", [100, 101]))
        self.assertEqual(self.world.forgotten, ["web"])

    def test_what_does_not_end_is_still_named(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(graceful_timeout=1)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(7)
        (watcher,) = self.go_on()
        why = "process 100 does not end, not even by SIGKILL"
        self.assertEqual(self.world.why(watcher), why)
        self.world.temper = OBEDIENT
        self.world.die(100, -9)
        self.world.settle()
        self.assertEqual(watcher.status, "stopped")

    def test_a_slot_that_keeps_failing_goes_on_counting(self) -> None:
        self.world.refuse = MISSING
        self.world.up(max_retry=3)
        (watcher,) = self.go_on()
        self.world.advance(1)
        self.assertEqual(watcher.reason, "[Errno 2] no such file (3 attempts)")


if __name__ == "__main__":
    unittest.main()
