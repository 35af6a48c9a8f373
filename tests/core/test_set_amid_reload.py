"""Options that change how processes are replaced, while they are being replaced."""

from __future__ import annotations

import unittest

from tests.support.world import FakeWorld


class TestAmidReload(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.stop_delay = 1.0

    def test_it_becomes_a_singleton(self) -> None:
        watcher = self.world.up(numprocesses=5)
        self.world.reload([watcher], "x", False, None)
        options = {"singleton": True, "numprocesses": 1}
        self.world.set_options(watcher, options, "x", None)
        self.world.advance(10)
        self.assertEqual(len(self.world.alive), 1)
        self.assertTrue(watcher.is_up)

    def test_it_is_to_run_once(self) -> None:
        watcher = self.world.up(singleton=True)
        self.world.reload([watcher], "x", False, None)
        self.world.advance(0.5)
        self.world.set_options(watcher, {"respawn": False}, "x", None)
        self.world.advance(10)
        self.assertTrue(watcher.is_up)


if __name__ == "__main__":
    unittest.main()
