"""Reading /proc, on threads that do nothing else: one walk of it serves all that ask."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.supervisor.chores import RETRY_DELAY, Chore
from cvec_circus.supervisor.ending.cgroups import Cgroups
from cvec_circus.system import proctable
from cvec_circus.system.launch import MARK
from cvec_circus.system.proctable import ProcessRow

EXEC_DELAY = 0.01
EXEC_TIMEOUT = 0.5
"""Seconds until an empty environment is read again, and for how long: a process in the middle of an
exec has none yet, and its mark a moment later."""

KNOWN_TIMEOUT = 0.05
"""The same where its cgroup tells the watcher, and only the slot is missing."""


OF_CHECK = "+check"
"""What follows the slot in the mark of a program that checks a process."""


class Found(NamedTuple):
    """A process that is not a leader, as it was found. Immutable."""

    pid: int
    start_time: int  # for this and `command` see `Stray`
    command: str
    session: int
    pgrp: int
    mark: tuple[str, str] | None = None
    """The watcher's name and the slot in its environment, "hook" for a hook's program, a slot and
    `OF_CHECK` for one that checks the process in it; of one without, the watcher's name by its
    cgroup, and "". None when there is nothing of this daemon's life, or it was not looked for."""

    @property
    def is_of_hook(self) -> bool:
        """Whether it comes from a hook's program."""
        return self.mark is not None and self.mark[1] == "hook"

    @property
    def is_of_check(self) -> bool:
        """Whether it comes from a program that checks a process."""
        return self.mark is not None and self.mark[1].endswith(OF_CHECK)

    @property
    def slot(self) -> tuple[str, str] | None:
        """The watcher's name and the slot, whether the process in it or a check has left it."""
        return self.mark and (self.mark[0], self.mark[1].removesuffix(OF_CHECK))

    @property
    def is_of_cgroup(self) -> bool:
        """Whether nothing but its cgroup tells where it comes from, and so not from which slot."""
        return self.mark is not None and not self.mark[1]

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


class Table:
    """What a walk has seen of the processes that may be ours. Immutable.

    Attributes:
        rows: Those that can still do something: no zombies.
        below: The same by their parent's pid.
        members: The same by their process group.
        sessions: The same by their session.
    """

    def __init__(self, rows: Iterable[ProcessRow]) -> None:
        self.rows = [row for row in rows if row.runs]
        self.below: defaultdict[int, list[ProcessRow]] = defaultdict(list)
        self.members: defaultdict[int, list[ProcessRow]] = defaultdict(list)
        self.sessions: defaultdict[int, list[ProcessRow]] = defaultdict(list)
        for row in self.rows:
            self.below[row.ppid].append(row)
            self.members[row.pgrp].append(row)
            self.sessions[row.session].append(row)

    def descendants(self, pid: int) -> list[ProcessRow]:
        """List what is below a process, parents first, and the rest of its group and session."""
        listed = {row.pid: row for row in sorted(self.below.get(pid, ()))}
        parents = list(listed)
        for parent in parents:  # grows while it is walked
            for child in sorted(self.below.get(parent, ())):
                if child.pid != pid and child.pid not in listed:
                    listed[child.pid] = child
                    parents.append(child.pid)
        for row in (*self.members.get(pid, ()), *self.sessions.get(pid, ())):
            if row.pid != pid:
                listed.setdefault(row.pid, row)
        return list(listed.values())


Walked = Callable[[Table], object]
Read = Callable[[list[Found]], object]


class Walker:
    """Reads the process table, and the marks of processes. Owned by the supervisor thread.

    Two threads: one walks all of /proc/PID/stat, which cannot block; the other reads environments,
    which can, while the memory of that process is locked.

    Args:
        loop: The supervisor's loop, where results arrive.
        runs: The ids of this daemon's life, and of earlier ones whose processes it has adopted;
            other marks are not ours. What a daemon's children start is younger than it is, so
            that without such a one older processes are left out of walks.
        cgroups: Tells which watcher a process without a mark comes from.
    """

    def __init__(self, loop: Loop, runs: Collection[str], cgroups: Cgroups) -> None:
        self._loop, self._runs, self._watcher_of = loop, runs, cgroups.watcher_of
        self._since = (proctable.start_time(os.getpid()) or 0) if len(runs) == 1 else 0
        self._table = Chore(loop, "process table")
        self._marks = Chore(loop, "marks")
        self._asked: list[Walked] = []
        self._walking = False
        self._stopping = False

    def start(self) -> None:
        """Start the threads now, so that none is missing when memory is short."""
        self._table.prepare()
        self._marks.prepare()

    def walk(self, then: Walked) -> None:
        """List the processes that may be ours, with a walk that begins after this call.

        All calls before it begins share it. `then` gets the table in a later turn, or never if the
        walk does not end.
        """
        self._asked.append(then)
        if not self._walking:
            self._begin()

    def _begin(self) -> None:
        self._walking = True
        asked, self._asked = self._asked, []
        self._table.do_soon(self._walk, asked)

    def _walk(self, asked: list[Walked]) -> None:
        """On the thread of the table."""
        if self._stopping:
            return
        try:
            table = Table(row for row in proctable.rows() if row.start_time >= self._since)
        except (OSError, MemoryError):
            self._loop.post(self._table.do_later, self._walk, asked)
        else:
            self._loop.post(self._walked, asked, table)

    def _walked(self, asked: list[Walked], table: Table) -> None:
        self._walking = False
        for then in asked:
            then(table)
        if self._asked and not self._walking:
            self._begin()

    def read(self, pids: Iterable[int], then: Read) -> None:
        """Look at some processes, their marks included; `then` gets those there in a later turn."""
        until = self._loop.clock.monotonic() + EXEC_TIMEOUT
        self._marks.do_soon(self._read, list(pids), then, until)

    def _read(self, pids: list[int], then: Read, until: float) -> None:
        """On the thread of the marks."""
        found, delay = [], 0.0
        try:
            for pid in pids:
                if self._stopping:
                    return
                environment, row = proctable.environment(pid), proctable.row(pid)
                mark = _parse(proctable.variable(environment, MARK), self._runs)
                if mark is None and (name := self._watcher_of(pid)) is not None:
                    mark = (name, "")
                # The threads of the kernel have neither a session nor an environment.
                if environment == b"" and row is not None and row.runs and row.session:
                    waited = self._loop.clock.monotonic() - until + EXEC_TIMEOUT
                    if mark is None or waited < KNOWN_TIMEOUT:
                        delay = EXEC_DELAY
                try:
                    found.append(Found.of(pid, row, mark))
                except ProcessLookupError:
                    pass  # it has ended meanwhile
        except (OSError, MemoryError):
            delay = RETRY_DELAY
        else:
            if not delay or self._loop.clock.monotonic() > until:
                self._loop.post(then, found)
                return
        again = (self._marks.do_soon, self._read, pids, then, until)
        self._loop.post(self._loop.call_later, delay, *again)

    def stop(self) -> None:
        """End the threads after the walk and the process they are at; the rest is dropped.

        Does not wait.
        """
        self._stopping = True
        self._table.stop()
        self._marks.stop()

    def join(self, timeout: float) -> bool:
        """Wait at most so many seconds, for each of the two, and tell whether both have ended."""
        return all([chore.join(timeout) for chore in (self._table, self._marks)])


def _parse(mark: str | None, runs: Collection[str]) -> tuple[str, str] | None:
    """Take a mark apart: the watcher's name and the slot; None when it is of another life."""
    life, _, rest = (mark or "").partition(":")
    name, _, slot = rest.rpartition(":")
    return (name, slot) if name and life in runs else None
