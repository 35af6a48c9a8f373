"""Who gives an order, and why: what the daemon is told along with it."""

from __future__ import annotations

import unittest

from cvec_circus.plugins.flapping import Flapping
from tests.plugins.case import PluginCase
from tests.support.eventually import eventually


class TestReason(PluginCase):
    def test_what_flapping_says(self) -> None:
        self.daemon.answers["options"] = lambda properties: {"options": {}}
        plugin = self.make(Flapping, retry_in=0.0)
        self.run_plugin(plugin)
        for _ in range(2):
            self.daemon.publish("web", "reap", cause="exit", time=100, exit_code=1)
        for command, reason in (("stop", "2 deaths in 2 s"), ("start", "retry 1")):
            self.assertTrue(eventually(lambda: self.daemon.commands(command)))  # noqa: B023
            (order,) = self.daemon.commands(command)
            expected = {"name": "web", "match": "simple", "reason": reason}
            self.assertEqual(order["properties"], expected)


class TestActor(PluginCase):
    def sent_by(self, **config: str) -> list[object]:
        """Who a plugin says it is, in a call and in a cast."""
        plugin, _ = self.running(**config)
        plugin.call("numwatchers")
        plugin.cast("reload", name="web")
        plugin.call("numwatchers")
        sent = [one for one in self.daemon.requests if one["command"] in ("numwatchers", "reload")]
        return [one["actor"] for one in sent]

    def test_by_its_name(self) -> None:
        self.assertEqual(self.sent_by(name="plugin:mine"), ["plugin:mine"] * 3)

    def test_by_its_class(self) -> None:
        self.assertEqual(self.sent_by(), ["plugin:Probe"] * 3)

    def test_by_a_name_that_no_daemon_would_take(self) -> None:
        name = "plugin:a\nb" + "c" * 100
        self.assertEqual(set(self.sent_by(name=name)), {"plugin:a b" + "c" * 70})


if __name__ == "__main__":
    unittest.main()
