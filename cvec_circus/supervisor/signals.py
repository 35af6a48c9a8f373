"""Signals to processes, to their descendants, and to what they leave behind."""

from __future__ import annotations

import signal
from functools import partial

from cvec_circus.base.loop import Loop
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.announcer import Refusals
from cvec_circus.supervisor.families import Families, Family, Found
from cvec_circus.supervisor.finding import Finder
from cvec_circus.supervisor.leftovers import Leftovers
from cvec_circus.supervisor.outsiders import Outsiders
from cvec_circus.supervisor.walker import Table, Walker
from cvec_circus.system import pidfd, proctable
from cvec_circus.system.exits import ExitWatcher

LIST_TIMEOUT = 1.0
"""Seconds until a tree is signalled without the list of its members."""


class SignalDesk:
    """Sends what the core wants sent. Owned by the supervisor thread.

    Nothing is signalled by a bare number: leaders and what is watched by pidfd, what a walk has
    listed when its start time is still the same.

    Args:
        loop: The supervisor's loop.
        exits: Watches the leaders.
        families: The leaders.
        outsiders: What has left their groups.
        finder: Finds more of those.
        leftovers: What dead leaders have left.
        walker: Walks /proc.
        refusals: Names what we may not signal.
    """

    def __init__(
        self,
        loop: Loop,
        exits: ExitWatcher,
        families: Families,
        outsiders: Outsiders,
        finder: Finder,
        leftovers: Leftovers,
        walker: Walker,
        refusals: Refusals,
    ) -> None:
        self._loop = loop
        self._exits = exits
        self._families = families
        self._outsiders = outsiders
        self._finder = finder
        self._leftovers = leftovers
        self._walker = walker
        self._refusals = refusals

    def send(self, process: ManagedProcess, signum: int) -> None:
        """Send a signal to a leader alone; it does nothing when that has exited."""
        family = self._families.of(process)
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
        family = self._families.of(process)
        if family is None:
            return
        self.send_to_group(family, signal.SIGKILL)
        self._leftovers.kill(family)

    def send_to_group(self, family: Family, signum: int) -> None:
        """Send a signal to all of a process group whose leader lives, the leader included."""
        if family.is_alive:
            try:
                self._exits.send_to_group(family.pid, signum)
            except PermissionError:
                self._walker.walk(partial(self._signal_members, family, signum))

    def _signal_members(self, family: Family, signum: int, table: Table) -> None:
        """Name the members that we may not signal, since that is all of them."""
        for row in table.members.get(family.pid, ()):
            self.send_once(family, Found.of(row.pid, row), signum)

    def abandon(self, process: ManagedProcess) -> None:
        """Wait no longer for what a dead leader has left: its members are strays now."""
        family = self._families.of(process)
        if family is not None:
            self._leftovers.abandon(family)

    def is_settled(self, watcher: Watcher) -> bool:
        """Tell whether all strays of a watcher without slots are known, and the killed ones gone.

        Otherwise they are looked for, and `Facts.strayed` follows.
        """
        return self._leftovers.is_settled(watcher)

    def forget(self, watcher: Watcher) -> None:
        """Report nothing more of a watcher that has been removed."""
        self._leftovers.forget(watcher)
        self._outsiders.forget(watcher)
        self._families.forget(watcher)

    # -- trees

    def stop_tree(self, process: ManagedProcess, signum: int) -> None:
        """Send a signal to every descendant of a leader, then to the leader; SIGCONT after each.

        Descendants are listed first, on another thread. Those outside the process group are
        remembered: their slot waits for them, and `kill` ends them too. Without a list in time the
        process group is signalled at once, and the others when the list comes.

        Args:
            process: The leader's slot.
            signum: The signal.
        """
        family = self._families.of(process)
        if family is None:
            return
        family.signum = signum
        family.killed = family.killed or signum == signal.SIGKILL
        stop = _Stop(family, signum, self, self._outsiders)
        self._walker.walk(stop.walked)
        self._finder.new_batch()
        self._finder.look(stop.searched)
        self._loop.call_later(LIST_TIMEOUT, stop.late)

    def signal_children(self, process: ManagedProcess, signum: int, recursive: bool = True) -> None:
        """Send a signal to the descendants of a leader, or only to its own children, soon."""
        family = self._families.of(process)
        if family is not None and family.is_alive:
            self._walker.walk(partial(self._signal_listed, family, signum, recursive, None))

    def signal_child(self, process: ManagedProcess, child: int, signum: int) -> None:
        """Send a signal to one descendant of a leader, if it is one."""
        family = self._families.of(process)
        if family is not None and family.is_alive:
            self._walker.walk(partial(self._signal_listed, family, signum, True, child))

    def _signal_listed(
        self, family: Family, signum: int, recursive: bool, child: int | None, table: Table
    ) -> None:
        rows = table.descendants(family.pid) if recursive else table.below.get(family.pid, [])
        for row in rows:
            if child in (None, row.pid):
                self.send_once(family, Found.of(row.pid, row), signum)

    def send_once(self, family: Family, found: Found, signum: int) -> None:
        """Send a signal to a process that has been listed."""
        try:
            pidfd.send_once(found.pid, found.start_time, signum)
        except PermissionError:
            self._refusals.tell(family.watcher.name, found.pid, found.command, found.start_time)
        except OSError:
            # No file left to open it with: what is left of it meets SIGKILL with its group.
            self._finder.soon()


class _Stop:
    """One stop of a whole tree, until its members have been signalled. Supervisor thread.

    Args:
        family: The leader's.
        signum: The signal.
        desk: Sends it.
        outsiders: Remembers who is outside the group.
    """

    def __init__(self, family: Family, signum: int, desk: SignalDesk, outsiders: Outsiders) -> None:
        self._family = family
        self._signum = signum
        self._desk = desk
        self._outsiders = outsiders
        self._table: Table | None = None
        self._is_searched = False
        self._was_late = False

    def walked(self, table: Table) -> None:
        """Take the process table."""
        self._table = table
        self._go_on()

    def searched(self) -> None:
        """Take note that orphans have been looked for."""
        self._is_searched = True
        self._go_on()

    @property
    def _is_ready(self) -> bool:
        return self._table is not None and self._is_searched

    def _go_on(self) -> None:
        if self._table is None or not self._is_searched:
            return
        family = self._family
        # A group that is or was signalled as a whole needs no signals one by one.
        is_whole = self._was_late or not family.is_alive
        for row in self._table.descendants(family.pid):
            found = Found.of(row.pid, row)
            if found.pgrp != family.pid:
                self._outsiders.add_to_tree(family, found)
            elif not is_whole:
                family.signalled[found.start_time, found.pid] = None
                self._desk.send_once(family, found, self._signum)
                self._desk.send_once(family, found, signal.SIGCONT)
        self._outsiders.stop_orphans(family)
        if not is_whole:
            family.is_listed = True
            self._desk.send(family.process, self._signum)
            self._desk.send(family.process, signal.SIGCONT)

    def late(self) -> None:
        """Signal the group without a list, if none has come."""
        if not self._is_ready:
            self._was_late = True
            self._outsiders.stop_orphans(self._family)
            self._desk.send_to_group(self._family, self._signum)
            self._desk.send_to_group(self._family, signal.SIGCONT)
