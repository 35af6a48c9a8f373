"""What tests of upgrades share: two installations, and clients that are there meanwhile."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from cvec_circus import exc
from cvec_circus.base.thread import Thread
from cvec_circus.client import Client
from cvec_circus.wire import messages
from tests.support.daemon import Daemon, DaemonCase, child

WEB = f"""
[watcher:web]
cmd = {child("serve", "$(circus.sockets.web)")}
use_sockets = True
min_uptime = 0.1
[socket:web]
host = 127.0.0.1
port = 0
"""


class UpgradeCase(DaemonCase):
    """Upgrades daemons."""

    def upgrade(self, daemon: Daemon, python: str) -> dict[str, Any]:
        """Upgrade, and return the answer."""
        return daemon.call("upgrade", python=python)


def fifo(folder: Path) -> None:
    """Make a fifo there."""
    os.mkfifo(folder / "fifo")


class Asking:
    """A request, on a thread of its own. Owned by the test."""

    def __init__(self, daemon: Daemon, command: str, properties: dict[str, Any]) -> None:
        self._client = Client(daemon.endpoint, timeout=60)
        self._command, self._properties = command, properties
        self._found: list[Any] = []
        self._thread = Thread(self._run, "asking")
        self._thread.start()

    def _run(self) -> None:
        try:
            message = messages.call(self._command, self._properties)
            self._found.append(self._client.exchange(message, 60))
        except exc.CallError as error:
            self._found.append(error)

    def reply(self) -> dict[str, Any]:
        """Wait for the answer."""
        self._thread.join(60)
        (found,) = self._found
        if isinstance(found, Exception):
            raise AssertionError(f"{self._command}: {found}")
        return found  # type: ignore[no-any-return]

    def end(self) -> None:
        """End it."""
        self._client.close()
        self._thread.join(20)


class Follower:
    """Follows outputs as `cvec_circusctl logs --follow` does, on a thread. Owned by the test.

    Attributes:
        lines: What has come.
        missed: What an answer said was missed, each time.
    """

    def __init__(self, daemon: Daemon, names: list[str] | None) -> None:
        self.lines: list[str] = []
        self.missed: list[Any] = []
        self._client = Client(daemon.endpoint, timeout=30)
        self._asked = {} if names is None else {"name": names}
        self._ends = threading.Event()
        self._thread = Thread(self._run, "follower")
        self._thread.start()

    def _run(self) -> None:
        properties: dict[str, Any] = {**self._asked, "lines": 0}
        while not self._ends.is_set():
            try:
                reply = self._client.call("logs", **properties)
            except exc.CallError:
                return
            self.lines += [line["text"] for line in reply["lines"]]
            if reply["missed"] or reply.get("ended"):
                self.missed.append(reply)
            properties = {**self._asked, "since": reply["next"], "timeout": 10}

    def end(self) -> None:
        """End it."""
        self._ends.set()
        self._client.close()
        self._thread.join(20)
