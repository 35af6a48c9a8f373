"""Finding the processes that have left their group: among our children, or in all of /proc."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.timers import Timer
from cvec_circus.supervisor.ending.families import Families, Family
from cvec_circus.supervisor.ending.outsiders import Outsiders
from cvec_circus.supervisor.ending.walker import Found, Table, Walker
from cvec_circus.system import collecting, prctl, proctable

SHARE = 20
"""A look that has taken so long is followed by a pause of twenty times that."""

OLD = 1.0
"""Seconds after which no look waits for a mark any longer."""

DEFERRED_DELAY = 1.0
"""Seconds until a zombie is looked at again that a hook might be waiting for."""

SEARCH_DELAY = 1.0
"""Seconds from the end of an adopted leader to a walk for its strays: stops need walks before."""

TICKS = os.sysconf("SC_CLK_TCK")

AT_ONCE = 256
"""Environments that a search reads before it leaves their reader to others for a moment."""

Done = Callable[[], object]


class Finder:
    """Finds orphans and strays, and hands them to `Outsiders`. Owned by the supervisor thread."""

    delay: float
    """Seconds for which calls of `soon` are collected."""

    def __init__(
        self, loop: Loop, walker: Walker, families: Families, outsiders: Outsiders
    ) -> None:
        self._loop, self._walker = loop, walker
        self._families, self._outsiders = families, outsiders
        self._session = os.getsid(0)
        self._timer: Timer | None = None
        self._not_before = 0.0

    def soon(self) -> None:
        """Look in a moment, once for all calls until then."""
        self._look_in(self.delay)

    def _look_in(self, delay: float) -> None:
        at = max(self._loop.clock.monotonic() + delay, self._not_before)
        if self._timer is not None:
            if self._timer.when <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._look_now)

    def _look_now(self) -> None:
        self._timer = None
        self.new_batch()
        self.look(lambda: None)

    def _pause(self, began: float) -> None:
        """Leave time to others after a look; that a mark is waited for costs none."""
        now = self._loop.clock.monotonic()
        self._not_before = now + SHARE * (now - began)

    def look(self, done: Done) -> None:
        """Look at once, and call `done` when all that is there now has been handed on.

        That may be before this returns.
        """
        raise NotImplementedError

    def search_too(self, family: Family) -> None:
        """Note that a leader has ended: its orphans may not become our children."""

    # Nothing to do where orphans do not become our children: process 1 collects them.

    def new_batch(self) -> None:
        """Note that more processes have exited since the last look."""

    def sweep(self) -> None:
        """Collect the zombies among the orphans, where they are our children."""

    def adopted(self, group: int) -> list[int]:
        """List the orphans in the group of a dead leader, where they are our children."""
        return []


class Adoption(Finder):
    """Finds orphans among our children, because we are the child subreaper.

    Owned by the supervisor thread. What a leader has outside its group becomes our child at that
    leader's exit, so a look at the list of our children finds it, and costs no walk. Children of
    our own session are those of hooks and streams, and are never touched. A zombie is collected
    when it is known where it comes from, else while no hook or stream code runs that might wait
    for it.

    What an adopted leader leaves becomes a child of process 1, and is found by a walk of /proc, a
    moment later: no stop waits for that.

    Args:
        runs_user_code: Whether a hook or a stream class is running at this moment.
    """

    delay = 0.02

    def __init__(
        self,
        loop: Loop,
        walker: Walker,
        families: Families,
        outsiders: Outsiders,
        runs_user_code: Callable[[], bool],
    ) -> None:
        super().__init__(loop, walker, families, outsiders)
        self._runs_user_code = runs_user_code
        self._search = Search(loop, walker, families, outsiders)
        self._search.since, self._search.delay = float("inf"), SEARCH_DELAY
        self._members: dict[int, int] = {}  # group by pid, of those in the group of a leader
        self._asked: dict[int, float] = {}  # since when its mark is being read
        self._waiting: list[Done] = []
        self._postponed: list[Done] = []
        self._is_fresh = False
        self._is_short = False

    def new_batch(self) -> None:
        """See `Finder.new_batch`."""
        self._is_fresh = False

    def search_too(self, family: Family) -> None:
        """See `Finder.search_too`."""
        if not family.is_child:
            began = (family.process.spawned_at - 1.0) * TICKS  # or later, where it was suspended
            self._search.since = min(self._search.since, began)
            self._search.soon()

    def look(self, done: Done) -> None:
        """See `Finder.look`. Without a new orphan, `done` is called before it returns.

        In the pause after a look, more of them wait for the next one, and share it: while
        thousands are stopped, some end in each turn, and a look takes its time for each child.
        """
        began = self._loop.clock.monotonic()
        if not self._is_fresh and began < self._not_before:
            self._postponed.append(done)
            self._look_in(0.0)
            return
        if not self._is_fresh:
            self.sweep()
            self._pause(began)
            self._is_fresh = True
        # The mark of a process whose memory is locked may never be read: no look waits for an old
        # question, or each stop from then on would take its whole time.
        recent = self._loop.clock.monotonic() - OLD
        if any(at > recent for at in self._asked.values()):
            self._waiting.append(done)
        else:
            done()

    def _look_now(self) -> None:
        self._timer = None
        self.new_batch()
        postponed, self._postponed = self._postponed, []

        def all_done() -> None:
            for done in postponed:
                done()

        self.look(all_done)

    def adopted(self, group: int) -> list[int]:
        """See `Finder.adopted`."""
        return [pid for pid, own in self._members.items() if own == group]

    def sweep(self) -> None:
        """List our children: collect zombies, and have the marks of new ones read."""
        try:
            children = proctable.children()
        except (OSError, MemoryError) as error:
            if not self._is_short:
                self._is_short = True
                reason = getattr(error, "strerror", None) or "no memory"
                logger.warning("cannot list the orphans: %s; trying again", reason)
            self._look_in(DEFERRED_DELAY)
            return
        self._is_short = False
        if self._members:
            self._members = {pid: self._members[pid] for pid in children if pid in self._members}
        leaders, asked = self._families.by_pid, self._asked
        others = [pid for pid in children if pid not in leaders and pid not in asked]
        new = [pid for pid in others if self._is_new(pid)]
        if new:
            asked.update(dict.fromkeys(new, self._loop.clock.monotonic()))
            self._walker.read(new, partial(self._found, new))

    def _is_new(self, pid: int) -> bool:
        """Collect a zombie that is not a leader; tell whether to read the mark of another child.

        A microsecond or two: there may be thousands.
        """
        try:
            session, group = os.getsid(pid), os.getpgid(pid)
        except ProcessLookupError:
            return False  # a hook has collected it
        if session == self._session or self._outsiders.knows(pid):
            return False
        if collecting.peek(pid):
            if self._outsiders.has_origin(session) or not self._runs_user_code():
                self._members.pop(pid, None)
                collecting.collect(pid)
            else:
                self._look_in(DEFERRED_DELAY)
            return False
        if self._members.get(pid) == group:
            return False
        if session == group and session in self._families.by_pid:
            self._members[pid] = group
            return False
        return True

    def _found(self, asked: list[int], found: list[Found]) -> None:
        for pid in asked:
            self._asked.pop(pid, None)
        for one in found:
            has_origin = one.mark is not None or self._outsiders.has_origin(one.session)
            if has_origin or not self._runs_user_code():
                self._outsiders.take(one)
            else:
                self._look_in(
                    DEFERRED_DELAY
                )  # perhaps a hook's that has only just left our session
        if not self._asked:
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done()


class Search(Finder):
    """Finds strays by a walk of /proc, where orphans do not become our children.

    Owned by the supervisor thread.
    """

    delay = 0.1
    since = 0.0
    """When the oldest began that may be found: clock ticks since boot, as in the process table."""

    _unmarked: frozenset[tuple[int, int]] = frozenset()

    def look(self, done: Done) -> None:
        """See `Finder.look`. `done` is called in a later turn."""
        self._walker.walk(partial(self._walked, self._loop.clock.monotonic(), done))

    def _walked(self, began: float, done: Done, table: Table) -> None:
        self._pause(began)
        leaders = self._families.by_pid
        unknown = []
        for row in table.rows:
            if row.session == self._session or self._outsiders.knows(row.pid):
                continue
            if row.pid in leaders or row.pgrp in leaders:
                continue
            if row.session in leaders:
                self._outsiders.take(Found.of(row.pid, row))
            elif row.start_time >= self.since and (row.start_time, row.pid) not in self._unmarked:
                unknown.append(row.pid)
        # What has no mark never gets one: it is inherited, and we alone give it.
        self._unmarked &= {(row.start_time, row.pid) for row in table.rows}
        self._read(unknown, done)

    def _read(self, pids: list[int], done: Done) -> None:
        if pids:
            self._walker.read(pids[:AT_ONCE], partial(self._take, pids[AT_ONCE:], done))
        else:
            done()

    def _take(self, rest: list[int], done: Done, found: list[Found]) -> None:
        self._unmarked |= {(one.start_time, one.pid) for one in found if one.mark is None}
        for one in found:
            if one.mark is not None:
                self._outsiders.take(one)
        self._read(rest, done)


def become_subreaper() -> bool:
    """Become the child subreaper, if the kernel permits; else a walk of /proc finds orphans."""
    try:
        prctl.set_subreaper(True)
    except OSError as error:
        logger.warning(
            "cannot become the child subreaper: %s; strays take longer to find", error.strerror
        )
        return False
    return True
