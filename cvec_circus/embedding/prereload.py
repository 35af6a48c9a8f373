"""What a program does before processes are replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.worker import Worker
from cvec_circus.wire.outcome import Outcome, Wait

Names = Optional[list[str]]


class Prereload:
    """Calls the functions of a program before a reload, on a thread that may take its time.

    Owned by the supervisor thread, but for the functions, which run on the prereload thread.
    """

    def __init__(self, loop: Loop, functions: Callable[[Names], list[Callable[[], Any]]]) -> None:
        """Prepare; the thread starts when there is something to call.

        Args:
            loop: The supervisor's.
            functions: Returns what is to be called before a reload of watchers of these names;
                None stands for all. Called on the supervisor thread.
        """
        self._loop = loop
        self._functions = functions
        self._worker = Worker("prereload", _log_crash)

    def __call__(self, names: Names, go: Callable[[], None], wait: Wait | None) -> None:
        """Call them, then have the reload done; not if one of them raises."""
        functions = self._functions(names)
        if not functions:
            go()
            return
        try:
            self._worker.do(self._run, functions, go, wait)
        except RuntimeError as error:
            _refuse(wait, f"prereload_fn has no thread: {error}")

    def _run(
        self, functions: list[Callable[[], Any]], go: Callable[[], None], wait: Wait | None
    ) -> None:
        """On the prereload thread."""
        for fn in functions:
            try:
                fn()
            except Exception as error:
                logger.exception("no reload: prereload_fn raised")
                self._loop.post(_refuse, wait, f"prereload_fn raised {error!r}")
                return
        self._loop.post(go)

    def end(self, timeout: float = 1.0) -> None:
        """End the thread; what it is at has that many seconds left."""
        self._worker.stop()
        if not self._worker.join(timeout):
            logger.warning("prereload_fn has not returned")


def _refuse(wait: Wait | None, reason: str) -> None:
    if wait is not None:
        wait.then(Outcome(error=reason))


def _log_crash(error: BaseException, description: str) -> None:
    logger.error("prereload: %s failed", description, exc_info=error)
