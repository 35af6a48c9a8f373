"""The processes of a watcher, as the program that embeds it sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cvec_circus.base.clock import SYSTEM
from cvec_circus.embedding.promise import Promise
from cvec_circus.embedding.reach import Reach
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.system import proctable

RUNNING, DEAD_OR_ZOMBIE, UNEXISTING, OTHER = range(4)
"""What `status` of a process is."""


class WatchedProcess:
    """A process of a watcher. Safe from any thread.

    What it is was noted when it was asked for; its methods are about what is there now.

    Attributes:
        name: The watcher's name.
        pid: Its pid.
        wid: Its number among the watcher's processes: what `$(circus.wid)` is.
        started: When it was started, in seconds since 1970.
    """

    def __init__(self, reach: Reach, name: str, pid: int, wid: int, started: float) -> None:
        self._reach = reach
        self.name = name
        self.pid = pid
        self.wid = wid
        self.started = started

    def __repr__(self) -> str:
        return f"<process {self.pid} of {self.name}, wid {self.wid}>"

    def age(self) -> float:
        """Seconds since it was started."""
        return SYSTEM.time() - self.started

    @property
    def status(self) -> int:
        """`RUNNING`, or `UNEXISTING` once it has ended: whoever has ended has been collected."""
        return RUNNING if self.is_alive() else UNEXISTING

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        found: bool = self._reach.ask(_has, self.name, self.pid)
        return found

    def info(self) -> dict[str, Any]:
        """What `stats` tells of it; empty once it has ended. Not on the supervisor thread."""
        infos = self._reach.order("stats", _infos, name=self.name).result()
        found: dict[str, Any] = infos.get(str(self.pid), {})
        return found

    def children(self, recursive: bool = False) -> list[int]:
        """The pids of its children; `recursive` lists those below them too."""
        return proctable.descendants(self.pid, recursive)

    def is_child(self, pid: int) -> bool:
        """Whether that is a child of it."""
        return pid in self.children()

    def send_signal(self, signum: int | str) -> None:
        """Send it a signal, by number or name.

        Raises:
            MessageError: It has ended, or there is no such signal.
        """
        self._reach.order("signal", _done, name=self.name, pid=self.pid, signum=signum)

    def send_signal_child(self, pid: int, signum: int | str) -> None:
        """Send a signal to one of its children."""
        self._reach.order(
            "signal", _done, name=self.name, pid=self.pid, childpid=pid, signum=signum
        )

    def send_signal_children(self, signum: int | str, recursive: bool = False) -> None:
        """Send a signal to its children; `recursive` reaches those below them too."""
        self._reach.order(
            "signal",
            _done,
            name=self.name,
            pid=self.pid,
            signum=signum,
            children=True,
            recursive=recursive,
        )

    def stop(self) -> Promise:
        """Ask it to end, as the watcher's options say; the watcher fills its place again."""
        return self._reach.order("kill", _done, name=self.name, pid=self.pid, waiting=True)


def _has(supervisor: Supervisor, name: str, pid: int) -> bool:
    """On the supervisor thread."""
    watcher = supervisor.roster.get(name)
    return watcher is not None and any(process.pid == pid for process in watcher.places.leaders())


def _infos(fields: dict[str, Any]) -> Any:
    return fields["info"]


_done: Callable[[dict[str, Any]], None] = lambda fields: None  # noqa: E731 - the type says it all
