"""Log lines on their way to syslog."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from cvec_circus import exc
from cvec_circus.logs.outputs import READER_TIMEOUT, Output, line, write_to_stderr
from cvec_circus.options.stream import FACILITIES, SYSLOG_PORT
from cvec_circus.system.syslog import LONGEST, Sender

SEVERITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
DEBUG = 7

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
        parts = urlsplit(url)
        facility = parts.query or "user"
        if facility not in FACILITIES:
            raise exc.OptionError("logoutput", f"{url}: there is no facility {facility!r}")
        try:
            host, port = parts.hostname or "", parts.port or SYSLOG_PORT
        except ValueError as error:
            raise exc.OptionError("logoutput", f"{url}: {error}") from None
        path = "" if host else parts.path
        if not (host or path):
            text = f"{url}: it is syslog://HOST[:PORT] or syslog:///dev/log, then ?FACILITY"
            raise exc.OptionError("logoutput", text)
        self._sender = Sender(host, port, path, FACILITIES.index(facility))
        try:
            self._sender.open()
        except OSError as error:
            raise OSError(error.errno or 0, error.strerror, url) from None

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802 - logging's name
        """Leaves time and level to the header that a datagram has anyway."""
        super().setFormatter(logging.Formatter(TAG))

    def emit(self, record: logging.LogRecord) -> None:
        """Sends a record, each line of it by itself."""
        tag, _, message = line(self, record).rstrip(b"\n").partition(b": ")
        tag += f": {self.subject}: ".encode(errors="replace") if self.subject else b": "
        severity = next((n for level, n in SEVERITIES if record.levelno >= level), DEBUG)
        tag = self._sender.head(severity, record.created) + tag
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
            self._sender.reconnect()
        except OSError:
            pass  # the next line tries again, and tells
        finally:
            self.release()

    def close(self) -> None:
        """Closes the socket."""
        self._sender.close()
        super().close()

    def _send(self, datagram: bytes) -> bool:
        """Sends a datagram, and waits a moment for a busy syslog unless that was so just before."""
        trouble = self._sender.send(datagram, 0.0 if self._lost else READER_TIMEOUT)
        if trouble and not self._lost:
            text = f"cvec_circus: cannot write the log {self.url}: {trouble}\n"
            write_to_stderr(text.encode(errors="backslashreplace"))
        return not trouble
