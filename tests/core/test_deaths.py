"""What is remembered of the processes that are gone: restarts, the last death, and since when."""

from __future__ import annotations

import unittest

from cvec_circus.core.facts import Exited
from cvec_circus.core.phase import phase
from cvec_circus.system.collecting import Exit
from cvec_circus.wire.outcome import Death
from tests.support.world import FakeWorld


class TestDeaths(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.watcher = self.world.up(numprocesses=2)

    def die(self, exit_code: int) -> int:
        pid = self.watcher.places.pids()[0]
        self.world.die(pid, exit_code)
        self.world.advance(2)
        return pid

    def test_nothing_yet(self) -> None:
        self.assertIsNone(self.watcher.places.last_death)
        self.assertEqual(self.watcher.places.restarts, 0)

    def test_a_death_and_a_restart(self) -> None:
        at = self.world.clock
        pid = self.die(3)
        self.assertEqual(self.watcher.places.last_death, Death(1, pid, 3, "exit", at, life=1))
        self.assertEqual(self.watcher.places.restarts, 1)
        self.die(-9)
        self.assertEqual(self.watcher.places.last_death.exit_code, -9)
        self.assertEqual(self.watcher.places.restarts, 2)

    def test_what_was_asked_for_is_no_restart(self) -> None:
        self.world.restart([self.watcher], "command:restart", None)
        self.world.advance(5)
        self.world.reload([self.watcher], "command:reload", False, None)
        self.world.advance(5)
        self.world.kill(self.watcher, list(self.watcher.places.leaders()), None, None, None)
        self.world.advance(5)
        self.assertEqual(len(self.watcher.places.pids()), 2)
        self.assertEqual(self.watcher.places.restarts, 0)
        self.assertEqual(self.watcher.places.last_death.cause, "command:kill")
        self.assertEqual(self.watcher.places.last_death.exit_code, -15)

    def test_a_lost_status(self) -> None:
        process = next(self.watcher.places.leaders())
        self.world.facts.append(Exited(self.watcher, process, Exit(-1, status_lost=True)))
        self.world.settle()
        self.assertIsNone(self.watcher.places.last_death.exit_code)

    def test_active_since(self) -> None:
        began = self.world.clock
        self.assertEqual((self.watcher.is_up, self.watcher.filled_at), (True, began))
        self.world.advance(10)
        self.die(0)
        self.world.reload([self.watcher], "command:reload", False, None)
        self.world.advance(5)
        self.assertEqual((self.watcher.is_up, self.watcher.filled_at), (True, began))
        self.world.restart([self.watcher], "command:restart", None)
        self.world.advance(5)
        self.assertGreater(self.watcher.filled_at, began)
        self.world.stop([self.watcher], "command:stop", None)
        self.world.advance(5)
        self.assertFalse(self.watcher.is_up)

    def test_what_there_are_many_of_stays_small(self) -> None:
        self.die(1)
        process = self.watcher.places.slots[1]
        memory = self.watcher.places.backoff(1)
        for one in (self.watcher, self.watcher.places, process, memory):
            self.assertFalse(hasattr(one, "__dict__"), one)

    def test_what_it_did_before_is_no_failure_of_a_one_shot(self) -> None:
        self.die(3)
        self.world.set_options(self.watcher, {"respawn": False}, "command:set", None)
        self.die(0)
        self.die(0)
        self.assertEqual((phase(self.watcher), self.watcher.places.failed_exits), ("completed", 0))


if __name__ == "__main__":
    unittest.main()
