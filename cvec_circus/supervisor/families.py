"""Which process descends from which leader, as far as session, group and mark tell."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.system import proctable
from cvec_circus.system.groups import ProcessGroup
from cvec_circus.system.proctable import ProcessRow

HOOK = "hook"
"""Stands in place of the slot in the mark of a hook's program."""


class Found(NamedTuple):
    """A process that is no leader, as it was found. Immutable.

    Attributes:
        pid: Its number.
        start_time: See `Stray`.
        command: See `Stray`.
        session: Its session's number.
        pgrp: Its process group's number.
        mark: The watcher's name and the slot in its environment; None when there is none of this
            daemon's life, or it was not looked for.
    """

    pid: int
    start_time: int
    command: str
    session: int
    pgrp: int
    mark: tuple[str, str] | None = None

    @staticmethod
    def of(pid: int, row: ProcessRow | None, mark: tuple[str, str] | None = None) -> Found:
        """Make one of a row of the process table; without a row, of what the kernel tells anyone.

        Raises:
            ProcessLookupError: It is gone.
        """
        if row is None:
            return Found(pid, 0, "", os.getsid(pid), os.getpgid(pid), mark)
        command = row.command.decode("utf-8", "replace")
        return Found(pid, row.start_time, command, row.session, row.pgrp, mark)


class Family:
    """A leader, its process group, and what is to end with it. Owned by the supervisor thread.

    It lasts from the spawn until nothing of it is left that a slot has to wait for.

    Attributes:
        watcher: Whose process the leader is.
        process: Its slot.
        pid: The leader's, and the number of its group and session.
        is_alive: Whether the leader has not exited.
        stopping: Whether it was being stopped when it exited.
        group: What holds its group after its exit; None while it lives, and once that is empty.
        tree: The processes outside the group that end with it and are waited for.
        signum: The signal that stops the whole tree, 0 when only the leader was asked.
        killed: Whether SIGKILL has been sent; it goes to all that turn up later as well.
        looking: Whether its slot waits to learn which strays it has left.
        changed: Whether members have ended since that was looked for.
        seen: The members of the group that the last walk has seen.
        signalled: Members of the group, by pid and start time, that need no signal from a list.
        is_bare: Whether the last walk has seen nothing running in the group.
        is_listed: Whether the members that its group had at the exit are among those.
    """

    __slots__ = (
        "_start_time",
        "changed",
        "group",
        "is_alive",
        "is_bare",
        "is_listed",
        "killed",
        "looking",
        "pid",
        "process",
        "seen",
        "signalled",
        "signum",
        "stopping",
        "tree",
        "watcher",
    )

    def __init__(self, watcher: Watcher, process: ManagedProcess, pid: int) -> None:
        self.watcher = watcher
        self.process = process
        self.pid = pid
        self.is_alive = True
        self.stopping = False
        self.group: ProcessGroup | None = None
        self.tree: set[int] = set()
        self.signum = 0
        self.killed = False
        self.looking = False
        self.changed = False
        self.seen: list[Found] = []
        self.signalled: set[tuple[int, int]] = set()
        self.is_bare = False
        self.is_listed = False
        self._start_time: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether the slot has nothing to wait for any more."""
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
    """Finds the family that a process descends from. Owned by the supervisor thread."""

    def __init__(self) -> None:
        self._by_pid: dict[int, Family] = {}
        self._by_slot: dict[tuple[str, str], Family] = {}
        self._by_process: dict[ManagedProcess, Family] = {}
        self._watchers: dict[str, Watcher] = {}

    def add(self, family: Family) -> None:
        """Take in a leader that has been spawned."""
        self._by_pid[family.pid] = family
        self._by_slot[_slot(family)] = family
        self._by_process[family.process] = family
        self._watchers[family.watcher.name] = family.watcher

    def remove(self, family: Family) -> None:
        """Forget one that is over."""
        if self._by_pid.get(family.pid) is family:
            del self._by_pid[family.pid]
        if self._by_slot.get(_slot(family)) is family:
            del self._by_slot[_slot(family)]
        if self._by_process.get(family.process) is family:
            del self._by_process[family.process]

    def forget(self, watcher: Watcher) -> None:
        """Forget a watcher that has been removed."""
        if self._watchers.get(watcher.name) is watcher:
            del self._watchers[watcher.name]

    def of_leader(self, pid: int) -> Family | None:
        """Return the family of a leader; it may be dead."""
        return self._by_pid.get(pid)

    def others(self, pids: Iterable[int]) -> list[int]:
        """Return those that are no leaders: a few of thousands, as a rule."""
        return [pid for pid in pids if pid not in self._by_pid]

    def of(self, process: ManagedProcess) -> Family | None:
        """Return the family of a slot; None when nothing of it is left."""
        return self._by_process.get(process)

    def origin(self, found: Found) -> tuple[Family | None, Watcher | None]:
        """Tell which family a process comes from, or at least which watcher.

        The family is that of its session, else the one of its mark: the leader in that slot if
        the process is not older, or else the dead one that the slot still waits for.
        """
        family = self._by_pid.get(found.session)
        if family is not None:
            return family, family.watcher
        if found.mark is None or found.mark[1] == HOOK:
            return None, None
        family = self._by_slot.get(found.mark)
        if family is not None and family.is_alive and found.start_time:
            if (found.start_time, found.pid) < family.born:
                family = None
        watcher = self._watchers.get(found.mark[0])
        return family, watcher if family is None else family.watcher


def _slot(family: Family) -> tuple[str, str]:
    return (family.watcher.name, str(family.process.wid))
