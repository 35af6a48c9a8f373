"""What a process leaves behind in its process group when it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from cvec_circus.base.loop import Loop
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.chores import Chore
from cvec_circus.system import proctable
from cvec_circus.system.exits import ExitWatcher
from cvec_circus.system.proctable import ProcessRow

Emptied = Callable[[Watcher, ManagedProcess], None]


class Group:
    """The rest of one process group. Owned by the supervisor thread.

    Attributes:
        watcher: Whose process the leader was.
        process: Its slot.
        survivors: The pids that are watched.
        signum: What whoever turns up is sent: nothing at first, because SIGTERM has gone to the
            whole group; then SIGTERM, for those that were born after it; in the end SIGKILL.
    """

    __slots__ = ("process", "signum", "survivors", "watcher")

    def __init__(self, watcher: Watcher, process: ManagedProcess) -> None:
        self.watcher = watcher
        self.process = process
        self.survivors: set[int] = set()
        self.signum = 0


class Leftovers:
    """Sees the members of dead leaders' process groups go. Owned by the supervisor thread.

    A group is listed on the chores thread, because that reads all of /proc. Each survivor is then
    watched by its own pidfd, checked by its start time, so nothing is looked for twice and no
    stranger with a pid used again is ever signalled. When all of them are gone and the group is
    not, it is listed once more: they may have had children meanwhile, or are zombies that nobody
    has collected yet.

    Args:
        loop: The supervisor's loop.
        chores: Where the listing is done.
        exits: Tells when a survivor ends.
        on_empty: Called when nothing is left of a group.
    """

    def __init__(self, loop: Loop, chores: Chore, exits: ExitWatcher, on_empty: Emptied) -> None:
        self._loop = loop
        self._chores = chores
        self._exits = exits
        self._on_empty = on_empty
        self._groups: dict[int, Group] = {}
        self._by_survivor: dict[int, Group] = {}

    def track(self, watcher: Watcher, process: ManagedProcess) -> None:
        """Begins to follow what is left of a process."""
        group = Group(watcher, process)
        self._groups[process.pid] = group
        self._list(group)

    def kill(self, process: ManagedProcess) -> None:
        """Sends SIGKILL to all that is left, and to all that turns up from now on."""
        group = self._groups.get(process.pid)
        if group is not None:
            group.signum = signal.SIGKILL
            for pid in group.survivors:
                self._send(pid, signal.SIGKILL)

    def exited(self, pid: int) -> bool:
        """Takes note of an exit, and returns whether it was a survivor's."""
        group = self._by_survivor.pop(pid, None)
        if group is None:
            return False
        self._exits.discard(pid)
        group.survivors.discard(pid)
        if not group.survivors:
            if is_empty(group.process.pid):
                self._end(group)
            else:
                group.signum = group.signum or signal.SIGTERM
                self._list(group)
        return True

    def _list(self, group: Group) -> None:
        self._chores.do(self._look, group)

    def _look(self, group: Group) -> None:
        """On the chores thread."""
        try:
            rows = list(proctable.members(group.process.pid))
        except OSError:
            self._loop.post(self._chores.do_later, self._look, group)
        else:
            self._loop.post(self._found, group, rows)

    def _found(self, group: Group, rows: list[ProcessRow]) -> None:
        if self._groups.get(group.process.pid) is not group:
            return  # listed twice, and empty the first time
        if any(row.pid == group.process.pid for row in rows):
            # The leader was collected long ago. Somebody else has its number, and a group of that
            # number: so ours was empty.
            rows = []
        for row in rows:
            try:
                is_there = self._exits.add(row.pid, row.start_time)
            except OSError:
                self._chores.do_later(self._look, group)
                return
            if is_there:
                group.survivors.add(row.pid)
                self._by_survivor[row.pid] = group
                if group.signum:
                    self._send(row.pid, group.signum)
        if group.survivors:
            return
        if rows:
            self._list(group)
            return
        self._end(group)

    def _end(self, group: Group) -> None:
        del self._groups[group.process.pid]
        self._on_empty(group.watcher, group.process)

    def _send(self, pid: int, signum: int) -> None:
        try:
            self._exits.send_signal(pid, signum)
        except PermissionError:
            pass  # it has become somebody else; it stays, and is named unkillable in time


def is_empty(pgid: int) -> bool:
    """Tells whether there is nobody in a process group, not even a zombie."""
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
