"""A watcher: what is wanted of a command and its processes, and what is so.

Orders change what is wanted and facts change what is so; neither takes a step. The steps are taken
by `converge()`, once at the end of a turn, however many orders and facts came in.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from cvec_circus.core.agenda import Agenda
from cvec_circus.core.backoff import Backoff
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.states import WATCHER_STEPS, ProcessState, WatcherState


class Watcher:
    """A command and its processes. Owned by the supervisor thread.

    Args:
        name: As written; commands find it in any case.
        options: Every option of `options.watcher`, typed, and the freeform ones. The watcher owns
            it.
        helper: Whether it serves the daemon (a plugin): helpers stop after everybody else.
        fatal_exit_codes: Exit codes after which there is no point in starting it again.

    Attributes:
        goal_up: What is wanted: up, or down.
        impatient: Whether slots that wait out a backoff are to spawn at once, after an order.
        must_cycle: Whether it has to be down once before it is up again: a restart.
        stop_held, start_held: Whether an order to all watchers has not come to this one yet.
        predecessor: A removed watcher of the same name that is not all gone: this one waits for it.
        removed: Whether it has left the roster.
        abandoned: Whether it was removed with `nostop`: its processes are nobody's any more.
        cause: Who or what last decided whether it is to be up, as published.
        size_cause: Who or what last decided how many processes it is to have.
        last_order: The word for the last order: "start", "stop", ...
        reason: Why it gave up; "" if it did not.
        trouble: Why the last start of a process failed; "" after one that did not.
        activations: How often it has become active.
        reloading: The cause of the reload in progress; "" if there is none.
        next_reload: The cause of the one that follows it; "" if there is none.
        sequential: Whether they replace one process after the other.
        stale_cause: What last made a process stale.
        grants: With `respawn = False`: the spawns that are left of this start.
        places: How many of `numprocesses` places are held.
        pending: How many slots wait for their spawn.
        awaited: How many of these somebody waits for.
        stale_count: How many processes of before the last reload are not gone yet.
        next_spawn_at: The instant from which the warm-up allows another spawn.
        slots: Every slot by wid.
        fresh, stale: The running processes in order of their spawn: of now, of before the last
            reload.
        ending: The processes that are being stopped, or have left something behind.
        ready: Slots whose spawn is due.
        expired: Processes older than `max_age`.
        agenda: The deadlines of the slots.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        helper: bool = False,
        fatal_exit_codes: frozenset[int] = frozenset(),
    ) -> None:
        self.name = name
        self.options = options
        self.helper = helper
        self.fatal_exit_codes = fatal_exit_codes
        self.state = WatcherState.STOPPED
        self.goal_up = False
        self.impatient = False
        self.must_cycle = False
        self.stop_held = False
        self.start_held = False
        self.predecessor: Watcher | None = None
        self.removed = False
        self.abandoned = False
        self.cause = ""
        self.size_cause = ""
        self.last_order = ""
        self.reason = ""
        self.trouble = ""
        self.activations = 0
        self.reloading = ""
        self.next_reload = ""
        self.sequential = False
        self.stale_cause = ""
        self.grants = 0
        self.places = 0
        self.pending = 0
        self.awaited = 0
        self.stale_count = 0
        self.next_spawn_at = 0.0
        self.slots: dict[int, ManagedProcess] = {}
        self.fresh: dict[ManagedProcess, None] = {}
        self.stale: dict[ManagedProcess, None] = {}
        self.ending: dict[ManagedProcess, None] = {}
        self.ready: deque[ManagedProcess] = deque()
        self.expired: deque[ManagedProcess] = deque()
        self.agenda: Agenda[ManagedProcess] = Agenda()
        self._backoffs: dict[int, Backoff] = {}
        self._free_wids: list[tuple[bool, int]] = []
        self._next_wid = 1

    def __repr__(self) -> str:
        return f"<watcher {self.name} {self.state.value} {len(self.slots)} slots>"

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
    def stops_first(self) -> bool:
        """Whether a stale process ends before its successor starts."""
        return self.is_singleton or self.sequential

    @property
    def is_filled(self) -> bool:
        """Whether no further slot is to be opened."""
        return self.places >= self.numprocesses or (not self.options["respawn"] and not self.grants)

    @property
    def is_up(self) -> bool:
        """Whether it keeps its processes running, or is about to have them all."""
        return self.state in (WatcherState.STARTING, WatcherState.ACTIVE)

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it runs and nothing is left."""
        return self.state is WatcherState.STOPPED

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

    def next_deadline(self) -> float | None:
        """The instant at which it has to be looked at without an order or a fact."""
        at = self.agenda.next_at()
        if self.ready and (at is None or self.next_spawn_at < at):
            return self.next_spawn_at
        return at

    def why(self, now: float) -> str:
        """The reason of its state for a person, "" if there is nothing to explain."""
        unkillable = self.unkillable()
        if unkillable:
            pids = ", ".join(str(process.pid) for process in unkillable)
            return f"process {pids} does not end, not even by SIGKILL"
        if self.reason or not self.pending or not self.goal_up:
            return self.reason
        pending = (p for p in self.slots.values() if p.state is ProcessState.PENDING)
        process = min(pending, key=lambda process: process.due_at or now)
        left = f"next start in {max((process.due_at or now) - now, 0.0):.1f} s"
        memory = self._backoffs.get(process.wid)
        deaths = memory.deaths if memory else 0
        if self.trouble:
            return f"{self.trouble}; {left}"
        return f"process {process.wid} died quickly {deaths} times; {left}" if deaths else left

    # -- orders: what is wanted

    def order_start(self, cause: str, word: str = "start") -> None:
        """Wants it up."""
        self._ordered(word, cause)
        self.goal_up = True

    def order_stop(self, cause: str, word: str = "stop") -> None:
        """Wants it down."""
        self._ordered(word, cause)
        self.goal_up = False
        self.must_cycle = False

    def order_restart(self, cause: str) -> None:
        """Wants it up, with processes that start after it has been down once."""
        self._ordered("restart", cause)
        self.goal_up = True
        self.must_cycle = self.is_up

    def order_reload(self, cause: str, sequential: bool = False) -> None:
        """Wants it up, with every process of now replaced by a fresh one.

        A reload that comes while another one is in progress begins when that one has ended, and all
        that come meanwhile are one. Otherwise a storm of reloads would have as many generations
        running side by side.
        """
        self._ordered("reload", cause)
        self.goal_up = True
        if not self.is_up or self.must_cycle:
            return
        self.sequential = sequential
        if self.reloading:
            self.next_reload = cause
        else:
            self.begin_reload(cause)
        if not self.stops_first:
            for process in self.stale:
                self.release_place(process)

    def begin_reload(self, cause: str) -> None:
        """Marks every running process as one to be replaced."""
        self.reloading = cause
        self.next_reload = ""
        for process in list(self.fresh):
            self.make_stale(process, cause)

    def order_size(self, numprocesses: int, cause: str) -> None:
        """Wants another number of processes."""
        if numprocesses != self.numprocesses:
            self.size_cause = cause
        self.impatient = True
        self.grants = max(0, self.grants + numprocesses - self.numprocesses)
        self.options["numprocesses"] = numprocesses

    def _ordered(self, word: str, cause: str) -> None:
        self.last_order = word
        self.cause = cause
        self.size_cause = cause
        self.reason = ""
        self.stop_held = False
        self.start_held = False
        self.impatient = True

    def give_up(self, reason: str) -> None:
        """Wants it down because it cannot run."""
        self.goal_up = False
        self.must_cycle = False
        self.reason = reason
        self.last_order = "giveup"
        self.cause = "giveup"

    # -- bookkeeping: what is so

    def enter(self, state: WatcherState) -> None:
        """Changes the state, which must be a step of the table."""
        assert state in WATCHER_STEPS[self.state], f"{self!r} cannot become {state.value}"
        self.state = state

    def begin_to_start(self, now: float) -> None:
        """STOPPED → STARTING, from nothing: with no memory of the life before."""
        self.enter(WatcherState.STARTING)
        self.trouble = ""
        self.grants = self.numprocesses
        self.next_spawn_at = now
        self._free_wids.clear()
        self._next_wid = 1
        self.hasten(now)

    def begin_to_stop(self) -> None:
        """STARTING, ACTIVE → STOPPING, which ends every reload too."""
        self.enter(WatcherState.STOPPING)
        self.must_cycle = False
        self.reloading = ""
        self.next_reload = ""
        self.sequential = False
        self.expired.clear()

    def backoff(self, wid: int) -> Backoff:
        """The memory of that slot's deaths."""
        return self._backoffs.setdefault(wid, Backoff())

    def forget_deaths(self, wid: int) -> None:
        """Drops that memory, because the place of the slot has gone to another one."""
        self._backoffs.pop(wid, None)

    def hasten(self, now: float) -> None:
        """Forgets every quick death, and makes the spawns that wait for a backoff due now."""
        self.impatient = False
        self._backoffs.clear()
        for process in self.slots.values():
            if process.state is ProcessState.PENDING:
                process.attempts = process.failed_starts = 0
                if self.agenda.discard(process):
                    self.due(process, now, now)

    def open_slot(self, now: float) -> ManagedProcess:
        """Takes a place with a new slot, due as soon as backoff allows.

        Its wid is that of a process which has died and left its place, otherwise the lowest.
        """
        if self._free_wids:
            _, wid = heapq.heappop(self._free_wids)
        else:
            wid = self._next_wid
            self._next_wid += 1
        memory = self._backoffs.get(wid)
        cause = (memory and memory.cause) or (self.stale and self.stale_cause) or self.size_cause
        process = ManagedProcess(self.name, wid, cause)
        process.awaited = not (memory and memory.is_respawn)
        self.slots[wid] = process
        self.places += 1
        self.pending += 1
        self.awaited += process.awaited
        self.due(process, max(now, memory.ready_at if memory else now), now)
        return process

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
        if not self.options["respawn"]:
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
        self.awaited -= process.awaited
        process.awaited = False
        self.fresh[process] = None
        self.trouble = ""

    def ends(self, process: ManagedProcess, state: ProcessState) -> None:
        """The process has left the running ones."""
        process.enter(state)
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

    def change(self, options: Mapping[str, Any]) -> list[str]:
        """Takes over new values of options and returns the names of those that differ."""
        changed = [name for name, value in options.items() if self.options.get(name) != value]
        self.options.update(options)
        if "respawn" in changed and not self.options["respawn"]:
            missing = max(0, self.numprocesses - self.places)
            self.grants = missing + sum(process.holds_place for process in self.stale)
        return changed
