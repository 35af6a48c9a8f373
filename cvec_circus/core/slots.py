"""The slots of a watcher: its processes by number, and everything that is counted about them.

A pass of the core costs what has changed, however many processes there are, because nothing here
has to be counted again: each change of a slot goes through a method that keeps the numbers true.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from cvec_circus.core.agenda import Agenda
from cvec_circus.core.backoff import Backoff
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.states import ProcessState


class Death(NamedTuple):
    """What a person wants to know of a process that has ended. Immutable.

    Attributes:
        wid, pid: Of the process.
        exit_code: Its exit code, negative for a signal; None when somebody else collected it.
        cause: What ended it, as published.
        at: The instant at which that became known.
    """

    wid: int
    pid: int
    exit_code: int | None
    cause: str
    at: float


_DEATH = struct.Struct("=iihd")
_LOST = -0x8000  # stands for an exit code that nobody knows


class Slots:
    """The bookkeeping half of a watcher: what is so. Owned by the supervisor thread.

    Attributes:
        name: The watcher's, as written.
        options: Every option of `options.watcher`, typed, and the freeform ones.
        sequential: Whether stale processes are replaced one after the other.
        stale_cause: What last made a process stale.
        grants: Of what is not respawned: the spawns that are left of this start.
        places: How many of `numprocesses` places are held.
        pending: How many slots wait for their spawn.
        awaited: How many of these somebody waits for.
        stale_count: How many stale processes are not gone yet, with all that they left behind.
        trials: How many running processes after_spawn has not said yes to.
        trouble: Why the last start of a process failed; "" after one that did not.
        restarts: How many processes were spawned in place of one that had died by itself.
        active_at: The instant at which it last became active.
        slots: Every slot by wid.
        fresh, stale: The running processes in order of their spawn: those to keep, and those to
            replace.
        ending: The processes that are being stopped, or have left something behind.
        ready: Slots whose spawn is due, and some that have been removed meanwhile.
        expired: Processes older than `max_age`.
        agenda: The deadlines of the slots.
    """

    __slots__ = (
        "_backoffs",
        "_death",
        "_death_cause",
        "_free_wids",
        "_next_wid",
        "active_at",
        "agenda",
        "awaited",
        "ending",
        "expired",
        "fresh",
        "grants",
        "name",
        "options",
        "pending",
        "places",
        "ready",
        "restarts",
        "sequential",
        "slots",
        "stale",
        "stale_cause",
        "stale_count",
        "trials",
        "trouble",
    )

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self.name = name
        self.options = options
        self.sequential = False
        self.stale_cause = ""
        self.grants = 0
        self.places = 0
        self.pending = 0
        self.awaited = 0
        self.stale_count = 0
        self.trials = 0
        self.trouble = ""
        self.restarts = 0
        self.active_at = 0.0
        self.slots: dict[int, ManagedProcess] = {}
        self.fresh: dict[ManagedProcess, None] = {}
        self.stale: dict[ManagedProcess, None] = {}
        self.ending: dict[ManagedProcess, None] = {}
        self.ready: list[ManagedProcess] = []
        self.expired: list[ManagedProcess] = []
        self.agenda: Agenda[ManagedProcess] = Agenda()
        # A death is kept packed, 51 bytes that no garbage collection looks at: there may be a
        # thousand watchers, and all but a few of them have had one.
        self._death = b""
        self._death_cause = ""
        self._backoffs: dict[int, Backoff] = {}
        self._free_wids: list[tuple[bool, int]] = []
        self._next_wid = 1

    # -- what others may ask

    @property
    def numprocesses(self) -> int:
        """How many processes are wanted when it is up."""
        return int(self.options["numprocesses"])

    @property
    def is_singleton(self) -> bool:
        """Whether it may never run two processes, not even for a moment."""
        return bool(self.options["singleton"])

    @property
    def one_shot(self) -> bool:
        """Whether a process that ends by itself is not replaced: never, or not before the next
        connection."""
        return not self.options["respawn"] or bool(self.options["on_demand"])

    @property
    def stops_first(self) -> bool:
        """Whether a stale process ends before its successor starts."""
        return self.is_singleton or self.sequential

    @property
    def is_filled(self) -> bool:
        """Whether no further slot is to be opened."""
        return self.places >= self.numprocesses or (self.one_shot and not self.grants)

    @property
    def has_all(self) -> bool:
        """Whether every place has its process, and every process its after_spawn's yes.

        Nobody waits for the successor of a process that has died by itself.
        """
        return self.is_filled and not self.awaited and not self.trials

    def leaders(self) -> Iterator[ManagedProcess]:
        """The processes that are there, in order of wid."""
        for wid in sorted(self.slots):
            if self.slots[wid].has_leader:
                yield self.slots[wid]

    def pids(self) -> list[int]:
        """Their pids."""
        return [process.pid for process in self.leaders()]

    def spawned(self) -> list[ManagedProcess]:
        """Every process that has been spawned and is not gone with all that it started."""
        slots = self.slots.values()
        return [process for process in slots if process.state is not ProcessState.PENDING]

    def unkillable(self) -> list[ManagedProcess]:
        """The processes that SIGKILL did not end."""
        return [process for process in self.ending if process.unkillable]

    # -- deaths, and when the slot may spawn again

    @property
    def last_death(self) -> Death | None:
        """Of the process that ended last; None while none has."""
        if not self._death:
            return None
        wid, pid, exit_code, at = _DEATH.unpack(self._death)
        return Death(wid, pid, None if exit_code == _LOST else exit_code, self._death_cause, at)

    def died(self, process: ManagedProcess, exit_code: int | None, now: float) -> None:
        """A process has ended: `exit_code` is None when somebody else has collected it."""
        code = _LOST if exit_code is None else exit_code
        self._death = _DEATH.pack(process.wid, process.pid, code, now)
        self._death_cause = process.cause

    def backoff(self, wid: int) -> Backoff:
        """The memory of that slot's deaths."""
        return self._backoffs.setdefault(wid, Backoff())

    def forget_deaths(self, wid: int) -> None:
        """Drops that memory, because the place of the slot has gone to another one."""
        self._backoffs.pop(wid, None)

    def forget_causes(self) -> None:
        """Lets what starts from now on start for a reason of its own; the waits stay."""
        for memory in self._backoffs.values():
            memory.cause = ""

    def hasten(self, now: float) -> None:
        """Forgets every quick death, and makes the spawns that wait for a backoff due now."""
        self._backoffs.clear()
        for process in self.slots.values():
            if process.state is ProcessState.PENDING:
                process.attempts = process.failed_starts = 0
                if self.agenda.discard(process):
                    self.due(process, now, now)

    # -- the life of a slot

    def open_slot(self, now: float, cause: str) -> ManagedProcess:
        """Takes a place with a new slot, due as soon as backoff allows.

        Its wid is that of a process which has died and left its place, otherwise the lowest.

        Args:
            now: The instant.
            cause: Why there is to be a process, unless it succeeds another one.
        """
        if self._free_wids:
            _, wid = heapq.heappop(self._free_wids)
        else:
            wid = self._next_wid
            self._next_wid += 1
        memory = self._backoffs.get(wid)
        cause = (memory and memory.cause) or (self.stale and self.stale_cause) or cause
        process = ManagedProcess(self.name, wid, cause)
        process.awaited = not (memory and memory.is_respawn)
        self.slots[wid] = process
        self.places += 1
        self.pending += 1
        self.awaited += process.awaited
        self.due(process, max(now, memory.ready_at if memory else now), now)
        return process

    def forget_wids(self) -> None:
        """Begins to count from 1 again, now that there are no slots."""
        self._free_wids.clear()
        self._next_wid = 1

    def due(self, process: ManagedProcess, due_at: float | None, now: float) -> None:
        """Sets the process' next deadline; a spawn that is due already goes to the ready ones."""
        process.due_at = due_at
        if process.state is ProcessState.PENDING and due_at is not None and due_at <= now:
            self.ready.append(process)
        else:
            self.agenda.set(process, due_at)

    def end_by(self, process: ManagedProcess, kill_at: float, now: float) -> None:
        """Takes time away from a process that is being stopped, or from what it left behind."""
        if not process.killed and (process.due_at is None or process.due_at > kill_at):
            self.due(process, kill_at, now)

    def release_place(self, process: ManagedProcess) -> None:
        """Makes room for another process, though this one is still there."""
        if process.holds_place:
            process.holds_place = False
            self.places -= 1

    def make_stale(self, process: ManagedProcess, cause: str) -> None:
        """Marks a running process as one to be replaced."""
        del self.fresh[process]
        self.stale[process] = None
        process.stale = True
        process.cause = cause
        self.stale_count += 1
        self.stale_cause = cause
        if self.one_shot:
            self.grants += 1
        if not self.stops_first:
            self.release_place(process)

    def ran(self, process: ManagedProcess, pid: int, now: float) -> None:
        """The slot's process has been spawned."""
        process.enter(ProcessState.RUNNING)
        process.pid = pid
        process.spawned_at = now
        process.attempts = process.failed_starts = 0
        self.pending -= 1
        self.restarts += not process.awaited
        self.awaited -= process.awaited
        process.awaited = False
        self.fresh[process] = None
        self.trouble = ""

    def put_on_trial(self, process: ManagedProcess) -> None:
        """It is not known yet whether the process is any good."""
        process.on_trial = True
        self.trials += 1

    def end_trial(self, process: ManagedProcess) -> None:
        """Now it is, or it makes no difference any more."""
        self.trials -= process.on_trial
        process.on_trial = False

    def ends(self, process: ManagedProcess, state: ProcessState) -> None:
        """The process has left the running ones."""
        process.enter(state)
        self.end_trial(process)
        self.fresh.pop(process, None)
        self.stale.pop(process, None)
        self.ending[process] = None

    def remove(self, process: ManagedProcess) -> None:
        """Nothing of that slot is left."""
        if process.state is ProcessState.PENDING:
            self.pending -= 1
            self.awaited -= process.awaited
            process.awaited = False
        process.enter(ProcessState.REMOVED)
        self.end_trial(process)
        heapq.heappush(self._free_wids, (not process.holds_place, process.wid))
        self.release_place(process)
        self.stale_count -= process.stale
        self.fresh.pop(process, None)
        self.stale.pop(process, None)
        self.ending.pop(process, None)
        self.agenda.set(process, None)
        del self.slots[process.wid]

    def drop_pending(self) -> None:
        """Removes every slot that waits for its spawn: nothing of it runs."""
        if self.pending:
            for process in list(self.slots.values()):
                if process.state is ProcessState.PENDING:
                    self.remove(process)
        self.ready.clear()
