"""Published messages: names, topics and payloads, as in Circus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.base.named import NamedTuple

STAT = "stat"
"""The first part of every topic."""

SOCKETS = "sockets"
"""The listening sockets, in the place of a watcher's name."""

DAEMON = "circus"
"""The processes of the daemon itself, in the place of a watcher's name."""

STATISTICS = "circusd-stats"
"""The watcher whose process measures the others."""

OURSELVES = frozenset({"circusd", "circushttpd", STATISTICS})
"""Watchers whose processes count as `DAEMON`."""

DENIED = "N/A"

Message = tuple[bytes, bytes]
Row = dict[str, Any]


class Socket(NamedTuple):
    """A listening socket of the daemon, with its number there. Immutable."""

    name: str
    fd: int
    address: str


def sockets_of(reply: Mapping[str, Any]) -> list[Socket]:
    """Read the answer to `listsockets`."""
    found = []
    for row in reply.get("sockets", ()):
        address = row["path"] if "path" in row else f"{row['host']}:{row['port']}"
        found.append(Socket(str(row["name"]), int(row["fd"]), str(address)))
    return found


def of_processes(
    pids: Mapping[str, Sequence[int]], daemon: Mapping[int, str], rows: Mapping[int, Row]
) -> list[Message]:
    """Make the messages of one pass: for each process, then for all of its watcher.

    Args:
        pids: The processes of the watchers.
        daemon: Those of the daemon itself: the name of each by its pid.
        rows: The measurements by pid; a process that is gone has none.
    """
    messages = []
    for name, wanted in [*pids.items(), (DAEMON, list(daemon))]:
        seen = {pid: rows[pid] for pid in wanted if pid in rows}
        for pid, row in seen.items():
            own_name = daemon.get(pid) if name == DAEMON else None
            messages.append(_message(name, {**row, "subtopic": pid, "name": own_name}))
        messages.append(_message(name, total(seen)))
    return messages


def total(rows: Mapping[int, Row]) -> Row:
    """Sum up the processes of a watcher: average CPU, total memory, age of the oldest."""
    cpu, memory, age = ([row[key] for row in rows.values()] for key in ("cpu", "mem", "age"))
    known_ages = [one for one in age if one != DENIED]
    return {
        "pid": list(rows),
        "cpu": DENIED if DENIED in cpu else round(sum(cpu) / max(len(cpu), 1), 3),
        "mem": DENIED if DENIED in memory else round(sum(memory), 3),
        "age": max(known_ages) if known_ages else DENIED,
    }


def of_sockets(sockets: Sequence[Socket], reads: Mapping[int, int]) -> list[Message]:
    """Make the messages of the sockets: for each, then for all; none if there are none.

    Args:
        sockets: The sockets this process has.
        reads: How often each was readable, by its number.
    """
    if not sockets:
        return []
    rows = [
        {"fd": one.fd, "subtopic": one.fd, "reads": reads.get(one.fd, 0), "address": one.address}
        for one in sockets
    ]
    addresses = [one.address for one in sockets]
    whole = {"addresses": addresses, "reads": sum(reads.get(one.fd, 0) for one in sockets)}
    return [_message(SOCKETS, row) for row in (*rows, whole)]


def read(topic: bytes, payload: bytes) -> tuple[str, str | None, Row]:
    """Take a message apart.

    Returns:
        The watcher's name as topics have it; the pid of a process or the number of a socket, None
        for the sum; the measurements.

    Raises:
        ValueError: It is no message of this kind.
    """
    stat = json.loads(payload)
    _, dot, name = topic.decode("utf-8", "replace").partition(".")
    if not dot or not isinstance(stat, dict):
        raise ValueError(f"{topic!r} is not a topic of statistics")
    if "subtopic" not in stat:
        return name, None, stat
    subtopic = str(stat["subtopic"])  # a name may contain dots, so the topic alone is ambiguous
    return name.rpartition(".")[0], subtopic, stat


def _message(name: str, stat: Row) -> Message:
    topic = f"{STAT}.{name}"
    if "subtopic" in stat:
        topic = f"{topic}.{stat['subtopic']}"
    return topic.encode(), json.dumps(stat).encode()
