"""A watcher as plain JSON values, and back: what cannot be saved is not state.

The processes of an abandoned watcher are not saved: nothing is decided about them. Deadlines are
instants of the monotonic clock, so a state is valid only on the boot it was made on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus.core.backoff import Backoff
from cvec_circus.core.conditions import Connection, Gate, Predecessor, Question
from cvec_circus.core.goal import Failed, Goal, Rollout, Run
from cvec_circus.core.life import Life
from cvec_circus.core.places import Places
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose, Sent
from cvec_circus.core.watcher import Kind, Watcher
from cvec_circus.options.generation import Settings, Undo
from cvec_circus.wire.cause import NONE, Cause
from cvec_circus.wire.outcome import Death, Stray

State = dict[str, Any]

WATCHER = (
    "place is_removed is_abandoned last_token reason lives filled_life filled_at age_retry"
    " is_told_ready ready_at gaps due_cause missed"
).split()
PLACES = (
    "grants spawns failed_exits has_run restarts stale_cause asked_for next_spawn_at shortages"
    " trouble refused exhausted next_wid"
).split()
"""Attributes that are read as they were written."""

RUNS = ("run", "last_run")

ROWS = ("pending", "awaited", "fresh", "stale", "ending", "trials", "unproved", "unwell")
ALL_ROWS = (*ROWS, "ready")
"""Processes, written by their wid."""


def taken(thing: object, *names: str) -> State:
    """Return attributes by name."""
    return {name: getattr(thing, name) for name in names}


def put(thing: object, names: Iterable[str], state: Mapping[str, Any]) -> None:
    """Set attributes by name; causes are read on the way."""
    for name in names:
        value = state[name]
        setattr(thing, name, Cause(*value) if name.endswith("cause") else value)


def watcher_state(watcher: Watcher, number: Mapping[Watcher, int]) -> State:
    """Return all of a watcher in JSON's types; other watchers by their numbers."""
    before = [one.watcher for one in watcher.conditions if isinstance(one, Predecessor)]
    return {
        **taken(watcher, "name", "kind", "goal", "failed", "gate", "strays", *RUNS, *WATCHER),
        "life": watcher.life.value,
        "rollout": watcher.rollout and _rollout_state(watcher.rollout),
        "settings": watcher.settings.to_state(),
        "places": places_state(watcher.places),
        "connection": watcher.connection and watcher.connection.has_come,
        "predecessors": [number[one] for one in before if one in number],
        "questions": list(watcher.questions.items()),
    }


def _rollout_state(rollout: Rollout) -> list[Any]:
    return list(rollout._replace(undo=rollout.undo.to_state()))  # type: ignore[arg-type]


def restore_watcher(state: State) -> Watcher:
    """Return the watcher that was written down; its predecessors and its turn are its roster's."""
    settings = Settings.restored(state["settings"])
    is_helper, codes = state["kind"]
    kind = Kind(is_helper, tuple(codes))
    watcher = Watcher(state["name"], settings.generation.options, kind)
    put(watcher, WATCHER, state)
    watcher.settings = settings
    watcher.life = Life(state["life"])
    goal = Goal(*state["goal"])
    watcher.goal = goal._replace(cause=Cause(*goal.cause), size_cause=Cause(*goal.size_cause))
    if state["rollout"] is not None:
        rollout = Rollout(*state["rollout"])
        undo = Undo.restored(rollout.undo)
        watcher.rollout = rollout._replace(cause=Cause(*rollout.cause), undo=undo)
    if state["failed"] is not None:
        failed = Failed(*state["failed"])
        cause, kept = Cause(*failed.cause), tuple(failed.kept)
        watcher.failed = failed._replace(cause=cause, kept=kept)
    for name in RUNS:
        setattr(watcher, name, state[name] and Run(*state[name]))
    restore_places(watcher.places, state["places"])
    if state["connection"] is not None:
        watcher.conditions.append(Connection(state["connection"]))
    watcher.gate = state["gate"] and Gate(*state["gate"])
    watcher.questions = {token: Question(*rest) for token, rest in state["questions"]}
    watcher.strays = tuple(Stray(*row) for row in state["strays"])
    return watcher


def places_state(places: Places) -> State:
    """Return places in JSON's types, without what can be counted again."""
    slots, rows = places.slots.values(), {row: getattr(places, row) for row in ALL_ROWS}
    agenda = places.agenda.entries()
    return {
        **taken(places, "free_wids", *PLACES),
        "deaths": [death.to_state() for death in places.deaths],
        **{row: [p.wid for p in rows[row] if p.state is not ProcessState.REMOVED] for row in rows},
        "slots": [{**taken(p, *p.__slots__), "state": p.state.value} for p in slots],
        "expired": [[p.wid, c] for p, c in places.expired.items() if p in places.fresh],
        "agenda": [[process.wid, int(purpose), at] for (process, purpose), at in agenda],
        "backoffs": [[wid, taken(one, *one.__slots__)] for wid, one in places.backoffs.items()],
    }


def restore_places(places: Places, state: State) -> None:
    """Fill empty places from the saved state."""
    put(places, PLACES, state)
    for *row, output, _ in state["deaths"]:  # the awaited answer never comes
        death: Death = Death(*row)
        places.deaths.append(death._replace(output=None if output is None else tuple(output)))
    places.free_wids = [(left, wid) for left, wid in state["free_wids"]]
    for row in state["slots"]:
        process = places.slots[row["wid"]] = ManagedProcess(places.name, row["wid"], NONE)
        put(process, row, row)
        process.state = ProcessState(row["state"])
        process.signalled = Sent(*row["signalled"])
    rows = {row: [places.slots[wid] for wid in state[row]] for row in ALL_ROWS}
    for row in ROWS:
        setattr(places, row, dict.fromkeys(rows[row]))
    places.ready = rows["ready"]
    places.expired = {places.slots[wid]: Cause(*cause) for wid, cause in state["expired"]}
    for wid, purpose, at in state["agenda"]:
        places.agenda.set((places.slots[wid], Purpose(purpose)), at)
    for wid, memory in state["backoffs"]:
        put(places.backoff(wid), Backoff.__slots__, memory)
    places.held = sum(process.holds_place for process in places.slots.values())
    places.stale_count = sum(process.stale for process in places.slots.values())
