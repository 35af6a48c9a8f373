"""A watcher as plain JSON values, and back: what cannot be written down is not state.

What the processes of an abandoned watcher are is not written down: nothing is decided about them.
The deadlines are instants of the monotonic clock, so a state is good on the boot it was made on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus.core.conditions import Connection, Predecessor
from cvec_circus.core.goal import Generation, Goal, Settings
from cvec_circus.core.life import Life
from cvec_circus.core.places import Places
from cvec_circus.core.questions import Gate, Question
from cvec_circus.core.rollout import Rollout
from cvec_circus.core.stray import Stray
from cvec_circus.core.watcher import Kind, Standing, Watcher
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.wire.cause import Cause

PLAIN = ("place", "last_token", "reason", "lives", "filled_life", "filled_at")


def watcher_state(watcher: Watcher, number: Mapping[Watcher, int]) -> dict[str, Any]:
    """Return all of a watcher in JSON's types; other watchers by their numbers."""
    generation = watcher.settings.generation
    gate = watcher.gate
    conditions = watcher.conditions
    met = [one.has_come for one in conditions if isinstance(one, Connection)]
    before = [one.watcher for one in conditions if isinstance(one, Predecessor)]
    return {
        **{name: getattr(watcher, name) for name in PLAIN},
        "name": watcher.name,
        "kind": [watcher.kind.is_helper, sorted(watcher.kind.useless_codes)],
        "standing": watcher.standing.value,
        "goal": watcher.goal._asdict(),
        "generation": [generation.number, differing(generation.options), generation.cause],
        "base": watcher.settings.base and written(watcher.settings.base),
        "life": watcher.life.value,
        "rollout": watcher.rollout and watcher.rollout.to_state(),
        "places": watcher.places.to_state(),
        "connection": met[0] if met else None,
        "predecessors": [number[one] for one in before if one in number],
        "gate": gate and [gate.name, gate.token, gate.answer],
        "questions": [[token, *question] for token, question in watcher.questions.items()],
        "strays": watcher.strays,
    }


def restore_watcher(state: Mapping[str, Any]) -> Watcher:
    """Return the watcher that was written down; its predecessors and its turn are its roster's."""
    number, options, cause = state["generation"]
    full = WatcherOptions({**WATCHER_OPTIONS.defaults(), **read(options)})
    is_helper, codes = state["kind"]
    generation = Generation(number, full, Cause(*cause))
    watcher = Watcher(state["name"], generation.options, Kind(is_helper, frozenset(codes)))
    base = state["base"]
    watcher.settings = Settings(generation, base and read(base))
    for name in PLAIN:
        setattr(watcher, name, state[name])
    watcher.standing = Standing(state["standing"])
    watcher.goal = Goal.restored(state["goal"])
    watcher.life = Life(state["life"])
    watcher.rollout = state["rollout"] and Rollout.from_state(state["rollout"])
    watcher.places = Places.from_state(watcher.name, state["places"])
    if state["connection"] is not None:
        connection = Connection()
        connection.has_come = state["connection"]
        watcher.conditions.append(connection)
    watcher.gate = state["gate"] and Gate(*state["gate"])
    watcher.questions = {token: Question(*rest) for token, *rest in state["questions"]}
    watcher.strays = tuple(Stray(*row) for row in state["strays"])
    return watcher


def differing(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in JSON's types, those alone that are not at their default."""
    defaults = WATCHER_OPTIONS.defaults()
    return written({n: options[n] for n in options if options[n] != defaults.get(n)})


def written(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in JSON's types."""
    hooks = options.get("hooks")
    if not hooks:
        return dict(options)
    return {**options, "hooks": {name: hook and list(hook) for name, hook in hooks.items()}}


def read(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were written down."""
    hooks = state.get("hooks")
    if not hooks:
        return dict(state)
    made = {name: hook and tuple(hook) for name, hook in hooks.items()}
    return {**state, "hooks": WATCHER_OPTIONS.convert_one("hooks", made)}
