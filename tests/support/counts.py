"""What is true of a watcher's places at every moment of rest."""

from __future__ import annotations

from typing import Any

from cvec_circus.base.rows import EMPTY
from cvec_circus.core.process import ProcessState, Purpose
from cvec_circus.core.watcher import Watcher


def check_counts(watcher: Watcher) -> None:
    """What the core counts along is what there is."""
    assert not EMPTY, EMPTY
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
