"""A thread sleeps in poll, another one, or a signal, wakes it."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cvec_circus.base.clock import poll_milliseconds

ATTEMPTS = 10
"""How often it is tried to wake a thread while the kernel has no memory for that."""


class Wakeup:
    """A flag that a thread can poll for. Safe from any thread.

    It is a pipe that holds a byte when it is set. Events, conditions and queues of the standard
    library will not do where signals are to be seen: their locks deadlock with a signal handler
    that sets them, and a signal that comes between their check and their sleep does not wake them.
    A byte in a pipe does neither.

    Attributes:
        write_fd: The end that is written to. It never blocks, so it suits `signal.set_wakeup_fd`
            (with `warn_on_full_buffer=False`: a full pipe is as good as set). -1 once closed.
    """

    def __init__(self) -> None:
        self._read_fd, self.write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self.write_fd, False)
        # After close() the numbers may be those of somebody else's files, so it must not happen
        # in the middle of set(). No lock sees to that: a signal handler that interrupts set() may
        # wait for another thread, and that would wait for the lock to set or close this. Instead,
        # whoever is in set() is counted, and the last one out closes.
        self._setters: list[None] = []
        self._is_closing = False
        self._closers = [None]

    @property
    def fd(self) -> int:
        """The end to poll: readable while the flag is set. -1 once closed."""
        return self._read_fd

    def fileno(self) -> int:
        """Tell the end to poll, as files do."""
        return self._read_fd

    def set(self) -> None:
        """Wake whoever polls. Any thread, any signal handler; never blocks; nothing once closed."""
        self._setters.append(None)
        try:
            if not self._is_closing:
                self._write()
        finally:
            self._setters.pop()
        if self._is_closing:
            self.close()

    def _write(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                os.write(self.write_fd, b"\0")
            except BlockingIOError:
                return  # the pipe is full, so the flag is set
            except OSError:
                if attempt == ATTEMPTS:
                    raise  # an empty pipe needs a page of memory, and the kernel has none
            else:
                return

    def clear(self) -> None:
        """Take the flag down. Do it before looking at what the flag announces, not after."""
        try:
            while len(os.read(self._read_fd, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass  # empty: nothing was set

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until the flag is set. It stays set.

        Args:
            timeout: Seconds to sleep at most; None sleeps as long as it takes.

        Returns:
            Whether the flag is set.
        """
        poll = select.poll()
        poll.register(self._read_fd, select.POLLIN)
        return bool(poll.poll(poll_milliseconds(timeout)))

    @contextmanager
    def set_by_signals(self) -> Iterator[None]:
        """Have every signal set the flag meanwhile, so that its handler runs at once.

        A signal that comes between a thread's last look and its sleep does not end the sleep, and
        Python calls no handler before it is awake. Does nothing on any thread but the main one,
        which is the only one to run handlers, and where somebody else has asked for it already.
        """
        is_main = threading.current_thread() is threading.main_thread()
        former = -1
        if is_main:
            former = signal.set_wakeup_fd(self.write_fd, warn_on_full_buffer=False)
            if former != -1:
                signal.set_wakeup_fd(former)
        try:
            yield
        finally:
            if is_main and former == -1:
                signal.set_wakeup_fd(-1)

    def close(self) -> None:
        """Close both ends. The thread that polls does it, when it polls no more.

        A thread that is setting the flag in this moment closes them when it has.
        """
        self._is_closing = True
        if self._setters:
            return
        try:
            self._closers.pop()
        except IndexError:
            return  # it is closed, or another thread is at it
        os.close(self._read_fd)
        os.close(self.write_fd)
        self._read_fd = self.write_fd = -1
