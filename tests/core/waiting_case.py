"""What the tests of waiting replies share."""

from __future__ import annotations

import unittest

from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.outcome import Outcome
from tests.support.world import FakeWorld


class WaitingCase(unittest.TestCase):
    """A world in which a stop takes a second. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.stop_delay = 1.0
        self.roster = self.world.roster

    def order(self, word: str, watchers: list[Watcher] | None, timeout: float | None = None):
        """Gives an order and waits for it; the list has the outcome as soon as there is one."""
        outcomes, wait = self.world.wait(timeout)
        if word == "reload":
            self.world.reload(watchers, "command:reload", False, wait)
        else:
            getattr(self.world, word)(watchers, f"command:{word}", wait)
        self.world.settle()
        return outcomes

    def resize(self, watcher: Watcher, size: int) -> list[Outcome]:
        outcomes, wait = self.world.wait()
        self.world.resize(watcher, size, "command:incr", wait)
        self.world.settle()
        return outcomes

    def assert_fails(self, outcomes: list[Outcome], error: str) -> None:
        self.assertEqual([outcome.error for outcome in outcomes], [error])

    def assert_done(self, outcomes: list[Outcome]) -> Outcome:
        self.assertEqual([outcome.error for outcome in outcomes], [None])
        return outcomes[0]
