"""Jobs that may take their time, each kind on a thread of its own: none waits behind another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.worker import Worker

RETRY_DELAY = 0.1
"""Seconds until a job is tried again that the system had no thread, file or memory for."""


class Chore:
    """One kind of job, and its thread. Owned by the supervisor thread, except for a job itself.

    Args:
        loop: The supervisor's loop, to which jobs post their answers.
        name: The thread's name.
    """

    def __init__(self, loop: Loop, name: str) -> None:
        self.name = name
        self._loop = loop
        self._worker = Worker(name, self._log_crash)

    def start(self) -> None:
        """Starts the thread now; where that fails, the first job tries again."""
        try:
            self._worker.start()
        except RuntimeError as error:
            logger.warning("no thread for %s yet: %s", self.name, error)

    def attempt(self, fn: Callable[..., object], *args: Any) -> None:
        """Has a function called on the thread, for a client that wants an answer.

        Raises:
            CircusError: There is no thread, and none to be had.
        """
        try:
            self._worker.do(fn, *args)
        except RuntimeError as error:
            raise exc.CircusError(f"no thread for {self.name}: {error}") from None

    def do(self, fn: Callable[..., object], *args: Any) -> None:
        """Has a function called on the thread, as soon as there is one."""
        try:
            self._worker.do(fn, *args)
        except RuntimeError:
            self.do_later(fn, *args)

    def do_later(self, fn: Callable[..., object], *args: Any) -> None:
        """Has a function called on the thread after a moment."""
        self._loop.call_later(RETRY_DELAY, self.do, fn, *args)

    def stop(self) -> None:
        """Asks the thread to end."""
        self._worker.stop()

    def join(self, timeout: float) -> bool:
        """Waits that many seconds for its end, and returns whether it came."""
        return self._worker.join(timeout)

    def _log_crash(self, error: BaseException, description: str) -> None:
        logger.error("%s: %s failed", self.name, description, exc_info=error)


class Chores:
    """All kinds of jobs. Owned by the supervisor thread.

    Reading the configuration and asking for names are two kinds: a file on a server that is gone
    must not hold up an `add`, nor a slow directory service a `reloadconfig`.

    Args:
        loop: The supervisor's loop.

    Attributes:
        sampling: Measures processes. Its thread is there from the start: when memory is short,
            people want to know who has it.
        packing: Compresses files that were rotated.
        configuration: Reads files, and opens the sockets that they name, which may take DNS.
        names: Looks up users and groups, which may take LDAP.
    """

    def __init__(self, loop: Loop) -> None:
        self._clock = loop.clock
        self.sampling = Chore(loop, "sampling")
        self.packing = Chore(loop, "packing")
        self.configuration = Chore(loop, "configuration")
        self.names = Chore(loop, "names")

    def start(self) -> None:
        """Starts the threads that must not be missing later. When the loop begins to run."""
        self.sampling.start()

    def end(self, timeout: float) -> list[str]:
        """Asks all threads to end, and returns the names of those that have not in that many
        seconds. When the loop has ended."""
        everything = (self.sampling, self.packing, self.configuration, self.names)
        for chore in everything:
            chore.stop()
        deadline = self._clock.monotonic() + timeout
        return [
            chore.name
            for chore in everything
            if not chore.join(max(0.0, deadline - self._clock.monotonic()))
        ]
