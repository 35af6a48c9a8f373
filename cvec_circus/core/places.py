"""The places of a watcher: its processes by number, and everything that is counted about them.

The cost of a pass depends on what has changed, not on the number of processes, because nothing is
recounted: each change of a slot goes through a method that keeps the counters right.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from operator import attrgetter

from cvec_circus.base.timers import Agenda
from cvec_circus.core.backoff import Backoff
from cvec_circus.core.process import PURPOSES, ManagedProcess, ProcessState, Purpose
from cvec_circus.wire.cause import MAX_AGE, NONE, Cause
from cvec_circus.wire.outcome import Death

EXEC_TIME = 1.0
"""Seconds in which a spawned process executes its program, or fails to."""

DEATHS = 20
"""How many deaths a watcher remembers."""

_SPAWNED_AT = attrgetter("spawned_at")


class Places:
    """The processes of a watcher and their counters. Owned by the supervisor thread."""

    name: str  # the watcher's
    slots: dict[int, ManagedProcess]  # all of them, by wid
    pending: dict[ManagedProcess, None]  # those that wait for their spawn
    awaited: dict[ManagedProcess, None]
    """Those of them whose spawn a start, a reload or an order waits for. Nothing waits for the
    successor of a process that died by itself."""
    fresh: dict[ManagedProcess, None]  # running and to be kept, in order of spawning
    stale: dict[ManagedProcess, None]  # running and to be replaced, likewise
    ending: dict[ManagedProcess, None]  # being stopped, or with leftovers
    trials: dict[ManagedProcess, None]  # running, without a yes from after_spawn
    unproved: dict[ManagedProcess, None]  # fresh and not proved, or on trial
    unwell: dict[ManagedProcess, None]  # running, and known not to be ready: `unready` says why
    ready: list[ManagedProcess]  # slots whose spawn is due, and some that are gone meanwhile
    expired: dict[ManagedProcess, Cause]  # to be replaced when no rollout is under way, and why
    agenda: Agenda[tuple[ManagedProcess, Purpose]]  # the deadlines
    held: int  # how many of the `numprocesses` places are held
    stale_count: int  # stale processes that are not gone yet, or have leftovers
    grants: int  # without respawn: the spawns left of this start
    spawns: int  # processes that this life has spawned
    has_run: bool  # one of them executed its program and has ended
    failed_exits: int  # of this life: processes of a one-shot that ended with a code other than 0
    restarts: int  # processes spawned in place of one that had died by itself
    stale_cause: Cause  # what last made a process stale
    asked_for: int  # the wid that before_spawn has been asked about; 0 for none
    next_spawn_at: float  # the instant from which the warm-up, or a shortage, allows another spawn
    shortages: int  # attempts in a row that failed because the system was short of something
    trouble: str  # why the last start of a process failed; "" if it did not
    refused: str  # why a start failed for the command's own reason in this life; "" if none did
    exhausted: bool  # a slot has failed `max_retry` times since the last order
    deaths: list[Death]  # the last ones
    backoffs: dict[int, Backoff]  # what is remembered of each slot's deaths, by wid
    free_wids: list[tuple[bool, int]]  # a heap: first those whose place is left to a successor
    next_wid: int

    __slots__ = tuple(__annotations__)

    def __init__(self, name: str) -> None:
        self.name = name
        self.slots, self.pending, self.awaited = {}, {}, {}
        self.fresh, self.stale, self.ending = {}, {}, {}
        self.trials, self.unproved, self.unwell, self.expired = {}, {}, {}, {}
        self.ready = []  # an empty deque takes 600 bytes
        self.agenda = Agenda()
        self.held = self.stale_count = self.grants = self.spawns = self.restarts = 0
        self.failed_exits = 0
        self.asked_for = self.shortages = 0
        self.stale_cause = NONE
        self.next_spawn_at = 0.0
        self.trouble = self.refused = ""
        self.exhausted = self.has_run = False
        self.deaths = []
        self.backoffs = {}
        self.free_wids = []
        self.next_wid = 1

    # -- questions

    @property
    def last_death(self) -> Death | None:
        """The last death, None if there was none."""
        return self.deaths[-1] if self.deaths else None

    def leaders(self) -> Iterator[ManagedProcess]:
        """Iterate over the processes that are there, in order of wid."""
        for wid in sorted(self.slots):
            if self.slots[wid].has_leader:
                yield self.slots[wid]

    def pids(self) -> list[int]:
        """Return their pids."""
        return [process.pid for process in self.leaders()]

    def spawned(self) -> list[ManagedProcess]:
        """Return every spawned process that is not gone with all its leftovers."""
        return [process for process in self.slots.values() if process not in self.pending]

    def being_replaced(self) -> int:
        """Return how many stale processes are still ending."""
        return self.stale_count - sum(process.stale for process in self.unkillable())

    def proved_count(self) -> int:
        """Return how many fresh processes are proved."""
        return len(self.fresh) - len(self.unproved)

    def ready_count(self) -> int:
        """Return how many fresh processes are proved, and ready still."""
        lost = sum(one in self.fresh and one not in self.unproved for one in self.unwell)
        return self.proved_count() - lost

    def worth(self, process: ManagedProcess) -> int:
        """Return the rank by which processes end where only some do, the lowest first: those that
        fail, those that do not run, those that are not proved yet, those that are ready."""
        is_running = process.state is ProcessState.RUNNING
        if is_running and process.is_ready and process not in self.trials:
            return 3
        memory = self.backoffs.get(process.wid)
        if process.unready or (memory is not None and memory.deaths):
            return 0
        return 2 if is_running else 1

    def by_worth(self, processes: Iterable[ManagedProcess]) -> list[ManagedProcess]:
        """Return processes in the order in which they end: by their worth, and then by their age,
        the oldest first."""
        return sorted(sorted(processes, key=_SPAWNED_AT), key=self.worth)

    def unkillable(self) -> list[ManagedProcess]:
        """Return the processes that SIGKILL did not end."""
        return [process for process in self.ending if process.unkillable]

    def deadline(self, process: ManagedProcess, purpose: Purpose) -> float | None:
        """Return the instant of one of its deadlines, None if it has none."""
        return self.agenda.at((process, purpose))

    # -- deaths, and when the slot may spawn again

    def backoff(self, wid: int) -> Backoff:
        """Return the memory of that slot's deaths."""
        memory = self.backoffs.get(wid)
        if memory is None:
            memory = self.backoffs[wid] = Backoff()
        return memory

    def has_started(self, now: float) -> bool:
        """Tell whether any process of this life became its program, as far as is known.

        If its predecessors did not, a process is assumed to have after `EXEC_TIME`.
        """
        failing = {wid for wid, memory in self.backoffs.items() if memory.is_doubtful}
        there = [process for process in self.slots.values() if process.has_leader]
        sure = (one.wid not in failing or now - one.spawned_at >= EXEC_TIME for one in there)
        return self.has_run or any(sure)

    def hasten(self, now: float) -> None:
        """Forget every quick death, and make the spawns that wait for a backoff due now."""
        self.backoffs.clear()
        self.exhausted = False
        self.shortages = 0
        for process in self.pending:
            process.doubted = False
            if self.deadline(process, Purpose.SPAWN) is not None:
                self.spawn_at(process, now, now)

    # -- the life of a slot

    def begin(self, now: float, grants: int) -> None:
        """Forget the previous life: a watcher begins to start from scratch."""
        self.grants = grants
        self.spawns = self.shortages = self.failed_exits = 0
        self.trouble = self.refused = ""
        self.has_run = False
        self.next_spawn_at = now
        self.free_wids.clear()
        self.next_wid = 1

    def open_slot(self, now: float, cause: Cause) -> ManagedProcess:
        """Take a place with a new slot, due as soon as backoff allows.

        Its wid is that of a process which has died and left its place, otherwise the lowest. The
        cause is that of its predecessor's end, if it succeeds another process.
        """
        if self.free_wids:
            _, wid = heapq.heappop(self.free_wids)
        else:
            wid = self.next_wid
            self.next_wid += 1
        memory = self.backoffs.get(wid)
        if memory and memory.cause.text:
            cause = memory.cause
        elif self.stale and self.stale_cause.text:
            cause = self.stale_cause
        process = self.slots[wid] = ManagedProcess(self.name, wid, cause)
        self.held += 1
        self.pending[process] = None
        process.is_respawn = memory is not None and memory.is_respawn
        if not process.is_respawn:
            self.awaited[process] = None
        self.spawn_at(process, max(now, memory.ready_at if memory else now), now)
        return process

    def spawn_at(self, process: ManagedProcess, due_at: float, now: float) -> None:
        """Set when a slot spawns; one that is due already goes to the ready ones."""
        is_due = due_at <= now
        self.agenda.set((process, Purpose.SPAWN), None if is_due else due_at)
        if is_due:
            self.ready.append(process)

    def due(self, process: ManagedProcess, purpose: Purpose, due_at: float | None) -> None:
        """Set one of its deadlines; None takes it away."""
        self.agenda.set((process, purpose), due_at)

    def end_by(self, process: ManagedProcess, kill_at: float) -> None:
        """Take time away from a process that is being stopped, or from what it left behind."""
        due_at = self.deadline(process, Purpose.KILL)
        if not process.killed and (due_at is None or due_at > kill_at):
            self.due(process, Purpose.KILL, kill_at)

    def forget_ages(self) -> None:
        """Forget which processes are older than `max_age`; what a client has chosen stays so."""
        old = [one for one, cause in self.expired.items() if cause.text == MAX_AGE.text]
        for process in old:
            del self.expired[process]

    def release(self, process: ManagedProcess) -> None:
        """Make room for another process while this one still exists."""
        if process.holds_place:
            process.holds_place = False
            self.held -= 1

    def make_stale(self, process: ManagedProcess, cause: Cause) -> None:
        """Mark a running process as one to be replaced."""
        self.stale[process] = self.fresh.pop(process)
        self.unproved.pop(process, None)
        process.stale, process.cause = True, cause
        self.stale_count += 1
        self.stale_cause = cause

    def disown(self, process: ManagedProcess) -> None:
        """Make room for another process beside the leftovers of a dead one."""
        self.stale_count += not process.stale
        process.stale = True
        self.release(process)

    def keep(self, process: ManagedProcess) -> None:
        """Keep a stale process after all, in a place of its own."""
        self.fresh[process] = self.stale.pop(process)
        if not process.proved or process in self.trials:
            self.unproved[process] = None
        process.stale, process.cause = False, NONE
        self.stale_count -= 1
        self.held += not process.holds_place
        process.holds_place = True

    def prove(self, process: ManagedProcess) -> None:
        """Note that a process is ready, and after_spawn has said yes to it."""
        if process.proved and process not in self.trials:
            strike(self.unproved, process)

    def mark_unready(self, process: ManagedProcess, text: str) -> None:
        """Note why a process is not ready, "" if it is."""
        process.unready = text
        if text:
            self.unwell[process] = None
        else:
            strike(self.unwell, process)

    def ran(self, process: ManagedProcess, pid: int, generation: int, now: float) -> None:
        """Note that the slot's process was spawned."""
        process.enter(ProcessState.RUNNING)
        process.pid, process.generation, process.spawned_at = pid, generation, now
        self.restarts += process not in self.awaited
        strike(self.pending, process)
        strike(self.awaited, process)
        self.fresh[process] = self.unproved[process] = None
        self.spawns += 1
        self.shortages = 0
        self.trouble = ""

    def ends(self, process: ManagedProcess, state: ProcessState) -> None:
        """Move a process from the running ones to the ending ones."""
        process.enter(state)
        process.unkillable = False
        self.agenda.drop([(process, Purpose.EXPIRE), (process, Purpose.READY_BY)])
        for row in (self.fresh, self.stale, self.trials, self.unproved, self.unwell):
            row.pop(process, None)
        self.ending[process] = None

    def remove(self, process: ManagedProcess) -> None:
        """Remove a slot of which nothing is left."""
        process.enter(ProcessState.REMOVED)
        heapq.heappush(self.free_wids, (not process.holds_place, process.wid))
        self.release(process)
        self.stale_count -= process.stale
        rows = (self.pending, self.awaited, self.fresh, self.stale, self.ending)
        for row in (*rows, self.trials, self.unproved, self.unwell):
            row.pop(process, None)
        if self.agenda:
            self.agenda.drop([(process, purpose) for purpose in PURPOSES])
        del self.slots[process.wid]

    def drop_pending(self) -> None:
        """Remove every slot that waits for its spawn."""
        self.asked_for = 0
        for process in list(self.pending):
            self.remove(process)
        self.ready.clear()


def strike(row: dict[ManagedProcess, None], process: ManagedProcess) -> None:
    """Take a process out of a row. An empty one takes no memory: there may be ten thousand."""
    row.pop(process, None)
    if not row:
        row.clear()
