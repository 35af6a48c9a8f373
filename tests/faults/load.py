"""What a daemon runs, and what is asked of it, while it is killed, upgraded or lives long."""

from __future__ import annotations

import socket
import threading

from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.thread import Thread
from tests.support.daemon import child

WEBS = 2
"""How many processes serve."""


def watchers(port: int, count: int, die: int, of_count: str = "") -> str:
    """Write the watchers of programs that count, that die all the time, and that serve.

    Args:
        port: Where they serve.
        count: How many processes write numbers to `out.log`.
        die: How many end, each with a code that it has written to `truth`.
        of_count: More options of those that count.
    """
    return f"""
[watcher:count]
cmd = {child("count")}
numprocesses = {count}
stdout_stream.filename = {{DIR}}/out.log
graceful_timeout = 1
{of_count}
[watcher:die]
cmd = {child("die", "{DIR}/truth")}
numprocesses = {die}
min_uptime = 0
backoff = False

[watcher:web]
cmd = {child("serve", "$(circus.sockets.web)")}
use_sockets = True
numprocesses = {WEBS}
min_uptime = 0.2
graceful_timeout = 1

[socket:web]
host = 127.0.0.1
port = {port}
"""


class Load:
    """Connects to the server, and counts what goes wrong, on a thread. Owned by the test."""

    def __init__(self, port: int) -> None:
        self.answers = 0
        self.troubles: list[str] = []
        self._port, self._ends = port, threading.Event()
        self._thread = Thread(self._run, "load")
        self._thread.start()

    def _run(self) -> None:
        while not self._ends.wait(0.002):
            try:
                with socket.create_connection(("127.0.0.1", self._port), 20) as asking:
                    asking.sendall(b"GET /\r\n")
                    self.answers += bool(asking.recv(4096))
            except ConnectionResetError:
                pass  # its server was stopped by a reload in the middle of it
            except OSError as error:
                self.troubles.append(f"{SYSTEM.monotonic():.3f} {error!r}")

    def end(self) -> None:
        """End it."""
        self._ends.set()
        self._thread.join(30)
