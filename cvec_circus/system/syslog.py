"""Sending messages to a syslog, as datagrams of RFC 3164."""

from __future__ import annotations

import select
import socket
import time
from typing import Any

from cvec_circus.base.clock import poll_milliseconds

LONGEST = 8000
"""Bytes of a datagram: rsyslog accepts 8 KiB by default."""

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Sender:
    """Sends datagrams to one syslog. Owned by its maker: it has no lock.

    Args:
        host: The machine; "" for a syslog on this one.
        port: Its UDP port there.
        path: The socket of a syslog on this machine.
        facility: The number of a facility.
    """

    def __init__(self, host: str, port: int, path: str, facility: int) -> None:
        self._host = host
        self._port = port
        self._path = path
        self._facility = facility
        self._name = f"{socket.gethostname()} " if host else ""
        self._where: tuple[int, Any] | None = None
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Resolve the address and connect, again if connected, or raise OSError. May block: DNS."""
        self._where = self._found()
        self.reconnect()

    def reconnect(self) -> None:
        """Connect again to the address found before, or raise OSError."""
        if self._where is None:
            self._where = self._found()
        family, address = self._where
        fresh = socket.socket(family, socket.SOCK_DGRAM)
        try:
            fresh.connect(address)
        except OSError:
            fresh.close()
            raise
        self.close()
        self._socket = fresh

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def head(self, severity: int, at: float) -> bytes:
        """Return what precedes the tag of a message, sent `at` seconds since 1970."""
        when = time.localtime(at)
        clock = time.strftime("%H:%M:%S", when)
        month = _MONTHS[when.tm_mon - 1]
        text = f"<{self._facility * 8 + severity}>{month} {when.tm_mday:2d} {clock} {self._name}"
        return text.encode("ascii", "replace")

    def send(self, datagram: bytes, timeout: float) -> str:
        """Send a datagram, reconnecting to a syslog that was restarted; return the error or "".

        Waits for a busy syslog, at most `timeout` seconds.
        """
        trouble = ""
        for is_second in (False, True):
            try:
                if is_second or self._socket is None:
                    self.reconnect()
                self._deliver(datagram, timeout)
                return ""
            except OSError as error:
                trouble = error.strerror or str(error)
                if isinstance(error, BlockingIOError):
                    break
        return trouble

    def _deliver(self, datagram: bytes, timeout: float) -> None:
        assert self._socket is not None
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        poll.poll(poll_milliseconds(timeout))
        self._socket.send(datagram, socket.MSG_DONTWAIT)

    def _found(self) -> tuple[int, Any]:
        if self._path:
            return socket.AF_UNIX, self._path
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
        return found[0][0], found[0][4]
