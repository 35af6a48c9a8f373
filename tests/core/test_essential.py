"""An essential watcher: what counts as its end for good, and the exit code that follows."""

from __future__ import annotations

import signal
import unittest

from cvec_circus.core.watcher import Watcher
from cvec_circus.wire import orders
from cvec_circus.wire.cause import Cause
from tests.support.world import FakeWorld


class TestEssential(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()

    def up(self, **options: object) -> Watcher:
        return self.world.up("web", essential=True, **{"respawn": False, **options})

    def die(self, watcher: Watcher, *codes: int) -> None:
        for pid, code in zip(watcher.places.pids(), codes):
            self.world.die(pid, code)
        self.world.settle()

    def ended(self) -> int | None:
        ended = self.world.roster.ended
        return None if ended is None else ended.exit_code

    def test_every_code(self) -> None:
        for code, expected in (
            *((code, code) for code in range(256)),
            *((-signum, 128 + signum) for signum in range(1, 65)),
        ):
            self.world = FakeWorld()
            self.die(self.up(), code)
            self.assertEqual(self.ended(), expected)

    def test_why(self) -> None:
        watcher = self.up()
        (pid,) = watcher.places.pids()
        self.die(watcher, -signal.SIGSEGV)
        why = f"web is essential and has ended: process {pid} was killed by SIGSEGV"
        self.assertEqual(self.world.roster.ended.why, why)

    def test_of_several_the_last_that_failed(self) -> None:
        self.die(self.up(numprocesses=4), 5, 3, 0, 0)
        self.assertEqual(self.ended(), 3)

    def test_one_that_failed_long_before_the_others_ended(self) -> None:
        self.die(self.up(numprocesses=30), 5, *[0] * 29)
        self.assertEqual(self.ended(), 1)
        self.assertIn("1 process", self.world.roster.ended.why.replace("processes", "process"))

    def test_a_job_is_run_again(self) -> None:
        watcher = self.world.add("web", essential=True, schedule="60")
        self.world.start([watcher], "config", None)
        self.world.advance(60)
        self.die(watcher, 5)
        self.assertEqual(len(watcher.places.deaths), 1)
        self.assertIsNone(self.ended())

    def test_not_while_one_runs(self) -> None:
        self.die(self.up(numprocesses=2), 5)
        self.assertIsNone(self.ended())

    def test_one_that_is_respawned_does_not_end(self) -> None:
        self.die(self.up(respawn=True), 5)
        self.world.advance(60)
        self.assertIsNone(self.ended())

    def test_others_do_not_count(self) -> None:
        self.die(self.world.up("b", respawn=False), 5)
        self.assertIsNone(self.ended())

    def test_orders_do_not_count(self) -> None:
        watcher = self.up()
        for order in (orders.Stop, orders.Restart):
            self.world.roster.give(order([watcher], Cause("command:any")))
            self.world.advance(60)
            self.assertIsNone(self.ended())
        self.world.roster.give(orders.Remove(watcher, Cause("command:rm"), False))
        self.world.advance(60)
        self.assertIsNone(self.ended())

    def test_a_stop_that_calls_it_failed(self) -> None:
        watcher = self.up(respawn=True)
        self.die(watcher, 7)
        self.world.advance(1)
        cause = Cause("command:stop", "plugin:flapping", "2 deaths in 5 s")
        self.world.roster.give(orders.Stop([watcher], cause, failed=True))
        self.world.advance(60)
        self.assertEqual(self.ended(), 7)
        self.assertIn("2 deaths in 5 s; process ", self.world.roster.ended.why)

    def test_one_that_cannot_be_started(self) -> None:
        self.world.refuse = OSError(2, "no such program")
        watcher = self.world.add("web", essential=True)
        self.world.start([watcher], "config", None)
        self.world.advance(60)
        self.assertEqual(self.ended(), 1)
        self.assertIn("no such program", self.world.roster.ended.why)

    def test_the_end_of_the_daemon_does_not_count(self) -> None:
        self.up()
        self.world.shut_down("signal:TERM")
        self.world.advance(60)
        self.assertTrue(self.world.roster.is_down)
        self.assertIsNone(self.ended())

    def test_an_earlier_life_does_not_count(self) -> None:
        watcher = self.up()
        self.die(watcher, 9)
        self.world.roster.ended = None
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.die(watcher, 0)
        self.assertEqual(self.ended(), 0)

    def test_one_that_has_ended_already_is_made_essential(self) -> None:
        watcher = self.world.up("web", respawn=False)
        self.die(watcher, 3)
        self.world.set_options(watcher, {"essential": True}, "command:set", None)
        self.world.settle()
        self.assertIsNone(self.ended())

    def test_it_survives_being_written_down(self) -> None:
        self.die(self.up(), 3)
        self.world.restore()
        self.assertEqual(self.ended(), 3)


if __name__ == "__main__":
    unittest.main()
