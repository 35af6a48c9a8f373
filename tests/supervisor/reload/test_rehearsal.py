"""What a reload would do: see `supervisor.reload.rehearsal`."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.supervisor.reload.rehearsal import rehearse
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Reload
from tests.support.world import FakeWorld


class TestRehearsal(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()

    def plan(self, watchers: Any = None, **given: Any) -> list[tuple[str, str, bool | None]]:
        order = Reload(watchers, Cause("command:reload"), **given)
        steps = rehearse(self.world.roster, order)
        return [(step["name"], step["action"], step.get("gap")) for step in steps]

    def test_all_old_ones_first(self) -> None:
        a, b = self.world.up("a", numprocesses=2), self.world.up("b", send_hup=True)
        down = self.world.add("down")
        stopped = [("down", "start", None)]
        self.assertEqual(self.plan([a, b]), [("a", "replace", False), ("b", "hup", None)])
        restarts = [("a", "restart", True), ("b", "restart", True)]
        self.assertEqual(self.plan([a, b, down], graceful=False), [*restarts, *stopped])
        self.assertEqual(self.plan(graceful=False), [*restarts, *stopped])
        one_by_one = self.plan([a, b], graceful=False, sequential=True)
        self.assertEqual(one_by_one, [("a", "replace", False), ("b", "hup", None)])

    def test_a_gap(self) -> None:
        watcher = self.world.up(use_sockets=True)
        self.assertEqual(self.plan([watcher]), [("web", "replace", False)])
        self.assertEqual(self.plan([watcher], sequential=True), [("web", "replace", True)])


if __name__ == "__main__":
    unittest.main()
