"""Obstacles: why an order never comes to its end for one watcher, as a sentence.

A later order may have made it void: then it is abandoned. One whose wish the later order fulfils as
well is only overtaken: it goes on waiting, for what comes of the later one, and an error says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from cvec_circus.core.conditions import Dependency, Predecessor
from cvec_circus.core.goal import THE_END, Goal
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.answers.part import DONE, Part, Verdict
from cvec_circus.supervisor.answers.reason import unending, why
from cvec_circus.wire.cause import Cause

PAST = {
    "start": "started",
    "stop": "stopped",
    "restart": "restarted",
    "reload": "reloaded",
    "rm": "removed",
}
"""What an order's actor did to the watcher, by the order's word."""

CHANGES = ("command:set", "command:reloadconfig")
"""The causes of rollouts that change options."""


def failed_since(part: Part) -> bool:
    """Tell whether a rollout has failed since the order."""
    failed = part.watcher.failed
    return failed is not None and failed.number > part.failures


def rolled_back(part: Part) -> Verdict:
    """Say how the rollout has failed; "not yet" until that is known."""
    failed = part.watcher.failed
    if failed is None or not failed.text:
        return None
    by = _deed_of("reload", failed.cause) if failed.generation != part.generation else ""
    return f"{about(part, by)}: {failed.text}"


def left_of(part: Part) -> list[ManagedProcess]:
    """Return the processes that must be gone and are still there."""
    return [process for process in part.processes if process.state is not ProcessState.REMOVED]


def stayed_up(part: Part) -> bool:
    """Tell whether later orders in the same turn have undone a restart."""
    watcher = part.watcher
    return part.life > watcher.lives and watcher.is_running and not watcher.goal.cycle


def not_up(part: Part) -> Verdict:
    """Say why a watcher is not on its way to where the order wanted it; DONE if it has done its
    work."""
    watcher = part.watcher
    if watcher.goal.word == THE_END and not watcher.goal.up:
        return DONE if watcher.has_completed else stuck(part, watcher)
    return f"{watcher.name} gave up: {watcher.reason}" if watcher.reason else overtaken(part)


def overtaken(part: Part) -> str:
    """Say which later order has made this one void, and who gave it."""
    return f"{part.title} abandoned: {_deed(part.watcher.goal)}"


def shut_down(part: Part) -> Verdict:
    """Say that the daemon is stopping, which ends a wait for a state; "not yet" if it is not."""
    return overtaken(part) if part.watcher.goal.word == "quit" else None


def about(part: Part, overtaken_by: str = "") -> str:
    """Name an order whose wish is still to be fulfilled, and the one that has overtaken it."""
    watcher = part.watcher
    by = overtaken_by
    is_later = watcher.lives > part.life and watcher.goal.cause != part.cause
    if not by and (is_later or watcher.settings.newest != part.generation):
        by = _deed(watcher.goal)
    return part.title + (f" overtaken: {by}" if by else "")


def is_void(part: Part) -> Verdict:
    """Say which later order has undone what this one has set: an option, or how many processes
    there are to be; "not yet" if none has."""
    now, goal = part.watcher.options, part.watcher.goal
    if goal.numprocesses not in part.sizes:
        deed = _did(f"set numprocesses to {goal.numprocesses}", goal.size_cause)
        return f"{part.title} abandoned: {deed}"
    is_changed = any(not _has(now.get(name), value) for name, value in part.options.items())
    return overtaken(part) if is_changed else None


def _has(now: Any, value: Any) -> bool:
    """Tell whether an option has that value; of one with keys, for its keys."""
    if isinstance(value, Mapping) and isinstance(now, Mapping):
        return all(key in now and now[key] == value[key] for key in value)
    return bool(now == value)


def _deed(goal: Goal) -> str:
    """Say who has decided on a goal, and what."""
    if goal.word == THE_END:
        return "its last process has ended"
    if goal.word == "quit":
        return "the daemon is stopping"
    return _deed_of(goal.word, goal.cause)


def _deed_of(word: str, cause: Cause) -> str:
    """Say who has done what to a watcher, by the word of an order and its cause."""
    did = f"{PAST.get(word, word)} it"
    if word == "reload" and cause.text in CHANGES:
        did = f"changed its options by {cause.text.partition(':')[2]}"
    return _did(did, cause)


def _did(did: str, cause: Cause) -> str:
    why = f" ({cause.reason})" if cause.reason else ""
    return f"{cause.actor or 'a later order'} {did}{why}"


def is_hopeless(watcher: Watcher) -> bool:
    """Tell whether a watcher waits for another one that does not start unless it is ordered."""
    first = watcher.unmet()
    return isinstance(first, Dependency) and first.is_hopeless()


def held_up(part: Part) -> Verdict:
    """Say why a watcher cannot start unless something is ordered; "not yet" if it can."""
    watcher = part.watcher
    first = watcher.unmet()
    if first is not None and is_hopeless(watcher):
        return f"{part.title}: it {first.why(partial(why, now=0.0))}"
    return stuck(part, first.watcher if isinstance(first, Predecessor) else watcher)


def exhausted(part: Part) -> Verdict:
    """Say why a slot cannot be filled, after as many attempts as `max_retry` says."""
    places = part.watcher.places
    text = f"{part.title}: {places.trouble or places.refused}"
    return text if places.exhausted else None


def stuck(part: Part, watcher: Watcher) -> Verdict:
    """Say which processes of that watcher do not end; "not yet" when there are none."""
    found = watcher.places.unkillable()
    return f"{part.title}: {unending(found)}" if found else None
