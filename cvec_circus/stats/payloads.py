"""What is published of a look at the processes: topics and payloads, as Circus has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus.stats.inventory import DAEMON, Socket

STAT = "stat"
"""The first part of every topic."""

SOCKETS = "sockets"
"""In the place of a watcher's name: the listening sockets."""

DENIED = "N/A"

Message = tuple[bytes, bytes]
Row = dict[str, Any]


def of_processes(
    pids: Mapping[str, Sequence[int]], daemon: Mapping[int, str], rows: Mapping[int, Row]
) -> list[Message]:
    """Make the messages of one look: of each process, and then of all processes of its watcher.

    Args:
        pids: The processes of the watchers.
        daemon: Those of the daemon itself, with what each is called.
        rows: What was seen of each that is there.
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
    """Sum up the processes of a watcher: their average use of a processor, all their memory, and
    the age of the oldest."""
    cpu, memory, age = ([row[key] for row in rows.values()] for key in ("cpu", "mem", "age"))
    known_ages = [one for one in age if one != DENIED]
    return {
        "pid": list(rows),
        "cpu": DENIED if DENIED in cpu else round(sum(cpu) / max(len(cpu), 1), 3),
        "mem": DENIED if DENIED in memory else round(sum(memory), 3),
        "age": max(known_ages) if known_ages else DENIED,
    }


def of_sockets(sockets: Sequence[Socket], reads: Mapping[int, int]) -> list[Message]:
    """Make the messages of the sockets: of each, and then of all; none if there are none.

    Args:
        sockets: Those that we see.
        reads: How often there was something to read from each, by its number.
    """
    if not sockets:
        return []
    rows = [
        {"fd": one.fd, "subtopic": one.fd, "reads": reads.get(one.fd, 0), "address": one.address}
        for one in sockets
    ]
    addresses = [one.address for one in sockets]
    messages = [_message(SOCKETS, row) for row in rows]
    return [
        *messages,
        _message(SOCKETS, {"addresses": addresses, "reads": sum(row["reads"] for row in rows)}),
    ]


def read(topic: bytes, payload: bytes) -> tuple[str, str | None, Row]:
    """Take a message apart.

    Returns:
        The watcher's name as topics have it; the pid of a process, or the number of a socket, and
        None for the sum; what is told.

    Raises:
        ValueError: It is no message of this kind.
    """
    stat = json.loads(payload)
    _, dot, name = topic.decode("utf-8", "replace").partition(".")
    if not dot or not isinstance(stat, dict):
        raise ValueError(f"{topic!r} is no topic of statistics")
    if "subtopic" not in stat:
        return name, None, stat
    subtopic = str(stat["subtopic"])  # a name may hold dots, so the topic alone does not tell
    return name.rpartition(".")[0], subtopic, stat


def _message(name: str, stat: Row) -> Message:
    topic = f"{STAT}.{name}"
    if "subtopic" in stat:
        topic = f"{topic}.{stat['subtopic']}"
    return topic.encode(), json.dumps(stat).encode()
