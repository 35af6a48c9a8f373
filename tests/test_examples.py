"""The programs that the documentation shows, run."""

from __future__ import annotations

import contextlib
import http.server
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.demo.logger import Logger
from tests.plugins.case import TIMEOUT, PluginCase
from tests.runtime.packages import install
from tests.runtime.process import LAUNCHER
from tests.support.eventually import eventually
from tests.test_docs import DOCS, ROOT, module_of

EXAMPLES = DOCS / "examples"


def example(name: str) -> Any:
    """Return the module of an example."""
    return module_of(EXAMPLES / f"{name}.py")


class TestPlugins(PluginCase):
    """The plugins of the page "Writing plugins", against a daemon that has nothing to supervise."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_logger(self) -> None:
        file = self.folder / "events.log"
        plugin = self.make(Logger, filename=str(file))
        thread = self.run_plugin(plugin)
        self.daemon.publish("web", "spawn", process_pid=4711)
        self.daemon.publish("a b.c:d", "reap", process_pid=4711, exit_code=-9)
        self.assertTrue(eventually(lambda: file.exists() and len(self.lines(file)) == 2, TIMEOUT))
        self.end(plugin, thread)
        first, second = self.lines(file)
        self.assertTrue(first.startswith("spawn web::{"), first)
        self.assertIn("'process_pid': 4711", first)
        self.assertTrue(second.startswith("reap a_b.c:d::{"), second)
        self.assertTrue(plugin.file.closed)

    def lines(self, file: Path) -> list[str]:
        return file.read_text(encoding="utf-8").splitlines()

    def test_announcer(self) -> None:
        page = (DOCS / "plugins.rst").read_text(encoding="utf-8")
        shown = re.search(r"use = myproject.plugins.(\w+)\n   words = (.*)\n", page)
        assert shown is not None
        self.daemon.answers["list"] = lambda properties: {"pids": [1, 2]}
        plugin = self.make(getattr(example("announcer"), shown[1]), words=shown[2])
        with contextlib.redirect_stdout(io.StringIO()) as said:
            thread = self.run_plugin(plugin)
            self.daemon.publish("web", "start")
            self.daemon.publish("web", "stop")
            self.assertTrue(eventually(lambda: said.getvalue().count("\n") == 2, TIMEOUT))
            self.end(plugin, thread)
        self.assertEqual(said.getvalue(), "web is up: 1 2\nweb is down\n")

    def test_options(self) -> None:
        plugin = self.make(example("options").Pinger, text="is it there?", only="web, mailer")
        expected = {"text": "is it there?", "interval": 5.0, "only": ["web", "mailer"]}
        self.assertEqual(plugin.config, expected)
        with self.assertLogs("cvec_circus", "INFO") as logs:
            thread = self.run_plugin(plugin)
            for name in ("other", "mailer"):
                self.daemon.publish(name, "start")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
            self.end(plugin, thread)
        self.assertEqual(logs.output, ["INFO:cvec_circus:is it there? ok"])

    def test_options_that_cannot_be(self) -> None:
        said = []
        for config in ("interval:5", "text:x:::interval:0"):
            argv = [*LAUNCHER, "--config", config, "options.Pinger"]
            ended = subprocess.run(argv, cwd=EXAMPLES, capture_output=True, text=True, check=False)
            self.assertEqual((ended.returncode, ended.stdout), (2, ""))
            said.append(ended.stderr)
        self.assertEqual("".join(said), EXAMPLES.joinpath("options.txt").read_text())

    def test_a_package(self) -> None:
        project = EXAMPLES.joinpath("package", "pyproject.toml").read_text()
        points = dict(re.findall(r'^(\w+) = "(\w+:\w+)"$', project, re.MULTILINE))
        name, version = re.findall(r'^(?:name|version) = "(.*)"$', project, re.MULTILINE)
        source = EXAMPLES.joinpath("announcer.py").read_text()
        install(self.folder, points, f"{name} {version}", announcer=source)
        environ = {**os.environ, "PYTHONPATH": str(self.folder)}
        argv = [*LAUNCHER, "--list"]
        listed = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
        shown = EXAMPLES.joinpath("package", "list.txt").read_text()
        if sys.version_info < (3, 10):
            shown = shown.replace(f"{name} {version}", "another package")
        lines = iter(listed.stdout.splitlines())
        self.assertTrue(all(line in lines for line in shown.splitlines()), listed.stdout)

    def test_notifier(self) -> None:
        told = self.listen()
        plugin = self.make(example("notifier").Notifier, url=told.url)
        self.run_plugin(plugin)
        self.daemon.publish("web", "spawn", process_pid=1)
        self.daemon.publish("web", "giveup", reason="it cannot be started")
        self.assertTrue(told.come.wait(TIMEOUT))
        self.assertEqual(told.texts, ["web: it cannot be started"])

    def test_notifier_without_anybody_to_tell(self) -> None:
        plugin = self.make(example("notifier").Notifier, url="http://127.0.0.1:1/")
        self.run_plugin(plugin)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.daemon.publish("web", "giveup", reason="it cannot be started")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("http://127.0.0.1:1/ cannot be told", logs.output[0])

    def test_scaler(self) -> None:
        file = self.folder / "wanted"
        file.write_text("7\n")
        plugin = self.make(example("scaler").Scaler, watcher="web", file=str(file))
        self.run_plugin(plugin)
        self.assertTrue(eventually(lambda: self.daemon.commands("set"), TIMEOUT))
        asked = self.daemon.commands("set")[0]
        self.assertEqual(asked["properties"], {"name": "web", "options": {"numprocesses": 7}})
        self.assertEqual(asked["msg_type"], "cast")

    def listen(self) -> Listener:
        listener = Listener()
        self.addCleanup(listener.close)
        return listener


class Listener:
    """A web server that notes what is posted to it. Made and closed by a test's thread."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.come = threading.Event()
        listener = self

        class Page(http.server.BaseHTTPRequestHandler):
            """Notes one request. Owned by the serving thread."""

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                listener.texts.append(self.rfile.read(length).decode())
                self.send_response(204)
                self.end_headers()
                listener.come.set()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class TestEmbedded(unittest.TestCase):
    """A program with an arbiter."""

    def test_it_runs(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, "-W", "error", str(EXAMPLES / "embedded.py")],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, r"^\{'idle': '\w+', 'logger': '\w+'\}$")


if __name__ == "__main__":
    unittest.main()
