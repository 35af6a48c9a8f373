"""One connection to an endpoint, what depends on it, and the queue of those with work."""

from __future__ import annotations

import errno
import heapq
import itertools
import socket
import struct
from collections import deque
from typing import Protocol

from cvec_circus.base.clock import processor_time
from cvec_circus.wire import zmtp

NOT_NOW = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)
"""Errors of a socket whose peer is there: no room for more, or no memory."""

FORGIVEN = 0.1
"""The share of the time that a peer may use without waiting for others."""

LONG = 0.001
"""Seconds from which processor time is asked for: on a busy machine the clock counts other programs
too, but asking is a system call, which takes as long as decoding a message."""

_CREDENTIALS = struct.Struct("=iII")


class Dependant(Protocol):
    """What ends with a connection. Owned by the supervisor thread."""

    def client_gone(self) -> None:
        """Note that the peer is gone: nothing can be sent to it any more."""


class Connection:
    """One peer. Owned by the thread of its `Connections`."""

    __slots__ = tuple(
        "_credentials decoder dependants fd half_since held is_open queued since sock unsent"
        " unsent_bytes used worked_at".split()
    )

    def __init__(self, sock: socket.socket, peers: frozenset[bytes], now: float) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.decoder = zmtp.Decoder(peers)
        self.dependants: set[Dependant] = set()
        self.is_open = True  # something can still be sent to it
        self.queued = False
        self.held = 0  # bytes of an incomplete message
        self.half_since = 0.0
        self.since = now  # connected, or last sent something
        self.unsent: deque[bytes | memoryview] = deque()
        self.unsent_bytes = 0
        self.used = 0.0  # seconds that its messages have taken, compared with those of others
        self.worked_at = now  # when the last of them was done
        self._credentials: tuple[int, int] | None = None

    def send_now(self, content: bytes | memoryview) -> int:
        """Send what can go now; return the number of bytes. Raises OSError if the peer is gone."""
        try:
            return self.sock.send(content)
        except OSError as error:
            if error.errno not in NOT_NOW:
                raise
            return 0

    def credentials(self) -> tuple[int, int] | None:
        """Return pid and uid of the peer when it connected; None unless it is on a unix socket."""
        if self._credentials is None and self.is_open and self.sock.family == socket.AF_UNIX:
            found = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, _ = _CREDENTIALS.unpack(found)
            self._credentials = pid, uid
        return self._credentials

    def read_away(self) -> None:
        """Read what is unread: otherwise TCP resets the connection and the last answer is lost."""
        try:
            for _ in range(16):
                if not self.sock.recv(65536):
                    return
        except OSError:
            return  # nothing is left to read, or the client is gone


class Queue:
    """The connections with work; next is the one that has used the least time.

    Owned by the thread of its `Connections`. The time that a peer's messages have taken is counted,
    and forgiven while it has no work, down to the least of those queued: silence saves up no time.
    So fifty peers whose messages take long wait for each other, and one that asks for little,
    though often, waits for one message.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Connection]] = []
        self._number = itertools.count()
        self._least = 0.0
        self._now = self._processor = self._charged = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, connection: Connection, now: float) -> None:
        """Queue a connection that is not queued."""
        connection.queued = True
        forgiven = FORGIVEN * (now - connection.worked_at)
        connection.used = max(connection.used - forgiven, self._least)
        heapq.heappush(self._heap, (connection.used, next(self._number), connection))

    def begin(self, now: float) -> None:
        """Take the time before the first message of a turn."""
        self._now, self._processor, self._charged = now, processor_time(), 0.0

    def charge(self, connection: Connection, now: float) -> None:
        """Count the time of a message: processor time, where the two may differ much."""
        taken, self._now = now - self._now, now
        if taken < LONG:
            self._charged += taken
        else:
            before, self._processor = self._processor, processor_time()
            taken = max(0.0, self._processor - before - self._charged)
            self._charged = 0.0
        connection.used += taken
        connection.worked_at = now

    def pop(self) -> Connection:
        """Take out the next one."""
        self._least, _, connection = heapq.heappop(self._heap)
        connection.queued = False
        return connection
