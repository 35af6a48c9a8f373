"""A client that speaks ZMTP by hand, and may break every rule of it."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

from cvec_circus.base.clock import SYSTEM
from cvec_circus.wire import zmtp

PEERS = frozenset({b"ROUTER", b"PUB"})
#: Seconds after which a test gives up on an answer.
PATIENCE = 20.0


def connected(address: str) -> socket.socket:
    """Open a connection to an endpoint; nothing is said on it."""
    transport, _, where = address.partition("://")
    if transport == "tcp":
        host, _, port = where.rpartition(":")
        return socket.create_connection((host, int(port)), PATIENCE)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    sock.connect(where)
    return sock


class RawClient:
    """Belongs to the test. A DEALER made by hand.

    Attributes:
        sock: The connection.
    """

    def __init__(self, address: str, socket_type: bytes = b"DEALER") -> None:
        self.sock = connected(address)
        self.sock.sendall(zmtp.opening(socket_type))
        self._decoder = zmtp.Decoder(PEERS)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def send_until_full(self, data: bytes) -> None:
        """Send what the other side takes; it may end the connection meanwhile."""
        with contextlib.suppress(OSError):
            self.sock.settimeout(1.0)
            self.sock.sendall(data)
        self.sock.settimeout(PATIENCE)

    def request(self, command: str, **properties: Any) -> None:
        """Send a request."""
        message = {"id": "x", "command": command, "properties": properties}
        self.send(zmtp.message(json.dumps(message).encode()))

    def receive(self) -> tuple[bytes, ...]:
        """Wait for a message, and return its frames; EOFError when the connection was ended."""
        while True:
            found = self._decoder.decode()
            if isinstance(found, zmtp.Message):
                return found.frames
            if found is None:
                data = self.sock.recv(65536)
                if not data:
                    raise EOFError
                self._decoder.feed(data)

    def ask(self, command: str, **properties: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        self.request(command, **properties)
        return json.loads(self.receive()[-1])

    def pings(self, count: int) -> list[float]:
        """Ask for a ping that many times; return the seconds that each took, sorted."""
        times = []
        for _ in range(count):
            before = SYSTEM.monotonic()
            self.ask("ping")
            times.append(SYSTEM.monotonic() - before)
        return sorted(times)

    def close(self) -> None:
        self.sock.close()
