"""What the tests of plugins that send numbers share."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.plugins.statsd import StatsdEmitter
from tests.plugins.case import TIMEOUT, PluginCase
from tests.plugins.statsd_server import StatsdServer
from tests.support.eventually import eventually

PUBLISHED = Path(__file__).with_name("published_plugins.py")
NEVER = 3600

needs_circus = unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")


def process(pid: int, cpu: Any = 1.0, mem: Any = 2.0, size: str = "3.00M", **more: Any) -> dict:
    """Make a row of `stats`."""
    row = {"pid": pid, "cpu": cpu, "mem": mem, "mem_info1": size, "mem_info2": "1.00G"}
    return {**row, "cmdline": "web", "children": [], **more}


class ObserverCase(PluginCase):
    """A daemon, a statsd, and plugins that look when they are told to."""

    def setUp(self) -> None:
        super().setUp()
        self.statsd = StatsdServer(self)
        self.states = {"web": "active"}
        self.daemon.answers["status"] = lambda properties: {"statuses": self.states}

    def observer(self, plugin_class: type, **config: Any) -> Any:
        """Run a plugin that never looks by itself."""
        given = {"host": "127.0.0.1", "port": str(self.statsd.port), "loop_rate": NEVER, **config}
        plugin = self.make(plugin_class, **given)
        self.run_plugin(plugin)
        return plugin

    def look(self, plugin: Any, times: int = 1) -> None:
        """Have it look after things."""
        for _ in range(times):
            plugin.loop.add_callback(plugin.look_after)

    def assert_restarted(self, *names: str) -> None:
        """Wait until just these have been restarted, by their exact names."""
        wanted = [{"name": name, "match": "simple"} for name in names]
        eventually(lambda: len(self.restarts()) >= len(wanted), TIMEOUT)
        self.assertEqual(self.restarts(), wanted)

    def restarts(self) -> list[dict]:
        """What has been asked to restart so far."""
        return self.ordered("restart")

    def both(
        self,
        plugin_class: type[StatsdEmitter],
        replies: dict[str, Any] | None = None,
        events: list[tuple[str, str]] | None = None,
        looks: int = 0,
        **config: Any,
    ) -> tuple[list[str], list[str]]:
        """Let the plugin of the installed Circus and ours do the same.

        Returns:
            The numbers that it has sent, and those that ours has sent.
        """
        name = f"{plugin_class.__module__}.{plugin_class.__qualname__}"
        what = {
            "class": name.replace("cvec_circus", "circus", 1),
            "replies": replies or {},
            "events": events or [],
            "looks": looks,
        }
        theirs, mine = StatsdServer(self), StatsdServer(self)
        place = {"host": "127.0.0.1", "port": str(theirs.port)}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(PUBLISHED)],
            input=json.dumps({**what, "config": {**place, **config}}),
            capture_output=True,
            text=True,
            timeout=TIMEOUT * 3,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        for properties_of, fields in (replies or {}).items():
            self.daemon.answers[properties_of] = lambda _, fields=fields: fields
        plugin = self.make(plugin_class, host="127.0.0.1", port=mine.port, **config)
        for topic, payload in what["events"]:
            plugin.handle_recv((topic.encode(), payload.encode()))
        for _ in range(looks):
            plugin.look_after()
        plugin.handle_stop()
        self.assertTrue(plugin._life.client.close())
        return theirs.rest(), mine.rest()
