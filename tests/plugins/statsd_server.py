"""A statsd for tests: it notes what is sent to it."""

from __future__ import annotations

import socket
import unittest
from collections.abc import Iterable

from cvec_circus.base.clock import SYSTEM

TIMEOUT = 20.0
"""Seconds after which a number counts as not sent."""


class StatsdServer:
    """A socket that real numbers come to. Owned by the test's thread.

    Attributes:
        port: Where it listens, of 127.0.0.1.
    """

    def __init__(self, test: unittest.TestCase) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        test.addCleanup(self._socket.close)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.seen: list[str] = []

    def next(self, timeout: float = TIMEOUT) -> str:
        """Wait for a number, and return it as it came."""
        self._socket.settimeout(max(timeout, 0.001))
        try:
            line = self._socket.recv(65536).decode()
        except socket.timeout:
            raise AssertionError(f"no more numbers come after {self.seen[-20:]}") from None
        self.seen.append(line)
        return line

    def take(self, count: int) -> list[str]:
        """Wait for some numbers."""
        return [self.next() for _ in range(count)]

    def rest(self) -> list[str]:
        """Return what has come and was not taken yet, from whoever has ended by now."""
        self._socket.setblocking(False)
        found = []
        while True:
            try:
                found.append(self._socket.recv(65536).decode())
            except BlockingIOError:
                return found

    def up_to(self, *wanted: str) -> list[str]:
        """Wait until each of these has come, a number or just its bucket, and return all of it."""
        found: list[str] = []
        left = set(wanted)
        deadline = SYSTEM.monotonic() + TIMEOUT
        while left:
            line = self.next(deadline - SYSTEM.monotonic())
            found.append(line)
            left -= {line, line.partition(":")[0]}
        return found


def buckets(lines: Iterable[str]) -> list[str]:
    """Return what lines are about, without the numbers."""
    return [line.partition(":")[0] for line in lines]
