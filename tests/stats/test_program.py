"""What the statistics process is told, and how it is run by hand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import unittest

from cvec_circus import __version__, exc
from cvec_circus.client.program import assigned, from_daemon
from cvec_circus.stats.program import VARIABLE, argument_parser
from cvec_circus.stats.service import Task
from tests.stats.case import TIMEOUT, Listener
from tests.support.daemon import DaemonCase, folder, script
from tests.support.hurry import hurried


def read_arguments(words: list[str]) -> Task:
    """Read a person's command line."""
    return assigned(Task, VARIABLE, argument_parser, words)


class TestTask(unittest.TestCase):
    def test_arguments(self) -> None:
        self.assertEqual(read_arguments([]), Task())
        words = (
            "--endpoint ipc://a --pubsub ipc://b --statspoint ipc://c --interval 0.5 "
            "--log-level DEBUG --log-output file --ssh there"
        )
        self.assertEqual(
            read_arguments(words.split()),
            Task("ipc://a", "ipc://b", "ipc://c", 0.5, "debug", "file", "there"),
        )

    def test_arguments_that_make_no_sense(self) -> None:
        for words in (["--interval", "0"], ["--interval", "x"], ["x"], ["--log-level", "loud"]):
            with self.subTest(words), self.assertRaises(exc.ArgumentError):
                read_arguments(words)

    def test_environment(self) -> None:
        given = {"endpoint": "ipc://a", "lifeline": None, "log_level": "INFO", "newer": 1}
        task = from_daemon(Task, VARIABLE, json.dumps(given))
        self.assertEqual((task.endpoint, task.log_level, task.by_daemon), ("ipc://a", "info", True))
        for text in ("", "[]", '{"lifeline": 9999}'):
            with self.subTest(text), self.assertRaises(exc.ArgumentError):
                from_daemon(Task, VARIABLE, text)


class TestByHand(DaemonCase):
    def run_it(self, *words: object) -> subprocess.CompletedProcess[str]:
        argv = script("cvec_circusd-stats", *words)
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def test_version_and_help(self) -> None:
        self.assertEqual(self.run_it("--version").stdout, f"{__version__}\n")
        text = self.run_it("--help").stdout
        for switch in ("endpoint", "pubsub", "statspoint", "log-level", "log-output", "ssh"):
            self.assertIn(f"--{switch}", text)

    def test_what_is_wrong_is_one_line(self) -> None:
        for words, text in (
            (
                ["--interval", "x"],
                "--interval: 'x' is not a time: write 30, 30s, 5m or 1h",
            ),
            (["--statspoint", "nothing"], "stats_endpoint nothing: cannot listen: not an endpoint"),
            (["--endpoint", "nothing"], "cannot connect to 'nothing'"),
            (["--log-output", "/no/such/file"], "error: /no/such/file: No such file or directory"),
        ):
            with self.subTest(words):
                place = f"ipc://{folder(self)}/stats"
                done = self.run_it("--statspoint", place, *words)
                self.assertEqual(done.returncode, 2)
                (line,) = [one for one in done.stderr.splitlines() if not one.startswith("[INFO]")]
                self.assertIn(text, line)
                self.assertNotIn("Errno", line)
                self.assertTrue(line.startswith("error: "), line)

    def test_beside_a_daemon(self) -> None:
        daemon = self.daemon("[watcher:a]\ncmd = sleep 1000\n")
        place = f"ipc://{daemon.folder}/stats"
        argv = hurried({"stats.service.PACE": 0.1})
        argv += script("cvec_circusd-stats", "--endpoint", daemon.endpoint)
        argv += ["--pubsub", daemon.pubsub_endpoint, "--statspoint", place, "--interval", "0.1"]
        process = subprocess.Popen(argv, stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        listener = Listener(self, place)
        self.assertTrue(listener.until(lambda: "stat.a" in listener.last))
        self.assertTrue(listener.until(lambda: f"stat.circus.{daemon.pid}" in listener.last))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(TIMEOUT), 0)
        self.assertFalse(os.path.exists(f"{daemon.folder}/stats"))


if __name__ == "__main__":
    unittest.main()
