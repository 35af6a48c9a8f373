"""Faults of our own in the ports: reported by whoever turns the core, and nothing is forgotten."""

from __future__ import annotations

import unittest

from tests.support.world import STUBBORN, FakeWorld


class TestFaults(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()

    def test_a_spawn_that_raises_something_else_is_tried_again(self) -> None:
        watcher = self.world.add(numprocesses=3, max_retry=1)
        self.world.refuse = KeyError("a fault")
        self.world.start([watcher], "command:start", None)
        for _ in range(3):
            with self.assertRaises(KeyError):
                self.world.settle()
        self.world.settle()
        self.world.refuse = None
        self.world.advance(1)
        self.assertEqual(len(watcher.places.pids()), 3)
        self.assertEqual(watcher.status, "active")

    def test_deadlines_survive_a_pass_that_raises(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.world.up(numprocesses=2, graceful_timeout=3, stop_children=True)
        signals = self.world.ports.signals
        stop_tree = signals.stop_tree

        def broken(process: object, signum: int) -> None:
            raise RuntimeError("can't start new thread")

        signals.stop_tree = broken
        self.world.stop([watcher], "command:stop", None)
        with self.assertRaises(RuntimeError):
            self.world.settle()
        signals.stop_tree = stop_tree
        self.world.advance(3)
        self.world.advance(3)
        self.assertEqual(watcher.status, "stopped")

    def test_a_fault_of_one_watcher_does_not_keep_the_others_waiting(self) -> None:
        broken, sound = self.world.add("a"), self.world.add("b")
        self.world.refuse = KeyError("a fault")
        self.world.start([broken], "command:start", None)
        with self.assertRaises(KeyError):
            self.world.settle()
        self.world.refuse = None
        self.world.start([sound], "command:start", None)
        self.world.settle()
        self.assertEqual(sound.status, "active")


if __name__ == "__main__":
    unittest.main()
