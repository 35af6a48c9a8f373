"""Plugins that want statistics get them on the plugin thread, in order, and never after the end."""

from __future__ import annotations

import logging
import threading
from typing import Any

import zmq

from cvec_circus.wire import messages
from tests.plugins.case import TIMEOUT, Probe
from tests.runtime.stats_case import StatsPluginCase, StatsProbe
from tests.support.daemon import DaemonCase
from tests.support.eventually import eventually
from tests.support.hurry import hurried


class TestHandleStats(StatsPluginCase):
    def test_on_the_plugin_thread_in_order(self) -> None:
        plugin, _ = self.running(StatsProbe)
        self.subscribed()
        sent = self.publish(500)
        self.assertTrue(plugin.wait_for(lambda probe: len(probe.stats) >= 500))
        self.assertEqual(plugin.stats, sent)

    def test_events_come_in_between(self) -> None:
        plugin, _ = self.running(StatsProbe)
        self.subscribed()
        self.publish(1)
        last = self.daemon.publish("web", "spawn")
        self.assertTrue(plugin.wait_for(lambda probe: last in probe.seqs and probe.stats))

    def test_one_that_raises(self) -> None:
        plugin, _ = self.running(StatsProbe)
        plugin.on_stats = lambda: 1 / 0
        self.subscribed()
        with self.assertLogs("cvec_circus", logging.ERROR) as logs:
            self.publish(2)
            self.assertTrue(plugin.wait_for(lambda probe: len(probe.stats) == 2))
        self.assertIn("handle_stats raised", logs.output[0])

    def test_never_after_the_end(self) -> None:
        for _ in range(10):
            plugin = self.make(StatsProbe)
            thread = self.run_plugin(plugin)
            self.subscribed()
            stopper = threading.Thread(target=plugin.stop)
            self.publish(200)
            stopper.start()
            self.publish(200)
            stopper.join()
            thread.join(TIMEOUT)
            self.assertEqual(plugin.broken, [])
            self.assertEqual(plugin.calls[-2:], ["handle_stop", "returned"])
            self.assertEqual(self.publisher.recv(), b"\0stat.")

    def test_stopped_by_itself(self) -> None:
        plugin = self.make(StatsProbe)
        plugin.on_stats = plugin.stop
        thread = self.run_plugin(plugin)
        self.subscribed()
        self.publish(5)
        thread.join(TIMEOUT)
        self.assertEqual(len(plugin.stats), 1)

    def test_published_for_all_machines(self) -> None:
        """Nobody can connect to the address that says so."""
        self.publisher.bind("tcp://127.0.0.1:*")
        port = self.publisher.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2]
        self.endpoint = f"tcp://*:{port}"
        plugin, _ = self.running(StatsProbe)
        self.subscribed()
        sent = self.publish(3)
        self.assertTrue(plugin.wait_for(lambda probe: probe.stats == sent))

    def test_a_daemon_that_comes_late(self) -> None:
        self.daemon.muted.add("globaloptions")
        plugin, _ = self.running(StatsProbe)
        self.assertTrue(eventually(lambda: self.daemon.commands("globaloptions")))
        self.daemon.muted.clear()
        self.subscribed()
        self.publish(1)
        self.assertTrue(plugin.wait_for(lambda probe: probe.stats))

    def test_a_daemon_without(self) -> None:
        def unknown(properties: dict[str, Any]) -> dict[str, Any]:
            return {"status": "error", "reason": "?", "errno": messages.BAD_MESSAGE}

        self.daemon.answers["status"] = unknown
        with self.assertLogs("cvec_circus", logging.WARNING) as logs:
            plugin, _ = self.running(StatsProbe)
            self.subscribed()
            self.assertTrue(eventually(lambda: logs.output))
        (line,) = logs.output
        self.assertIn("StatsProbe: the daemon publishes no statistics", line)
        self.assertIn("statsd = True", line)
        self.publish(1)  # somebody else may publish there all the same
        self.assertTrue(plugin.wait_for(lambda probe: probe.stats))

    def test_one_that_wants_none(self) -> None:
        self.running(Probe)
        self.assertEqual(self.daemon.commands("globaloptions"), [])


MODULE = """
from cvec_circus.plugins import CircusPlugin

class Meter(CircusPlugin):
    want_stats = True

    def handle_recv(self, data):
        pass

    def handle_stats(self, data):
        with open("stats", "a") as file:
            file.write(data[0].decode() + "\\n")
"""


class TestWithADaemon(DaemonCase):
    def test_from_its_statistics(self) -> None:
        daemon = self.daemon(
            "[watcher:a]\ncmd = sleep 1000\n[plugin:meter]\nuse = ours.Meter\n",
            circus="stats_endpoint = ipc://{DIR}/stats-endpoint\n",
            wrapper=hurried({"supervisor.helper_rows.INTERVAL": 0.1}),
            prepare=lambda folder: (folder / "ours.py").write_text(MODULE),
        )
        told = daemon.folder / "stats"
        self.assertTrue(
            eventually(lambda: told.exists() and "stat.a\n" in told.read_text(), TIMEOUT)
        )

    def test_a_warning_where_there_are_none(self) -> None:
        daemon = self.daemon(
            "[watcher:a]\ncmd = sleep 1000\n[plugin:meter]\nuse = ours.Meter\n",
            prepare=lambda folder: (folder / "ours.py").write_text(MODULE),
        )
        daemon.log.containing("plugin:meter: the daemon publishes no statistics")
