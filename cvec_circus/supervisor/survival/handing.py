"""What the daemon hands over in an upgrade: everything that the next program goes on with.

`state_of` makes the document, and `handed` reads it; both are in the page of the design, `upgrade`.
Nothing is changed here: the daemon that has made a document may go on as if there was none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus import __version__
from cvec_circus.core.process import ManagedProcess, ProcessState, Purpose
from cvec_circus.core.revival import Row, written_counts, written_watcher
from cvec_circus.core.state import taken
from cvec_circus.core.watcher import Watcher
from cvec_circus.stream.output import Pipe
from cvec_circus.supervisor.compose import Desks, Loaded
from cvec_circus.system.handover import Handover

Document = dict[str, Any]

Ends = Mapping[tuple[Any, int], Pipe]
"""Pipes by their keys and the processes that they were made for."""


def state_of(desks: Desks, loaded: Loaded, pipes: Iterable[Pipe], out: Handover) -> Document:
    """Return all of a daemon in JSON's types; files and blocks go to `out`.

    Args:
        desks: Its parts.
        loaded: What it runs.
        pipes: Those of its processes; nothing reads them.
        out: Takes what is no text.
    """
    ends = {(pipe.key, pipe.pid): pipe for pipe in pipes}
    watchers = [one for one in desks.roster.all_watchers() if not one.is_abandoned]
    number = {watcher: place for place, watcher in enumerate(watchers)}
    processes = {
        process: (place, process.wid)
        for watcher, place in number.items()
        if not watcher.kind.is_helper
        for process in watcher.places.slots.values()
        if process.has_leader
    }
    events, entries = desks.events.hand_over(out), desks.bookkeeper.entries()
    return {
        "from": {"version": __version__, "python": sys.version.split()[0], "path": sys.executable},
        "circus": plain(loaded.configuration.circus),
        "loaded": [one.name for one in loaded.configuration.watchers],
        "has_ledger": desks.bookkeeper.is_on,
        "entries": entries,
        "runs": desks.runs,
        "events": events,
        "control": desks.control.hand_over(out),
        "sockets": desks.departures.hand_over(out, processes),
        "cgroups": desks.cgroups.hand_over(),
        "helpers": desks.helpers.hand_over(out),
        "watchers": [_watcher(desks, one, ends, out) for one in watchers],
        "outputs": desks.outputs.hand_over(out, number),
        "strays": [_stray(pipe, out) for pipe in ends.values()],
    }


def plain(circus: Mapping[str, Any]) -> dict[str, Any]:
    """Return the daemon's options as they are compared: what is of no type of JSON as text."""
    return {
        name: value if isinstance(value, (bool, int, float, str, type(None))) else repr(value)
        for name, value in circus.items()
    }


def _watcher(desks: Desks, watcher: Watcher, ends: dict[Any, Pipe], out: Handover) -> Document:
    places = watcher.places
    deadlines = dict(places.agenda.entries())
    leaders = [process for process in places.slots.values() if process.has_leader]
    return {
        "is_helper": watcher.kind.is_helper,
        "record": written_watcher(watcher),
        "counts": written_counts(watcher),
        "rows": [_row(process, deadlines.get((process, Purpose.KILL))) for process in leaders],
        "backoffs": [[w, taken(one, *one.__slots__)] for w, one in places.backoffs.items()],
        "deaths": [death.to_state() for death in places.deaths],
        "noted": desks.bookkeeper.written(watcher),
        "processes": [_process(desks, watcher, one, ends, out) for one in leaders],
    }


def _row(process: ManagedProcess, kill_at: float | None) -> Row:
    is_asked = process.state is not ProcessState.RUNNING
    return Row(
        process.wid,
        process.pid,
        process.generation,
        False,
        process.spawned_at,
        process.started,
        tuple(process.spawn_cause),
        process.checked,
        process.proved,
        (list(process.cause), kill_at or 0.0) if is_asked else None,
        process.has_watchdog,
        process.doubted,
        process.unready,
    )


def _process(
    desks: Desks, watcher: Watcher, process: ManagedProcess, ends: dict[Any, Pipe], out: Handover
) -> Document:
    found = {key[1]: key for key, pid in ends if key[0] is watcher and pid == process.pid}
    pipes = {channel: ends.pop((key, process.pid)) for channel, key in found.items()}
    return {
        "wid": process.wid,
        "pid": process.pid,
        "fd": desks.endings.reaper.hand_over(process.pid, out),
        "pipes": {channel: out.file(pipe.fd) for channel, pipe in pipes.items()},
        "lines": {
            channel: [out.block(pipe.line.held), *pipe.line[1:]] for channel, pipe in pipes.items()
        },
        "checks": desks.probes.hand_over(process, out),
    }


def _stray(pipe: Pipe, out: Handover) -> list[Any]:
    return [pipe.source.watcher, pipe.source.channel, out.file(pipe.fd), pipe.pid]
