"""A server that answers as a test says, one connection after the other."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any


class Answering:
    """Accepts connections on a thread, and gives each to a function. Owned by the test.

    Args:
        answer: Called with each connection, which is closed when it returns.
        path: Where to listen: the path of a unix socket, or None for a port of its own.
        wrap: Makes a TLS connection of each.
    """

    def __init__(
        self,
        answer: Callable[[socket.socket], object],
        path: str | None = None,
        wrap: Callable[[socket.socket], Any] = lambda connection: connection,
    ) -> None:
        self._answer, self._wrap = answer, wrap
        self._listener = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX)
        self._listener.bind(("127.0.0.1", 0) if path is None else path)
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1] if path is None else 0
        self.accepted = 0
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            with contextlib.suppress(OSError), contextlib.closing(self._wrap(connection)) as one:
                self._answer(one)

    def close(self) -> None:
        """Accept no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)


def says(text: bytes) -> Callable[[socket.socket], None]:
    """Answer a request with a text."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(text)

    return answer
