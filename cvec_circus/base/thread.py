"""Threads: one whose start cannot hang, and a worker for threads that must not wait."""

from __future__ import annotations

import functools
import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any

Job = tuple[Callable[..., object], tuple[Any, ...]]

BIRTH_TIMEOUT = 1.0
"""Seconds that `start` waits at most for the first step of a thread, on a machine that is busy."""

LOOK_DELAY = 0.01
"""Seconds between two checks whether a thread has died before its first step."""


class Thread(threading.Thread):
    """A daemon thread whose `start` always returns. Started by any thread, once.

    In the standard library, `start` waits without a limit for the new thread's first step. A thread
    that finds no memory for that step dies silently, and the waiting one hangs.
    """

    def __init__(self, target: Callable[[], object], name: str) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self._started: Any = _Birth()

    def start(self) -> None:
        """Start the thread. Usually waits microseconds, `BIRTH_TIMEOUT` at most.

        A thread that is late by then still counts as started.

        Raises:
            RuntimeError: The system has no thread, or no memory for its first step.
        """
        super().start()
        if self._started.has_failed:
            threading._limbo.pop(self, None)  # type: ignore[attr-defined]
            raise RuntimeError("no memory for a thread")

    @property
    def has_ended(self) -> bool:
        """Whether it has run and ended. A late thread has not run yet."""
        return not self.is_alive() and (self._started.is_set() or self._started.step() is None)

    @property
    def _bootstrap(self) -> Callable[[], object]:
        """The first call of the new thread, which alone refers to it: both are freed together."""
        step = functools.partial(super()._bootstrap)  # type: ignore[misc]
        self._started.step = weakref.ref(step)
        return step


class _Birth(threading.Event):
    """Set by a thread's first step. Shared by that thread and the one that starts it."""

    step: Callable[[], object]
    has_failed = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the thread has begun or died, `BIRTH_TIMEOUT` seconds at most."""
        for _ in range(round(BIRTH_TIMEOUT / LOOK_DELAY)):
            if super().wait(LOOK_DELAY):
                return True
            if self.step() is None:
                self.has_failed = not self.is_set()
                return not self.has_failed
        return False


class Worker:
    """A named thread with a mailbox. Safe from any thread.

    The thread starts with `start`, or with the first job. It is a daemon thread: a job that hangs
    does not keep the program from ending. A thread that died for lack of memory is replaced at the
    next job, which runs after those already in the mailbox.

    Args:
        name: The thread's name.
        on_crash: Called on the worker's thread with the exception of a job that raised, and the
            job's name. The worker goes on with the next job.
    """

    def __init__(self, name: str, on_crash: Callable[[BaseException, str], object]) -> None:
        self.name = name
        self._on_crash = on_crash
        self._mailbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # Re-entrant, so that a signal handler that interrupts do() may call it too.
        self._lock = threading.RLock()
        self._thread: Thread | None = None
        self._stopped = False

    def start(self) -> None:
        """Start the thread now, unless it runs, so that no job fails for lack of one later.

        Raises:
            RuntimeError: The system has no thread, or no memory for one.
        """
        with self._lock:
            if not self._stopped and (self._thread is None or self._thread.has_ended):
                thread = Thread(self._run, self.name)
                thread.start()
                self._thread = thread

    def do(self, fn: Callable[..., object], *args: Any) -> bool:
        """Call a function on the worker's thread, after the jobs already there.

        Never blocks, except to start a thread: see `Thread.start`. The result is dropped: a job
        passes it on itself, usually with `Loop.post`.

        Returns:
            False after `stop`: the call will not be made.

        Raises:
            RuntimeError: There is no thread and none can be started; the call will not be made.
        """
        with self._lock:
            if self._stopped:
                return False
            self.start()
            self._mailbox.put((fn, args))
            return True

    def stop(self) -> None:
        """End the thread after the jobs already there. Does not wait."""
        with self._lock:
            self._stopped = True
            self._mailbox.put(None)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end, at most `timeout` seconds; return whether none is running."""
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
            except BaseException as error:  # a sys.exit() in user code, too, ends only its job
                self._on_crash(error, getattr(fn, "__qualname__", repr(fn)))
            del job, fn, args  # what the job refers to must not live until the next job
