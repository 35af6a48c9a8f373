"""A flag that wakes a thread from poll, set by another thread or a signal handler."""

from __future__ import annotations

import errno
import os
import select
import threading

from cvec_circus.base.clock import SYSTEM, poll_milliseconds

ATTEMPTS = 10
"""How often to try to wake a thread while the kernel has no memory for that."""

RETRY_DELAY = 0.1
"""Seconds until a wait is tried again for which the kernel had no memory."""


class Wakeup:
    """A flag that a thread can poll for. Safe from any thread.

    It is a pipe that holds a byte while it is set. Events, conditions and queues of the standard
    library cannot be set by signals: their locks deadlock with a signal handler that sets them,
    and a signal between their check and their sleep does not wake them.

    Attributes:
        write_fd: The write end. It never blocks, so it suits `signal.set_wakeup_fd` (with
            `warn_on_full_buffer=False`: a full pipe counts as set). -1 once closed.
    """

    def __init__(self) -> None:
        self._read_fd, self.write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self.write_fd, False)
        # After close() the numbers may belong to other files, so it must not happen in the middle
        # of set(). A lock cannot prevent that: a signal handler that interrupts set() may wait for
        # another thread, which would wait for the lock to set or close this. Instead, threads in
        # set() are counted, and the last one out closes.
        self._setters: list[None] = []
        self._is_closing = False
        self._closers = [None]

    @property
    def fd(self) -> int:
        """The end to poll: readable while the flag is set. -1 once closed."""
        return self._read_fd

    def fileno(self) -> int:
        """Return the end to poll, as files do."""
        return self._read_fd

    def set(self) -> None:
        """Set the flag. Any thread, any signal handler; never blocks; does nothing once closed."""
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
        """Clear the flag: before looking at what it announces, not after."""
        try:
            while len(os.read(self._read_fd, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass  # empty: nothing was set

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until the flag is set, at most `timeout` seconds; return whether it is set."""
        poll = select.poll()
        poll.register(self._read_fd, select.POLLIN)
        ends_at = None if timeout is None else SYSTEM.monotonic() + timeout
        while True:
            left = None if ends_at is None else max(0.0, ends_at - SYSTEM.monotonic())
            try:
                return bool(poll.poll(poll_milliseconds(left)))
            except OSError as error:
                if error.errno != errno.ENOMEM:
                    raise
                if left == 0.0:
                    return False
            threading.Event().wait(RETRY_DELAY)

    def close(self) -> None:
        """Close both ends. For the thread that polls, once it no longer does.

        If a thread is in `set` at this moment, that thread closes them.
        """
        self._is_closing = True
        if self._setters:
            return
        try:
            self._closers.pop()
        except IndexError:
            return  # closed already, or by another thread just now
        os.close(self._read_fd)
        os.close(self.write_fd)
        self._read_fd = self.write_fd = -1
