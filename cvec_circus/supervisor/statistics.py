"""How the daemon starts the process that measures all others."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from cvec_circus.core.watcher import Watcher
from cvec_circus.exc import SocketError
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.registry import SocketRegistry

VARIABLE = "CVEC_CIRCUS_STATS"
"""Carries everything that process needs, as JSON."""

NAME = "circusd-stats"
"""What its watcher is called in Circus, too."""

UNUSABLE = frozenset({2})
"""Exit codes with which it says that starting it again is of no use."""

ANY_PORT = ("*", "0")


class Statistics:
    """The statistics of one daemon. Owned by the supervisor thread.

    Attributes:
        address: Where they are published. For "any free port" the port is taken here and handed to
            the process, so that everybody can be told which one it is.
        watcher: Runs the process.
    """

    VARIABLE = VARIABLE

    def __init__(
        self, circus: Mapping[str, Any], sockets: SocketRegistry, env: dict[str, str]
    ) -> None:
        """Prepare.

        Args:
            circus: The options of the daemon.
            sockets: The listening sockets, on which the process counts.
            env: What the environment of the process has besides the daemon's.

        Raises:
            SocketError: There is no free port at that address.
        """
        self.address: str = circus["stats_endpoint"]
        self._sockets = sockets
        self._mode: int = circus["endpoint_mode"]
        self._owner: int | str | None = circus["endpoint_owner"]
        self._listener: socket.socket | None = None
        self._take_port()
        given = {
            "cmd": sys.executable,
            "args": ["-m", "cvec_circus.stats.main"],
            "numprocesses": 1,
            "singleton": True,
            "copy_env": True,
            "env": env,
            "close_child_stdout": circus["statsd_close_outputs"],
            "close_child_stderr": circus["statsd_close_outputs"],
        }
        options = WATCHER_OPTIONS.complete(given)
        self.watcher = Watcher(NAME, options, helper=True, fatal_exit_codes=UNUSABLE)

    def _take_port(self) -> None:
        host, _, port = self.address.partition("tcp://")[2].rpartition(":")
        if port not in ANY_PORT or not host:
            return
        where = (host.strip("[]") if host != "*" else "", 0)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.bind(where)
            listener.listen()
        except OSError as error:
            listener.close()
            text = f"stats_endpoint {self.address}: cannot listen: {error.strerror}"
            raise SocketError(text) from None
        listener.setblocking(False)
        self._listener = listener
        self.address = f"tcp://{host}:{listener.getsockname()[1]}"

    def task(self) -> tuple[dict[str, Any], list[int]]:
        """Return what the process is told beside where the daemon is, and the files for it."""
        sockets = self._sockets.describe()
        fds = [one["fd"] for one in sockets]
        task: dict[str, Any] = {
            "stats_endpoint": self.address,
            "mode": self._mode,
            "owner": self._owner,
            "sockets": sockets,
            "daemon_pid": os.getpid(),
        }
        if self._listener is not None:
            task["listener"] = self._listener.fileno()
            fds.append(self._listener.fileno())
        return task, fds

    def close(self) -> None:
        """Give the port back."""
        if self._listener is not None:
            self._listener.close()
