"""A thread that does one job after the other for threads that must not wait."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from cvec_circus.base.thread import Thread

Job = tuple[Callable[..., object], tuple[Any, ...]]


class Worker:
    """A named thread with a mailbox. Safe from any thread.

    The thread starts with `start`, or with the first job. It is a daemon thread: a job that hangs
    for ever does not keep the program from ending. A thread that has died, for want of memory, is
    replaced at the next job, and what is in the mailbox is done then.
    """

    def __init__(self, name: str, on_crash: Callable[[BaseException, str], object]) -> None:
        """Make a worker, without its thread.

        Args:
            name: The thread's name.
            on_crash: Called on the worker's thread with the exception of a job that raised, and
                the job's name. The worker goes on with the next job afterwards.
        """
        self.name = name
        self._on_crash = on_crash
        self._mailbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # Re-entrant, so that a signal handler that interrupts do() may call it too.
        self._lock = threading.RLock()
        self._thread: Thread | None = None
        self._stopped = False

    def start(self) -> None:
        """Start the thread now, so that no job fails for want of one later. Again: nothing.

        Raises:
            RuntimeError: The system has no thread, or no memory for one.
        """
        with self._lock:
            if not self._stopped and (self._thread is None or self._thread.has_ended):
                thread = Thread(self._run, self.name)
                thread.start()
                self._thread = thread

    def do(self, fn: Callable[..., object], *args: Any) -> bool:
        """Have a function called on the worker's thread, after those asked for before it.

        Never blocks, but for the start of a thread: see `Thread.start`. The result is dropped: a
        job hands it on by itself, usually with `Loop.post`.

        Returns:
            False when the worker was told to stop, and the call will not be made.

        Raises:
            RuntimeError: There is no thread, and none to be had. The call will not be made.
        """
        with self._lock:
            if self._stopped:
                return False
            self.start()
            self._mailbox.put((fn, args))
            return True

    def stop(self) -> None:
        """Ask the thread to end after the jobs it has. Does not wait."""
        with self._lock:
            self._stopped = True
            self._mailbox.put(None)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether it has ended, or was never needed.
        """
        thread = self._thread
        if thread is not None and thread.is_alive():
            thread.join(timeout)
        return thread is None or thread.has_ended

    def _run(self) -> None:
        while True:
            job = self._mailbox.get()
            if job is None:
                return
            fn, args = job
            try:
                fn(*args)
            except BaseException as error:  # sys.exit() in a user's code, too, ends only its job
                self._on_crash(error, getattr(fn, "__qualname__", repr(fn)))
            del job, fn, args  # what the job refers to must not live until the next one comes
