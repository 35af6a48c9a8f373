"""What a watcher was like in one moment."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from cvec_circus.core import watcher as core
from cvec_circus.supervisor.supervisor import Supervisor


class Snapshot(NamedTuple):
    """A watcher in one moment. Immutable; what it holds are copies.

    Attributes:
        name: Its name as written.
        state: The word for its state.
        options: All its options, typed.
        shown: All its options, as the wire shows them.
        processes: The pid, wid and start, in seconds since 1970, of each of its processes.
    """

    name: str
    state: str
    options: dict[str, Any]
    shown: dict[str, Any]
    processes: list[tuple[int, int, float]]


def take(supervisor: Supervisor, name: str) -> Snapshot:
    """Look at a watcher. On the supervisor thread.

    Raises:
        MessageError: There is none of that name.
    """
    return of(supervisor, supervisor.target.find(name))


def of(supervisor: Supervisor, watcher: core.Watcher) -> Snapshot:
    """Look at a watcher that one has, though it may have been removed. On the supervisor thread."""
    return Snapshot(
        watcher.name,
        watcher.status,
        {key: copy.copy(value) for key, value in watcher.options.items()},
        supervisor.target.options(watcher),
        [(process.pid, process.wid, process.started) for process in watcher.places.leaders()],
    )


def names(supervisor: Supervisor) -> list[str]:
    """Name every watcher, those of a higher priority first. On the supervisor thread."""
    watchers = supervisor.roster.watchers()
    watchers.sort(key=lambda watcher: -watcher.options.priority)
    return [watcher.name for watcher in watchers]


def states(supervisor: Supervisor) -> dict[str, str]:
    """The state of every watcher by name. On the supervisor thread."""
    return {watcher.name: watcher.status for watcher in supervisor.roster.watchers()}
