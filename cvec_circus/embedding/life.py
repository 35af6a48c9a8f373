"""What an arbiter has from its start to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cvec_circus import logger
from cvec_circus.config.configuration import Configuration
from cvec_circus.control.actors import PROGRAM
from cvec_circus.embedding.given import Given
from cvec_circus.embedding.log import BorrowedLogger
from cvec_circus.embedding.prereload import Names, Prereload
from cvec_circus.embedding.promise import Promise
from cvec_circus.supervisor.supervisor import Facades, Supervisor
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Wait

LOOK_DELAY = 1.0


class Life(NamedTuple):
    """A supervisor with what is around it. Owned by the supervisor thread once that runs.

    Attributes:
        supervisor: It.
        prereload: Calls what is to be called before a reload.
        log: The logger, borrowed from the program.
    """

    supervisor: Supervisor
    prereload: Prereload
    log: BorrowedLogger

    def close(self) -> None:
        """Let go of everything."""
        self.supervisor.close()
        self.prereload.end()
        self.log.close()


def begin(
    given: Given,
    configuration: Configuration,
    when_started: Wait | None,
    before_reload: Callable[[Names], list[Callable[[], Any]]],
    facades: Facades,
) -> Life:
    """Open everything that listens, and the log.

    Args:
        given: What the arbiter was made with.
        configuration: What that comes to.
        when_started: Answered when everything that starts by itself has been started.
        before_reload: Returns what is to be called before a reload.
        facades: Makes what hooks get as `watcher` and `arbiter`.

    Raises:
        SocketError: An endpoint or a listening socket cannot be opened.
        OSError: The log cannot be opened.
    """
    log = BorrowedLogger(given.circus, configuration.circus)
    try:
        supervisor = Supervisor(
            configuration,
            log_level=log.level,
            log_url=log.url,
            log_fd=log.fileno,
            sockets=given.sockets,
            when_started=when_started,
            facades=facades,
        )
    except BaseException:
        log.close()
        raise
    for warning in configuration.warnings:
        logger.warning("%s", warning)
    prereload = Prereload(supervisor.loop, before_reload)
    supervisor.target.before_reload = prereload
    return Life(supervisor, prereload, log)


def wait_for(
    promise: Promise, interrupt: Callable[[int], object], raised: list[BaseException]
) -> None:
    """Wait for a promise on any thread, and on the main one though its signal handlers may raise.

    Nothing is opened for that, because nothing could be closed for certain. The price is a look
    every second, for a signal that came right before the thread began to sleep.

    Args:
        promise: The promise.
        interrupt: Called when a handler has raised, with how many have by now.
        raised: What they have raised; it grows.

    Raises:
        BaseException: What a third one raises: it does not wait any longer.
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


def take(claims: list[None]) -> bool:
    """Tell whether there was one left; of two threads only one gets it."""
    try:
        claims.pop()
    except IndexError:
        return False
    return True


def stop(supervisor: Supervisor, actor: str = PROGRAM) -> None:
    """Stop everything. On the supervisor thread."""
    supervisor.stop(Cause("stop", actor))


def interrupt(supervisor: Supervisor, count: int) -> None:
    """Stop everything, because a signal handler has raised on the thread that waits for the end;
    the second time at once. On the supervisor thread."""
    supervisor.stop(Cause("interrupt", PROGRAM))
    if count > 1:
        supervisor.roster.hurry()
