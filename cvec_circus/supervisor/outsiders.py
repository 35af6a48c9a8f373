"""Processes that descend from a leader and are outside its process group: orphans and strays."""

from __future__ import annotations

import signal
from collections import deque
from enum import Enum

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Facts, Strayed
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.announcer import Refusals, named
from cvec_circus.supervisor.families import HOOK, Families, Family, Found
from cvec_circus.system import collecting, pidfd
from cvec_circus.system.exits import ExitWatcher
from cvec_circus.wire.outcome import Stray

RETRY_DELAY = 0.1
"""Seconds until a process is watched that there was no file for."""

KILL_TIMEOUT = 5.0
"""Seconds after SIGKILL when a stray that is still there is reported after all."""


class Role(Enum):
    """What a process outside all groups is to us.

    ORPHAN: its leader lives, so it is none of our business but to collect it if it is our child.
    TREE: it is being stopped, and its slot waits for it.
    STRAY: its leader is dead; it is reported.
    DOOMED: a stray that has been killed, and is reported only when that does not end it.
    SILENT: it is collected if it is our child, and that is all.
    """

    ORPHAN = "orphan"
    TREE = "tree"
    STRAY = "stray"
    DOOMED = "doomed"
    SILENT = "silent"


class Outsider:
    """One such process. Owned by the supervisor thread.

    Attributes:
        found: The process, as it was found.
        role: What it is to us.
        family: The one it comes from, while a slot has to do with it.
        watcher: The one it comes from; None when nothing tells.
        is_watched: Whether its exit is reported; without a file left for it, it is not.
    """

    __slots__ = ("family", "found", "is_watched", "role", "watcher")

    def __init__(self, found: Found, family: Family | None, watcher: Watcher | None) -> None:
        self.found = found
        self.role = Role.SILENT
        self.family = family
        self.watcher = watcher
        self.is_watched = False

    @property
    def name(self) -> str:
        """Pid and command, for a log line."""
        return named(self.found.pid, self.found.command)


class Outsiders:
    """Keeps the processes outside all groups, until each has ended. Owned by the supervisor thread.

    Args:
        loop: The supervisor's loop.
        exits: Tells when one ends.
        facts: Learns of strays.
        families: Tells where one comes from.
        refusals: Names what we may not signal.
        exited: Where the pid of one goes that has ended unwatched, for the reaper.
        adopts: Whether orphans become our children, which are then collected here.
    """

    def __init__(
        self,
        loop: Loop,
        exits: ExitWatcher,
        facts: Facts,
        families: Families,
        refusals: Refusals,
        exited: deque[int],
        adopts: bool,
    ) -> None:
        self._loop = loop
        self._exits = exits
        self._facts = facts
        self._families = families
        self._refusals = refusals
        self._exited = exited
        self._adopts = adopts
        self._by_pid: dict[int, Outsider] = {}
        self._changed: set[Watcher] = set()

    def knows(self, pid: int) -> bool:
        """Whether that process is kept here, and its exit will be seen."""
        return pid in self._by_pid

    def has_origin(self, session: int) -> bool:
        """Whether the process that leads a session is kept here, and it is known whose it is."""
        outsider = self._by_pid.get(session)
        return outsider is not None and outsider.watcher is not None

    # -- where one comes from

    def take(self, found: Found) -> None:
        """Take in a process that was found: a member of a group, or one that is outside."""
        if found.pid in self._by_pid or self._families.of_leader(found.pid) is not None:
            return
        family, watcher = self._families.origin(found)
        leader = self._by_pid.get(found.session)
        if watcher is None and leader is not None:
            family, watcher = leader.family, leader.watcher
        if family is not None and found.pgrp == family.pid:
            return  # its group's, which is followed as a whole
        outsider = Outsider(found, family, watcher)
        if not self._watch(outsider):
            return
        if found.mark is not None and found.mark[1] == HOOK:
            return
        if watcher is None:
            if self._adopts:
                logger.warning("%s was left by an unknown program and is left alone", outsider.name)
        elif family is not None and family.is_alive:
            outsider.role = Role.ORPHAN
            if family.signum:
                self._stop(outsider, family)
        else:
            self._outlives(outsider)

    def add_to_tree(self, family: Family, found: Found) -> None:
        """Take in a descendant that ends with its leader, and send it the family's signal."""
        outsider = self._by_pid.get(found.pid)
        if outsider is None:
            outsider = Outsider(found, family, family.watcher)
            if not self._watch(outsider):
                return
        if outsider.role is not Role.TREE:
            outsider.family = family
            self._stop(outsider, family)

    def stop_orphans(self, family: Family) -> None:
        """Take those that a living leader has outside its group into the tree that ends with it."""
        for outsider in self._of(family):
            if outsider.role is Role.ORPHAN:
                self._stop(outsider, family)

    def leader_ended(self, family: Family) -> None:
        """Decide about those that a leader has outside its group, now that it has exited."""
        for outsider in self._of(family):
            if outsider.role is Role.ORPHAN:
                self._outlives(outsider)

    def _outlives(self, outsider: Outsider) -> None:
        """Decide about one whose leader is dead."""
        family, watcher = outsider.family, outsider.watcher
        assert watcher is not None
        if family is not None and self._families.of_leader(family.pid) is not family:
            family = outsider.family = None  # it is over: no slot waits for anything of it
        policy = watcher.options.strays
        if watcher.is_abandoned or policy == "ignore":
            outsider.role, outsider.family = Role.SILENT, None
        elif family is not None and family.signum:
            self._stop(outsider, family)
        elif policy == "kill":
            logger.warning(
                "%s: killing %s, which has outlived its slot", watcher.name, outsider.name
            )
            outsider.role = Role.DOOMED
            if family is not None and family.stopping:
                family.tree[outsider.found.pid] = None  # so that the stop waits for its end
            self._send(outsider, signal.SIGKILL)
            self._loop.call_later(KILL_TIMEOUT, self._survived, outsider)
        else:
            self._report(outsider)

    def _stop(self, outsider: Outsider, family: Family) -> None:
        outsider.role = Role.TREE
        family.tree[outsider.found.pid] = None
        self._send(outsider, signal.SIGKILL if family.killed else family.signum)
        if not family.killed:
            self._send(outsider, signal.SIGCONT)

    def _survived(self, outsider: Outsider) -> None:
        if self._by_pid.get(outsider.found.pid) is outsider and outsider.role is Role.DOOMED:
            self._report(outsider)

    def strayed(self, watcher: Watcher, found: Found) -> None:
        """Report a process that nothing waits for any longer, whatever was done to end it."""
        outsider = self._by_pid.get(found.pid)
        if outsider is None:
            outsider = Outsider(found, None, watcher)
            if not self._watch(outsider):
                return
        self._report(outsider)

    def _report(self, outsider: Outsider) -> None:
        watcher = outsider.watcher
        assert watcher is not None
        if outsider.role is Role.STRAY:
            return
        outsider.role = Role.STRAY
        logger.warning("%s: %s is left behind as a stray", watcher.name, outsider.name)
        self.touch(watcher)

    # -- signals

    def kill(self, family: Family) -> None:
        """Send SIGKILL to those that a slot waits for."""
        for outsider in self._of(family):
            if outsider.role is Role.TREE:
                self._send(outsider, signal.SIGKILL)

    def are_doomed(self, watcher: Watcher) -> bool:
        """Tell whether there are strays of a watcher that have been killed and are not gone."""
        return any(
            one.role is Role.DOOMED and one.watcher is watcher for one in self._by_pid.values()
        )

    def abandon(self, family: Family) -> None:
        """Wait for the tree of a dead leader no longer: what is left of it are strays now."""
        for outsider in self._of(family):
            if outsider.role in (Role.TREE, Role.DOOMED):
                self._report(outsider)
        family.tree.clear()

    def _send(self, outsider: Outsider, signum: int) -> None:
        found = outsider.found
        try:
            if outsider.is_watched:
                self._exits.send_signal(found.pid, signum)
                if signum == signal.SIGKILL and found.pgrp == found.pid:
                    self._exits.send_to_group(found.pid, signum)
            else:
                pidfd.send_once(found.pid, found.start_time, signum)
        except PermissionError:
            assert outsider.watcher is not None
            self._refusals.tell(outsider.watcher.name, found.pid, found.command, found.start_time)
        except OSError as error:
            logger.warning("cannot signal %s: %s", outsider.name, error)

    # -- the end of one

    def exited(self, pid: int) -> Family | None:
        """Take note of an exit.

        Returns:
            The family whose slot waited for that process.
        """
        outsider = self._by_pid.pop(pid, None)
        if outsider is None:
            return None
        self._exits.discard(pid)
        # One of unknown origin is left to those who look for orphans: they know when it is safe.
        if self._adopts and outsider.watcher is not None:
            if collecting.peek(pid):
                collecting.collect(pid)
        if outsider.role in (Role.STRAY, Role.DOOMED) and outsider.watcher is not None:
            self.touch(outsider.watcher)
        family = outsider.family
        if family is None or pid not in family.tree:
            return None
        del family.tree[pid]
        family.changed = True
        return family

    def forget(self, watcher: Watcher) -> None:
        """Report nothing of a watcher any more; what there is of it is still collected."""
        for outsider in self._by_pid.values():
            if outsider.watcher is watcher and outsider.role in (Role.STRAY, Role.DOOMED):
                outsider.role = Role.SILENT
        self._changed.discard(watcher)

    # -- what the core learns

    def flush(self) -> None:
        """Hand on what has changed about strays."""
        changed, self._changed = self._changed, set()
        for watcher in changed:
            strays = [
                Stray(one.found.pid, one.found.start_time, one.found.command)
                for one in self._by_pid.values()
                if one.watcher is watcher and one.role is Role.STRAY
            ]
            self._facts.append(Strayed(watcher, tuple(strays)))

    def touch(self, watcher: Watcher) -> None:
        """Let the core learn of a watcher's strays, soon."""
        if not self._changed:
            self._loop.post(self.flush)
        self._changed.add(watcher)

    def _of(self, family: Family) -> list[Outsider]:
        return [one for one in self._by_pid.values() if one.family is family]

    def _watch(self, outsider: Outsider) -> bool:
        """Watch for its end, and keep it; False when it has ended already.

        A child of this process needs no start time: its number is its own until it is collected.
        """
        found = outsider.found
        is_child = self._adopts and not collecting.is_stranger(found.pid)
        try:
            there = self._exits.add(found.pid, None if is_child else found.start_time)
        except OSError:
            there = True  # kept, and signalled by number and start time until then
            self._loop.call_later(RETRY_DELAY, self._watch_again, outsider)
        else:
            outsider.is_watched = there
        if there:
            self._by_pid[found.pid] = outsider
        return there

    def _watch_again(self, outsider: Outsider) -> None:
        pid = outsider.found.pid
        if self._by_pid.get(pid) is outsider and not self._watch(outsider):
            self._exited.append(pid)
