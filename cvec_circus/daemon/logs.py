"""Where the daemon's log goes. Whatever becomes of it there, the daemon runs on."""

from __future__ import annotations

import logging
import os
from typing import Optional

from cvec_circus import logger
from cvec_circus.stream.appendfile import AppendFile

FORMAT = "%(asctime)s %(name)s[%(process)d] [%(levelname)s] %(message)s"
LEVELS = ("debug", "info", "warning", "error", "critical")

Trouble = Optional[str]


class Log:
    """The log of a program. Owned by the main thread; writing to it is safe from any thread.

    A file is followed when it is moved away: the next line opens a new one under the old name.

    Args:
        level: One of `LEVELS`, in any case.
        output: The path of a file, "-" or None for stderr.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, level: str, output: str | None) -> None:
        to_stderr = output in (None, "", "-")
        self._handler: Stderr | FollowedFile = Stderr() if to_stderr else FollowedFile(str(output))
        self._handler.setFormatter(logging.Formatter(FORMAT))
        logger.addHandler(self._handler)
        logger.setLevel(level.upper())
        logger.propagate = False

    def fileno(self) -> int | None:
        """The file that lines go to now, None if there is none."""
        fd = self._handler.fileno()
        return None if fd < 0 else fd

    def close(self) -> None:
        """Ends it; later lines go nowhere."""
        logger.removeHandler(self._handler)
        self._handler.close()


class Stderr(logging.Handler):
    """Writes lines to stderr, unbuffered. Safe from any thread.

    Python's own stream would keep what a closed pipe does not take, and have the daemon exit with
    code 120 for it in the end.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line; one that stderr does not take is lost."""
        write_to_stderr(line(self, record))

    def fileno(self) -> int:
        """The file that lines go to."""
        return 2


class FollowedFile(logging.Handler):
    """Appends lines to a file and follows its name. Safe from any thread, for handlers have locks.

    What the standard library has for this raises in the middle of whoever logs when the directory
    is gone, and so would stop a supervisor halfway through a step.
    """

    def __init__(self, filename: str) -> None:
        super().__init__()
        self._file = AppendFile(os.path.abspath(filename))
        self._trouble: Trouble = None
        self._is_ragged = False
        if not self._file.open():
            raise OSError(0, self._file.trouble, filename)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line; the first of those that cannot be written is told on stderr."""
        if not (self._file.is_open and self._file.is_current()):
            self._file.open()
        text = line(self, record)
        if self._is_ragged:
            text = b"\n" + text
        lost = self._file.append([text], len(text)) if self._file.is_open else len(text)
        self._is_ragged = (0 < lost < len(text)) or (self._is_ragged and lost == len(text))
        self._tell(self._file.trouble if lost else None)

    def _tell(self, trouble: Trouble) -> None:
        if trouble is not None and trouble != self._trouble:
            name = self._file.filename
            write_to_stderr(f"cvec_circusd: cannot write the log {name}: {trouble}\n".encode())
        self._trouble = trouble

    def fileno(self) -> int:
        """The file that lines go to now, -1 if there is none."""
        return self._file.fileno()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
        super().close()


def line(handler: logging.Handler, record: logging.LogRecord) -> bytes:
    """Returns a record as a line of text."""
    return handler.format(record).encode("utf-8", "backslashreplace") + b"\n"


def write_to_stderr(text: bytes) -> None:
    """Writes to stderr what it takes."""
    while text:
        try:
            text = text[os.write(2, text) :]
        except OSError:
            return  # nobody reads it any more, or its disk is full
