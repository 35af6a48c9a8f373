"""The published Circus, where it is installed: its daemon, and programs that import it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import unittest
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cvec_circus.client import CircusClient
from cvec_circus.exc import CallError
from tests.support.daemon import Daemon, Output, folder, marked
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("driver.py")
TIMEOUT = 60.0

needs_circus = unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")

OURS, THEIRS = "cvec_circus", "circus"

WATCHERS = """
[watcher:web]
cmd = sleep 3600
numprocesses = 2
copy_env = True
graceful_timeout = 5

[watcher:One Shot]
cmd = sleep 3601
singleton = True
copy_env = True

[watcher:idle]
cmd = sleep 3602
autostart = False
copy_env = True

[socket:sock]
host = 127.0.0.1
port = 0
"""

COPIES = "copy_env = True\n"
QUICK = f"{COPIES}min_uptime = 0.2\n"
"""In our daemon, `--waiting` ends sooner then."""


def environ(**more: str) -> dict[str, str]:
    """The environment of a program that imports either package."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **more}


class PublishedDaemon:
    """A circusd of its own, in a directory of its own. Owned by the test.

    Attributes:
        folder: Its directory.
        endpoint: Where it takes commands.
        pubsub_endpoint: Where it publishes.
        client: A client of ours.
    """

    def __init__(self, test: unittest.TestCase, text: str, circus: str = "") -> None:
        """Start it, and wait until the watcher "web" is up.

        Args:
            test: The test.
            text: The configuration without the `[circus]` section, in which `{DIR}` is replaced.
            circus: Further lines of that section.
        """
        self.folder = folder(test)
        self.endpoint = f"ipc://{self.folder}/control"
        self.pubsub_endpoint = f"ipc://{self.folder}/events"
        head = f"[circus]\nendpoint = {self.endpoint}\npubsub_endpoint = {self.pubsub_endpoint}\n"
        config = self.folder / "circus.ini"
        body = f"{head}check_delay = 1\n{circus}\n{text}".replace("{DIR}", str(self.folder))
        config.write_text(body)
        self._mark = os.urandom(8).hex()
        self._log = self.folder / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "circus.circusd", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environ(CVEC_CIRCUS_MARK=self._mark),
                start_new_session=True,
            )
        test.addCleanup(self._end)
        self.client = CircusClient(endpoint=self.endpoint, timeout=20)
        test.addCleanup(self.client.stop)
        if not eventually(self._is_up, TIMEOUT):
            raise AssertionError(f"circusd is not up:\n{self._log.read_text()}")

    def _is_up(self) -> bool:
        try:
            reply = self.client.call({"command": "status", "properties": {"name": "web"}})
        except CallError:
            return False
        return bool(reply["status"] == "active")

    def _end(self) -> None:
        """End it and what it runs. Not by SIGTERM, which it overlooks at times."""
        self.process.kill()
        self.process.wait(TIMEOUT)
        for pid in marked(self._mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class Program:
    """A program whose lines are read as they come. Owned by the test."""

    def __init__(self, test: unittest.TestCase, argv: Sequence[object], **env: str) -> None:
        out, theirs = os.pipe()
        self.out = Output(out)
        test.addCleanup(self.out.close)
        try:
            self.process = subprocess.Popen(
                [sys.executable, *map(str, argv)],
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                cwd=ROOT,
                env=environ(**env),
            )
        finally:
            os.close(theirs)
        test.addCleanup(self.end)

    def has_line(self) -> bool:
        """Whether it has written something that nobody has read."""
        return bool(select.select([self.out.fd], [], [], 0)[0])

    def end(self) -> int:
        """End it as a daemon or a terminal would, and return its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(TIMEOUT)


class InteroperationCase(LeakCheckedTestCase):
    """Starts daemons of both kinds, and programs that know only one of them."""

    def daemons(self, text: str = WATCHERS) -> dict[str, Daemon | PublishedDaemon]:
        """Start one of each, with the same watchers."""
        ours, theirs = self.together(lambda: self.ours(text), lambda: self.theirs(text))
        return {OURS: ours, THEIRS: theirs}

    @staticmethod
    def together(*calls: Callable[[], Any]) -> list[Any]:
        """Call functions that wait for other processes, each on a thread; return their results."""
        with ThreadPoolExecutor(len(calls)) as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]

    def ours(self, text: str = WATCHERS, circus: str = "check_delay = 1", **options: Any) -> Daemon:
        """Start our daemon, and wait until the watcher "web" is up."""
        daemon = Daemon(self, text.replace(COPIES, QUICK), circus=circus, **options)

        def is_up() -> bool:
            return bool(daemon.call("status", name="web")["status"] == "active")

        self.assertTrue(eventually(is_up, TIMEOUT))
        return daemon

    def theirs(self, text: str = WATCHERS) -> PublishedDaemon:
        """Start the daemon of Circus."""
        return PublishedDaemon(self, text)

    def drive(self, package: str, what: str, endpoint: str, steps: Sequence[Any]) -> list[Any]:
        """Have a program of a package do something, and return what it has found out."""
        done = subprocess.run(
            [sys.executable, str(DRIVER), package, what, endpoint],
            input=json.dumps(steps),
            capture_output=True,
            text=True,
            timeout=120,
            env=environ(),
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]
