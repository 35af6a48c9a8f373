"""What the page on statistics shows, run."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

from tests.runtime.stats_case import StatsPluginCase
from tests.support.daemon import DaemonCase
from tests.support.eventually import eventually
from tests.support.hurry import hurried
from tests.test_docs import DOCS, ROOT, module_of

BIG = "[watcher:Big One]\ncmd = sleep 1000\n"
EXAMPLES = DOCS / "examples"


class TestUsage(DaemonCase):
    def test_it_prints_watchers(self) -> None:
        wrapper = hurried({"supervisor.helper_rows.INTERVAL": 0.1})
        circus = "stats_endpoint = ipc://{DIR}/stats\n"
        daemon = self.daemon(BIG, circus=circus, wrapper=wrapper)
        argv = [sys.executable, str(EXAMPLES / "usage.py"), f"ipc://{daemon.folder}/stats"]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env) as process:
            assert process.stdout is not None
            names = {process.stdout.readline().split()[0] for _ in range(4)}
            process.kill()
        self.assertEqual(names, {"big_one", "circus"})


class TestGreedy(StatsPluginCase):
    def test_a_busy_process(self) -> None:
        plugin = self.make(module_of(EXAMPLES / "greedy.py").Greedy, seconds="2")
        self.run_plugin(plugin)
        self.subscribed()
        with self.assertLogs("cvec_circus", logging.WARNING) as logs:
            for cpu in (99.0, 1.0, 99.0, "N/A", 99.0, 100.0):
                stat = {"subtopic": 7, "cpu": cpu, "cmdline": "spin"}
                self.publisher.send_multipart([b"stat.web.7", json.dumps(stat).encode()])
            self.publisher.send_multipart([b"stat.web", b'{"cpu": 100.0}'])
            self.assertTrue(eventually(lambda: logs.output))
        self.assertEqual(len(logs.output), 1)
        self.assertIn("stat.web.7 is busy: spin", logs.output[0])
