"""What extended_stats adds to the figures of processes."""

from __future__ import annotations

import queue
import unittest
from typing import Any

from tests.supervisor.hook_case import PATIENCE, Gate, HooksCase


class TestExtendedStats(HooksCase):
    ROWS = {5: {"pid": 5, "children": []}, 6: {"pid": 6, "children": []}}  # noqa: RUF012

    def extended(self, hook: Any, **options: Any) -> Any:
        """Return the figures after a hook has seen them."""
        watcher = self.watcher(hooks={"extended_stats": hook}, **options)
        found: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.loop.ask(self.hooks.extend, watcher, self.ROWS, found.put)
        return found.get(timeout=PATIENCE)

    def test_it_changes_them_in_place(self) -> None:
        def hook(watcher: Any, arbiter: Any, hook_name: str, pid: int, stats: Any) -> None:
            stats.update(twice=2 * pid, hook=hook_name)
            stats["children"].append("x")

        found = self.extended(hook)
        self.assertEqual(
            found[5], {"pid": 5, "children": ["x"], "twice": 10, "hook": "extended_stats"}
        )
        self.assertEqual(found[6]["twice"], 12)
        self.assertEqual(self.ROWS[5], {"pid": 5, "children": []})
        self.assertEqual(self.events, [])  # as in Circus

    def test_names_of_ones_own(self) -> None:
        def hook(w: Any, a: Any, n: str, pid: int, stats: Any) -> None:
            stats["name"] = n

        self.assertEqual(self.extended(hook)[5]["name"], "extended_stats")

    def test_a_failure_costs_what_it_adds(self) -> None:
        def hook(pid: int, stats: Any, **_: Any) -> None:
            stats["half"] = 1
            if pid == 5:
                raise ValueError("no figures")

        def odd(stats: Any, **_: Any) -> None:
            stats["odd"] = object()

        with self.assertLogs("cvec_circus", "ERROR") as caught:
            found = self.extended(hook)
            self.assertEqual(found, {5: self.ROWS[5], 6: {**self.ROWS[6], "half": 1}})
            self.assertEqual(self.extended(odd), self.ROWS)
        self.assertIn("web: hook extended_stats failed", caught.output[0])
        self.assertEqual(self.events, [])

    def test_one_that_takes_too_long(self) -> None:
        gate = Gate()
        with self.assertLogs("cvec_circus", "ERROR"):
            self.assertEqual(self.extended(gate, hook_timeout=0.05), self.ROWS)
        gate.open.set()

    def test_a_program(self) -> None:
        hook = self.program('printf \'{"doubled": "%s%s"}\' $CVEC_CIRCUS_PID $CVEC_CIRCUS_PID')
        self.assertEqual(self.extended(hook)[5]["doubled"], "55")
        with self.assertLogs("cvec_circus", "ERROR") as caught:
            self.assertEqual(self.extended(self.program("echo []")), self.ROWS)
            self.assertEqual(self.extended(self.program("echo odd >&2; exit 1")), self.ROWS)
        self.assertIn("its output is not a JSON object", caught.output[0])


if __name__ == "__main__":
    unittest.main()
