"""The end of an order, for whoever has given it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from cvec_circus import logger

OWN_THREAD = "the supervisor thread would wait for itself here: use add_done_callback"


class Promise:
    """What will have come of an order. Safe from any thread.

    It has the methods of a `concurrent.futures.Future` that programs use. It is not one, because a
    Future has a lock that the supervisor thread would have to take: a signal handler that runs
    while the main thread holds that lock, and asks the supervisor something, would wait for ever.
    Here whoever waits does so at a bare lock of his own, which the supervisor only ever opens.

    A promise that nobody keeps any more is broken: whoever waits for it never hangs.
    """

    def __init__(self, on_owner: Callable[[], bool] = bool) -> None:
        """Make a promise.

        Args:
            on_owner: Tells whether the calling thread is the one that keeps it.
        """
        self._on_owner = on_owner
        self._gates: list[threading.Lock] = []
        self._done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._callbacks: deque[Callable[[Promise], object]] = deque()

    # -- who waits

    def done(self) -> bool:
        """Tell whether it is known by now."""
        return self._done

    def result(self, timeout: float | None = None) -> Any:
        """Wait, and return what the order came to.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Raises:
            TimeoutError: It takes longer; the order goes on all the same.
            RuntimeError: This is the supervisor thread, which would wait for itself.
            CircusError: The order did not come to its end; the text says why.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        return self._value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait, and return why the order did not come to its end; None if it did.

        The arguments are those of `result`, and so is what is raised while it waits.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"it has not come to its end within {timeout:g} s")
        return self._error

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, and tell whether it is known by then.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Raises:
            RuntimeError: This is the supervisor thread, which would wait for itself.
        """
        if self._done:
            return True
        if self._on_owner():
            raise RuntimeError(OWN_THREAD)
        # A gate for each: what a signal handler raises here must not leave one shut for others.
        gate = threading.Lock()
        gate.acquire()
        self._gates.append(gate)
        try:
            if not self._done:
                gate.acquire(timeout=-1 if timeout is None else max(timeout, 0.0))
        finally:
            self._leave(gate)
        return self._done

    def _leave(self, gate: threading.Lock) -> None:
        try:
            self._gates.remove(gate)
        except ValueError:
            pass  # it has been opened just now

    def add_done_callback(self, fn: Callable[[Promise], object]) -> None:
        """Have a function called with this object once it is known.

        On the supervisor thread, which it must not hold up; at once if it is known already.
        """
        self._callbacks.append(fn)
        if self._done:
            self._tell()

    # -- who keeps it

    def keep(self, value: Any) -> None:
        """The order has come to its end. Only the first `keep` or `fail` counts."""
        self._settle(value, None)

    def fail(self, error: BaseException) -> None:
        """The order will not come to its end any more."""
        self._settle(None, error)

    def _settle(self, value: Any, error: BaseException | None) -> None:
        if self._done:
            return
        self._value, self._error = value, error
        self._done = True
        while self._gates:
            try:
                self._gates.pop().release()
            except IndexError:
                break  # whoever had the last one does not wait any more
        self._tell()

    def _tell(self) -> None:
        """Calls each function once, whichever of two threads gets to it first."""
        while self._callbacks:
            try:
                fn = self._callbacks.popleft()
            except IndexError:
                return  # another thread has taken the last one
            try:
                fn(self)
            except Exception:
                logger.exception("%s raised", getattr(fn, "__qualname__", repr(fn)))
