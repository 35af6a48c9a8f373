"""A process of a watcher, as the program that embeds them sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from cvec_circus.base.clock import SYSTEM
from cvec_circus.embedding.promise import Promise
from cvec_circus.exc import MessageError
from cvec_circus.system import proctable

RUNNING, DEAD_OR_ZOMBIE, UNEXISTING, OTHER = range(4)
"""Values of a process's `status`."""

Fields = dict[str, Any]


class Watching(Protocol):
    """What a process asks of its watcher."""

    @property
    def name(self) -> str: ...
    @property
    def processes(self) -> Mapping[int, Any]: ...
    def info(self) -> dict[int, Fields]: ...
    def send_signal(self, pid: int, signum: int | str) -> None: ...
    def send_signal_child(self, pid: int, child_id: int, signum: int | str) -> None: ...
    def send_signal_children(self, pid: int, signum: int | str, recursive: bool) -> None: ...
    def _order(self, command: str, field: str = "", **properties: Any) -> Promise: ...


class WatchedProcess:
    """A process of a watcher. Safe from any thread.

    Attributes:
        name: The watcher's name.
        pid: Its pid.
        wid: Its number among the watcher's processes: what `$(circus.wid)` is.
        started: When it was started, in seconds since 1970.
    """

    def __init__(self, watcher: Watching, pid: int, wid: int, started: float) -> None:
        self._watcher = watcher
        self.name = watcher.name
        self.pid = pid
        self.wid = wid
        self.started = started

    def __repr__(self) -> str:
        return f"<process {self.pid} of {self.name}, wid {self.wid}>"

    def age(self) -> float:
        """Return the seconds since it was started."""
        return SYSTEM.time() - self.started

    @property
    def status(self) -> int:
        """`RUNNING`, or `UNEXISTING` once it has ended: a watcher's process is reaped at once."""
        return RUNNING if self.is_alive() else UNEXISTING

    def is_alive(self) -> bool:
        """Tell whether it has not ended."""
        try:
            return self.pid in self._watcher.processes
        except MessageError:
            return False  # the watcher has been removed

    def info(self) -> Fields:
        """Return what `stats` reports of it, {} once it has ended. Not on the supervisor thread."""
        return self._watcher.info().get(self.pid, {})

    def children(self, recursive: bool = False) -> list[int]:
        """List the pids of its children; `recursive`: and those below them."""
        return proctable.descendants(self.pid, recursive)

    def is_child(self, pid: int) -> bool:
        """Tell whether that is a child of it."""
        return pid in self.children()

    def send_signal(self, sig: int | str) -> None:
        """Send it a signal, by number or name.

        Raises:
            MessageError: It has ended, or there is no such signal.
        """
        self._watcher.send_signal(self.pid, sig)

    def send_signal_child(self, pid: int, signum: int | str) -> None:
        """Send a signal to one of its children."""
        self._watcher.send_signal_child(self.pid, pid, signum)

    def send_signal_children(self, signum: int | str, recursive: bool = False) -> None:
        """Send a signal to its children; `recursive`: and to those below them."""
        self._watcher.send_signal_children(self.pid, signum, recursive)

    def stop(self) -> Promise:
        """Stop it as the watcher's options say; a new process takes its place."""
        return self._watcher._order("kill", pid=self.pid, waiting=True)
