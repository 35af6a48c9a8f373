"""The desks around the end of a process, and how they are built: signals that are sent, here."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Collection
from functools import partial

from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.core.facts import Facts
from cvec_circus.core.process import ManagedProcess
from cvec_circus.supervisor.announcer import Refusals
from cvec_circus.supervisor.ending.cgroups import Cgroups
from cvec_circus.supervisor.ending.families import Families, Family
from cvec_circus.supervisor.ending.finding import Adoption, Finder, Search, become_subreaper
from cvec_circus.supervisor.ending.leftovers import Leftovers
from cvec_circus.supervisor.ending.outsiders import Outsiders
from cvec_circus.supervisor.ending.reaper import Explain, Reaper
from cvec_circus.supervisor.ending.walker import Found, Table, Walker
from cvec_circus.system import proctable
from cvec_circus.system.exits import ExitWatcher

LIST_TIMEOUT = 1.0
"""Seconds until a tree is signalled without the list of its members."""


class SignalDesk(Leftovers):
    """Signals processes, and what dead leaders have left. Owned by the supervisor thread.

    Nothing is signalled by a bare number: leaders, and processes that are watched, by pidfd; those
    that a walk has listed, only if their start time is still the same.
    """

    def send(self, process: ManagedProcess, signum: int) -> None:
        """Send a signal to a leader alone; do nothing if it has exited."""
        family = self._families.by_process.get(process)
        if family is None or not family.is_alive:
            return
        try:
            self._exits.send_signal(family.pid, signum)
        except PermissionError:
            found = Found.of(family.pid, proctable.row(family.pid))
            self._refusals.tell(family.watcher.name, found.pid, found.command, found.start_time)

    def kill(self, process: ManagedProcess) -> None:
        """Send SIGKILL to all of a process group, its leader dead or not, and to its known tree.

        It waits for no other thread.
        """
        family = self._families.by_process.get(process)
        if family is not None:
            self._send_to_group(family, signal.SIGKILL)
            self._kill(family)

    def _send_to_group(self, family: Family, signum: int) -> None:
        """Send a signal to all of a process group whose leader lives, the leader included."""
        if family.is_alive:
            try:
                if not self._exits.send_to_group(family.pid, signum) and not family.is_child:
                    self._exits.send_signal(family.pid, signum)  # Linux before 6.9
            except PermissionError:
                self._walker.walk(partial(self._signal_members, family, signum))

    def _signal_members(self, family: Family, signum: int, table: Table) -> None:
        """Name the members that we may not signal, since that is all of them."""
        for row in table.members.get(family.pid, ()):
            self._send_once(family, Found.of(row.pid, row), signum)

    # -- trees

    def stop_tree(self, process: ManagedProcess, signum: int) -> None:
        """Send a signal to every descendant of a leader, then to the leader; SIGCONT after each.

        Descendants are listed first, on another thread. Those outside the process group are
        remembered: their slot waits for them, and `kill` ends them too. Without a list in time the
        process group is signalled at once, and the others when the list comes.
        """
        family = self._families.by_process.get(process)
        if family is None:
            return
        family.signum = signum
        family.killed = family.killed or signum == signal.SIGKILL
        stop = _Stop(family)
        self._walker.walk(partial(self._listed, stop))
        self._finder.new_batch()
        self._finder.look(partial(self._listed, stop, None))
        self._loop.call_later(LIST_TIMEOUT, self._is_late, stop)

    def _listed(self, stop: _Stop, table: Table | None) -> None:
        """Take the process table, or note that orphans have been looked for; act on both."""
        if table is None:
            stop.is_searched = True
        else:
            stop.table = table
        if stop.table is None or not stop.is_searched:
            return
        family = stop.family
        # A group that is or was signalled as a whole needs no signals one by one.
        is_whole = stop.was_late or not family.is_alive
        for row in stop.table.descendants(family.pid):
            found = Found.of(row.pid, row)
            if found.pgrp != family.pid:
                self._outsiders.add_to_tree(family, found)
            elif not is_whole:
                family.signalled[found.start_time, found.pid] = None
                self._send_once(family, found, stop.signum)
                self._send_once(family, found, signal.SIGCONT)
        self._outsiders.stop_orphans(family)
        if not is_whole:
            family.is_listed = True
            self.send(family.process, stop.signum)
            self.send(family.process, signal.SIGCONT)

    def _is_late(self, stop: _Stop) -> None:
        """Signal the group without a list, if none has come."""
        if stop.table is None or not stop.is_searched:
            stop.was_late = True
            self._outsiders.stop_orphans(stop.family)
            self._send_to_group(stop.family, stop.signum)
            self._send_to_group(stop.family, signal.SIGCONT)

    def signal_children(self, process: ManagedProcess, signum: int, recursive: bool = True) -> None:
        """Send a signal to the descendants of a leader, or only to its own children, soon."""
        self._signal_listed(process, signum, recursive=recursive)

    def signal_child(self, process: ManagedProcess, child: int, signum: int) -> None:
        """Send a signal to one descendant of a leader, if it is one, soon."""
        self._signal_listed(process, signum, child=child)

    def _signal_listed(
        self, process: ManagedProcess, signum: int, recursive: bool = True, child: int = 0
    ) -> None:
        family = self._families.by_process.get(process)
        if family is None or not family.is_alive:
            return

        def walked(table: Table) -> None:
            pid = family.pid
            for row in table.descendants(pid) if recursive else table.below.get(pid, ()):
                if child in (0, row.pid):
                    self._send_once(family, Found.of(row.pid, row), signum)

        self._walker.walk(walked)


class _Stop:
    """One stop of a whole tree, until its members have been signalled. Supervisor thread."""

    def __init__(self, family: Family) -> None:
        self.family, self.signum = family, family.signum
        self.table: Table | None = None  # the list of processes
        self.is_searched = False  # orphans have been looked for
        self.was_late = False  # its group was signalled without the list


class Endings(NamedTuple):
    """The desks around the end of a process. Owned by the supervisor thread."""

    signals: SignalDesk  # closed with the supervisor
    reaper: Reaper
    walker: Walker  # its threads are stopped with the supervisor
    leader_of: Callable[[int], ManagedProcess | None]  # the slot whose leader has that session


def build(
    loop: Loop,
    exits: ExitWatcher,
    facts: Facts,
    runs: Collection[str],
    explain: Explain,
    is_subreaper: bool,
    runs_user_code: Callable[[], bool],
    cgroups: Cgroups,
) -> Endings:
    """Build the desks, bottom-up.

    Args:
        runs: See `Walker`.
        explain: See `Reaper`.
        is_subreaper: Whether orphans become our children: never in an embedding program.
        runs_user_code: Whether a hook or a stream class is running at this moment.
        cgroups: Tells what is in the cgroups of watchers.
    """
    adopts = is_subreaper and become_subreaper()
    refusals, families, walker = Refusals(), Families(), Walker(loop, runs, cgroups)
    exited: deque[int] = deque()
    outsiders = Outsiders(loop, exits, facts, families, refusals, exited, adopts)
    finder: Finder
    if adopts:
        finder = Adoption(loop, walker, families, outsiders, runs_user_code)
    else:
        finder = Search(loop, walker, families, outsiders)
    known = (loop, exits, facts, families, outsiders, finder)
    signals = SignalDesk(*known, walker, refusals, cgroups)
    reaper = Reaper(*known, signals, exited, explain, cgroups)

    def leader_of(session: int) -> ManagedProcess | None:
        family = families.by_pid.get(session)
        return None if family is None else family.process

    return Endings(signals, reaper, walker, leader_of)
