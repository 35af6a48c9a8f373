"""A watcher restored after a crash of the daemon, or an upgrade, from what was saved.

Whatever was under way is simplified to what can continue by itself: see the table in the design
page `survival`. Running processes count as fresh, even those to be replaced: their rollout begins
anew when the watcher is on the roster. Deadlines are instants of the monotonic clock, so what was
saved is valid only on the boot it was made on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.core.backoff import Backoff
from cvec_circus.core.goal import Failed, Goal, Run
from cvec_circus.core.life import DOWN, FILLING, STOPPING, UP, Life
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.generation import Settings, read
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.wire.cause import MAX_AGE, NONE, Cause
from cvec_circus.wire.outcome import Death

State = dict[str, Any]

FIELDS = "reason lives filled_life filled_at gaps is_removed place due_cause missed".split()
PROCESS = "pid spawned_at started spawn_cause checked has_watchdog proved doubted unready".split()
"""Attributes that are read as they were written."""

RUNS = ("run", "last_run")
COUNTS = "spawns restarts failed_exits has_run".split()
NO_COUNTS = [0, 0, 0, 0, False, False, None]


def taken(thing: object, *names: str) -> State:
    """Return attributes by name."""
    return {name: getattr(thing, name) for name in names}


def put(thing: object, names: Iterable[str], state: Mapping[str, Any]) -> None:
    """Set attributes by name; causes are read on the way."""
    for name in names:
        value = state[name]
        setattr(thing, name, Cause(*value) if name.endswith("cause") else value)


def written_watcher(watcher: Watcher) -> State:
    """Return what is saved of a watcher, in JSON's types; processes, backoffs and deaths are saved
    separately."""
    more = {"life": watcher.life.value, "settings": watcher.settings.to_state()}
    known = taken(watcher, "name", "goal", "failed", *RUNS, *FIELDS)
    return {**known, **more, "chosen": chosen(watcher)}


def chosen(watcher: Watcher) -> list[Any]:
    """Return which processes clients want replaced, and why: those that wait, and those of the
    rollout that is under way. Age needs no saving."""
    rollout, expired = watcher.rollout, watcher.places.expired
    found = {process: cause for process, cause in expired.items() if cause.text != MAX_AGE.text}
    if rollout is not None and rollout.is_partial and rollout.cause.text != MAX_AGE.text:
        found.update(dict.fromkeys(watcher.places.stale, rollout.cause))
    return [[process.wid, process.pid, cause] for process, cause in found.items()]


def written_counts(watcher: Watcher) -> list[Any]:
    """Return what changes with each process. A slot that waits for its spawn is opened anew, so its
    share of the remaining spawns is given back."""
    places = watcher.places
    return [
        places.grants + (len(places.pending) if watcher.one_shot else 0),
        places.spawns,
        places.restarts,
        places.failed_exits,
        places.has_run,
        watcher.is_told_ready,
        watcher.ready_at,
    ]


class Row(NamedTuple):
    """The saved state of a process. Immutable."""

    wid: int
    pid: int
    generation: int
    is_stale: bool  # it is to be replaced whatever generation it is of
    spawned_at: float
    started: float
    spawn_cause: tuple[str, ...]
    checked: bool
    proved: bool
    stopping: tuple[list[str], float] | None  # why it was asked to end, and when SIGKILL is due
    has_watchdog: bool = False
    doubted: bool = False
    unready: str = ""
    unrecorded: bool = False  # it was started after all that was recorded


class Written(NamedTuple):
    """The saved state of a watcher. Immutable."""

    watcher: State
    counts: list[Any]
    rows: list[Row]
    backoffs: Mapping[int, State]
    deaths: Iterable[list[Any]]  # the oldest first


def options_of(record: State) -> WatcherOptions:
    """Return the saved options of a watcher."""
    return read(record["settings"][1])


def revive(written: Written) -> Watcher:
    """Return the watcher; it is on no roster.

    Raises:
        Exception: No daemon of this version wrote this.
    """
    record, rows, counts = written.watcher, written.rows, written.counts
    watcher = _recorded(record)
    found = sum(row.unrecorded for row in rows)
    goal, life = watcher.goal, Life(record["life"])
    if found and goal.up and (goal.cycle or life not in (FILLING, UP)):
        # Its life had begun, which was not recorded.
        watcher.lives += 1
        watcher.goal, watcher.due_cause = goal._replace(cycle=False), NONE
        life, counts = FILLING, [goal.numprocesses, *counts[1:-2], False, None]
    if life in (FILLING, UP):
        watcher.life = UP if watcher.filled_life == watcher.lives else FILLING
    else:
        watcher.life = STOPPING if rows else DOWN
    places = watcher.places
    grants, *counts, watcher.is_told_ready, watcher.ready_at = counts
    places.grants = max(0, grants - found)
    put(places, COUNTS, dict(zip(COUNTS, counts)))
    for row in rows:
        _fill(watcher, row, record["chosen"])
    places.held = len(rows)
    places.next_wid = max(places.slots, default=0) + 1
    places.free_wids = [(False, n) for n in range(1, places.next_wid) if n not in places.slots]
    for wid, memory in written.backoffs.items():
        put(places.backoff(wid), Backoff.__slots__, memory)
    for *death, output, _ in written.deaths:  # the awaited answer never comes
        known = None if output is None else tuple(output)
        places.deaths.append(Death(*death)._replace(output=known))
    return watcher


def _recorded(record: State) -> Watcher:
    """Return a watcher with what its record has, but for its life."""
    settings = Settings.restored(record["settings"])
    watcher = Watcher(record["name"], settings.generation.options)
    watcher.settings = settings
    put(watcher, FIELDS, record)
    goal = Goal(*record["goal"])
    watcher.goal = goal._replace(cause=Cause(*goal.cause), size_cause=Cause(*goal.size_cause))
    if record["failed"] is not None:
        failed = Failed(*record["failed"])
        watcher.failed = failed._replace(cause=Cause(*failed.cause), kept=tuple(failed.kept))
    for name in RUNS:
        setattr(watcher, name, record[name] and Run(*record[name]))
    return watcher


def _fill(watcher: Watcher, row: Row, chosen: Iterable[list[Any]]) -> None:
    """Put a process into its slot."""
    places, wanted = watcher.places, watcher.goal.generation
    process = places.slots[row.wid] = ManagedProcess(watcher.name, row.wid, NONE)
    put(process, PROCESS, row._asdict())
    process.state, process.cleared = ProcessState.RUNNING, True
    process.generation = min(row.generation, wanted - 1) if row.is_stale else row.generation
    if row.stopping is not None:
        cause, kill_at = row.stopping
        process.state, process.cause = ProcessState.STOPPING, Cause(*cause)
        places.ending[process] = None
        places.due(process, Purpose.KILL, kill_at)
        return
    places.fresh[process] = None
    if not row.proved:
        places.unproved[process] = None
    if row.unready:
        places.unwell[process] = None
    for wid, pid, cause in chosen:
        if (wid, pid) == (row.wid, row.pid):
            places.expired[process] = Cause(*cause)
