"""Waiting for the proof of processes whose checks of `live` fail."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any

from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.orders import Reload, Resize, Restart, Start
from tests.core.test_waiting_proved import CAUSE, ProvedCase


class TestAlive(ProvedCase):
    def test_the_successor_of_one_that_was_not_alive(self) -> None:
        watcher = self.world.up(live={"b": "notify"})
        self.world.advance(2)
        self.world.stop_delay = 5.0
        self.world.probed(100, "check b: no WATCHDOG=1", is_live=True)
        outcomes = self.proved(Reload([watcher], CAUSE))
        self.world.advance(8)
        self.assertEqual((self.world.pids(watcher), outcomes), ([101], []))
        self.world.probed(101, is_live=True)
        self.world.settle()
        self.assert_done(outcomes)

    def test_what_is_never_alive(self) -> None:
        """The answer comes at once, whatever the order: each successor is doubted in its turn."""
        orders: dict[str, Callable[[Watcher], Any]] = {
            "start": lambda watcher: Start([watcher], CAUSE),
            "restart": lambda watcher: Restart([watcher], CAUSE),
            "reload": lambda watcher: Reload([watcher], CAUSE),
            "change of numprocesses": lambda watcher: Resize(watcher, 3, CAUSE),
        }
        for name, order in orders.items():
            with self.subTest(name):
                self.setUp()
                watcher = self.world.add(numprocesses=2, live={"b": "notify"}, warmup_delay=2)
                if name != "start":
                    self.world.start([watcher], "config", None)
                    self.go_on_ill(10)
                before = watcher.places.pids()
                outcomes = self.proved(order(watcher))
                for _ in range(50):
                    ill = list(self.world.probes.live)
                    self.go_on_ill(0.1)
                    if ill and not set(ill) & set(before):
                        break
                said = f"{name} of web: process {ill[0]} was not alive: check b: refused"
                self.assert_fails(outcomes, said)

    def go_on_ill(self, seconds: float) -> None:
        """Let time go by in which no process is alive for long."""
        for _ in range(round(seconds / 0.1)):
            for pid in list(self.world.probes.live):
                self.world.probed(pid, "check b: refused", is_live=True)
            self.world.advance(0.1)


if __name__ == "__main__":
    unittest.main()
