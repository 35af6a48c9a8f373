"""What a dead leader has left, and its slot waits for: its group, its tree, its strays' names."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from functools import partial

from cvec_circus.base.loop import Loop
from cvec_circus.base.timers import Timer
from cvec_circus.core.facts import Emptied, Facts
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.announcer import Refusals
from cvec_circus.supervisor.ending.cgroups import Cgroups
from cvec_circus.supervisor.ending.families import Families, Family
from cvec_circus.supervisor.ending.finding import Finder
from cvec_circus.supervisor.ending.outsiders import KILL_TIMEOUT, Outsiders
from cvec_circus.supervisor.ending.walker import Found, Table, Walker
from cvec_circus.system import collecting, pidfd, proctable
from cvec_circus.system.collecting import ProcessGroup
from cvec_circus.system.exits import ExitWatcher

FIRST_DELAY, LAST_DELAY = 0.005, 0.2
"""Seconds between two questions whether groups are empty, which nothing announces: doubling."""

FIRST_WALK_DELAY, LAST_WALK_DELAY = 0.1, 2.0
"""Seconds between two walks that look for groups of nothing but zombies: doubling."""

SHARE = 10
"""Both take a tenth of the time at most."""

LOOK_TIMEOUT = 1.0
"""Seconds that a stop waits for the names of the strays it leaves."""


class Leftovers:
    """Follows what dead leaders have left until it has ended. Owned by the supervisor thread.

    A group is asked whether it is empty at each exit of any child, and by a timer. A zombie that
    its parent does not collect is a member too, so now and then a walk of /proc looks for groups
    that have no other. Where the kernel cannot tell whether a group is empty, that walk alone does.
    """

    def __init__(
        self,
        loop: Loop,
        exits: ExitWatcher,
        facts: Facts,
        families: Families,
        outsiders: Outsiders,
        finder: Finder,
        walker: Walker,
        refusals: Refusals,
        cgroups: Cgroups,
    ) -> None:
        self._loop, self._exits, self._facts, self._families = loop, exits, facts, families
        self._outsiders, self._finder, self._walker = outsiders, finder, walker
        self._refusals, self._cgroups = refusals, cgroups
        self._cleared: dict[Watcher, int] = {}  # the life in which its cgroup was last cleared
        self._waiting: set[Family] = set()  # `emptied` is still to be reported
        self._naming: set[Family] = set()  # abandoned; its members are strays when a walk ends
        self._unsought: dict[Watcher, object | None] = {}
        """Watchers with a process that ended by itself, and the look for its strays, once begun."""
        self._timer: Timer | None = None
        self._delay = FIRST_DELAY
        self._walk_delay = FIRST_WALK_DELAY
        self._walk_at = 0.0
        self._walking = False

    def begin(self, family: Family, group: ProcessGroup) -> bool:
        """Signal and follow what a leader has left that has just exited.

        Return whether its slot has something to wait for; `Emptied` follows then. The group is
        owned here from now on.
        """
        if family.watcher.is_abandoned:  # removed, and all of it may go on running
            self._outsiders.leader_ended(family)
            group.close()
            self._families.remove(family)
            return False
        _signal_group(family, group)
        if group.is_empty():
            group.close()
        else:
            family.group = group
            self._track()
        self._outsiders.leader_ended(family)
        if family.stopping:
            self._look(family)
        else:
            self._unsought[family.watcher] = None
        if family.is_over:
            self._families.remove(family)
        else:
            self._waiting.add(family)
        self._outsiders.flush()
        return not family.is_over

    def _look(self, family: Family) -> None:
        """Look for the strays that a stop must name. The slot waits for that, for a while."""
        family.looking, family.changed = True, False
        self._finder.look(partial(self._looked, family))
        if family.looking:
            self._loop.call_later(LOOK_TIMEOUT, self._looked, family)

    def _looked(self, family: Family) -> None:
        if family.looking:
            family.looking = False
            self.settle(family)

    def settle(self, family: Family) -> None:
        """Report that nothing is left, if that is so."""
        if family not in self._waiting or not family.is_over:
            return
        if family.stopping and family.changed:
            self._look(family)  # what has ended meanwhile may have left something in its turn
            return
        self._waiting.discard(family)
        self._families.remove(family)
        self._outsiders.flush()
        self._facts.append(Emptied(family.watcher, family.process))

    # -- strays of those that ended by themselves: the watcher waits for them before it is down

    def is_settled(self, watcher: Watcher) -> bool:
        """Tell whether all strays of a watcher without slots are known, and the killed ones gone.

        Otherwise they are looked for, and `Strayed` follows.
        """
        if self._outsiders.are_doomed(watcher):
            self._unsought[watcher] = None  # they may leave something in their turn
            return False
        is_empty = self._cgroups.is_empty(watcher)
        if is_empty:
            self._unsought.pop(watcher, None)
        elif is_empty is False and watcher.options.strays != "ignore":
            if self._cleared.get(watcher) != watcher.lives:
                self._cleared[watcher] = watcher.lives
                self._unsought[watcher] = None
        if self._unsought.get(watcher, self) is None:
            look = self._unsought[watcher] = object()
            self._finder.look(partial(self._clear, watcher, look))
            if watcher in self._unsought:
                self._loop.call_later(LOOK_TIMEOUT, self._overdue, watcher, look)
            self._outsiders.flush()
        return watcher not in self._unsought and not self._outsiders.are_doomed(watcher)

    def _clear(self, watcher: Watcher, look: object) -> None:
        """End what the cgroup of a watcher holds at once, or take it in; without one, no more than
        what was found is known."""
        if self._unsought.get(watcher) is not look:
            return
        pids = self._cgroups.pids(watcher)
        if watcher.options.strays == "kill" and pids and self._cgroups.kill(watcher, pids):
            self._unsought[watcher] = look = object()  # `Vacated` follows
            self._loop.call_later(KILL_TIMEOUT, self._survived, watcher, look)
        elif watcher.options.strays != "ignore" and pids:
            self._take(watcher, look)
        elif self._cgroups.is_empty(watcher) is not False or pids:
            self._sought(watcher, look)
        # Else it holds what is dying, and `Vacated` follows.

    def _overdue(self, watcher: Watcher, look: object) -> None:
        """Wait for the look no longer: what a cgroup holds is known without it."""
        self._clear(watcher, look)
        self._sought(watcher, look)

    def _survived(self, watcher: Watcher, look: object) -> None:
        """Name what not even SIGKILL has ended."""
        if self._unsought.get(watcher) is look:
            self._take(watcher, look)

    def _take(self, watcher: Watcher, look: object) -> None:
        """Take in what the cgroup of a watcher without slots holds."""
        for pid in self._cgroups.pids(watcher):
            with contextlib.suppress(ProcessLookupError):
                self._outsiders.left_in_cgroup(watcher, Found.of(pid, proctable.row(pid)))
        self._sought(watcher, look)

    def _sought(self, watcher: Watcher, look: object) -> None:
        if self._unsought.get(watcher) is look:
            del self._unsought[watcher]
            self._outsiders.touch(watcher)

    def forget(self, watcher: Watcher) -> None:
        """Report nothing more of a watcher that has been removed."""
        self._unsought.pop(watcher, None)
        self._cleared.pop(watcher, None)
        self._outsiders.forget(watcher)
        self._families.forget(watcher)

    # -- what does not end by itself

    def _kill(self, family: Family) -> None:
        """Send SIGKILL to all that is left, and to all that turns up."""
        family.killed = True
        if family.group is not None:
            with contextlib.suppress(PermissionError):  # the walk that follows names them
                family.group.send(signal.SIGKILL)
            self._track()
        self._outsiders.kill(family)

    def abandon(self, process: ManagedProcess) -> None:
        """Stop waiting for what a dead leader has left: its members are strays now."""
        family = self._families.by_process.get(process)
        if family is None or family not in self._waiting:
            return
        self._waiting.discard(family)
        self._outsiders.abandon(family)
        if family.group is None:
            self._families.remove(family)
        else:
            # Those that the last walk has seen are named before the place is filled again.
            self._name(family, family.seen)
            self._naming.add(family)
            self._walker.walk(partial(self._abandoned, family))
        self._outsiders.flush()

    def _abandoned(self, family: Family, table: Table) -> None:
        self._naming.discard(family)
        if family.group is not None:
            # In this order: the number is the group's own until it is closed.
            members = self._members(family, table)
            self._signal_newcomers(family, members)
            self._name(family, members)
            _close_group(family)
            self._families.remove(family)

    def _name(self, family: Family, members: Sequence[Found]) -> None:
        if family.group is not None and family.group.is_empty() is not True:
            for found in members:
                self._outsiders.strayed(family.watcher, found)

    def close(self) -> None:
        """Let go of all groups, after the loop has ended."""
        for family in self._waiting | self._naming:
            _close_group(family)
        self._waiting.clear()
        self._naming.clear()

    # -- whether groups are empty

    def ask(self) -> None:
        """Ask all groups, since a child has exited. A microsecond for each of them."""
        emptied = [one for one in self._waiting if one.group and one.group.is_empty()]
        if emptied:
            self._finder.new_batch()  # one for all of them
        for family in emptied:
            self._emptied(family)

    def _emptied(self, family: Family) -> None:
        if family.group is not None:  # else it was let go of meanwhile
            _close_group(family)
            family.changed = True
            self.settle(family)

    def _track(self) -> None:
        """Begin to ask often, since there is a group to ask about that has got a signal."""
        self._delay, self._walk_delay = FIRST_DELAY, FIRST_WALK_DELAY
        now = self._loop.clock.monotonic()
        if self._timer is None:
            # Without help of the kernel, a walk alone tells that a group is empty.
            self._walk_at = now + (FIRST_WALK_DELAY if pidfd.reaches_groups() else FIRST_DELAY)
        elif self._timer.when > now + self._delay:
            self._timer.cancel()
        else:
            return
        self._timer = self._loop.call_later(self._delay, self._tick)

    def _tick(self) -> None:
        self._timer = None
        began = self._loop.clock.monotonic()
        self._finder.new_batch()
        self._finder.sweep()
        self.ask()
        groups = [family.group for family in self._waiting if family.group is not None]
        if not groups:
            return
        now = self._loop.clock.monotonic()
        is_unknown = any(group.is_empty() is None for group in groups)
        is_due = now >= self._walk_at or (is_unknown and self._delay < LAST_DELAY)
        if is_due and not self._walking:
            self._walking = True
            self._walker.walk(partial(self._walked, now))
        self._timer = self._loop.call_at(now + max(self._delay, SHARE * (now - began)), self._tick)
        self._delay = min(2 * self._delay, LAST_DELAY)

    def _walked(self, began: float, table: Table) -> None:
        now = self._loop.clock.monotonic()
        self._walking = False
        self._walk_at = now + max(self._walk_delay, SHARE * (now - began))
        self._walk_delay = min(2 * self._walk_delay, LAST_WALK_DELAY)
        for family in list(self._waiting):
            if family.group is not None:
                self._compare(family, family.group, self._members(family, table))

    def _compare(self, family: Family, group: ProcessGroup, members: list[Found]) -> None:
        """Compare a group with the process table."""
        is_empty = group.is_empty()
        if not is_empty and members:
            family.is_bare, family.seen = False, members
            self._signal_newcomers(family, members)
        elif not is_empty and not family.is_bare:
            # Nothing but zombies, or what /proc hides from us, or what was born while the walk
            # went on: only a second walk in a row tells that apart.
            family.is_bare, self._walk_at = True, 0.0
        elif is_empty or not _is_hidden(group):
            self._finder.new_batch()
            self._emptied(family)

    def _signal_newcomers(self, family: Family, members: list[Found]) -> None:
        """Signal those that are new in the list, and name those that may not be signalled."""
        # Those of the first list had the signal with the group: 0 asks whether they could.
        signum = _last_signal(family) if family.killed or family.is_listed else 0
        for found in members:
            key = (found.start_time, found.pid)
            if key not in family.signalled:
                family.signalled[key] = None
                self._send_once(family, found, signum)
        family.is_listed = True

    def _members(self, family: Family, table: Table) -> list[Found]:
        """List the members of a dead leader's group that can still do something.

        Those that /proc hides are known only where they have become our children.
        """
        found = [Found.of(row.pid, row) for row in table.members.get(family.pid, ())]
        seen = {one.pid for one in found}
        for pid in self._finder.adopted(family.pid):
            if pid not in seen and proctable.row(pid) is None and not collecting.peek(pid):
                with contextlib.suppress(ProcessLookupError):
                    found.append(Found.of(pid, None))
        return found

    def _send_once(self, family: Family, found: Found, signum: int) -> None:
        """Send a signal to one process that has been listed."""
        pid, start_time = found.pid, found.start_time
        try:
            if start_time:
                pidfd.send_once(pid, start_time, signum)
            elif not collecting.is_stranger(pid):
                os.kill(pid, signum)  # not collected, so the number is its own
        except PermissionError:
            self._refusals.tell(family.watcher.name, pid, found.command, start_time)
        except OSError:
            # No file left to open it with. The next list has it again.
            family.signalled.pop((start_time, pid), None)
            self._finder.soon()


def _signal_group(family: Family, group: ProcessGroup) -> None:
    """Signal what a leader has left in its group.

    With a tree whose members have had their signal, only those that have not get it, when the group
    is listed.
    """
    if family.is_listed and not family.killed:
        return
    try:
        if group.send(_last_signal(family)) and not family.killed:
            group.send(signal.SIGCONT)
    except PermissionError:
        pass  # the list names those that are left


def _last_signal(family: Family) -> int:
    """Return the signal for members that turn up after the leader's exit."""
    return signal.SIGKILL if family.killed else family.signum or signal.SIGTERM


def _close_group(family: Family) -> None:
    if family.group is not None:
        family.group.close()
        family.group = None


def _is_hidden(group: ProcessGroup) -> bool:
    """Whether a group has members that we may not see, which we may not signal either."""
    try:
        group.send(0)
    except PermissionError:
        return True
    return False
