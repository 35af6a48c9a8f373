"""A log written on its own thread: logging never waits for a disk or a reader."""

from __future__ import annotations

import atexit
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus import exc
from cvec_circus.base.figures import counted
from cvec_circus.base.thread import Worker
from cvec_circus.logs.log import FollowedFile, Log, Output, lock_of, report
from cvec_circus.options.secrets import conceal_text
from cvec_circus.options.variables import AS_IS, Variables

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop

LINES = 4096
"""Lines that wait to be written, at most."""

TEXT = 1 << 20
"""Characters in them, at most; a single line may have more."""

FLUSH_TIMEOUT = 1.0
"""Seconds that closing a log waits for unwritten lines."""

GAP = "%s missing here: the log did not take them in time"

TOGETHER = 64
"""Lines that are written in one call, at most."""

Step = tuple[Callable[[Any], object], Any, int]
"""A function for the writer to call, with a list of records, and the characters in it."""


class QueuedLog(Log):
    """Another log, written on the writer thread. Owned by the thread that made it.

    Logging is for any thread, and never waits: the lock of the queue is held for moments only,
    never while anything is written. Lines that the queue has no room for are counted, and the log
    has their number where they are missing.

    Args:
        log: Where the lines go. From now on it is reopened and closed on the writer thread.

    Raises:
        CircusError: The system has no thread for it.
    """

    def __init__(self, log: Log) -> None:
        self._entry = _Entry(self)
        super().__init__(log.target, [self._entry], log.url)
        self._log = log
        self._loop: Loop | None = None
        self._lock = lock_of(self._entry)
        self._waiting: deque[Step] = deque()
        self._count = 0
        self.variables = Variables()
        self._size = 0
        self._lost = 0
        self._is_due = False
        self._is_closed = False
        self._worker = Worker("log", _report)
        try:
            self._worker.start()
        except RuntimeError as error:
            raise exc.CircusError(f"cannot write the log: {error}") from None
        for handler in log.handlers:
            self.target.removeHandler(handler)
        self.target.addHandler(self._entry)
        self.target.propagate = False

    def fileno(self) -> int | None:
        return self._log.fileno()

    def give_way(self, loop: Loop) -> None:
        """Write what is logged in a turn of that loop when the turn is over.

        Otherwise the writer would take the interpreter from the turn, in the middle of the logged
        action: 0.1 ms between a death and the respawn.
        """
        self._loop = loop

    def reopen(self) -> None:
        """Reopen the destination, after the lines logged before."""
        with self._lock:
            if not self._waiting or self._waiting[-1][0] != self._reopen:
                self._put(self._reopen, None, 0)
                self._wake()

    def after(self, fn: Callable[[], object]) -> None:
        """Call a function on the writer thread, when all earlier lines are written."""
        with self._lock:
            self._put(_call, fn, 0)
            self._wake()

    def close(self) -> None:
        """End it in `FLUSH_TIMEOUT` seconds; lines not written by then are counted on stderr."""
        if self._is_closed:
            return
        self._is_closed = True
        self.target.removeHandler(self._entry)
        self._worker.stop()
        if self._worker.join(FLUSH_TIMEOUT):
            self._write()  # what a dead thread left
            self._log.close()
        else:
            self._give_up()
        self._entry.close()

    def _give_up(self) -> None:
        """Abandon a hung writer, and report how much it has not written."""
        # At the end of the program it would wait for the locks of outputs that hang.
        atexit.unregister(logging.shutdown)
        where = "" if self.url == "-" else f" to {self.url}"
        text = f"{counted(self._count + self._lost, 'line')} of the log not written{where}"
        # Stderr may be a file of the same file system.
        last_word = Worker("last word", _report)
        try:
            last_word.do(report, text)
        except RuntimeError:
            return
        last_word.stop()
        last_word.join(FLUSH_TIMEOUT)

    # -- the queue; its lock is held

    def take(self, record: logging.LogRecord) -> None:
        """Queue a record. Its text is rendered here, because the arguments, such as the state of a
        watcher, belong to the thread that logs."""
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
            self._put_gap()
            self._put(self._handle, record, size)
        if self._loop is None:
            self._wake()
        else:
            self._loop.at_turn_end(self._turn_is_over)

    def _turn_is_over(self) -> None:
        with self._lock:
            self._wake()

    def _put(self, fn: Callable[[Any], object], argument: Any, size: int) -> None:
        self._waiting.append((fn, argument, size))
        self._count += 1
        self._size += size

    def _put_gap(self) -> None:
        if self._lost:
            lost = counted(self._lost, "line")
            of = self.target.name, logging.WARNING, __file__, 0, GAP, (lost,), None
            self._put(self._handle, self.target.makeRecord(*of), len(GAP))
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
        with self._lock:
            self._count -= len(done)
            self._size -= sum(size for _, _, size in done)
            if not self._waiting:
                self._put_gap()
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
        for record in records:
            # An error names the variable; the line that the daemon is up names the address, and so
            # do later lines about an address.
            is_error = record.levelno > logging.INFO and not getattr(record, AS_IS, False)
            text = self.variables.conceal(record.msg) if is_error else record.msg
            record.msg = conceal_text(text)
            if record.exc_text:
                record.exc_text = conceal_text(self.variables.conceal(record.exc_text))
        for handler in self._log.handlers:
            told = [record for record in records if record.levelno >= handler.level]
            if isinstance(handler, FollowedFile) and told:
                handler.write(told)
                continue
            for record in told:
                handler.handle(record)

    def _reopen(self, _: list[None]) -> None:
        self._log.reopen()


class _Entry(Output):
    """The handler that the logger calls. Safe from any thread: its lock is that of the queue."""

    def __init__(self, log: QueuedLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.take(record)

    def close(self) -> None:
        self._log.close()
        super().close()


def _call(fns: list[Callable[[], object]]) -> None:
    for fn in fns:
        fn()


def _report(error: BaseException, description: str) -> None:
    """Report an error on stderr: nothing can be logged on the writer thread."""
    report(f"cannot write the log: {error}")
