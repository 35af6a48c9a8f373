"""What descends from a leader and is outside its group: an orphan, a stray."""

from __future__ import annotations

import signal
from collections import deque
from enum import Enum

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Facts, Strayed
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.announcer import Refusals, named
from cvec_circus.supervisor.chores import RETRY_DELAY
from cvec_circus.supervisor.ending.families import Families, Family
from cvec_circus.supervisor.ending.walker import Found
from cvec_circus.system import collecting, pidfd
from cvec_circus.system.exits import ExitWatcher
from cvec_circus.wire.outcome import Stray

KILL_TIMEOUT = 5.0
"""Seconds after SIGKILL when a stray that is still there is reported after all."""


class Role(Enum):
    """What a process outside all groups is to us."""

    ORPHAN = "orphan"  # its leader lives, so we only collect it, if it is our child
    TREE = "tree"  # it is being stopped, and its slot waits for it
    STRAY = "stray"  # its leader is dead; it is reported
    DOOMED = "doomed"  # a stray that has been killed, reported only if that does not end it
    SILENT = "silent"  # it is collected if it is our child, and that is all


class Outsider:
    """A process outside all groups. Owned by the supervisor thread."""

    found: Found
    family: Family | None  # the one it comes from, while a slot has to do with it
    watcher: Watcher | None  # the one it comes from; None when nothing tells
    role: Role
    is_watched: bool  # its exit is reported; without a file left for it, it is not

    __slots__ = tuple(__annotations__)

    def __init__(self, found: Found, family: Family | None, watcher: Watcher | None) -> None:
        self.found, self.family, self.watcher = found, family, watcher
        self.role, self.is_watched = Role.SILENT, False

    @property
    def name(self) -> str:
        """Pid and command, for a log line."""
        return named(self.found.pid, self.found.command)


class Outsiders:
    """Keeps the processes outside all groups, until each has ended. Owned by the supervisor thread.

    Args:
        exited: Takes the pid of one that has ended unwatched, for the reaper.
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
        self._loop, self._exits, self._facts = loop, exits, facts
        self._families, self._refusals = families, refusals
        self._exited, self._adopts = exited, adopts
        self._by_pid: dict[int, Outsider] = {}
        self._changed: set[Watcher] = set()

    def knows(self, pid: int) -> bool:
        """Whether that process is kept here or attended, and its exit will be seen."""
        return pid in self._by_pid or self._families.attended.get(pid, False)

    def has_origin(self, session: int) -> bool:
        """Whether it is known from which watcher the members of a session come."""
        outsider = self._by_pid.get(session)
        is_ours = outsider is not None and outsider.watcher is not None
        return is_ours or session in self._families.by_pid

    def left_by_checks(self, name: str) -> list[str]:
        """Name the processes that checks of a watcher have left, and that have not ended."""
        kept = [one for one in self._by_pid.values() if one.found.is_of_check]
        return [one.name for one in kept if one.found.mark and one.found.mark[0] == name]

    # -- where one comes from

    def take(self, found: Found) -> None:
        """Take in a process that was found: a member of a group, or one that is outside."""
        ends_with_child = self._families.attended.get(found.session, False)
        if ends_with_child or self.knows(found.pid) or found.pid in self._families.by_pid:
            return
        family, watcher = self._families.origin(found)
        leader = self._by_pid.get(found.session)
        if watcher is None and leader is not None:
            family, watcher = leader.family, leader.watcher
        if family is not None and found.pgrp == family.pid:
            return  # its group's, which is followed as a whole
        outsider = Outsider(found, family, watcher)
        if not self._watch(outsider) or found.is_of_hook or found.is_of_cgroup:
            return  # the latter may be of a leader that lives: the stop of its watcher decides
        if watcher is None:
            if self._adopts and found.session not in self._families.attended:
                logger.warning("%s was left by an unknown program and is left alone", outsider.name)
        elif family is not None and family.is_alive:
            outsider.role = Role.ORPHAN
            if family.signum:
                self._stop(outsider, family)
        else:
            self._outlives(outsider)

    def add_to_tree(self, family: Family, found: Found) -> None:
        """Take in a descendant that ends with its leader, and send it the family's signal."""
        outsider = self._kept(found, family, family.watcher)
        if outsider is not None and outsider.role is not Role.TREE:
            outsider.family = family
            self._stop(outsider, family)

    def left_in_cgroup(self, watcher: Watcher, found: Found) -> None:
        """Decide about one that is in the cgroup of a watcher of which no leader is left."""
        outsider = self._kept(found, None, watcher)
        if outsider is not None and outsider.role in (Role.SILENT, Role.ORPHAN):
            outsider.watcher = watcher
            self._outlives(outsider)

    def strayed(self, watcher: Watcher, found: Found) -> None:
        """Report a process that nothing waits for any longer, whatever was done to end it."""
        outsider = self._kept(found, None, watcher)
        if outsider is not None:
            self._report(outsider)

    def stop_orphans(self, family: Family) -> None:
        """Take those that a living leader has outside its group into the tree that ends with it."""
        for outsider in self._of(family, Role.ORPHAN):
            self._stop(outsider, family)

    def leader_ended(self, family: Family) -> None:
        """Decide about those that a leader has outside its group, now that it has exited."""
        for outsider in self._of(family, Role.ORPHAN):
            self._outlives(outsider)

    def _outlives(self, outsider: Outsider) -> None:
        """Decide about one whose leader is dead."""
        family, watcher = outsider.family, outsider.watcher
        assert watcher is not None
        if family is not None and self._families.by_pid.get(family.pid) is not family:
            family = outsider.family = None  # it is over: no slot waits for anything of it
        policy = watcher.options.strays
        if watcher.is_abandoned or policy == "ignore":
            outsider.role, outsider.family = Role.SILENT, None
        elif family is not None and family.signum:
            self._stop(outsider, family)
        elif policy == "kill":
            text = "%s: killing %s, which has outlived its slot"
            logger.warning(text, watcher.name, outsider.name)
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

    def _report(self, outsider: Outsider) -> None:
        watcher = outsider.watcher
        assert watcher is not None
        if outsider.role is not Role.STRAY:
            outsider.role = Role.STRAY
            logger.warning("%s: %s is left behind as a stray", watcher.name, outsider.name)
            self.touch(watcher)

    # -- signals

    def kill(self, family: Family) -> None:
        """Send SIGKILL to those that a slot waits for."""
        for outsider in self._of(family, Role.TREE):
            self._send(outsider, signal.SIGKILL)

    def are_doomed(self, watcher: Watcher) -> bool:
        """Tell whether a watcher has strays that have been killed and are not gone."""
        kept = self._by_pid.values()
        return any(one.role is Role.DOOMED and one.watcher is watcher for one in kept)

    def abandon(self, family: Family) -> None:
        """Wait for the tree of a dead leader no longer: what is left of it are strays now."""
        for outsider in self._of(family, Role.TREE, Role.DOOMED):
            self._report(outsider)
        family.tree.clear()

    def _send(self, outsider: Outsider, signum: int) -> None:
        found, watcher = outsider.found, outsider.watcher
        assert watcher is not None
        try:
            if outsider.is_watched:
                self._exits.send_signal(found.pid, signum)
                if signum == signal.SIGKILL and found.pgrp == found.pid:
                    self._exits.send_to_group(found.pid, signum)
            else:
                pidfd.send_once(found.pid, found.start_time, signum)
        except PermissionError:
            self._refusals.tell(watcher.name, found.pid, found.command, found.start_time)
        except OSError as error:
            logger.warning("%s: cannot signal %s: %s", watcher.name, outsider.name, error)

    # -- the end of one

    def exited(self, pid: int) -> Family | None:
        """Take note of an exit, and return the family whose slot waited for that process."""
        outsider = self._by_pid.pop(pid, None)
        if outsider is None:
            return None
        self._exits.discard(pid)
        # One of unknown origin is left to the finder, which knows when it is safe.
        if self._adopts and outsider.watcher is not None and collecting.peek(pid):
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
        """Stop reporting strays of a watcher; its processes are still collected."""
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
        """Report a watcher's strays to the core, soon."""
        if not self._changed:
            self._loop.post(self.flush)
        self._changed.add(watcher)

    def _of(self, family: Family, *roles: Role) -> list[Outsider]:
        return [one for one in self._by_pid.values() if one.family is family and one.role in roles]

    def _kept(self, found: Found, family: Family | None, watcher: Watcher) -> Outsider | None:
        """Return the one that is kept of a process, a new one if need be; None when it is gone."""
        outsider = self._by_pid.get(found.pid) or Outsider(found, family, watcher)
        return outsider if found.pid in self._by_pid or self._watch(outsider) else None

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
