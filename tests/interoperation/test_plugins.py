"""Plugins of either package beside the daemon of the other."""

from __future__ import annotations

import json
import os
import signal
import socket
import unittest
from pathlib import Path

from cvec_circus.client import CircusClient
from tests.interoperation.published import (
    ROOT,
    TIMEOUT,
    InteroperationCase,
    Program,
    PublishedDaemon,
    needs_circus,
)
from tests.support.daemon import Daemon, folder
from tests.support.eventually import eventually

THEIR_RUNNER = ["-c", "from circus.plugins import main; main()"]
OUR_RUNNER = [str(ROOT / "bin" / "cvec_circus-plugin")]

THEIR_RECORDER = """\
import json
from circus.plugins import CircusPlugin

class Recorder(CircusPlugin):
    name = "recorder"

    def handle_init(self):
        print("handle_init", flush=True)

    def handle_recv(self, data):
        name, action, message = self.split_data(data)
        pids = self.call("list", name=name)["pids"]
        print(json.dumps([name, action, self.load_message(message), pids]), flush=True)
"""

FLAKY = """
[watcher:web]
cmd = sleep 3600
copy_env = True

[watcher:flaky]
cmd = sh -c "exit 3"
copy_env = True
"""


@needs_circus
class PluginCase(InteroperationCase):
    """Runs plugins by hand, each with the runner of its package."""

    def run_by(
        self, runner: list[str], daemon: Daemon | PublishedDaemon, use: str, **config: object
    ) -> Program:
        places = ["--endpoint", daemon.endpoint, "--pubsub", daemon.pubsub_endpoint]
        told = ":::".join(f"{key}:{value}" for key, value in config.items())
        more = ["--config", told] if told else []
        path = os.pathsep.join([str(ROOT), str(self.modules)])
        program = Program(self, [*runner, *places, *more, use], PYTHONPATH=path)
        program.out.containing("Starting")
        return program

    def setUp(self) -> None:
        super().setUp()
        self.modules = folder(self)

    def client(self, daemon: Daemon | PublishedDaemon) -> CircusClient:
        client = CircusClient(endpoint=daemon.endpoint, timeout=20)
        self.addCleanup(client.stop)
        return client

    def until_heard(self, client: CircusClient, program: Program) -> None:
        """Have something happen again and again, until a plugin hears it."""

        def is_heard() -> bool:
            client.send_message("incr", name="web", waiting=True)
            return program.has_line()

        self.assertTrue(eventually(is_heard, TIMEOUT))


class TestTheirs(PluginCase):
    """Beside our daemon."""

    def test_a_plugin_of_somebody(self) -> None:
        self.modules.joinpath("recording.py").write_text(THEIR_RECORDER)
        ours = self.ours()
        program = self.run_by(THEIR_RUNNER, ours, "recording.Recorder")
        program.out.containing("handle_init")
        self.until_heard(self.client(ours), program)
        [pid, *_] = ours.call("list", name="web")["pids"]
        os.kill(pid, signal.SIGKILL)
        name, action, event, pids = json.loads(program.out.containing('"reap"'))
        self.assertEqual((name, action), ("web", "reap"))
        self.assertEqual((event["process_pid"], event["exit_code"]), (pid, -9))
        self.assertIsInstance(event["time"], float)
        self.assertNotIn(pid, pids)

    def test_flapping(self) -> None:
        ours = self.ours(FLAKY)
        program = self.run_by(
            THEIR_RUNNER, ours, "circus.plugins.flapping.Flapping", window=60, max_retry=0
        )
        program.out.containing("flaky: flapping detected: reached max retry limit")
        client = self.client(ours)
        self.assertTrue(
            eventually(lambda: client.send_message("status", name="flaky")["status"] == "stopped")
        )
        self.assertEqual(client.send_message("status", name="web")["status"], "active")

    def test_full_stats(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
            statsd.bind(("127.0.0.1", 0))
            statsd.settimeout(TIMEOUT)
            port = statsd.getsockname()[1]
            use = "circus.plugins.statsd.FullStats"
            self.run_by(THEIR_RUNNER, self.ours(), use, host="127.0.0.1", port=port, loop_rate=0.1)
            missing = {"watchers_num", "cpu_sum", "mem_pct_max", "mem_sum"}
            while missing:
                line = statsd.recv(4096).decode()
                self.assertNotIn("error", line)
                if line.startswith("circus.app.watcher._stats.web."):
                    bucket, _, value = line.partition(":")
                    missing.discard(bucket.rpartition(".")[2])
                    float(value.partition("|")[0])

    def test_resource_watcher(self) -> None:
        ours = self.ours()
        use = "circus.plugins.resource_watcher.ResourceWatcher"
        before = set(ours.call("list", name="web")["pids"])
        self.run_by(
            THEIR_RUNNER, ours, use, watcher="web", max_mem="0.0001", max_count=1, loop_rate=0.1
        )
        self.assertTrue(
            eventually(lambda: not before & set(ours.call("list", name="web")["pids"]), TIMEOUT)
        )


class TestOurs(PluginCase):
    """Beside the daemon of Circus."""

    def test_a_plugin_of_somebody(self) -> None:
        """The Logger of the page "Writing plugins"."""
        theirs = self.theirs()
        file = self.modules / "events.log"
        use = "cvec_circus.demo.logger.Logger"
        program = self.run_by(OUR_RUNNER, theirs, use, filename=file)
        self.fill(theirs, file, "spawn web::{")
        self.assertEqual(program.end(), 0)

    def test_logger(self) -> None:
        theirs = self.theirs()
        file = self.modules / "events.json"
        program = self.run_by(OUR_RUNNER, theirs, "logger", filename=file, actions="spawn")
        self.fill(theirs, file, "process_pid")
        self.assertEqual(program.end(), 0)
        for line in file.read_text().splitlines():
            event = json.loads(line)
            self.assertEqual(event["watcher"], "web")
            self.assertIn("process_pid", event)

    def fill(self, theirs: PublishedDaemon, file: Path, text: str) -> None:
        """Have something happen again and again until it stands in a file."""

        def is_there() -> bool:
            theirs.client.send_message("incr", name="web", waiting=True)
            return file.exists() and text in file.read_text()

        self.assertTrue(eventually(is_there, TIMEOUT))

    def test_flapping(self) -> None:
        theirs = self.theirs(FLAKY)
        program = self.run_by(OUR_RUNNER, theirs, "flapping", window=60, max_retry=0)
        program.out.containing("flaky: flapping: gave up: ")
        # Whether that is done is up to their daemon, which refuses orders when it is busy.
        self.assertEqual(theirs.client.send_message("status", name="web")["status"], "active")
        self.assertEqual(program.end(), 0)


if __name__ == "__main__":
    unittest.main()
