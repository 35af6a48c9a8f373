"""Log lines on their way to stderr, and to a file that may be moved away."""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Sequence
from typing import Optional

from cvec_circus.base.clock import poll_milliseconds
from cvec_circus.stream.appendfile import AppendFile

READER_TIMEOUT = 0.1
"""Seconds that the log waits once for whoever reads it."""

Trouble = Optional[str]


class Output(logging.Handler):
    """Where the lines of a logger go. Safe from any thread, for handlers have locks.

    Attributes:
        url: How another process writes to the same place: a path, the URL of a syslog, or "-".
        subject: What every line is about, where the form of the lines does not say it.
    """

    url = "-"
    subject = ""

    def fileno(self) -> int:
        """The file that lines go to now, -1 if there is none."""
        return -1

    def reopen(self) -> None:
        """Opens anew whatever it writes to, for it may have been moved away."""


class Stderr(Output):
    """Writes lines to stderr, unbuffered. Safe from any thread, for handlers have locks.

    Nobody waits long for whoever reads them: a pager that shows the first page, or a terminal after
    Ctrl-S, must not stop the supervisor. Python's own stream would wait; it would also keep what a
    closed pipe does not take, and have the daemon exit with code 120 for that in the end.
    """

    _lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line, and says before it how many could not be written."""
        text = line(self, record)
        if self._lost:
            text = b"(%d lines are missing here: nobody read them)\n" % self._lost + text
        is_written = write_to_stderr(text, 0.0 if self._lost else READER_TIMEOUT)
        self._lost = 0 if is_written else self._lost + 1

    def fileno(self) -> int:
        """The file that lines go to."""
        return 2


class FollowedFile(Output):
    """Appends lines to a file and follows its name. Safe from any thread, for handlers have locks.

    What the standard library has for this raises in the middle of whoever logs when the directory
    is gone, and so would stop a supervisor halfway through a step.
    """

    def __init__(self, filename: str) -> None:
        super().__init__()
        self.url = os.path.abspath(filename)
        self._file = AppendFile(self.url, may_use_reserve=True)
        self._trouble: Trouble = None
        self._is_ragged = False
        if not self._file.open():
            raise OSError(0, self._file.trouble, filename)
        self._shared = os.dup(self._file.fileno())

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line; the first of those that cannot be written is told on stderr."""
        self._append(line(self, record))

    def write(self, records: Sequence[logging.LogRecord]) -> None:
        """Writes lines in one call: each call would hand the interpreter over and back."""
        self.acquire()
        try:
            self._append(b"".join(line(self, record) for record in records))
        finally:
            self.release()

    def _append(self, text: bytes) -> None:
        if not (self._file.is_open and self._file.is_current()):
            self._open()
        if self._is_ragged:
            text = b"\n" + text
        lost = self._file.append([text], len(text)) if self._file.is_open else len(text)
        self._is_ragged = (0 < lost < len(text)) or (self._is_ragged and lost == len(text))
        self._tell(self._file.trouble if lost else None)

    def _tell(self, trouble: Trouble) -> None:
        if trouble is not None and trouble != self._trouble:
            write_to_stderr(f"cvec_circus: cannot write the log {self.url}: {trouble}\n".encode())
        self._trouble = trouble

    def fileno(self) -> int:
        """The file that lines go to now, -1 after its end.

        The number is the same to the end: another thread may give the file to a process while
        this one opens it anew.
        """
        return self._shared

    def reopen(self) -> None:
        """Opens the file of that name, and keeps the one that is open where that fails."""
        self.acquire()
        try:
            self._open()
        finally:
            self.release()

    def _open(self) -> None:
        if self._file.open():
            os.dup2(self._file.fileno(), self._shared, inheritable=False)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        shared, self._shared = self._shared, -1
        if shared >= 0:
            os.close(shared)
        super().close()


def line(handler: logging.Handler, record: logging.LogRecord) -> bytes:
    """Returns a record as a line of text; one that says more than it has words for, too."""
    try:
        text = handler.format(record)
    except Exception as error:
        text = f"[{record.levelname}] {record.msg!r} with {record.args!r}: {error}"
    return text.encode("utf-8", "backslashreplace") + b"\n"


def write_to_stderr(text: bytes, timeout: float = 0.0) -> bool:
    """Writes to stderr.

    Args:
        text: What to write.
        timeout: Seconds to wait for a pipe or terminal that is full.

    Returns:
        False if it is still full. What stderr has no use for, because it is closed, counts as
        written.
    """
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    while text:
        if not poll.poll(poll_milliseconds(timeout)):
            return False
        try:
            text = text[os.write(2, text[: select.PIPE_BUF]) :]
        except OSError:
            return True
    return True
