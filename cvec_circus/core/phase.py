"""The phase of a watcher: its state as shown to people, beside the words of the wire.

===========  ======================================================================
phase        meaning
===========  ======================================================================
up           every place has a process that is proved and ready
starting     processes start, or are not proved yet
unready      a process was not ready in time, or does not pass a check any more: it may be
             stopped for that
backoff      a process has died too early or before it was ready, or could not be started
waiting      it is to be up, and waits for something else: see `conditions`
reloading    a rollout replaces its processes
stopping     its processes are being ended
stopped      it is not wanted up
completed    its processes have done their work, and are not replaced
failed       it gave up, or its work ended with a code other than 0
invalid      its section of the configuration cannot be used
===========  ======================================================================
"""

from __future__ import annotations

from typing import Any

from cvec_circus.core.life import CLOSING, DOWN, FILLING, OPENING, STOPPING, WAITING
from cvec_circus.wire.cause import LIVE

FAILING = frozenset({"backoff", "unready"})
"""Phases of a watcher that may still become ready after a failed attempt."""


def phase(watcher: Any) -> str:
    """Return the phase of a `core.watcher.Watcher`."""
    life = watcher.life
    if life in (CLOSING, STOPPING):
        return "stopping"
    if life is WAITING:
        return "waiting"
    if life is not DOWN:
        return _of_running(watcher)
    if watcher.reason:
        return "failed"
    if watcher.has_completed:
        return "failed" if watcher.places.failed_exits else "completed"
    return "stopped"


def _of_running(watcher: Any) -> str:
    places, rollout = watcher.places, watcher.rollout
    if watcher.life is OPENING or not places.slots:
        return "up" if watcher.is_ready else "starting"
    if any(one.has_leader and one.cause.text == LIVE.text for one in places.ending):
        return "unready"
    if not places.unwell.keys().isdisjoint(places.fresh):
        return "unready"
    if any(_backs_off(watcher, wid) for wid, memory in places.backoffs.items() if memory.deaths):
        return "backoff"
    if rollout is not None and not rollout.is_partial and watcher.life is not FILLING:
        return "reloading"
    return "up" if watcher.is_ready or _still_serves(watcher) else "starting"


def _backs_off(watcher: Any, wid: int) -> bool:
    """Tell whether a slot whose processes have died too early has none that is proved: what a dead
    one has left behind may be there."""
    process = watcher.places.slots.get(wid)
    return process is not None and not (process.proved and process.has_leader)


def _still_serves(watcher: Any) -> bool:
    """Tell whether every place that has no ready process is served by one that is replaced."""
    rollout = watcher.rollout
    return rollout is not None and rollout.is_partial and not watcher.lacks
