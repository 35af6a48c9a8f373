"""How the daemon starts the process that measures all others."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.exc import SocketError
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor.helpers import Helper

ANY_PORT = ("*", "0")

INTERVAL = 1.0
"""Seconds from one look at all processes to the next."""


class Statistics(Helper):
    """The statistics of one daemon. Owned by the supervisor thread.

    Attributes:
        address: Where they are published. For "any free port" the port is taken here and handed to
            the process, so that everybody can be told which one it is.
    """

    name = "circusd-stats"  # what it is called in Circus, too
    module = "cvec_circus.stats.main"
    variable = "CVEC_CIRCUS_STATS"
    has_sockets = True

    def __init__(self, circus: Mapping[str, Any], sockets: SocketRegistry) -> None:
        """Prepare.

        Args:
            circus: The options of the daemon.
            sockets: The listening sockets, on which the process counts.

        Raises:
            SocketError: There is no free port at that address.
        """
        self.address: str = circus["stats_endpoint"]
        self._sockets = sockets
        self._mode: int = circus["endpoint_mode"]
        self._owner: int | str | None = circus["endpoint_owner"]
        self._listener: socket.socket | None = None
        self._take_port()
        self._closes_outputs: bool = circus["statsd_close_outputs"]

    def own_options(self) -> WatcherOptions:
        """See `Helper`."""
        given = {
            "cmd": self.module,
            "copy_env": True,
            "close_child_stdout": self._closes_outputs,
            "close_child_stderr": self._closes_outputs,
        }
        return WATCHER_OPTIONS.complete(given)

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

    def message(self) -> dict[str, Any]:
        """See `Helper`."""
        message: dict[str, Any] = {
            "stats_endpoint": self.address,
            "interval": INTERVAL,
            "mode": self._mode,
            "owner": self._owner,
            "sockets": self._sockets.describe(),
            "daemon_pid": os.getpid(),
        }
        if self._listener is not None:
            message["listener"] = self._listener.fileno()
        return message

    def descriptors(self) -> Sequence[int]:
        """See `Helper`."""
        own = [] if self._listener is None else [self._listener.fileno()]
        return [*(one["fd"] for one in self._sockets.describe()), *own]

    def close(self) -> None:
        """Give the port back."""
        if self._listener is not None:
            self._listener.close()
