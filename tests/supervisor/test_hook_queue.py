"""What waits behind a hook that does not return, and how much of it."""

from __future__ import annotations

import queue
import unittest
from typing import Any

from cvec_circus.core.watcher import Watcher
from tests.supervisor.hook_case import PATIENCE, Gate, HooksCase
from tests.support.eventually import eventually


class TestBound(HooksCase):
    """What waits behind a hook that does not return."""

    def hang(self, **hooks: Any) -> tuple[Watcher, Gate]:
        gate = Gate()
        watcher = self.watcher(hooks={"before_reap": gate, **hooks})
        self.tell(watcher, "before_reap", process_pid=1)
        self.assertTrue(gate.entered.wait(PATIENCE))
        return watcher, gate

    def flood(self, watcher: Watcher, name: str, times: int) -> None:
        def tell() -> None:
            for _ in range(times):
                self.hooks.ask(watcher, name, 0, {})

        self.loop.ask(tell)

    def test_what_decides_nothing_is_dropped_and_counted(self) -> None:
        told: list[int] = []
        watcher, gate = self.hang(after_stop=lambda **_: told.append(1))
        with self.assertLogs("cvec_circus", "WARNING") as caught:
            self.flood(watcher, "after_stop", 3000)
            self.assertEqual(len(caught.output), 1)
            self.assertIn("hook after_stop of web is not called: 1000 calls wait", caught.output[0])
            self.assertIn("behind hook before_reap, which has not ans", caught.output[0])
            gate.open.set()
            self.assertTrue(eventually(lambda: len(caught.output) == 2, PATIENCE))
        self.assertIn(
            "web: calls of hooks dropped, because too many waited: 2000", caught.output[1]
        )
        self.assertEqual(len(told), 1000)
        self.flood(watcher, "after_stop", 1)
        self.assertTrue(eventually(lambda: len(told) == 1001, PATIENCE))

    def test_what_decides_is_kept(self) -> None:
        watcher, gate = self.hang(after_stop=nothing, before_start=lambda **_: True)
        with self.assertLogs("cvec_circus", "WARNING"):
            self.flood(watcher, "after_stop", 1001)
            self.ask(watcher, "before_start")
            gate.open.set()
            self.assertEqual(self.answer(), ("before_start", ""))

    def test_figures_stay_as_they_are(self) -> None:
        found: queue.SimpleQueue[Any] = queue.SimpleQueue()
        watcher, gate = self.hang(after_stop=nothing, extended_stats=nothing)
        with self.assertLogs("cvec_circus", "WARNING"):
            self.flood(watcher, "after_stop", 1000)
            self.loop.ask(self.hooks.extend, watcher, {5: {"pid": 5}}, found.put)
            self.assertEqual(found.get(timeout=PATIENCE), {5: {"pid": 5}})
            gate.open.set()
            self.assertTrue(eventually(lambda: not self.loop.ask(self.hooks.busy), PATIENCE))


def nothing(**_: Any) -> None:
    pass


if __name__ == "__main__":
    unittest.main()
