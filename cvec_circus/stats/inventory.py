"""Which processes there are, as the daemon tells it: its answers, and its events in between."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cvec_circus.wire import topics

STATISTICS = "circusd-stats"
"""The name of the watcher whose process measures the others; as in Circus."""

OURSELVES = frozenset({"circusd", "circushttpd", STATISTICS})
"""Watchers that count to `DAEMON`."""

DAEMON = "circus"
"""Under this name the processes of the daemon itself are published."""


class Socket(NamedTuple):
    """A listening socket that the daemon holds. Immutable.

    Attributes:
        name: Its name.
        fd: Its number in the daemon.
        address: Where it listens.
    """

    name: str
    fd: int
    address: str


class Inventory:
    """The processes of every watcher. Owned by the main thread of the statistics process.

    Attributes:
        sockets: The listening sockets of the daemon.
        daemon: The processes of the daemon itself, with what each is called.
    """

    def __init__(self, daemon: Mapping[int, str]) -> None:
        """Begin with nothing but ourselves.

        Args:
            daemon: Processes of the daemon that are known from the beginning.
        """
        self.sockets: list[Socket] = []
        self.daemon = dict(daemon)
        self._pids: dict[str, dict[int, None]] = {}
        self._changes: list[tuple[str, int | None, bool]] | None = None

    def pids(self) -> dict[str, list[int]]:
        """Return the processes of every watcher that has any, by its name as topics have it."""
        return {name: list(pids) for name, pids in self._pids.items() if pids}

    def begin(self) -> None:
        """The daemon is being asked: what events tell from now on may be news to its answer."""
        self._changes = []

    def replace(self, pids: Mapping[str, Iterable[int]]) -> None:
        """Take an answer of the daemon: the processes of all watchers.

        Args:
            pids: By the names of the watchers.
        """
        self._pids.clear()
        for name, numbers in pids.items():
            if name not in OURSELVES:
                self._pids[topics.fold(name)] = dict.fromkeys(numbers)
        changes, self._changes = self._changes, None
        for name, pid, there in changes or ():
            self._change(name, pid, there)

    def event(self, topic: bytes, payload: bytes) -> None:
        """Take an event of the daemon."""
        _, name, action = topics.split(topic)
        if name in OURSELVES or action not in ("spawn", "reap", "stop", "remove"):
            return
        pid = None
        if action in ("spawn", "reap"):
            pid = _number(payload)
            if pid is None:
                return
        if self._changes is not None:
            self._changes.append((name, pid, action == "spawn"))
        self._change(name, pid, action == "spawn")

    def _change(self, name: str, pid: int | None, there: bool) -> None:
        if pid is None:
            self._pids.pop(name, None)
        elif there:
            self._pids.setdefault(name, {})[pid] = None
        else:
            self._pids.get(name, {}).pop(pid, None)


def sockets_of(reply: Mapping[str, Any]) -> list[Socket]:
    """Read what `listsockets` answers."""
    found = []
    for row in reply.get("sockets", ()):
        address = row["path"] if "path" in row else f"{row['host']}:{row['port']}"
        found.append(Socket(str(row["name"]), int(row["fd"]), str(address)))
    return found


def _number(payload: bytes) -> int | None:
    try:
        return int(json.loads(payload)["process_pid"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # published by something else than a daemon
