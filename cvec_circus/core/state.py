"""A watcher as plain JSON values, and back: what cannot be written down is not state.

What the processes of an abandoned watcher are is not written down: nothing is decided about them.
The deadlines are instants of the monotonic clock, so a state is good on the boot it was made on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus.core.conditions import Connection, Gate, Predecessor, Question
from cvec_circus.core.goal import Goal, Rollout, Strategy
from cvec_circus.core.life import Life
from cvec_circus.core.places import Death, Places, Stray
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose
from cvec_circus.core.watcher import Kind, Standing, Watcher
from cvec_circus.options.generation import Settings
from cvec_circus.wire.cause import NONE, Cause

State = dict[str, Any]

WATCHER = ("place", "last_token", "reason", "lives", "filled_life", "filled_at")
PLACES = (
    "grants spawns has_run restarts stale_cause asked_for next_spawn_at shortages trouble refused"
    " exhausted last_death free_wids next_wid"
).split()
"""What is written down as it is."""

ROWS = ("pending", "awaited", "fresh", "stale", "ending", "trials")
"""Processes by their wid."""


def taken(thing: object, names: Iterable[str]) -> State:
    """Return attributes by name."""
    return {name: getattr(thing, name) for name in names}


def put(thing: object, state: Mapping[str, Any]) -> None:
    """Set attributes by name; causes are read on the way."""
    for name, value in state.items():
        setattr(thing, name, Cause(*value) if name.endswith("cause") else value)


def watcher_state(watcher: Watcher, number: Mapping[Watcher, int]) -> State:
    """Return all of a watcher in JSON's types; other watchers by their numbers."""
    rollout = watcher.rollout
    before = [one.watcher for one in watcher.conditions if isinstance(one, Predecessor)]
    return {
        **taken(watcher, WATCHER),
        "name": watcher.name,
        "kind": [watcher.kind.is_helper, sorted(watcher.kind.useless_codes)],
        "standing": watcher.standing.value,
        "goal": watcher.goal._asdict(),
        "settings": watcher.settings.to_state(),
        "life": watcher.life.value,
        "rollout": rollout and [rollout.cause, rollout.strategy.value, rollout.then],
        "places": places_state(watcher.places),
        "connection": watcher.connection and watcher.connection.has_come,
        "predecessors": [number[one] for one in before if one in number],
        "gate": watcher.gate,
        "questions": [[token, *question] for token, question in watcher.questions.items()],
        "strays": watcher.strays,
    }


def restore_watcher(state: State) -> Watcher:
    """Return the watcher that was written down; its predecessors and its turn are its roster's."""
    settings = Settings.restored(state["settings"])
    is_helper, codes = state["kind"]
    kind = Kind(is_helper, frozenset(codes))
    watcher = Watcher(state["name"], settings.generation.options, kind)
    watcher.settings = settings
    put(watcher, {name: state[name] for name in WATCHER})
    watcher.standing = Standing(state["standing"])
    causes = {name: Cause(*state["goal"][name]) for name in ("cause", "size_cause")}
    watcher.goal = Goal(**{**state["goal"], **causes})
    watcher.life = Life(state["life"])
    if state["rollout"] is not None:
        by, strategy, then = state["rollout"]
        watcher.rollout = Rollout(Cause(*by), Strategy(strategy), then and Cause(*then))
    restore_places(watcher.places, state["places"])
    if state["connection"] is not None:
        watcher.conditions.append(Connection(state["connection"]))
    watcher.gate = state["gate"] and Gate(*state["gate"])
    watcher.questions = {token: Question(*rest) for token, *rest in state["questions"]}
    watcher.strays = tuple(Stray(*row) for row in state["strays"])
    return watcher


def places_state(places: Places) -> State:
    """Return places in JSON's types; what can be counted again is not in it."""
    slots = places.slots
    agenda = places.agenda.entries()
    return {
        **taken(places, PLACES),
        "slots": [{**taken(p, p.__slots__), "state": p.state.value} for p in slots.values()],
        **{
            row: [p.wid for p in getattr(places, row) if p.state is not ProcessState.REMOVED]
            for row in (*ROWS, "ready", "expired")
        },
        "agenda": [[process.wid, int(purpose), at] for (process, purpose), at in agenda],
        "backoffs": [[wid, taken(one, one.__slots__)] for wid, one in places.backoffs.items()],
    }


def restore_places(places: Places, state: State) -> None:
    """Fill empty places with what was written down."""
    put(places, {name: state[name] for name in PLACES})
    places.last_death = state["last_death"] and Death(*state["last_death"])
    places.free_wids = [(left, wid) for left, wid in state["free_wids"]]
    for row in state["slots"]:
        process = ManagedProcess(places.name, row["wid"], NONE)
        put(process, {**row, "state": ProcessState(row["state"])})
        places.slots[process.wid] = process
    for row in ROWS:
        setattr(places, row, dict.fromkeys(places.slots[wid] for wid in state[row]))
    places.ready = deque(places.slots[wid] for wid in state["ready"])
    places.expired = [places.slots[wid] for wid in state["expired"]]
    for wid, purpose, at in state["agenda"]:
        places.agenda.set((places.slots[wid], Purpose(purpose)), at)
    for wid, memory in state["backoffs"]:
        put(places.backoff(wid), memory)
    places.held = sum(process.holds_place for process in places.slots.values())
    places.stale_count = sum(process.stale for process in places.slots.values())
