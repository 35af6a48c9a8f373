"""A log that is written on a thread of its own: who logs never waits for a disk or a reader."""

from __future__ import annotations

import atexit
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus import exc
from cvec_circus.base.worker import Worker
from cvec_circus.logs.log import Log
from cvec_circus.logs.outputs import FollowedFile, Output, write_to_stderr

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop

LINES = 4096
"""Lines that wait to be written, at most."""

TEXT = 1 << 20
"""Characters in them, at most; a single line may have more."""

FLUSH_TIMEOUT = 1.0
"""Seconds that the end of a log waits for what is still to be written."""

GAP = "%d lines are missing here: the log did not take them in time"

TOGETHER = 64
"""Lines that are written in one call, at most."""

Step = tuple[Callable[[Any], object], Any, int]
"""What the writer calls, with a list of what, and the characters in it."""


class QueuedLog(Log):
    """Another log, written on the writer thread. Owned by the thread that made it.

    Logging is for any thread, and never waits. What the queue has no room for is counted, and the
    number stands in the log where the lines are missing.

    Args:
        log: Where the lines go. It is the writer's from now on: opened anew, and closed, there.

    Raises:
        CircusError: The system has no thread for it.
    """

    def __init__(self, log: Log) -> None:
        super().__init__(log.target)
        self._log = log
        self._queue = Queue(log)
        for handler in log.handlers():
            self.target.removeHandler(handler)
        self.target.addHandler(self._queue)
        self.target.propagate = False

    def handlers(self) -> list[logging.Handler]:
        """What the lines of the logger come to first."""
        return [self._queue]

    def fileno(self) -> int | None:
        """The file that lines go to now, None if there is none."""
        return self._log.fileno()

    @property
    def url(self) -> str:
        """How another process writes to the same place: a path, the URL of a syslog, or "-"."""
        return self._log.url

    def reopen(self) -> None:
        """Opens anew what the lines go to, after those that were logged before."""
        self._queue.reopen()

    def give_way(self, loop: Loop) -> None:
        """Has what is logged in a turn of that loop written when the turn is over.

        Otherwise the writer would take the interpreter from the turn, in the middle of what the
        line is about: 0.1 ms between a death and the successor.
        """
        self._queue.loop = loop

    def after(self, fn: Callable[[], object]) -> None:
        """Has a function called on the writer thread, when what was logged before is written."""
        self._queue.after(fn)

    def close(self) -> None:
        """Ends it in `FLUSH_TIMEOUT` seconds; what is not written by then is counted on stderr."""
        self.target.removeHandler(self._queue)
        self._queue.close()


class Queue(Output):
    """The lines that wait for the writer thread. Safe from any thread.

    Its lock is held for moments only, never while anything is written.

    Args:
        log: Where the lines go.

    Attributes:
        loop: Its turns are not disturbed; see `QueuedLog.give_way`.

    Raises:
        CircusError: The system has no thread for it.
    """

    loop: Loop | None = None

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self._handlers = log.handlers()
        self._waiting: deque[Step] = deque()
        self._count = 0
        self._size = 0
        self._lost = 0
        self._is_due = False
        self._is_closed = False
        self._worker = Worker("log", _report)
        try:
            self._worker.start()
        except RuntimeError as error:
            raise exc.CircusError(f"cannot write the log: {error}") from None

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record that is to be written. Its text is made here: what it is made of, such as
        the state of a watcher, is for the thread that logs."""
        try:
            text = record.getMessage()
        except Exception as error:
            text = f"{record.msg!r} with {record.args!r}: {error}"
        record.msg, record.args = text, None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        size = len(text) + len(record.exc_text or "")
        if self._count >= LINES or (self._count and self._size + size > TEXT):
            self._lost += 1
        else:
            self._say_gap()
            self._put(self._handle, record, size)
        if self.loop is None:
            self._wake()
        else:
            self.loop.at_turn_end(self._turn_is_over)

    def _turn_is_over(self) -> None:
        with self.lock:  # type: ignore[union-attr]
            self._wake()

    def reopen(self) -> None:
        """Have the writer open its files anew."""
        with self.lock:  # type: ignore[union-attr]
            if not self._waiting or self._waiting[-1][0] != self._reopen:
                self._put(self._reopen, None, 0)
                self._wake()

    def after(self, fn: Callable[[], object]) -> None:
        """Have the writer call a function."""
        with self.lock:  # type: ignore[union-attr]
            self._put(_call, fn, 0)
            self._wake()

    def close(self) -> None:
        """End the writer, and what it writes to, unless that hangs."""
        if self._is_closed:
            return
        self._is_closed = True
        self._worker.stop()
        if self._worker.join(FLUSH_TIMEOUT):
            self._write()  # what a thread that has died has left
            self._log.close()
        else:
            self._give_up()
        super().close()

    def _give_up(self) -> None:
        """Leave the writer where it hangs, and count what it has not written."""
        # At the end of the program it would wait for the locks of outputs that hang.
        atexit.unregister(logging.shutdown)
        where = "" if self._log.url == "-" else f" to {self._log.url}"
        text = f"cvec_circus: {self._count + self._lost} lines of the log were not written{where}\n"
        # Stderr may be a file of the same file system.
        last_word = Worker("last word", _report)
        try:
            last_word.do(write_to_stderr, text.encode(errors="backslashreplace"))
        except RuntimeError:
            return
        last_word.stop()
        last_word.join(FLUSH_TIMEOUT)

    # -- the queue; its lock is held

    def _put(self, fn: Callable[[Any], object], argument: Any, size: int) -> None:
        self._waiting.append((fn, argument, size))
        self._count += 1
        self._size += size

    def _say_gap(self) -> None:
        if self._lost:
            self._put(self._handle, _gap(self._log.target, self._lost), len(GAP))
            self._lost = 0

    def _wake(self) -> None:
        if not self._is_due:
            self._is_due = True
            try:
                self._worker.do(self._write)
            except RuntimeError:  # the thread has died, and the next line tries again
                self._is_due = False

    def _next(self, done: Sequence[Step]) -> list[Step]:
        """Remove the next batch from the queue and return it; `done` is the batch just written."""
        with self.lock:  # type: ignore[union-attr]
            self._count -= len(done)
            self._size -= sum(size for _, _, size in done)
            if not self._waiting:
                self._say_gap()
            steps: list[Step] = []
            while self._waiting and len(steps) < TOGETHER:
                if steps and not steps[0][0] == self._waiting[0][0] == self._handle:
                    break
                steps.append(self._waiting.popleft())
            self._is_due = bool(steps)
            return steps

    # -- the writer thread

    def _write(self) -> None:
        steps: list[Step] = []
        while steps := self._next(steps):
            try:
                steps[0][0]([argument for _, argument, _ in steps])
            except Exception as error:
                _report(error, "")

    def _handle(self, records: list[logging.LogRecord]) -> None:
        for handler in self._handlers:
            told = [record for record in records if record.levelno >= handler.level]
            if isinstance(handler, FollowedFile) and told:
                handler.write(told)
                continue
            for record in told:
                handler.handle(record)

    def _reopen(self, _: list[None]) -> None:
        self._log.reopen()


def _gap(target: logging.Logger, count: int) -> logging.LogRecord:
    return target.makeRecord(target.name, logging.WARNING, __file__, 0, GAP, (count,), None)


def _call(fns: list[Callable[[], object]]) -> None:
    for fn in fns:
        fn()


def _report(error: BaseException, description: str) -> None:
    """Say what went wrong where nothing can be logged: on the writer thread."""
    text = f"cvec_circus: cannot write the log: {error}\n"
    write_to_stderr(text.encode(errors="backslashreplace"))
