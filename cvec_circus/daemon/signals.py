"""Signals to the daemon: a table with a row for each, and the handlers that follow it.

A signal that ends a process by default would end the daemon at once and orphan its children. So
each of them has a handler, except where none can help: see `LEAVE`. A handler rather than SIG_IGN,
because exec resets handlers, and children would inherit what is ignored.
"""

from __future__ import annotations

import enum
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from cvec_circus import exc, logger
from cvec_circus.base.named import NamedTuple
from cvec_circus.system.signals import to_name

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop

QUIET = 10.0
"""Seconds between two lines about the same signal."""


class Action(enum.Enum):
    """What the daemon does with a signal."""

    STOP = "stops everything in order, then itself"
    RELOAD = "reopens log files and reloads every watcher that is wanted up or gave up"
    REOPEN = "reopens log files"
    COLLECT = "reaps the children that have exited"
    LOG = "logs the signal, at most once in ten seconds"
    IGNORE = "ignores it; the system call that caused it fails instead"
    LEAVE = "leaves it to the kernel's default"


class Row(NamedTuple):
    """What the daemon does with some signals, named without "SIG", and why. Immutable."""

    names: str
    action: Action
    why: str  # for `LOG`, part of the log line


UNUSED = Row("", Action.LOG, "")
"""The row of every signal that is in no other: USR2, IO, STKFLT, the real-time ones."""

TABLE = (
    Row("TERM INT QUIT", Action.STOP, "an operator or a service manager stops the daemon"),
    Row("PWR", Action.STOP, "the power fails, or a container manager stops the container"),
    Row("XCPU", Action.STOP, "its processor time is used up; SIGKILL follows at the hard limit"),
    Row("HUP", Action.RELOAD, "the usual signal for that"),
    Row("USR1", Action.REOPEN, "the usual signal for that, as of nginx: after a rotation"),
    Row("ALRM VTALRM PROF", Action.LOG, "a timer that the daemon did not set"),
    Row("SYS", Action.LOG, "a system call does not exist, or a filter (seccomp) forbids it"),
    Row("TRAP", Action.LOG, "a breakpoint without a debugger"),
    Row("PIPE XFSZ", Action.IGNORE, "the write fails with EPIPE or EFBIG, which is handled"),
    Row("SEGV ILL FPE BUS", Action.LEAVE, "the processor cannot continue after a fault"),
    Row("ABRT", Action.LEAVE, "abort() ends in any case; a watchdog sends it for a core dump"),
    Row("KILL STOP", Action.LEAVE, "the kernel allows nothing else"),
    Row("TSTP TTIN TTOU CONT", Action.LEAVE, "Ctrl-Z in a terminal, and the way back"),
    Row("CHLD", Action.COLLECT, "pidfds report its own children, this one those it has adopted"),
    Row("URG WINCH", Action.LEAVE, "the kernel ignores them"),
)
"""The signals that the C library reserves, 32 and 33 with glibc, have no row."""

_ROWS = {name: row for row in TABLE for name in row.names.split()}


def row_of(signum: int) -> Row:
    """Return the row of a signal."""
    return _ROWS.get(to_name(signum), UNUSED)


def handled() -> list[int]:
    """List the signals that get a handler."""
    return [
        int(signum)
        for signum in sorted(signal.valid_signals())
        if row_of(signum).action not in (Action.IGNORE, Action.LEAVE)
    ]


def reset(keeps_blocked: bool = False) -> None:
    """Give every signal its default disposition, and block none, unless one that is blocked may
    wait for this program: see `Signals.put_off`.

    Called on the main thread before anything else. With SIGCHLD ignored, the daemon would never
    learn how a child ended, and children inherit what is ignored or blocked. SIGINT loses Python's
    handler, so that a Ctrl-C this early shows no traceback.
    """
    if not keeps_blocked:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for signum in signal.valid_signals():
        is_ignored = signal.getsignal(signum) is signal.SIG_IGN
        if is_ignored and row_of(signum).action is not Action.IGNORE:
            signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if os.getpid() == 1:
        # The kernel drops what process 1 has no handler for, a stop of the container too.
        for number in handled():
            if row_of(number).action is Action.STOP:
                signal.signal(number, _end_now)


def _end_now(signum: int, frame: FrameType | None) -> None:
    """End as the kernel ends any other process, before anything has been started."""
    os._exit(128 + signum)


class Signals:
    """Handles the signals to the daemon. Owned by the main thread, which is the loop's.

    The handler only notes, or posts. The byte that Python writes when a signal arrives, before any
    Python code runs, wakes the loop: waiting on an Event or a queue would lose wake-ups, or
    deadlock with the handler (measured: a hang after some thirty waits).

    As in the kernel, a signal that comes again before the first is handled counts once.
    """

    def __init__(self) -> None:
        self._loop: Loop | None = None
        self._on_signal: Callable[[str, Action], object]
        self._arrived: deque[int] = deque()  # each once
        self._counts: dict[int, int] = {}  # how often since the last line about it

    def hold(self) -> None:
        """Put off every signal until `install`.

        Called before anything is made that has to be removed again. Blocking them would not do: a
        thread that starts meanwhile would inherit the mask, and so would its children.
        """
        for signum in handled():
            signal.signal(signum, self._hear)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handled())  # see `put_off`

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Let signals wait in the kernel, over an exec too: the program that comes handles them.

        Raises:
            CircusError: One has arrived that this program has to handle.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, handled())
        try:
            if self._arrived:
                raise exc.CircusError(f"SIG{to_name(self._arrived[0])} has arrived first")
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, handled())

    def install(self, loop: Loop, on_signal: Callable[[str, Action], object]) -> None:
        """Handle signals on the calling thread's loop, first those that have arrived meanwhile.

        Args:
            loop: The loop.
            on_signal: Called with the name of a signal, without "SIG", and the action: `STOP`,
                `RELOAD` or `COLLECT`. For `COLLECT` the handler itself calls it, so it may only
                take a note.
        """
        self._on_signal = on_signal
        signal.set_wakeup_fd(loop.wakeup.write_fd, warn_on_full_buffer=False)
        self._loop = loop
        for _ in list(self._arrived):
            loop.post(self._handle)

    def uninstall(self) -> None:
        """Stop handling signals; called before the loop's wake-up is closed."""
        signal.set_wakeup_fd(-1)
        self._loop = None

    def ignore(self) -> None:
        """Ignore signals from now on; called last, when no other thread is left.

        The interpreter's end restores the default of a handler, and a late SIGTERM would replace
        the exit code. They are blocked first, which helps if no other thread can take them: Python
        prints a traceback about a signal that arrives while it is being ignored.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, handled())
        for signum in handled():
            signal.signal(signum, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, no child could be waited for

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        """The handler. It may interrupt anything that the main thread does in Python."""
        if signum == signal.SIGCHLD and self._loop is not None:
            # At each death, before its successor is spawned: posting would take ten times as long.
            # The byte written for the signal brings the turn that handles it, unless its pidfd has.
            self._loop.rung = True
            self._on_signal("CHLD", Action.COLLECT)
        elif signum not in self._arrived:
            self._arrived.append(signum)
            if self._loop is not None:
                self._loop.post(self._handle)

    def _handle(self) -> None:
        if not self._arrived:
            return  # it came during `install`, and was posted twice
        signum = self._arrived.popleft()
        row = row_of(signum)
        if row.action is Action.LOG:
            self._log(signum, row.why)
        else:
            self._on_signal(to_name(signum), row.action)

    def _log(self, signum: int, why: str) -> None:
        if signum in self._counts:
            self._counts[signum] += 1
            return
        logger.warning("ignored SIG%s%s", to_name(signum), f": {why}" if why else "")
        self._be_quiet(signum)

    def _be_quiet(self, signum: int) -> None:
        assert self._loop is not None
        self._counts[signum] = 0
        self._loop.call_later(QUIET, self._sum_up, signum)

    def _sum_up(self, signum: int) -> None:
        count = self._counts.pop(signum)
        if count:
            logger.warning("ignored SIG%s %d more times in %g s", to_name(signum), count, QUIET)
            self._be_quiet(signum)
