"""What children and plugins report by datagram, and waiting for it."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cvec_circus.base.clock import SYSTEM

FORM = struct.Struct("=Qic19s")
BIRTH, BEGIN, END, HEARD, COUNT = b"b", b"s", b"e", b"r", b"n"


class Report(NamedTuple):
    """One datagram. Immutable.

    Attributes:
        at: The instant on CLOCK_MONOTONIC, in seconds.
        pid: Of the child; of the process that a plugin has heard of; or a plugin's count.
        kind: One of this module's letters.
        tag: Who reports.
    """

    at: float
    pid: int
    kind: bytes
    tag: str


class Reports:
    """The socket where everything is reported. Owned by the benchmark's main thread."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "r"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self.path))
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._kept: list[Report] = []

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def pause(self, seconds: float) -> None:
        """Let time go by while reports come in; they are kept."""
        end = SYSTEM.monotonic() + seconds
        while True:
            left = end - SYSTEM.monotonic()
            if left <= 0:
                return
            if self._poll.poll(left * 1000):
                self._receive()

    def _receive(self) -> None:
        try:
            while True:
                at, pid, kind, tag = FORM.unpack(self._socket.recv(FORM.size))
                self._kept.append(
                    Report(at / 1e9, pid, kind, tag.rstrip(b"\0").decode("utf-8", "replace"))
                )
        except BlockingIOError:
            return

    def drain(self) -> list[Report]:
        """Return all that has come in."""
        self._receive()
        kept, self._kept = self._kept, []
        return kept

    def take(
        self, count: int, kind: bytes = BIRTH, timeout: float = 60.0, tag: str | None = None
    ) -> list[Report]:
        """Wait for that many reports of a kind; others stay.

        Raises:
            TimeoutError: They have not come in time.
        """
        return self.until(
            lambda report: report.kind == kind and tag in (None, report.tag), count, timeout
        )

    def until(self, wanted: Callable[[Report], bool], count: int, timeout: float) -> list[Report]:
        """Wait for that many reports that are wanted; others stay."""
        end = SYSTEM.monotonic() + timeout
        found: list[Report] = []
        while True:
            self._receive()
            others = []
            for report in self._kept:
                if len(found) < count and wanted(report):
                    found.append(report)
                else:
                    others.append(report)
            self._kept = others
            left = end - SYSTEM.monotonic()
            if len(found) >= count:
                return found
            if left <= 0 or not self._poll.poll(left * 1000):
                raise TimeoutError(f"{len(found)} of {count} reports within {timeout:g} s")
