"""A thread that carries out orders, comes when the system has one, and is replaced when it dies."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from cvec_circus import logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.thread import Thread
from cvec_circus.stream.output import Pipe

RETRY_DELAY = 1.0
"""Seconds to the next attempt at what the system has no thread, file or memory for."""

BEHIND_DELAY = 5.0
MOST_ORDERS = 256
"""A thread that has taken no order for so long, and has more than so many, hangs: what it should
read is better lost, and counted, than kept open without end."""

Later = Callable[[float, Callable[[], object]], object]
"""Calls a function in so many seconds, on another thread. It may be called on any thread."""


def log_crash(error: BaseException, description: str) -> None:
    """Say that something has ended the thread."""
    logger.error("%s has died of %r; another thread goes on", description, error)
    logger.debug("where %s died", description, exc_info=error)


def never(delay: float, fn: Callable[[], object]) -> None:
    """Leave it to the next order to try again, where nothing can tell the time."""


class Orders:
    """Carries out orders on a thread of its own, one after the other. Safe from any thread.

    The thread starts with the first order. While the system has none, the orders wait. One that
    dies is replaced. What it serves is for a subclass to say.

    Args:
        clock: Tells the time.
        on_crash: Called on the thread, with the exception and a description, when something ends it
            that should not.
        later: Calls what tries again after a while.
        name: The thread's name.
        about: What it serves, for the log.
    """

    def __init__(
        self,
        clock: Clock,
        on_crash: Callable[[BaseException, str], object],
        later: Later,
        name: str,
        about: str,
    ) -> None:
        self.name = name
        self.about = about
        self._clock = clock
        self._on_crash = on_crash
        self._later = later
        self._lock = threading.RLock()
        self._orders: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._done = threading.Event()
        self._obeyed_at = 0.0
        self._thread: Thread | None = None
        self._running = False
        self._has_run = False
        self._ended = False
        self._not_before = self._crashed_at = float("-inf")
        self._refusal = ""

    def do(self, fn: Callable[..., object], *args: Any) -> bool:
        """Have a function called on the thread; return False once it has ended."""
        with self._lock:
            if self._ended:
                return False
            if not self._orders:
                self._obeyed_at = self._clock.monotonic()
            self._orders.append((fn, args))
            if self._running:
                self._wake()
        if not self._running:
            self._start()
        return True

    def take_by(self, fn: Callable[[Pipe], object], pipe: Pipe) -> bool:
        """Have a function called with a pipe, as by `do`; after the end the pipe is closed."""
        if self.do(fn, pipe):
            return True
        os.close(pipe.fd)
        return False

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether it has ended, or was never needed.
        """
        return not self.is_needed or self._done.wait(timeout)

    @property
    def is_needed(self) -> bool:
        """Whether there has been anything to do."""
        return bool(self._has_run or self._orders or self._done.is_set())

    @property
    def is_behind(self) -> bool:
        """Whether it hangs, and has enough to do already."""
        is_late = self._clock.monotonic() > self._obeyed_at + BEHIND_DELAY
        return len(self._orders) > MOST_ORDERS and is_late

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._done.is_set()

    def _give_up(self) -> bool:
        """End it if no thread was ever needed, or none is to be had; return whether that is so."""
        with self._lock:
            if self.is_needed and (self._running or not self._refusal):
                return False
            self._ended = True
        for _, args in self._orders:
            for pipe in args:
                if isinstance(pipe, Pipe):
                    os.close(pipe.fd)
        self._orders.clear()
        self._done.set()
        return True

    def _start(self) -> None:
        """Start a thread unless there is one, or it is too soon. Ends soon: see `Thread.start`."""
        with self._lock:
            is_there = self._thread is not None and not self._thread.has_ended
            now = self._clock.monotonic()
            if self._ended or is_there or now < self._not_before:
                return
            thread = Thread(self._run, self.name)
            try:
                thread.start()
            except RuntimeError as error:
                is_first, self._refusal = not self._refusal, str(error)
                self._not_before = now + RETRY_DELAY
            else:
                # Looked at again by `_start`: one that is late may die before its first step.
                is_first, self._thread = False, thread
        self._later(RETRY_DELAY, self._start)
        if is_first:
            said = "%s: no thread to read output now: %s; it waits in its pipes"
            logger.warning(said, self.name, self._refusal)

    # What follows runs on the thread.

    def _run(self) -> None:
        with self._lock:
            if self._running or self._ended:
                return  # it has come too late
            self._running = self._has_run = True
            self._refusal = ""
        try:
            self._serve()
        except BaseException as error:
            self._crash(error)
        else:
            with self._lock:
                self._ended = True
                self._running = False
            try:
                self._finish()
            finally:
                self._done.set()

    def _crash(self, error: BaseException) -> None:
        """Have another thread go on, at once or, after a second crash, in a moment."""
        now = self._clock.monotonic()
        is_second = now < self._crashed_at + RETRY_DELAY
        with self._lock:
            self._running = False
            self._crashed_at = now
            self._thread = None  # so that another one may start beside this one
            if is_second:
                self._not_before = now + RETRY_DELAY
        try:
            if not is_second:
                self._on_crash(error, f"the thread {self.name} ({self.about})")
        finally:
            if is_second:
                self._later(RETRY_DELAY, self._start)
            else:
                self._start()

    def _obey(self) -> None:
        while self._orders:
            fn, args = self._orders.popleft()
            self._obeyed_at = self._clock.monotonic()
            try:
                fn(*args)
            except Exception:
                logger.exception("%s cannot carry out %s%r", self.name, fn.__name__[1:], args)

    def _wake(self) -> None:
        """Have `_serve` call `_obey`. Called on any thread."""
        raise NotImplementedError

    def _serve(self) -> None:
        """Do the work, and `_obey` when woken, until it is over. Called again after a crash."""
        raise NotImplementedError

    def _finish(self) -> None:
        """Carry out the last orders, and let go of everything."""
        raise NotImplementedError
