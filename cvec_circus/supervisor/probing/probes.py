"""The desk of probes: whether processes are ready, and whether they are alive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.readers import Readers
from cvec_circus.core.facts import Facts
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.checks import wants_watchdog
from cvec_circus.stream.search import Sought
from cvec_circus.supervisor.ending.reaper import Reaper
from cvec_circus.supervisor.launching import Templates
from cvec_circus.system.handover import Handover, Inherited
from cvec_circus.system.own_file import OwnFile


class Given(NamedTuple):
    """What a process with checks gets at its start. Immutable."""

    env: Mapping[str, str] = {}
    places: Mapping[int, int] = {}  # its files by the numbers under which it finds them
    sought: Sought | None = None  # what is looked for in its output


NOTHING = nullcontext(Given())


class Around(NamedTuple):
    """What the desk works with. Immutable."""

    loop: Loop
    facts: Facts
    publish: Callable[..., object]  # see `core.ports.Events`
    readers: Readers  # closed by its owner after the desk
    reaper: Reaper
    templates: Templates
    variables: Callable[[str], Mapping[str, str]]
    """Returns what a program that checks gets beside the environment of the watcher of that name.
    """
    identity: str  # what no other daemon on this machine has: the address of its endpoint
    leader_of: Callable[[int], ManagedProcess | None]
    """Returns the process that leads a session; None if it is not one of ours."""


class ProbeDesk:
    """Checks processes. See `core.ports.Probes`. Owned by the supervisor thread.

    All but the question whether a watcher has checks is in `checking`, which is loaded when the
    first one has.
    """

    def __init__(self, around: Around) -> None:
        self._around = around
        self._made: Any = None  # a `Checking`, which stands above this module

    @property
    def _checking(self) -> Any:
        if self._made is None:
            from cvec_circus.supervisor.probing.checking import Checking

            self._made = Checking(self._around)
        return self._made

    def prepare(self, watcher: Watcher, process: ManagedProcess) -> AbstractContextManager[Given]:
        """Return what a process gets that is started in this context.

        Raises:
            OSError: The system refused it a socket or a pipe.
            ValueError: The user of the process was not found.
        """
        options = watcher.options
        if options.ready or (options.live and wants_watchdog(options.live)):
            prepared: AbstractContextManager[Given] = self._checking.prepare(watcher, process)
            return prepared
        return NOTHING

    def adopt(self, watcher: Watcher, process: ManagedProcess) -> Sought | None:
        """Prepare the checks of a process that an earlier daemon has started; return what is looked
        for in its output."""
        options = watcher.options
        if options.ready or options.live:
            sought: Sought | None = self._checking.adopt(watcher, process)
            return sought
        return None

    def hand_over(self, process: ManagedProcess, out: Handover) -> dict[str, Any] | None:
        """Hand the checks of a process to the program that is to be executed; None without any."""
        return None if self._made is None else self._made.hand_over(process, out)

    def take_over(
        self,
        watcher: Watcher,
        process: ManagedProcess,
        inherited: Inherited,
        state: Mapping[str, Any],
    ) -> Sought | None:
        """Go on with the checks of a process; return what is looked for in its output."""
        sought: Sought | None = self._checking.take_over(watcher, process, inherited, state)
        return sought

    def interrupt(self) -> None:
        """End the programs that check just now: they would outlive this program."""
        if self._made is not None:
            self._made.interrupt()

    def watch(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Begin the checks of `ready` of a process that was spawned just now."""
        self._checking.watch(watcher, process)

    def proved(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Begin its checks of `live` too, or take over what is new of them."""
        self._checking.proved(watcher, process)

    def release(self, watcher: Watcher, process: ManagedProcess) -> None:
        """End all checks of a process, which is being stopped or has ended."""
        if self._made is not None:
            self._made.release(watcher, process)

    def forget(self, watcher: Watcher) -> None:
        """Let go of the processes of a watcher that is gone for good; it may be called twice."""
        if self._made is not None:
            self._made.forget(watcher)

    def unmet(self, process: ManagedProcess) -> str:
        """Say which check of `ready` does not hold, and what it last answered."""
        return "" if self._made is None else str(self._made.unmet(process))

    def details(self, process: ManagedProcess) -> list[dict[str, Any]]:
        """Return a row for each check of a process, in JSON's types."""
        return [] if self._made is None else list(self._made.details(process))

    def status(self, process: ManagedProcess) -> str:
        """Return what a process has said of itself last, "" for nothing."""
        return "" if self._made is None else str(self._made.status(process))

    def own_files(self) -> list[OwnFile]:
        """Return the files by which processes find it, which others may delete."""
        return [] if self._made is None else [self._made.notices]

    def end(self, timeout: float) -> bool:
        """End the threads, when the loop has ended, within so many seconds; return whether they
        have."""
        return self._made is None or bool(self._made.end(timeout))

    def close(self) -> None:
        """Let go of everything, after the loop has ended."""
        if self._made is not None:
            self._made.close()
