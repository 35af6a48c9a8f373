"""What the program before an upgrade has handed over, as `handing` has written it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from cvec_circus.config.configuration import (
    Configuration,
    PluginConfig,
    SocketConfig,
    WatcherConfig,
)
from cvec_circus.control.endpoints import Access, Listener, handed_over
from cvec_circus.control.events import EventStream
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.revival import Row, Written, revive
from cvec_circus.core.watcher import Kind, Watcher
from cvec_circus.options.generation import read
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.sockets.unix import OwnPath
from cvec_circus.stream.base import Unfinished
from cvec_circus.supervisor.departures import Departures
from cvec_circus.supervisor.helper_rows import Plugin, Statistics
from cvec_circus.supervisor.helpers import Helper, Helpers
from cvec_circus.supervisor.survival.heritage import UNREADABLE, Confirmed, Heritage, Left
from cvec_circus.system.handover import HandoverError, Inherited
from cvec_circus.wire.topics import fold

Document = Mapping[str, Any]


class Handed(Heritage):
    """A heritage without a gap: nothing has happened since it was written. Owned by the daemon's
    main thread; used up by `adopting`.

    Args:
        inherited: The document, with its files.

    Attributes:
        inherited: The same.
        document: Its text.
        helpers: The watchers of the helpers, with their processes, once `take_helpers` was called.

    Raises:
        HandoverError: It is not what a daemon of this version writes.
    """

    def __init__(self, inherited: Inherited) -> None:
        self.inherited = inherited
        self.document = document = inherited.document
        self.helpers: list[Left] = []
        self._confirmed = {}
        try:
            self.has_ledger = bool(document["has_ledger"])
            self.entries = dict(document["entries"])
            self.runs = [str(run) for run in document["runs"]]
            self.seq = int(document["events"]["seq"])
            self.loaded = [str(name) for name in document["loaded"]]
            leaving = {index for index, _ in document["sockets"]["leaving"]}
            sockets = enumerate(document["sockets"]["sockets"])
            self.sockets = {name: note for n, (name, _, note) in sockets if n not in leaving}
            rows = document["watchers"]
            self.places = {place: revived(row) for place, row in enumerate(rows)}
        except UNREADABLE as error:
            raise HandoverError(f"it cannot be read ({type(error).__name__}: {error})") from error
        self._rows = {watcher: rows[place] for place, watcher in self.places.items()}
        lefts = [
            self._left_of(watcher) for watcher, row in self._rows.items() if not row["is_helper"]
        ]
        self.watchers = sorted(lefts, key=lambda one: not one.watcher.is_removed)

    def _left_of(self, watcher: Watcher) -> Left:
        row, file = self._rows[watcher], self.inherited.file
        confirmed = {
            one["wid"]: Confirmed(
                one["pid"],
                file(one["fd"]),
                0,
                0,
                read_ends={channel: file(fd) for channel, fd in one["pipes"].items()},
                lines={
                    channel: Unfinished(self.inherited.block(held), *marks)
                    for channel, (held, *marks) in one.get("lines", {}).items()
                },
                checks=one["checks"],
            )
            for one in row["processes"]
        }
        return Left(watcher, confirmed, row["noted"], {})

    def configuration(self) -> Configuration:
        """Return what was run, for a daemon whose file cannot be used any more."""
        made = Configuration(dict(self.document["circus"]))
        loaded = {fold(name) for name in self.loaded}
        made.watchers = [
            WatcherConfig(one.name, one.settings.configured())
            for one, row in self._rows.items()
            if fold(one.name) in loaded and not (row["is_helper"] or one.is_removed)
        ]
        made.sockets = [SocketConfig(name, note[0]) for name, note in self.sockets.items()]
        made.plugins = [
            PluginConfig(name, row["use"], row["config"], read(row["options"]))
            for name, row in self.document["helpers"]["rows"].items()
            if "use" in row
        ]
        return made

    # -- what the parts of the supervisor go on with

    def door(self, name: str, access: Access) -> Listener:
        """Return the listening socket of the endpoint of `control` or `events`."""
        fd, address, own = self.document[name]["door"]
        sock = socket.socket(fileno=self.inherited.file(fd))
        return handed_over(sock, address, own and OwnPath(*own), access)

    def take_sockets(self, departures: Departures) -> None:
        """Go on with managed sockets, and with what is known of those that go."""
        state = self.document["sockets"]
        given = {managed.name.lower(): managed for managed in departures.sockets}
        leaving = {index for index, _ in state["leaving"]}
        sockets: dict[int | None, CircusSocket] = {}
        for index, (name, fd, note) in enumerate(state["sockets"]):
            managed = None if index in leaving else given.get(name.lower())
            if managed is None or not managed.is_the_one_of(note):
                managed = CircusSocket(name, **note[0])
            managed.adopt(self.inherited.file(fd), note, was_ours=True)
            sockets[index] = managed
        for index, serving in state["leaving"]:
            departures.leave(sockets[index], [self._process(*one) for one in serving])
        for one, key, index, name, why in state["had"]:
            has = sockets.get(index) or CircusSocket(name)
            departures.has(self._process(*one), key, has, why)

    def _process(self, place: int, wid: int) -> ManagedProcess:
        return self.places[place].places.slots[wid]

    def life(self) -> tuple[int, int]:
        """Return the two ends of the lifeline."""
        read_end, write_end = self.document["helpers"]["life"]
        return self.inherited.file(read_end), self.inherited.file(write_end)

    def take_helpers(
        self,
        helpers: Helpers,
        circus: Mapping[str, Any],
        events: EventStream,
        sockets: SocketRegistry,
    ) -> None:
        """Go on with the helpers."""
        inherited, state = self.inherited, self.document["helpers"]
        reports = {pid: inherited.file(fd) for pid, fd in state["reports"]}
        for name, row in state["rows"].items():
            if "use" in row:
                helper: Helper = Plugin.taken_over(name, inherited, row, events)
            else:
                helper = Statistics.taken_over(inherited, row, circus, sockets)
            helpers.take_over(self._helped(helper), helper, reports)
        for fd in reports.values():
            os.close(fd)

    def _helped(self, helper: Helper) -> Watcher:
        """Return the watcher of a helper that goes on, with options as it has them now."""
        place, watcher = next(
            (place, one) for place, one in self.places.items() if one.name == helper.name
        )
        new = Watcher(helper.name, helper.options, Kind(True, helper.useless))
        row = self._rows.pop(watcher)
        number, _, *rest = row["record"]["settings"]
        settings = [number, new.settings.to_state()[1], *rest]
        row = {**row, "record": {**row["record"], "settings": settings}}
        watcher = self.places[place] = revived(row)
        watcher.kind = new.kind
        self._rows[watcher] = row
        self.helpers.append(self._left_of(watcher))
        return watcher


def revived(row: Document) -> Watcher:
    """Return a watcher as it was."""
    return revive(
        Written(
            row["record"],
            row["counts"],
            [Row(*one) for one in row["rows"]],
            {wid: memory for wid, memory in row["backoffs"]},
            row["deaths"],
        )
    )
