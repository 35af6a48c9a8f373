"""What an arbiter has while it runs: the supervisor, the log, the prereload thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Optional

from cvec_circus import logger
from cvec_circus.base.complaints import tell_crash
from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.thread import Worker
from cvec_circus.control.server import PROGRAM
from cvec_circus.embedding.promise import Promise
from cvec_circus.logs.log import configure_logger
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome, Wait

Names = Optional[list[str]]

LOOK_DELAY = 1.0

LOG_OPTIONS = ("loglevel", "logoutput", "loggerconfig", "debug")
"""With any of these options, an arbiter opens a log. Without them, the program's own setup of
logging decides what is logged; if there is none, Python writes warnings to standard error."""

LEVEL_WITHOUT = "warning"
"""The level at which the plugins of an arbiter without a log write to standard error."""


class Resources(NamedTuple):
    """A supervisor with what is around it. Owned by the supervisor thread once that runs."""

    supervisor: Supervisor
    prereload: Prereload
    borrowed: Borrowed

    def close(self) -> None:
        """Close everything."""
        self.supervisor.close()
        self.prereload.end()
        self.borrowed.close()


class Prereload:
    """Calls the functions of a program before a reload, on a thread that may take its time.

    Owned by the supervisor thread, but for the functions, which run on the prereload thread.
    """

    def __init__(self, loop: Loop, functions: Callable[[Names], list[Callable[[], Any]]]) -> None:
        """Prepare; the thread starts with the first call.

        Args:
            loop: The supervisor's.
            functions: Called on the supervisor thread with the names of watchers, None for all;
                returns what to call before their reload.
        """
        self._loop = loop
        self._functions = functions
        self._worker = Worker("prereload", partial(tell_crash, "prereload"))

    def __call__(self, names: Names, go: Callable[[], None], wait: Wait | None) -> None:
        """Call the functions, then `go`; if one of them raises, refuse the reload."""
        functions = self._functions(names)
        if not functions:
            go()
            return
        try:
            self._worker.do(self._run, functions, go, wait)
        except RuntimeError as error:
            _refuse(wait, f"no thread for prereload_fn: {error}")

    def _run(
        self, functions: list[Callable[[], Any]], go: Callable[[], None], wait: Wait | None
    ) -> None:
        """On the prereload thread."""
        for fn in functions:
            try:
                fn()
            except BaseException as error:  # sys.exit(), too
                logger.exception("no reload: prereload_fn raised")
                self._loop.post(_refuse, wait, f"prereload_fn raised {error!r}")
                return
        self._loop.post(go)

    def end(self, timeout: float = 1.0) -> None:
        """End the thread; a function that runs has that many seconds left."""
        self._worker.stop()
        if not self._worker.join(timeout):
            logger.warning("prereload thread abandoned: prereload_fn has not returned")


def _refuse(wait: Wait | None, reason: str) -> None:
    if wait is not None:
        wait.then(Outcome(error=reason))


class Borrowed:
    """What an arbiter changes of the program, from its start to its end: logger and umask.

    Owned by the thread that starts and ends the arbiter. Afterwards both are what they were before:
    they belong to the program, and the next arbiter may have other options.
    """

    def __init__(self, given: Mapping[str, Any], typed: Mapping[str, Any]) -> None:
        """Change what the given options ask for; all options are typed.

        Raises:
            OSError: The file cannot be opened, or the syslog cannot be reached.
            CircusError: The options contradict each other.
        """
        self._before = logger.level, logger.propagate, logger.disabled, list(logger.handlers)
        self._log = None
        if any(given.get(name) for name in LOG_OPTIONS):
            debugs = typed["debug"] and not given.get("loglevel")
            level = "debug" if debugs else typed["loglevel"]
            self._log = configure_logger(logger, level, typed["logoutput"], typed["loggerconfig"])
        umask = typed["umask"]
        self._umask = None if umask is None else os.umask(umask)

    @property
    def level(self) -> str:
        """The level at which plugins log."""
        return LEVEL_WITHOUT if self._log is None else self._log.level

    def fileno(self) -> int | None:
        """Return the file that plugins log to; None for standard error."""
        return None if self._log is None else self._log.fileno()

    @property
    def url(self) -> str:
        """What the plugins open to write to the same log; "-" if they inherit it."""
        return "-" if self._log is None else self._log.url

    def close(self) -> None:
        """Restore both."""
        if self._umask is not None:
            os.umask(self._umask)
        if self._log is None:
            return
        self._log.close()
        level, logger.propagate, logger.disabled, handlers = self._before
        for handler in [one for one in logger.handlers if one not in handlers]:
            logger.removeHandler(handler)
            handler.close()
        for handler in handlers:
            logger.addHandler(handler)
        logger.setLevel(level)


def wait_for(
    promise: Promise, interrupt: Callable[[int], object], raised: list[BaseException]
) -> None:
    """Wait for a promise on any thread, and on the main one though its signal handlers may raise.

    What they raise is added to `raised`, whose length `interrupt` is called with; a third one ends
    the wait. Nothing is opened for that, because nothing could be closed for certain. The price is
    a look every second, for a signal that came right before the thread began to sleep.
    """
    told = len(raised)
    while not promise.done():
        try:
            while told < len(raised):
                told += 1
                interrupt(told)
            while not promise.wait(LOOK_DELAY):
                pass
        except BaseException as error:  # as short as can be: the next one may come here
            raised.append(error)
            if len(raised) > 2:
                raise


def cause_of(error: BaseException) -> BaseException:
    """Return what a signal handler has raised, where the locks of threading tripped over it."""
    is_tripped = isinstance(error, RuntimeError) and error.__context__ is not None
    return error.__context__ or error if is_tripped else error


def take_claim(claims: list[None]) -> bool:
    """Take a claim; of two threads only one gets it."""
    try:
        claims.pop()
    except IndexError:
        return False
    return True


def stop_all(supervisor: Supervisor, actor: str = PROGRAM, cause: str = "stop") -> None:
    """Stop everything. On the supervisor thread."""
    supervisor.stop(Cause(cause, actor))


def interrupt_all(supervisor: Supervisor, count: int) -> None:
    """Stop everything after a signal handler has raised; the second time at once. On the
    supervisor thread."""
    supervisor.stop(Cause("interrupt", PROGRAM))
    if count > 1:
        supervisor.roster.hurry()
