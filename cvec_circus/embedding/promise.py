"""The end of an order, for the thread that gave it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from cvec_circus import logger
from cvec_circus.base.home import Home

OWN_THREAD = "the supervisor thread would wait for itself here: use add_done_callback"


class Promise:
    """The future result of an order; coroutines may await it. Safe from any thread.

    It has the methods of a `concurrent.futures.Future` that programs use, without its lock, which
    the supervisor thread would have to take: a signal handler that interrupts the main thread while
    it holds that lock, and asks the supervisor something, would wait for ever. Here each waiting
    thread has a lock of its own, which the supervisor only ever releases. When the supervisor ends,
    every promise left fails, so no thread waits for ever.
    """

    def __init__(
        self,
        on_owner: Callable[[], bool] = bool,
        later: Callable[[Callable[[], object]], bool] | None = None,
    ) -> None:
        """Make a promise.

        Args:
            on_owner: Tells whether the calling thread is the one that keeps it.
            later: Calls a function on that thread in its next turn, or returns False. Without it,
                callbacks are called where the promise is kept, in the middle of what keeps it.
        """
        self._on_owner = on_owner
        self._later = later
        self._home = Home("promise", "wait in the process that gave the order")
        self._gates: list[threading.Lock] = []
        self._done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._callbacks: deque[Callable[[Promise], object]] = deque()

    @classmethod
    def kept(cls, value: Any) -> Promise:
        """Make a promise whose result is known."""
        promise = cls()
        promise.keep(value)
        return promise

    # -- the thread that waits

    def done(self) -> bool:
        """Tell whether the result is known."""
        return self._done

    def result(self, timeout: float | None = None) -> Any:
        """Wait, and return the result of the order.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Raises:
            TimeoutError: It takes longer; the order goes on all the same.
            RuntimeError: This is the supervisor thread, which would wait for itself.
            ForkedError: This process was forked from that of the arbiter.
            CircusError: The order failed; the text says why.
        """
        error = self.exception(timeout)
        if error is not None:
            raise error
        return self._value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait, and return why the order failed; None if it succeeded.

        It takes what `result` takes, and raises what that raises while it waits.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"not done within {timeout:g} s")
        return self._error

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, and tell whether the result is known then; see `result`."""
        if self._done:
            return True
        self._home.require()
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
            try:
                self._gates.remove(gate)
            except ValueError:
                pass  # it has been opened just now
        return self._done

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in a coroutine of asyncio, or of tornado, without holding up its loop."""
        loop = sys.modules["asyncio"].get_running_loop()  # a coroutine that awaits has it
        future = loop.create_future()

        def settle() -> None:
            if not future.done():  # the coroutine may have been cancelled
                if self._error is None:
                    future.set_result(self._value)
                else:
                    future.set_exception(self._error)

        def wake(promise: Promise) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(settle)

        self.add_done_callback(wake)
        return future.__await__()  # type: ignore[no-any-return]

    def add_done_callback(self, fn: Callable[[Promise], object]) -> None:
        """Call a function with this promise once the result is known; at once if it is.

        On the supervisor thread, which it must not hold up.
        """
        self._callbacks.append(fn)
        if self._done:
            self.call_back()

    # -- the thread that keeps it

    def keep(self, value: Any) -> None:
        """Set the result. Only the first `keep` or `fail` counts."""
        self._settle(value, None)

    def fail(self, error: BaseException) -> None:
        """Set why there will be no result."""
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
                break  # the thread of the last one does not wait any more
        if not (self._callbacks and self._later and self._later(self.call_back)):
            self.call_back()

    def call_back(self) -> None:
        """Call each function once, on whichever of two threads gets to it first."""
        while self._callbacks:
            try:
                fn = self._callbacks.popleft()
            except IndexError:
                return  # another thread has taken the last one
            try:
                fn(self)
            except Exception:
                logger.exception("%s raised", getattr(fn, "__qualname__", repr(fn)))
