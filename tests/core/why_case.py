"""What the tests of `why` share."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.core.facts import Exited, Written
from cvec_circus.core.phase import phase
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.answers import explanation
from cvec_circus.system.collecting import Exit
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Stop
from tests.support.world import FakeWorld


class WhyCase(unittest.TestCase):
    """A world in which a stop takes a second. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.luck = 0.5
        self.world.stop_delay = 1.0

    def up(self, seconds: float = 60.0, **options: Any) -> Watcher:
        """Start a watcher, and let time go by."""
        watcher = self.world.up(**options)
        self.world.advance(seconds)
        return watcher

    def assert_why(self, watcher: Watcher, expected: str) -> None:
        probes = self.world.probes
        told = explanation.sentence(watcher, phase(watcher), probes, self.world.clock)
        self.assertEqual(told, expected)

    def explain(self, watcher: Watcher) -> dict[str, Any]:
        """The whole answer."""
        return explanation.explanation(
            watcher, phase(watcher), self.world.probes, phase, self.world.clock
        )

    def stop(self, watcher: Watcher, cause: Cause, seconds: float = 2.0) -> None:
        self.world.roster.give(Stop([watcher], cause))
        self.world.advance(seconds)

    def die(self, watcher: Watcher, pid: int, exit_code: int, *lines: str) -> None:
        """Let a process end whose output is captured."""
        process = self.world.alive.pop(pid)
        end = Exit(exit_code)
        self.world.facts.append(Exited(watcher, process, end, is_captured=True))
        self.world.settle()
        self.world.facts.append(Written(watcher, pid, lines))
        self.world.settle()
