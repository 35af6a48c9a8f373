"""A plugin in a process of its own, as a person or as the daemon starts it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from cvec_circus.runtime.assignment import VARIABLE
from tests.support.daemon import end_of
from tests.support.fake_daemon import FakeDaemon
from tests.support.leaks import LeakCheckedTestCase

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = [sys.executable, "-W", "error", str(ROOT / "bin" / "cvec_circus-plugin")]
MODULE = [sys.executable, "-W", "error", "-m", "cvec_circus.runtime.runner"]
TIMEOUT = 30.0

SUBJECTS = "tests.runtime.subjects"
"""The module of the plugins that are run."""

FOUR_LINES = """\
[INFO] Loading the plugin...
[INFO] Endpoint: {endpoint!r}
[INFO] Pub/sub: {pubsub!r}
[INFO] Starting
"""


class PluginProcess:
    """A process whose output is read line by line, with a deadline. Owned by the test's thread."""

    def __init__(self, argv: list[str], **options: Any) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, **options)
        self.stdout: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.stderr: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._said: dict[int, str] = {}
        self._threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.stdout)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.stderr)),
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: IO[bytes], lines: queue.SimpleQueue[str | None]) -> None:
        for line in stream:
            lines.put(line.decode())
        lines.put(None)

    def line(self, lines: queue.SimpleQueue[str | None]) -> str:
        """Return the next line of an output; "" at its end."""
        line = lines.get(timeout=TIMEOUT)
        if line is None:
            lines.put(None)
            return ""
        return line

    def expect(self, text: str) -> None:
        """Read stdout up to a line that holds a text."""
        seen = []
        while True:
            line = self.line(self.stdout)
            seen.append(line)
            if text in line:
                return
            if not line:
                raise AssertionError(f"{text!r} is not in {seen!r}, stderr: {self.rest()!r}")

    def rest(self) -> str:
        """What is left on stderr, up to its end."""
        return "".join(iter(lambda: self.line(self.stderr), ""))

    def kill(self, signum: int = signal.SIGTERM) -> None:
        """Send a signal."""
        self.process.send_signal(signum)

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        return end_of(self.process, TIMEOUT)

    def close(self) -> None:
        """End it, whatever it does, and let go of it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(TIMEOUT)
        for thread in self._threads:
            thread.join(TIMEOUT)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class ProcessCase(LeakCheckedTestCase):
    """A daemon, and plugins in processes."""

    def setUp(self) -> None:
        super().setUp()
        self.daemon = FakeDaemon()
        self.addCleanup(self.daemon.stop)

    def spawn(self, argv: list[str], **options: Any) -> PluginProcess:
        options.setdefault("cwd", str(ROOT))
        process = PluginProcess(argv, **options)
        self.addCleanup(process.close)
        return process

    def by_hand(
        self, name: str, *switches: str, argv: list[str] = LAUNCHER, **options: Any
    ) -> PluginProcess:
        """Start a plugin as a person does, and read the four lines."""
        places = ["--endpoint", self.daemon.endpoint, "--pubsub", self.daemon.pubsub_endpoint]
        process = self.spawn([*argv, *places, *switches, name], **options)
        lines = "".join(process.line(process.stderr) for _ in range(4))
        self.assertEqual(lines, self.four_lines())
        return process

    def four_lines(self) -> str:
        return FOUR_LINES.format(endpoint=self.daemon.endpoint, pubsub=self.daemon.pubsub_endpoint)

    def by_daemon(self, name: str, **given: Any) -> PluginProcess:
        """Start a plugin as the daemon does."""
        fds = [given[key] for key in ("lifeline", "progress", "report") if key in given]
        options = {key: given.pop(key) for key in ("cwd", "env") if key in given}
        assignment = {
            "use": name,
            "config": {"name": "plugin:test"},
            "endpoint": self.daemon.endpoint,
            "pubsub_endpoint": self.daemon.pubsub_endpoint,
            "check_delay": 1.0,
            "sys_path": sys.path,
            "since": 0,
            "run": None,
            "log_level": "INFO",
            **given,
        }
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
        environ[VARIABLE] = json.dumps(assignment)
        return self.spawn(MODULE, env=environ, pass_fds=fds, **options)
