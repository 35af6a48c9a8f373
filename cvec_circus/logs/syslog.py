"""Sending log lines to syslog."""

from __future__ import annotations

import contextlib
import logging

from cvec_circus import exc
from cvec_circus.base.figures import counted
from cvec_circus.logs.log import READER_TIMEOUT, Output, line, lock_of, report
from cvec_circus.options.syslog import parse
from cvec_circus.system.syslog import LONGEST, Sender

SEVERITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}
DEBUG = 7

TAG = "%(name)s[%(process)d]: %(message)s"


class Syslog(Output):
    """Sends lines as datagrams, each as in RFC 3164. Safe from any thread.

    It does not wait long for a syslog that is busy or gone. The number of lost lines precedes the
    next one that gets through; stderr reports that lines are being lost.

    Args:
        url: `syslog://host[:port]?facility` or `syslog:///dev/log?facility`; `user` without one.

    Raises:
        OptionError: The URL is wrong.
        OSError: There is no such host, or no such socket.
    """

    def __init__(self, url: str) -> None:
        try:
            self.url, where, facility, doubt = parse(url)
        except ValueError as error:
            raise exc.OptionError("logoutput", f"{url}: {error}") from None
        super().__init__()
        self._lost = 0
        self.doubt = f"{url}: {doubt}" if doubt else ""
        self._sender = Sender(*where, facility)
        try:
            self._sender.open()
        except OSError as error:
            raise OSError(error.errno or 0, error.strerror, url) from None

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802 - logging's name
        """Leave time and level to the header of the datagram."""
        super().setFormatter(logging.Formatter(TAG))

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record, each line of it by itself."""
        tag, _, message = line(self, record).rstrip(b"\n").partition(b": ")
        tag += f": {self.subject}: ".encode(errors="replace") if self.subject else b": "
        severity = next((n for level, n in SEVERITIES.items() if record.levelno >= level), DEBUG)
        tag = self._sender.head(severity, record.created) + tag
        lines = message.split(b"\n")
        if self._lost:
            if not self._send(tag + f"{counted(self._lost, 'line')} missing here".encode()):
                self._lost += len(lines)
                return
            self._lost = 0
        for number, text in enumerate(lines):
            if not self._send((tag + text)[:LONGEST]):
                self._lost = len(lines) - number
                return

    def reopen(self) -> None:
        """Connect anew, to the address found at first: DNS could take long."""
        with lock_of(self), contextlib.suppress(OSError):  # the next line tries again, and reports
            self._sender.reconnect()

    def close(self) -> None:
        self._sender.close()
        super().close()

    def _send(self, datagram: bytes) -> bool:
        """Send a datagram; wait a moment for a busy syslog, but not for one that just was busy."""
        trouble = self._sender.send(datagram, 0.0 if self._lost else READER_TIMEOUT)
        if trouble and not self._lost:
            report(f"cannot write the log {self.url}: {trouble}")
        return not trouble
