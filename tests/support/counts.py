"""What is true of a watcher's places at every moment of rest."""

from __future__ import annotations

from typing import Any

from cvec_circus.core.life import UP
from cvec_circus.core.phase import phase
from cvec_circus.core.process import ProcessState, Purpose
from cvec_circus.core.watcher import Watcher


def check_counts(watcher: Watcher) -> None:
    """What the core counts along is what there is."""
    slots = list(watcher.places.slots.values())
    places = watcher.places
    counted: dict[str, Any] = {
        "held": sum(process.holds_place for process in slots),
        "stale_count": sum(process.stale for process in slots),
    }
    for name, number in counted.items():
        assert number == getattr(places, name), f"{watcher!r}: {number} {name}"
    pending = [process for process in slots if process.state is ProcessState.PENDING]
    assert set(places.pending) == set(pending), f"{watcher!r}: {pending}"
    assert places.pending.keys() >= places.awaited.keys(), f"{watcher!r}: {places.awaited}"
    running = [process for process in slots if process.state is ProcessState.RUNNING]
    assert set(running) >= places.trials.keys(), f"{watcher!r}: {places.trials}"
    assert {*watcher.places.fresh, *watcher.places.stale} == set(running), f"{watcher!r}: {running}"
    assert set(watcher.places.ending) == set(watcher.places.spawned()) - set(running)


def check_deadlines(watcher: Watcher) -> None:
    """Whatever waits, waits for an instant: nothing can be forgotten."""
    places = watcher.places
    for process in places.slots.values():
        due = {purpose: places.deadline(process, purpose) for purpose in Purpose}
        if process.state is ProcessState.PENDING:
            is_due = process in places.ready or due[Purpose.SPAWN] is not None
            assert is_due, f"{process!r} forgotten"
        elif process.state is not ProcessState.RUNNING and not watcher.is_abandoned:
            assert any(at is not None for at in due.values()), f"{process!r} has no deadline"


def check_phase(watcher: Watcher) -> None:
    """What is shown as up has a ready process for every place."""
    places, counts = watcher.places, watcher.goal.numprocesses
    running = (*places.stale, *places.fresh)
    if watcher.one_shot:
        counts = len(places.fresh)
    ready = sum(one.is_ready and one not in places.trials for one in running)
    is_up = phase(watcher) == "up"
    assert not is_up or ready >= counts, f"{watcher!r} is up with {ready} of {counts} ready"
    assert not (is_up and places.unwell.keys() & places.fresh), f"{watcher!r} is up, and not well"
    if watcher.is_told_ready and watcher.life is UP and watcher.rollout is None:
        assert is_up or places.unproved or places.pending or places.ending, f"{watcher!r} is not up"
    unwell = {one for one in running if one.unready}
    assert places.unwell.keys() == unwell, f"{watcher!r}: {places.unwell} {unwell}"
