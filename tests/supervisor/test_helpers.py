"""What the plugins are to the daemon beside their processes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from cvec_circus.config.mappings import from_mappings
from cvec_circus.supervisor.helpers import FEW, HOLD, LONGEST_HOLD, Helpers
from tests.support.leaks import LeakCheckedTestCase


class TestHold(LeakCheckedTestCase):
    def test_events_are_held_only_for_a_crowd(self) -> None:
        helpers = Helpers(1.0, "info")
        self.addCleanup(helpers.close)
        events: Any = SimpleNamespace(hold=0.0)
        helpers.events = events
        plugins = from_mappings(plugins=[{"use": "x.Y", "name": str(n)} for n in range(40)]).plugins
        holds = []
        watchers = []
        for plugin in plugins:
            watchers.append(helpers.watcher(plugin))
            holds.append(events.hold)
        self.assertEqual(holds[:FEW], [0.0] * FEW)
        self.assertAlmostEqual(holds[FEW], HOLD)
        self.assertAlmostEqual(holds[FEW + 3], 4 * HOLD)
        self.assertEqual(holds[-1], LONGEST_HOLD)
        for watcher in watchers[FEW:]:
            helpers.forget(watcher)
        self.assertEqual(events.hold, 0.0)
