"""The log of a program, and its destination: stderr, or a file that may be moved."""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Union

from cvec_circus import exc
from cvec_circus.base.clock import poll_milliseconds
from cvec_circus.base.figures import counted
from cvec_circus.logs.lines import Lines
from cvec_circus.options.syslog import SCHEME
from cvec_circus.stream.appendfile import AppendFile

FORMAT = "%(asctime)s %(name)s[%(process)d] [%(levelname)s] %(message)s"
LEVELS = ("debug", "info", "warning", "error", "critical")
STDERR = (None, "", "-", "stdout")
"""The last one is what Circus calls stderr."""

NO_CONFIG = "default"
"""Circus' word for no logging configuration."""

READER_TIMEOUT = 0.1
"""Seconds that the log waits once for its reader."""

LoggerConfig = Union[str, Mapping[str, Any], None]


class Log:
    """The log of a logger. Owned by the thread that made it; logging is safe from any thread.

    Attributes:
        target: The logger.
        handlers: Every handler that a line of the logger reaches.
        url: How another process writes to the same place: a path, the URL of a syslog, or "-".
    """

    def __init__(
        self, target: logging.Logger, handlers: Sequence[logging.Handler], url: str = "-"
    ) -> None:
        self.target = target
        self.handlers = handlers
        self.url = url

    @property
    def level(self) -> str:
        """The name of the least severity that is logged."""
        word = logging.getLevelName(self.target.getEffectiveLevel()).lower()
        return word if word in LEVELS else "info"

    def fileno(self) -> int | None:
        """Return the descriptor that lines go to now; None if there is none."""
        fds = (output.fileno() for output in outputs(self.handlers))
        return next((fd for fd in fds if fd >= 0), None)

    def reopen(self) -> None:
        """Reopen the destination, such as the file after a rotation."""
        for output in outputs(self.handlers):
            output.reopen()

    def close(self) -> None:
        """Close it; later lines are dropped."""
        close_outputs(self.target, self.handlers)


class Output(logging.Handler):
    """A destination of log lines. Safe from any thread, because handlers have locks.

    Attributes:
        url: How another process writes to the same place: a path, the URL of a syslog, or "-".
        subject: The subject of every line, if the format does not give it.
        doubt: What is odd about it, and worth a warning; "" for nothing.
    """

    url = "-"
    doubt = ""
    subject = ""

    def fileno(self) -> int:
        """Return the descriptor that lines go to now; -1 if there is none."""
        return -1

    def reopen(self) -> None:
        """Reopen the destination, which may have been moved."""


class Stderr(Output):
    """Writes lines to stderr, unbuffered. Safe from any thread, because handlers have locks.

    It does not wait long for a reader: a pager that shows the first page, or a terminal after
    Ctrl-S, must not stop the supervisor. Python's own stream would wait; it would also keep what a
    closed pipe refuses, so that the daemon would exit with code 120 at the end.
    """

    _lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, preceded by the number of lines lost before it."""
        text = line(self, record)
        if self._lost:
            text = (
                f"({counted(self._lost, 'line')} missing here: nobody read them)\n".encode() + text
            )
        is_written = write_to_stderr(text, 0.0 if self._lost else READER_TIMEOUT)
        self._lost = 0 if is_written else self._lost + 1

    def fileno(self) -> int:
        return 2


class FollowedFile(Output):
    """Appends lines to a file and follows its name. Safe from any thread: handlers have locks.

    The handler of the standard library raises in the middle of the code that logs when the
    directory is gone, and so would stop a supervisor halfway through a step.
    """

    _shared = -1  # until it is open

    def __init__(self, filename: str) -> None:
        super().__init__()
        self.url = os.path.abspath(filename)
        self._file = AppendFile(self.url, may_use_reserve=True)
        self._trouble = ""
        self._is_ragged = False
        if not self._file.open():
            raise OSError(self._file.errno, self._file.trouble, filename)
        self._shared = os.dup(self._file.fileno())

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; the first one that cannot be written is reported on stderr."""
        self._append(line(self, record))

    def write(self, records: Sequence[logging.LogRecord]) -> None:
        """Write lines in one call: each call would hand the interpreter over and back."""
        with lock_of(self):
            self._append(b"".join(line(self, record) for record in records))

    def _append(self, text: bytes) -> None:
        if not (self._file.is_open and self._file.is_current()):
            self._open()
        if self._is_ragged:
            text = b"\n" + text
        lost = self._file.append([text], len(text)) if self._file.is_open else len(text)
        self._is_ragged = (0 < lost < len(text)) or (self._is_ragged and lost == len(text))
        trouble = self._file.trouble if lost else ""
        if trouble and trouble != self._trouble:
            report(f"cannot write the log {self.url}: {trouble}")
        self._trouble = trouble

    def fileno(self) -> int:
        """Return the descriptor that lines go to now; -1 after its end.

        The number is the same to the end: another thread may pass the file to a process while
        this one opens it anew.
        """
        return self._shared

    def reopen(self) -> None:
        """Open the file of that name; if that fails, keep the open one."""
        with lock_of(self):
            self._open()

    def _open(self) -> None:
        if self._file.open():
            os.dup2(self._file.fileno(), self._shared, inheritable=False)

    def close(self) -> None:
        self._file.close()
        shared, self._shared = self._shared, -1
        if shared >= 0:
            os.close(shared)
        super().close()


def lock_of(handler: logging.Handler) -> AbstractContextManager[Any]:
    """Return the lock that is held while the handler writes."""
    assert handler.lock is not None
    return handler.lock


def line(handler: logging.Handler, record: logging.LogRecord) -> bytes:
    """Return a record as a line of text, even if its arguments do not fit its message."""
    try:
        text = handler.format(record)
    except Exception as error:
        text = f"[{record.levelname}] {record.msg!r} with {record.args!r}: {error}"
    return text.encode("utf-8", "backslashreplace") + b"\n"


def report(text: str) -> None:
    """Write a line about the log itself to stderr, without waiting for a reader."""
    write_to_stderr(f"cvec_circus: {text}\n".encode(errors="backslashreplace"))


def write_to_stderr(text: bytes, timeout: float = 0.0) -> bool:
    """Write to stderr, after up to `timeout` seconds if it is a pipe or terminal that is full.

    Returns:
        False if it is still full. What a closed stderr does not take counts as written.
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


def outputs(handlers: Sequence[logging.Handler]) -> list[Output]:
    """Return our own handlers."""
    return [handler for handler in handlers if isinstance(handler, Output)]


def close_outputs(target: logging.Logger, handlers: Sequence[logging.Handler]) -> None:
    """Remove our own handlers from a logger, and close them."""
    for output in outputs(handlers):
        target.removeHandler(output)
        output.close()


def open_output(output: str | None) -> Output:
    """Open an output: see `configure_logger`."""
    if output in STDERR:
        return Stderr()
    if str(output).startswith(SCHEME):
        from cvec_circus.logs.syslog import Syslog

        return Syslog(str(output))
    return FollowedFile(str(output))


def configure_logger(
    logger: logging.Logger,
    level: str = "INFO",
    output: str | None = "-",
    loggerconfig: LoggerConfig = None,
    name: str | None = None,
) -> Log:
    """Open a log for a logger, mostly for `cvec_circus.logger`, as the daemon does for itself.

    Until this is called, or `logging` is configured, Python writes warnings of an embedded arbiter
    to standard error.

    Args:
        logger: The logger.
        level: debug, info, warning, error or critical, in any case.
        output: A file, which is followed when it is moved away; `-` or None for stderr; or
            `syslog://HOST[:PORT]?FACILITY`, `syslog:///dev/log?FACILITY`.
        loggerconfig: A file (ini, json or yaml) or a mapping with a configuration of `logging`. It
            overrides `level` and `output`.
        name: Ignored, as in Circus.

    Returns:
        The log: `reopen()` after a rotation, `close()` at the end. Calling this again for the same
        logger also closes it.

    Raises:
        OSError: The file cannot be opened, or the syslog cannot be reached.
        OptionError: The level or the URL is wrong.
        ConfigError: The logging configuration cannot be used.
    """
    if loggerconfig and not (
        isinstance(loggerconfig, str) and loggerconfig.strip().lower() == NO_CONFIG
    ):
        from cvec_circus.logs.configured import ConfiguredLog

        return ConfiguredLog(logger, loggerconfig)
    if str(level).lower() not in LEVELS:
        raise exc.OptionError("loglevel", f"{level!r} is not one of {', '.join(LEVELS)}")
    opened = open_output(output)
    opened.setFormatter(Lines(FORMAT, opened.fileno()))
    close_outputs(logger, logger.handlers)
    logger.addHandler(opened)
    logger.setLevel(level.upper())
    logger.propagate = False
    if opened.doubt:
        logger.warning("%s", opened.doubt)
    return Log(logger, [opened], opened.url)
