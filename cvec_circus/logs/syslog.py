"""Log lines on their way to syslog."""

from __future__ import annotations

import logging
import select
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from cvec_circus import exc
from cvec_circus.base.clock import poll_milliseconds
from cvec_circus.logs.outputs import READER_TIMEOUT, Output, line, write_to_stderr

PORT = 514
LONGEST = 8000
"""Bytes of a datagram. More is cut off: rsyslog takes 8 KiB without being told otherwise."""

FACILITIES = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp security console"
    " solaris-cron local0 local1 local2 local3 local4 local5 local6 local7"
).split()
"""Each at its number (RFC 5424, table 1), by the names that syslog.conf(5) has for them."""

SEVERITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
DEBUG = 7

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
TAG = "%(name)s[%(process)d]: %(message)s"


class Syslog(Output):
    """Sends lines as datagrams, each as RFC 3164 has it. Safe from any thread.

    Nobody waits long for a syslog that is busy or gone. How many lines that has cost is said before
    the next one that gets through; that it happens is said on stderr.

    Args:
        url: `syslog://host[:port]?facility` or `syslog:///dev/log?facility`; `user` without one.

    Raises:
        OptionError: The URL makes no sense.
        OSError: There is no such host, or no such socket.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self._lost = 0
        self._socket: socket.socket | None = None
        parts = urlsplit(url)
        facility = parts.query or "user"
        if facility not in FACILITIES:
            raise exc.OptionError("logoutput", f"{url}: there is no facility {facility!r}")
        self._priority = FACILITIES.index(facility) * 8
        try:
            self._host, self._port = parts.hostname, parts.port or PORT
        except ValueError as error:
            raise exc.OptionError("logoutput", f"{url}: {error}") from None
        self._path = "" if self._host else parts.path
        if not (self._host or self._path):
            text = f"{url}: it is syslog://HOST[:PORT] or syslog:///dev/log, then ?FACILITY"
            raise exc.OptionError("logoutput", text)
        self._name = "" if self._path else f"{socket.gethostname()} "
        try:
            self._family, self._address = self._where()
            self._socket = self._connected()
        except OSError as error:
            raise OSError(error.errno or 0, error.strerror, url) from None

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802 - logging's name
        """Leaves time and level to the header that a datagram has anyway."""
        super().setFormatter(logging.Formatter(TAG))

    def emit(self, record: logging.LogRecord) -> None:
        """Sends a record, each line of it by itself."""
        tag, _, message = line(self, record).rstrip(b"\n").partition(b": ")
        tag += f": {self.subject}: ".encode(errors="replace") if self.subject else b": "
        tag = self._header(record) + tag
        lines = message.split(b"\n")
        if self._lost:
            if not self._send(tag + b"%d lines are missing here" % self._lost):
                self._lost += len(lines)
                return
            self._lost = 0
        for number, text in enumerate(lines):
            if not self._send((tag + text)[:LONGEST]):
                self._lost = len(lines) - number
                return

    def reopen(self) -> None:
        """Connects anew. The address stays: to ask for it could take long."""
        self.acquire()
        try:
            self._replace()
        except OSError:
            pass  # the next line tries again, and tells
        finally:
            self.release()

    def close(self) -> None:
        """Closes the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        super().close()

    def _header(self, record: logging.LogRecord) -> bytes:
        severity = next((n for level, n in SEVERITIES if record.levelno >= level), DEBUG)
        at = time.localtime(record.created)
        month, clock = MONTHS[at.tm_mon - 1], time.strftime("%H:%M:%S", at)
        text = f"<{self._priority + severity}>{month} {at.tm_mday:2d} {clock} {self._name}"
        return text.encode("ascii", "replace")

    def _send(self, datagram: bytes) -> bool:
        """Sends a datagram, to a syslog that has been started again too."""
        trouble = ""
        for is_second in (False, True):
            try:
                if is_second or self._socket is None:
                    self._replace()
                self._deliver(datagram)
                return True
            except OSError as error:
                trouble = error.strerror or str(error)
                if isinstance(error, BlockingIOError):
                    break
        if not self._lost:
            text = f"cvec_circus: cannot write the log {self.url}: {trouble}\n"
            write_to_stderr(text.encode(errors="backslashreplace"))
        return False

    def _deliver(self, datagram: bytes) -> None:
        """Sends it, and waits a moment for a syslog that is busy, unless it was so just before."""
        assert self._socket is not None
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        poll.poll(poll_milliseconds(0.0 if self._lost else READER_TIMEOUT))
        self._socket.send(datagram, socket.MSG_DONTWAIT)

    def _replace(self) -> None:
        fresh = self._connected()
        if self._socket is not None:
            self._socket.close()
        self._socket = fresh

    def _where(self) -> tuple[int, Any]:
        if self._path:
            return socket.AF_UNIX, self._path
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
        return found[0][0], found[0][4]

    def _connected(self) -> socket.socket:
        made = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            made.connect(self._address)
        except OSError:
            made.close()
            raise
        return made
