"""A call that one thread asks another for, and waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Question:
    """A call that a thread waits for. Shared by the thread that asks and the one that answers.

    The asking thread waits on a bare lock. An Event has a lock of its own, which the asking thread
    holds for a moment before it sleeps; if a signal handler runs in that moment and asks something
    too, the owner blocks on that lock and both wait for ever.
    """

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.fn = fn
        self.args = args
        self._value: Any = None
        self._error: BaseException | None = None
        self._abandoned = False
        self._waiting = threading.Lock()
        self._waiting.acquire()

    def answer(self) -> None:
        """Make the call, unless the asking thread has given up. Owner thread."""
        if self._abandoned:
            return
        try:
            self._value = self.fn(*self.args)
        except BaseException as error:
            self.fail(error)
            if not isinstance(error, Exception):
                raise  # a KeyboardInterrupt is the owner's as well
        else:
            self._waiting.release()

    def fail(self, error: BaseException) -> None:
        """Answer with an exception. Once, and instead of `answer`."""
        self._error = error
        self._waiting.release()

    def result(self, timeout: float | None) -> Any:
        """Wait for the answer, and return or raise it. Asking thread."""
        if not self._waiting.acquire(timeout=-1 if timeout is None else max(timeout, 0.0)):
            self._abandoned = True
            name = getattr(self.fn, "__qualname__", repr(self.fn))
            raise TimeoutError(f"no answer from {name} within {timeout:g} s")
        try:
            if self._error is not None:
                raise self._error
            return self._value
        finally:
            self._error = None  # an exception and a frame that holds it would keep each other
