"""Jobs that may take their time, each kind on a thread of its own: none waits behind another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.base.complaints import tell_crash
from cvec_circus.base.loop import Loop
from cvec_circus.base.thread import Worker

RETRY_DELAY = 0.1
"""Seconds until a job is tried again that the system had no thread, file or memory for."""


class Chore(Worker):
    """One kind of job, and its thread. Owned by the supervisor thread, except for a job itself.

    Args:
        loop: The supervisor's loop, to which jobs post their answers.
        name: The thread's name.
    """

    def __init__(self, loop: Loop, name: str) -> None:
        super().__init__(name, partial(tell_crash, name))
        self._loop = loop

    def prepare(self) -> None:
        """Start the thread now; where that fails, the first job tries again."""
        try:
            self.start()
        except RuntimeError as error:
            logger.warning("no thread for %s yet: %s", self.name, error)

    def attempt(self, fn: Callable[..., object], *args: Any) -> None:
        """Call a function on the thread, for a client that wants an answer.

        Raises:
            CircusError: There is no thread, and none to be had.
        """
        try:
            self.do(fn, *args)
        except RuntimeError as error:
            raise exc.CircusError(f"no thread for {self.name}: {error}") from None

    def do_soon(self, fn: Callable[..., object], *args: Any) -> None:
        """Call a function on the thread, as soon as there is one."""
        try:
            self.do(fn, *args)
        except RuntimeError:
            self.do_later(fn, *args)

    def do_later(self, fn: Callable[..., object], *args: Any) -> None:
        """Call a function on the thread after a moment."""
        self._loop.call_later(RETRY_DELAY, self.do_soon, fn, *args)


class Chores:
    """All kinds of jobs. Owned by the supervisor thread.

    Reading the configuration and asking for names are two kinds: a file on a server that is gone
    must not hold up an `add`, nor a slow directory service a `reloadconfig`.

    Attributes:
        sampling: Measures processes.
        packing: Compresses files that were rotated.
        configuration: Reads files, and opens the sockets that they name, which may take DNS.
        names: Looks up users and groups, which may take LDAP.
        runs: Reads and writes when jobs run next.
        limits: Lowers limits of cgroups, which takes as long as it takes to free memory.
    """

    def __init__(self, loop: Loop) -> None:
        self._clock = loop.clock
        self.sampling = Chore(loop, "sampling")
        self.packing = Chore(loop, "packing")
        self.configuration = Chore(loop, "configuration")
        self.names = Chore(loop, "names")
        self.runs = Chore(loop, "runs")
        self.limits = Chore(loop, "limits")

    def start(self) -> None:
        """Start the thread that measures, when the loop begins to run: when memory is short, people
        want to know what uses it."""
        self.sampling.prepare()

    def end(self, timeout: float) -> list[str]:
        """Ask all threads to end, when the loop has ended; return the names of those that have not
        ended within that many seconds."""
        chores = (
            self.sampling,
            self.packing,
            self.configuration,
            self.names,
            self.runs,
            self.limits,
        )
        for chore in chores:
            chore.stop()
        ends_at = self._clock.monotonic() + timeout
        return [
            chore.name
            for chore in chores
            if not chore.join(max(0.0, ends_at - self._clock.monotonic()))
        ]
