"""Finding the processes that have left their group: among our children, or in all of /proc."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.timers import Timer
from cvec_circus.supervisor.families import Families, Found
from cvec_circus.supervisor.outsiders import Outsiders
from cvec_circus.supervisor.walker import Table, Walker
from cvec_circus.system import collecting, subreaper

SHARE = 20
"""A look that has taken so long is followed by a pause of twenty times that."""

OLD = 1.0
"""Seconds after which no look waits for a mark any longer."""

DEFERRED_DELAY = 1.0
"""Seconds until a zombie is looked at again that a hook might be waiting for."""

Done = Callable[[], object]


class Finder(ABC):
    """Finds orphans and strays, and hands them to `Outsiders`. Owned by the supervisor thread."""

    def __init__(self, loop: Loop, delay: float) -> None:
        self._loop = loop
        self._delay = delay
        self._timer: Timer | None = None
        self._not_before = 0.0

    def soon(self) -> None:
        """Look in a moment, once for all that ask until then."""
        if self._timer is None:
            at = max(self._loop.clock.monotonic() + self._delay, self._not_before)
            self._timer = self._loop.call_at(at, self._look_now)

    def _look_now(self) -> None:
        self._timer = None
        self.look(lambda: None)

    def _pause(self, began: float) -> None:
        """Leave time to others after a look; that a mark is waited for costs none."""
        now = self._loop.clock.monotonic()
        self._not_before = now + SHARE * (now - began)

    @abstractmethod
    def new_batch(self) -> None:
        """Say that more exits have been seen since the last look."""

    @abstractmethod
    def sweep(self) -> None:
        """Collect the zombies among the orphans, where they are our children."""

    @abstractmethod
    def adopted(self, group: int) -> list[int]:
        """List the orphans in the group of a dead leader, where they are our children."""

    @abstractmethod
    def look(self, done: Done) -> None:
        """Look at once.

        Args:
            done: Called when all that is there now has been handed on; perhaps before this returns.
        """


class Adoption(Finder):
    """Finds orphans among our children, because we are the child subreaper.

    Owned by the supervisor thread. What a leader has outside its group becomes our child at that
    leader's exit, so a look at the list of our children finds it, and costs no walk. Children of
    our own session are those of hooks and streams, and are never touched. A zombie is collected
    when it is known where it comes from, else while no hook or stream code runs that might wait
    for it.

    Args:
        loop: The supervisor's loop.
        walker: Reads marks.
        families: The leaders.
        outsiders: Takes what is found.
        runs_user_code: Whether a hook or a stream class is running at this moment.
    """

    def __init__(
        self,
        loop: Loop,
        walker: Walker,
        families: Families,
        outsiders: Outsiders,
        runs_user_code: Callable[[], bool],
    ) -> None:
        super().__init__(loop, delay=0.02)
        self._walker = walker
        self._families = families
        self._outsiders = outsiders
        self._runs_user_code = runs_user_code
        self._session = os.getsid(0)
        self._members: dict[int, int] = {}  # group by pid, of those in the group of a leader
        self._asked: dict[int, float] = {}  # since when its mark is being read
        self._waiting: list[Done] = []
        self._is_fresh = False
        self._is_short = False
        self._deferred: Timer | None = None

    def new_batch(self) -> None:
        """See `Finder.new_batch`."""
        self._is_fresh = False

    def look(self, done: Done) -> None:
        """See `Finder.look`. Without a new orphan, `done` is called before it returns."""
        if not self._is_fresh:
            began = self._loop.clock.monotonic()
            self._list()
            self._pause(began)
            self._is_fresh = True
        # The mark of a process whose memory is locked may never be read: no look waits for an old
        # question, or each stop from then on would take its whole time.
        recent = self._loop.clock.monotonic() - OLD
        if any(at > recent for at in self._asked.values()):
            self._waiting.append(done)
        else:
            done()

    def sweep(self) -> None:
        """See `Finder.sweep`."""
        self._list()

    def adopted(self, group: int) -> list[int]:
        """See `Finder.adopted`."""
        return [pid for pid, own in self._members.items() if own == group]

    def _look_now(self) -> None:
        self._is_fresh = False
        super()._look_now()

    def _list(self) -> None:
        try:
            children = subreaper.children()
        except (OSError, MemoryError) as error:
            if not self._is_short:
                self._is_short = True
                reason = getattr(error, "strerror", None) or "no memory"
                logger.warning("cannot list the orphans: %s; it is tried again", reason)
            self._defer()
            return
        self._is_short = False
        new: list[int] = []
        if self._members:
            self._members = {pid: self._members[pid] for pid in children if pid in self._members}
        for pid in self._families.others(children):
            if pid not in self._asked:
                self._examine(pid, new)
        if new:
            self._asked.update(dict.fromkeys(new, self._loop.clock.monotonic()))
            self._walker.read(new, partial(self._found, new))

    def _examine(self, pid: int, new: list[int]) -> None:
        """Look at one child that is no leader. A microsecond or two: there may be thousands."""
        try:
            session, group = os.getsid(pid), os.getpgid(pid)
        except ProcessLookupError:
            return  # a hook has collected it
        if session == self._session:
            return
        if self._outsiders.knows(pid):
            return
        if collecting.peek(pid):
            if self._has_origin(session) or not self._runs_user_code():
                self._members.pop(pid, None)
                collecting.collect(pid)
            else:
                self._defer()
        elif self._members.get(pid) != group:
            family = self._families.of_leader(session)
            if family is not None and group == family.pid:
                self._members[pid] = group
            else:
                new.append(pid)

    def _has_origin(self, session: int) -> bool:
        return self._families.of_leader(session) is not None or self._outsiders.has_origin(session)

    def _found(self, asked: list[int], found: list[Found]) -> None:
        for pid in asked:
            self._asked.pop(pid, None)
        for one in found:
            if one.mark is None and not self._has_origin(one.session) and self._runs_user_code():
                self._defer()  # perhaps a hook's, which has only just left our session
            else:
                self._outsiders.take(one)
        if not self._asked:
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done()

    def _defer(self) -> None:
        if self._deferred is None:
            self._deferred = self._loop.call_later(DEFERRED_DELAY, self._look_again)

    def _look_again(self) -> None:
        self._deferred = None
        self.soon()


class Search(Finder):
    """Finds strays by a walk of /proc, where orphans do not become our children.

    Owned by the supervisor thread.

    Args:
        loop: The supervisor's loop.
        walker: Walks, and reads marks.
        families: The leaders.
        outsiders: Takes what is found.
    """

    def __init__(
        self, loop: Loop, walker: Walker, families: Families, outsiders: Outsiders
    ) -> None:
        super().__init__(loop, delay=0.1)
        self._walker = walker
        self._families = families
        self._outsiders = outsiders
        self._session = os.getsid(0)
        self._unmarked: set[tuple[int, int]] = set()

    def new_batch(self) -> None:
        """See `Finder.new_batch`; each walk is a new one."""

    def sweep(self) -> None:
        """See `Finder.sweep`; process 1 collects them."""

    def adopted(self, group: int) -> list[int]:
        """See `Finder.adopted`; none are."""
        return []

    def look(self, done: Done) -> None:
        """See `Finder.look`. `done` is called in a later turn."""

        began = self._loop.clock.monotonic()

        def walked(table: Table) -> None:
            self._pause(began)
            self._walked(table, done)

        self._walker.walk(walked)

    def _walked(self, table: Table, done: Done) -> None:
        unknown = []
        there = set()
        for row in table.rows:
            key = (row.start_time, row.pid)
            there.add(key)
            if row.session == self._session or self._outsiders.knows(row.pid):
                continue
            if self._families.of_leader(row.pid) or self._families.of_leader(row.pgrp):
                continue
            if self._families.of_leader(row.session) is not None:
                self._outsiders.take(Found.of(row.pid, row))
            elif key not in self._unmarked:
                unknown.append(row.pid)
        # What has no mark never gets one: it is inherited, and we alone give it.
        self._unmarked &= there
        if not unknown:
            done()
            return

        def read(found: list[Found]) -> None:
            for one in found:
                if one.mark is None:
                    self._unmarked.add((one.start_time, one.pid))
                else:
                    self._outsiders.take(one)
            done()

        self._walker.read(unknown, read)
