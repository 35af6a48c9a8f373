"""One connection to an endpoint, and what depends on it."""

from __future__ import annotations

import errno
import socket
import struct
from collections import deque
from typing import Protocol

from cvec_circus.wire import zmtp

NOT_NOW = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)
"""What a socket answers whose peer is there: no room for more, or no memory."""

_CREDENTIALS = struct.Struct("=iII")


class Dependant(Protocol):
    """What ends with a connection. Owned by the supervisor thread."""

    def client_gone(self) -> None:
        """Take notice that the peer is gone, and that nothing can be sent to it any more."""


class Connection:
    """Owned by the thread of its `Connections`. One peer.

    Attributes:
        is_open: Whether something can still be sent to it.
        dependants: Those whose `client_gone` is called, once, when it is gone.
        used: Seconds that its messages have taken, compared with those of others.
        worked_at: When the last of them was over.
    """

    __slots__ = (
        "_credentials",
        "decoder",
        "dependants",
        "fd",
        "half_since",
        "held",
        "is_open",
        "queued",
        "since",
        "sock",
        "unsent",
        "unsent_bytes",
        "used",
        "worked_at",
    )

    def __init__(self, sock: socket.socket, peers: frozenset[bytes], now: float) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.decoder = zmtp.Decoder(peers)
        self.dependants: set[Dependant] = set()
        self.is_open = True
        self.queued = False
        self.held = 0
        self.half_since = 0.0
        self.since = now
        self.unsent: deque[bytes | memoryview] = deque()
        self.unsent_bytes = 0
        self.used = 0.0
        self.worked_at = now
        self._credentials: tuple[int, int] | None = None

    def send_now(self, content: bytes | memoryview) -> int:
        """Send what can go now; return the number of bytes.

        Raises:
            OSError: The peer is gone.
        """
        try:
            return self.sock.send(content)
        except OSError as error:
            if error.errno not in NOT_NOW:
                raise
            return 0

    def credentials(self) -> tuple[int, int] | None:
        """Return pid and uid of the peer as it connected; None where only the network knows."""
        if self._credentials is None and self.is_open and self.sock.family == socket.AF_UNIX:
            found = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, _ = _CREDENTIALS.unpack(found)
            self._credentials = pid, uid
        return self._credentials

    def read_away(self) -> None:
        """Read what is unread: otherwise TCP resets the connection, and the last answer is lost."""
        try:
            for _ in range(16):
                if not self.sock.recv(65536):
                    return
        except OSError:
            return  # nothing is left to read, or the client is gone
