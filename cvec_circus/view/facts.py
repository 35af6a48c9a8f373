"""The known facts about watchers and their processes, from any source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cvec_circus.commands.status import phase_cell
from cvec_circus.options.kinds import human2bytes
from cvec_circus.stats.payloads import DAEMON, SOCKETS, STATISTICS
from cvec_circus.wire.topics import fold

Row = dict[str, Any]


@dataclass
class WatcherFacts:
    """The known facts about one watcher; None means unknown. Owned by the main thread.

    Attributes:
        name: As written, where that is known, else as topics have it.
        state: "" if unknown.
        wanted: The number of processes it should have.
        running: The number it has; if None, that of `rows`.
        uptime: Seconds for which its oldest process has run; None also if none does.
        rows: The measurements of its processes, by pid.
        phase: What the daemon says of it beyond the state; "" if it does not tell.
        rollout: How far a rollout is, None without one.
    """

    name: str
    state: str = ""
    reason: str = ""
    wanted: int | None = None
    running: int | None = None
    restarts: int | None = None
    uptime: float | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    phase: str = ""
    rollout: Row | None = None

    @property
    def stands(self) -> str:
        """How it stands as people read it, with how far a rollout is; "" if that is not known."""
        return phase_cell(self.phase, {"rollout": self.rollout}) or self.state

    def total(self, key: str) -> float:
        """Sum up the usage of its processes and their descendants."""
        return sum(number_of(row, key) or 0.0 for row in self.all_rows())

    @property
    def resident(self) -> int:
        """Bytes that its processes and their descendants have in memory."""
        return sum(map(resident_of, self.all_rows()))

    def all_rows(self) -> Iterator[Row]:
        """Yield the measurements of its processes and of their descendants."""
        for row in self.rows.values():
            yield from (one for one, _ in tree_of(row))

    @property
    def age(self) -> float | None:
        """Seconds for which its oldest process has run."""
        if self.uptime is not None:
            return self.uptime
        return max((number_of(row, "age") or 0.0 for row in self.rows.values()), default=None)

    def as_json(self) -> Row:
        """Return it for a program."""
        return {
            "name": self.name,
            "state": self.state or None,
            "phase": self.phase or None,
            "rollout": self.rollout,
            "reason": self.reason,
            "numprocesses": self.wanted,
            "restarts": self.restarts,
            "uptime": self.uptime,
            "cpu": round(self.total("cpu"), 1),
            "mem": round(self.total("mem"), 3),
            "processes": self.rows,
        }


class Facts:
    """All known facts. Owned by the main thread.

    Attributes:
        watchers: By their names as topics have them.
        sockets: The measurements of each listening socket, by its number.
        has_states: Whether the daemon has listed its watchers.
        passes: The number of passes over the processes that have arrived.
        trouble: Why no more is known, in a sentence; "" if nothing is wrong.
    """

    def __init__(self, process_timeout: float) -> None:
        """Begin with nothing; drop processes not published for `process_timeout` seconds."""
        self.watchers: dict[str, WatcherFacts] = {}
        self.sockets: dict[str, Row] = {}
        self.has_states = False
        self.passes = 0
        self.trouble = ""
        self._process_timeout = process_timeout
        self._published_at: dict[tuple[str, str], float] = {}
        self._published_sockets: set[str] = set()

    def count(self) -> int:
        """Count the watchers. The daemon itself is measured like one, and is none."""
        return len(self.watchers) - any(
            name == DAEMON and not watcher.state for name, watcher in self.watchers.items()
        )

    def status(self, reply: Mapping[str, Any]) -> None:
        """Take an answer to `status`, with or without details."""
        details, reasons = reply.get("watchers") or {}, reply.get("reasons") or {}
        phases = reply.get("phases") or {}
        former = self.watchers
        self.watchers = {}
        for name, state in reply["statuses"].items():
            known = former.get(fold(name)) or WatcherFacts(name)
            detail = details.get(name) or {}
            known.name, known.state = name, str(state)
            known.phase, known.rollout = str(phases.get(name) or ""), detail.get("rollout")
            known.reason = str(detail.get("reason") or reasons.get(name) or "")
            known.wanted = detail.get("numprocesses")
            known.running = detail.get("processes")
            known.restarts = detail.get("restarts")
            known.uptime = detail.get("uptime")
            self.watchers[fold(name)] = known
        if DAEMON in former and DAEMON not in self.watchers:
            self.watchers[DAEMON] = former[DAEMON]
        self.has_states = True

    def stats(self, reply: Mapping[str, Any]) -> None:
        """Take an answer to `stats`: all processes."""
        self.sockets.clear()  # which are only published
        infos = {fold(name): rows for name, rows in reply["infos"].items()}
        for name, watcher in self.watchers.items():
            watcher.rows = {}
            for pid, row in (infos.get(name) or {}).items():
                if isinstance(row, Mapping):  # Circus: a sentence for one just gone
                    watcher.rows[str(pid)] = dict(row)
        self.passes += 1

    def stat(self, name: str, subtopic: str | None, stat: Row, now: float) -> None:
        """Take a published message: see `stats.payloads.read`; at the monotonic instant `now`."""
        name = fold(name)  # Circus leaves the blanks in
        is_ours = name == DAEMON and subtopic is not None and stat.get("name") == STATISTICS
        if is_ours and STATISTICS in self.watchers:
            name = STATISTICS  # published with the daemon, and listed as a watcher
        if name == SOCKETS and "pid" not in stat:  # a watcher may have that name
            if subtopic is not None:
                self.sockets[subtopic] = stat
                self._published_sockets.add(subtopic)
        elif subtopic is None:
            self._total(name, stat, now)
        else:
            if name not in self.watchers:
                if self.has_states and name != DAEMON:
                    return  # new, with its state to come; or just removed
                self.watchers[name] = WatcherFacts(name)
            self.watchers[name].rows[subtopic] = stat
            self._published_at[name, subtopic] = now

    def _total(self, name: str, stat: Row, now: float) -> None:
        if name == DAEMON:
            self.passes += 1  # the last message of a pass
            self._forget(now - self._process_timeout)
            self._forget_sockets()
        watcher, pids = self.watchers.get(name), stat.get("pid")
        if watcher is not None and isinstance(pids, list):
            there = set(map(str, pids))
            if name == DAEMON and STATISTICS in self.watchers:
                there -= self.watchers[STATISTICS].rows.keys()
            watcher.rows = {pid: row for pid, row in watcher.rows.items() if pid in there}

    def _forget(self, since: float) -> None:
        for (name, pid), published_at in list(self._published_at.items()):
            if published_at < since:
                del self._published_at[name, pid]
                if name in self.watchers:
                    self.watchers[name].rows.pop(pid, None)
                    if not (self.has_states or self.watchers[name].rows):
                        del self.watchers[name]  # nothing else would show that it is gone

    def _forget_sockets(self) -> None:
        """Drop processes not published since the previous pass."""
        for number in set(self.sockets) - self._published_sockets:
            del self.sockets[number]
        self._published_sockets.clear()

    def as_json(self) -> Row:
        """Return it for a program."""
        return {
            "watchers": {each.name: each.as_json() for each in self.watchers.values()},
            "sockets": list(self.sockets.values()),
        }


def tree_of(row: Row, depth: int = 0) -> Iterator[tuple[Row, int]]:
    """Yield a row and those of the process' descendants, each with its depth."""
    yield row, depth
    for child in row.get("children") or ():
        yield from tree_of(child, depth + 1)


def resident_of(row: Mapping[str, Any]) -> int:
    """Return the bytes that a process has in memory; 0 where that is not available."""
    try:
        return human2bytes(str(row.get("mem_info1")))
    except ValueError:
        return 0


def number_of(row: Mapping[str, Any], key: str) -> float | None:
    """Return a number of a row; None where it is not available."""
    value = row.get(key)
    return float(value) if isinstance(value, (int, float)) else None
