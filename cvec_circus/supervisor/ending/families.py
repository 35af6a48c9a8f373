"""Leaders, each with its group and what is to end with it, and what descends from them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.ending.walker import Found
from cvec_circus.system import proctable
from cvec_circus.system.collecting import ProcessGroup


class Family:
    """A leader, its process group, and what is to end with it. Owned by the supervisor thread.

    It lasts from the spawn until nothing of it is left that a slot has to wait for.
    """

    watcher: Watcher
    process: ManagedProcess  # the leader's slot
    pid: int  # the leader's, and the number of its group and session
    is_child: bool  # ours; one of an earlier daemon is not
    is_alive: bool  # the leader has not exited
    stopping: bool  # it was being stopped when it exited
    group: ProcessGroup | None  # holds its group from its exit until that is empty
    tree: dict[int, None]
    """The processes outside the group that end with it and are waited for. An empty dict takes 64
    bytes, an empty set 216, and each process has two of them."""
    signum: int  # the signal that stops the whole tree, 0 when only the leader was asked
    killed: bool  # SIGKILL has been sent; it goes to all that turn up later as well
    looking: bool  # its slot waits to learn which strays it has left
    changed: bool  # members have ended since that was looked for
    seen: Sequence[Found]  # the members of the group that the last walk has seen
    signalled: dict[tuple[int, int], None]
    """Members of the group, by start time and pid, that need no signal from a list."""
    is_bare: bool  # the last walk has seen nothing running in the group
    is_listed: bool  # the members that its group had at the exit are among `signalled`
    _start_time: int | None

    __slots__ = tuple(__annotations__)

    def __init__(self, watcher: Watcher, process: ManagedProcess, pid: int) -> None:
        self.watcher, self.process, self.pid = watcher, process, pid
        self.is_alive = self.is_child = True
        self.stopping = self.killed = self.looking = self.changed = False
        self.is_bare = self.is_listed = False
        self.signum, self.group, self._start_time = 0, None, None
        self.tree, self.signalled, self.seen = {}, {}, ()

    @property
    def is_over(self) -> bool:
        """Whether the slot no longer waits for anything."""
        return not (self.is_alive or self.group or self.tree or self.looking)

    @property
    def born(self) -> tuple[int, int]:
        """When the leader began; to compare with others. While it has not been collected.

        Start times are exact to 10 ms; within such a tick, numbers are given out in order.
        """
        if self._start_time is None:
            self._start_time = proctable.start_time(self.pid) or 0
        return (self._start_time, self.pid)


class Families:
    """Finds the family that a process descends from. Owned by the supervisor thread.

    Attributes:
        by_pid, by_process: The families by the pids of their leaders, dead or not; by their slots.
        attended: Children in no slot, by pid: whether the reaper still waits for each.
    """

    def __init__(self) -> None:
        self.attended: dict[int, bool] = {}
        self.by_pid: dict[int, Family] = {}
        self.by_process: dict[ManagedProcess, Family] = {}
        self._by_slot: dict[tuple[str, str], Family] = {}
        self._watchers: dict[str, Watcher] = {}

    def add(self, family: Family) -> None:
        """Take in a leader that has been spawned."""
        self.by_pid[family.pid] = family
        self._by_slot[_slot(family)] = family
        self.by_process[family.process] = family
        self._watchers[family.watcher.name] = family.watcher

    def remove(self, family: Family) -> None:
        """Forget one that is over."""
        slot = _slot(family)
        if self.by_pid.get(family.pid) is family:
            del self.by_pid[family.pid]
        if self._by_slot.get(slot) is family:
            del self._by_slot[slot]
        if self.by_process.get(family.process) is family:
            del self.by_process[family.process]

    def forget(self, watcher: Watcher) -> None:
        """Forget a watcher that has been removed."""
        if self._watchers.get(watcher.name) is watcher:
            del self._watchers[watcher.name]

    def origin(self, found: Found) -> tuple[Family | None, Watcher | None]:
        """Tell which family a process comes from, or at least which watcher.

        The family is that of its session, else the one of its mark: the leader in that slot if
        the process is not older, or else the dead one that the slot still waits for.
        """
        family = self.by_pid.get(found.session)
        if family is not None:
            return family, family.watcher
        if found.mark is None or found.is_of_hook:
            return None, None
        family = self._by_slot.get(found.slot or ("", ""))
        if family is not None and family.is_alive and found.start_time:
            if (found.start_time, found.pid) < family.born:
                family = None
        watcher = self._watchers.get(found.mark[0])
        return family, watcher if family is None else family.watcher


def _slot(family: Family) -> tuple[str, str]:
    return (family.watcher.name, sys.intern(str(family.process.wid)))
