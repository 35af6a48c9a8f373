"""A watcher restored after a crash of the daemon, from what was saved.

Whatever was under way is simplified to what can continue by itself: see the table in the design
page `survival`. Running processes count as fresh, even those to be replaced: their rollout begins
anew when the watcher is on the roster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.core.goal import Goal
from cvec_circus.core.life import CLOSING, DOWN, FILLING, OPENING, STOPPING, UP, WAITING, Life
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose
from cvec_circus.core.state import State, restore_watcher, taken, watcher_state
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.generation import read
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.wire.cause import MAX_AGE, NONE

FIELDS = (
    "name goal failed reason lives filled_life filled_at gaps is_removed place"
    " run last_run due_cause missed"
).split()
COUNTS = "spawns restarts failed_exits has_run".split()
NO_COUNTS = [0, 0, 0, 0, False, False, None]


def written_watcher(watcher: Watcher) -> State:
    """Return what is saved of a watcher, in JSON's types; processes, backoffs and deaths are saved
    separately."""
    more = {"life": watcher.life.value, "settings": watcher.settings.to_state()}
    return {**taken(watcher, *FIELDS), **more, "chosen": chosen(watcher)}


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
    record, rows = written.watcher, written.rows
    whole = watcher_state(Watcher(record["name"], options_of(record)), {})
    found = sum(row.unrecorded for row in rows)
    counts = written.counts
    goal = Goal(*record["goal"])
    if found and goal.up and (goal.cycle or Life(record["life"]) not in (FILLING, UP)):
        record, counts = _begun(record, counts, goal)
    whole.update({name: record[name] for name in (*FIELDS, "settings")})
    life = _life(Life(record["life"]), record, bool(rows))
    if rows and life is DOWN:
        life = STOPPING
    whole["life"] = life.value
    grants, *counts, whole["is_told_ready"], whole["ready_at"] = counts
    grants = max(0, grants - found)
    places: State = whole["places"]
    places.update(zip(COUNTS, counts), grants=grants)
    wanted = whole["goal"][2]
    for row in rows:
        generation = min(row.generation, wanted - 1) if row.is_stale else row.generation
        places["slots"].append(_slot(record["name"], row, generation))
        if row.stopping is not None:
            places["ending"].append(row.wid)
            places["agenda"].append([row.wid, int(Purpose.KILL), row.stopping[1]])
        else:
            places["fresh"].append(row.wid)
            places["unproved"] += [] if row.proved else [row.wid]
            places["unwell"] += [row.wid] if row.unready else []
            ours = [row.wid, row.pid]
            places["expired"] += [[row.wid, c] for *one, c in record["chosen"] if one == ours]
    taken_wids = {row.wid for row in rows}
    places["next_wid"] = max(taken_wids, default=0) + 1
    places["free_wids"] = [[False, n] for n in range(1, places["next_wid"]) if n not in taken_wids]
    places["backoffs"] = list(written.backoffs.items())
    places["deaths"] = list(written.deaths)
    return restore_watcher(whole)


def _begun(record: State, counts: list[Any], goal: Goal) -> tuple[State, list[Any]]:
    """Return a record and its counts as they were once a life had begun, which was not recorded."""
    begun = {
        **record,
        "life": FILLING.value,
        "lives": record["lives"] + 1,
        "goal": list(goal._replace(cycle=False)),
        "due_cause": list(NONE),
    }
    return begun, [goal.numprocesses, *counts[1:-2], False, None]


def _life(life: Life, record: State, has_processes: bool) -> Life:
    if life in (FILLING, UP):
        return UP if record["filled_life"] == record["lives"] else FILLING
    if life in (CLOSING, STOPPING) and has_processes:
        return STOPPING
    assert life in (DOWN, WAITING, OPENING, CLOSING, STOPPING)
    return DOWN


def _slot(name: str, row: Row, generation: int) -> State:
    new = ManagedProcess(name, row.wid, NONE)
    known: State = {
        "state": ProcessState.RUNNING.value,
        "pid": row.pid,
        "generation": generation,
        "spawn_cause": tuple(row.spawn_cause),
        "spawned_at": row.spawned_at,
        "started": row.started,
        "cleared": True,
        "checked": row.checked,
        "has_watchdog": row.has_watchdog,
        "proved": row.proved,
        "doubted": row.doubted,
        "unready": row.unready,
    }
    if row.stopping is not None:
        known.update(state=ProcessState.STOPPING.value, cause=tuple(row.stopping[0]))
    return {**taken(new, *new.__slots__), **known}
