"""Who may hurry the end of the daemon: on a loop whose time the test makes."""

from __future__ import annotations

import unittest
from types import SimpleNamespace
from typing import Any

from cvec_circus.base.loop import Loop
from cvec_circus.core.watcher import PROGRAM
from cvec_circus.supervisor.campaign import Pace
from cvec_circus.supervisor.shutdown import Shutdown
from cvec_circus.wire.cause import Cause
from tests.support.clock import FakeClock


class FakeRoster:
    """Watchers that do not end. Owned by the test."""

    def __init__(self, told: list[str]) -> None:
        self.closing = False
        self.is_down = False
        self.told = told

    def all_watchers(self) -> list[Any]:
        return [SimpleNamespace(options=SimpleNamespace(graceful_timeout=30.0), kind=PROGRAM)]

    def give(self, order: Any, wait: Any) -> None:
        self.closing = True

    def hurry(self) -> None:
        self.told.append("kill")


class FakeHooks:
    """Hooks that answer nothing. Owned by the test."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def hurry(self, timeout: float) -> None:
        self.told.append(f"hooks {timeout:g}")

    def busy(self) -> bool:
        return True


class TestSignals(unittest.TestCase):
    """What was done of "kill what is left", and what stands in the log."""

    def setUp(self) -> None:
        self.clock = FakeClock()
        loop = Loop(self.clock, "test")
        self.addCleanup(loop.close)
        self.told: list[str] = []
        roster: Any = FakeRoster(self.told)
        hooks: Any = FakeHooks(self.told)
        campaign: Any = SimpleNamespace(pace=Pace())
        self.shutdown = Shutdown(roster, loop, hooks, campaign)

    def signal(self, *names: str) -> list[str]:
        """Tell it of signals, and return what was logged of each."""
        with self.assertLogs("cvec_circus", "DEBUG") as logs:
            for name in names:
                self.shutdown.begin(Cause(f"signal:{name}"))
            self.shutdown.begin(Cause("command:quit"))  # nothing is logged of that
        return [record.getMessage() for record in logs.records]

    def test_a_repeated_sigterm(self) -> None:
        self.assertEqual(self.signal("TERM"), ["stopping (signal:TERM)"])
        left = self.signal("TERM", "TERM", "TERM")
        self.assertEqual(left, ["already stopping (signal:TERM); done within 35 s"])
        self.clock.advance(12.0)
        left = self.signal("TERM", "QUIT", "TERM")
        self.assertEqual(left[0], "already stopping (signal:TERM); done within 23 s")
        self.assertEqual(left[1], "already stopping (signal:QUIT); done within 23 s")
        self.assertEqual(self.told, ["hooks 2"])

    def test_a_second_interrupt_within_a_second(self) -> None:
        self.signal("INT")
        self.clock.advance(1.0)
        hint = "; another SIGINT kills what is left"
        told = [f"already stopping (signal:INT); done within 34 s{hint}"]
        self.assertEqual(self.signal("INT", "INT"), told)
        self.assertEqual(self.told, ["hooks 2"])

    def test_a_later_one_kills_and_says_so_once(self) -> None:
        self.signal("INT")
        self.clock.advance(1.1)
        told = self.signal("INT", "INT")
        self.assertEqual(told[0], "interrupted again (signal:INT): killing what is left")
        self.assertEqual(told[1], "already stopping (signal:INT); done within 34 s")
        self.assertEqual(self.told, ["hooks 2", "kill", "hooks 0"])

    def test_the_first_interrupt_after_another_signal(self) -> None:
        self.signal("TERM")
        self.clock.advance(5.0)
        self.assertIn("another SIGINT kills", self.signal("INT")[0])
        self.assertEqual(self.told, ["hooks 2"])
        self.clock.advance(1.1)
        self.signal("INT")
        self.assertEqual(self.told, ["hooks 2", "kill", "hooks 0"])


if __name__ == "__main__":
    unittest.main()
