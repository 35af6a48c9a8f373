"""Jobs that read all of /proc, or block in another way, on a thread that may take its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.worker import Worker

RETRY_DELAY = 0.1
"""Seconds until a job is tried again that the system had no thread, file or memory for."""


class Chores:
    """The chores thread. Owned by the supervisor thread, except for what a job itself does.

    Args:
        loop: The supervisor's loop, to which jobs post their answers.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._worker = Worker("chores", _log_crash)

    def do(self, fn: Callable[..., object], *args: Any) -> None:
        """Has a function called on the chores thread, as soon as there is one."""
        try:
            self._worker.do(fn, *args)
        except RuntimeError:
            self.do_later(fn, *args)

    def do_later(self, fn: Callable[..., object], *args: Any) -> None:
        """Has a function called on the chores thread after a moment."""
        self._loop.call_later(RETRY_DELAY, self.do, fn, *args)

    def stop(self) -> None:
        """Asks the thread to end."""
        self._worker.stop()

    def join(self, timeout: float) -> bool:
        """Waits that many seconds for its end, and returns whether it came."""
        return self._worker.join(timeout)


def _log_crash(error: BaseException, description: str) -> None:
    logger.error("chores: %s failed", description, exc_info=error)
