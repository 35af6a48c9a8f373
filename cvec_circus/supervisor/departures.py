"""Sockets that go, and processes that have other sockets than new ones would get."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.references import references
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor.survival.bookkeeper import Bookkeeper
from cvec_circus.system.handover import Handover


class Departures:
    """Sockets that are closed when the processes that serve them are gone.

    Owned by the supervisor thread. Connections that wait in their backlogs are served till then.
    It also knows which processes have another socket than new ones would get: those that were kept
    because the rollout for a new one has failed.

    Attributes:
        sockets: The registry, which closes what is left at the end.
    """

    def __init__(self, sockets: SocketRegistry) -> None:
        self.sockets = sockets
        self._serving: dict[CircusSocket, list[ManagedProcess]] = {}
        self._had: dict[ManagedProcess, dict[str, tuple[CircusSocket, str]]] = {}
        """The sockets that they got, by folded name, of processes that got them before a change;
        and why these have other settings now, "" if they have not."""

    def add(
        self, managed: CircusSocket, watchers: Iterable[Watcher], on_all: Watcher | None
    ) -> None:
        """Close a socket later; the processes of `on_all` have every socket."""
        name = managed.name.lower()
        serving = [
            one
            for one in _users(name, watchers, on_all)
            if self._has(one, name, managed)[0] is managed
        ]
        self.leave(managed, serving)

    def leave(self, managed: CircusSocket, serving: list[ManagedProcess]) -> None:
        """Close a socket when these processes are gone."""
        self._serving[managed] = serving
        self.sockets.leaving.append(managed)

    def renew(
        self,
        name: str,
        now: CircusSocket,
        comes: CircusSocket,
        why: str,
        watchers: Iterable[Watcher],
    ) -> None:
        """Note that new processes get another socket of that name, or with other settings.

        Args:
            now: The one of now.
            comes: The one that they get.
            why: Why that makes a difference.
        """
        self._had = {p: had for p, had in self._had.items() if p.state is not ProcessState.REMOVED}
        for one in _users(name, watchers, None):
            has, changed = self._has(one, name, now)
            changed = changed or (why if has is comes is now else "")
            self.has(one, name, has, changed)

    def has(self, process: ManagedProcess, name: str, has: CircusSocket, changed: str) -> None:
        """Note which socket of a folded name a process has; and why that one has other settings
        now, "" if it has not."""
        self._had.setdefault(process, {})[name] = has, changed

    def _has(
        self, process: ManagedProcess, name: str, now: CircusSocket
    ) -> tuple[CircusSocket, str]:
        return self._had.get(process, {}).get(name, (now, ""))

    def write(self, books: Bookkeeper, watchers: Iterable[Watcher]) -> None:
        """Write down the sockets of now, and those of processes that have others."""
        books.sockets(self.sockets.notes())
        for watcher in watchers if self._had else ():
            for process in watcher.places.spawned():
                if had := self._had.get(process):
                    notes = {name: self._note(*one, name) for name, one in had.items()}
                    books.had(watcher, process, notes)

    def _note(self, has: CircusSocket, changed: str, name: str) -> list[Any]:
        return [has.name, has.note() if has.fileno() >= 0 else None, changed]

    def hand_over(
        self, out: Handover, number: Mapping[ManagedProcess, Sequence[int]]
    ) -> dict[str, Any]:
        """Hand all open sockets to the program that is to be executed, and who has which.

        Args:
            out: Takes the files.
            number: Processes, each with what tells it from others.
        """
        sockets = [one for one in (*self.sockets, *self.sockets.leaving) if one.fileno() >= 0]
        place = {managed: index for index, managed in enumerate(sockets)}
        return {
            "sockets": [[one.name, out.file(one.fileno()), one.note()] for one in sockets],
            "leaving": [
                [place[one], [number[p] for p in processes if p in number]]
                for one, processes in self._serving.items()
                if one in place
            ],
            "had": [
                [number[p], key, place.get(has), has.name, why]
                for p, had in self._had.items()
                if p in number
                for key, (has, why) in had.items()
            ],
        }

    def why_replaced(
        self, watcher: Watcher, name: str, comes: CircusSocket | None, why: str = ""
    ) -> str:
        """Say why processes of a watcher do not have the socket that new ones will get; "" if they
        have.

        Args:
            comes: That socket; None for one that is to be opened.
            why: What makes the difference to the one of now; "" for nothing.
        """
        now = next(one for one in self.sockets if one.name.lower() == name)
        for process in watcher.places.fresh:
            has, changed = self._has(process, name, now)
            if has is not comes:
                return f"socket {now.name} is another one"
            if told := changed or (why if has is now else ""):
                return told
        return "" if watcher.places.fresh else why

    def take_back(self, managed: CircusSocket) -> None:
        """Close a socket no longer."""
        if self._serving.pop(managed, None) is not None:
            self.sockets.leaving.remove(managed)

    def look(self) -> None:
        """Close those whose time has come."""
        for managed, processes in list(self._serving.items()):
            if all(process.state is ProcessState.REMOVED for process in processes):
                self.take_back(managed)
                managed.close()


def _users(
    name: str, watchers: Iterable[Watcher], on_all: Watcher | None
) -> Iterator[ManagedProcess]:
    """Iterate over the processes that have the socket of a name."""
    for watcher in watchers:
        if watcher is on_all or name in references(watcher.options):
            yield from watcher.places.spawned()
