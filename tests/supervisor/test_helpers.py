"""What the plugins are to the daemon beside their processes."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

from cvec_circus.config.mappings import from_mappings
from cvec_circus.supervisor.helpers import FEW, HOLD, LONGEST_HOLD, Helpers
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
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


class TestRemoval(EmbeddedCase):
    def test_nothing_is_kept_of_a_plugin_that_was_removed(self) -> None:
        logger = {"use": "logger", "name": "p", "filename": str(self.folder / "events")}
        self.arbit({"name": "a", "cmd": "sleep 1000"}, plugins=[logger])
        self.events.next("start", watcher="plugin:p")
        self.assertEqual(len(progress_files()), 1)
        self.wire.order("rm", name="plugin:p")
        self.assertTrue(eventually(lambda: not progress_files()), progress_files())


def progress_files() -> list[str]:
    """The memory that this process shares with plugins."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
        except FileNotFoundError:
            pass  # what listed them
    return [name for name in found if "cvec_circus-progress" in name]
