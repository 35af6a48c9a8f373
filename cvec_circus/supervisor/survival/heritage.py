"""What an earlier daemon has left: its ledger, and the processes that are still the ones in it.

All of this happens before the loop runs. Processes are looked at, and none is touched.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator, Mapping
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.base.clock import SYSTEM, since_boot
from cvec_circus.base.complaints import SHORTAGES
from cvec_circus.base.named import NamedTuple
from cvec_circus.core.backoff import Backoff
from cvec_circus.core.revival import NO_COUNTS, Row, Written, options_of, revive
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.generation import asked_of, digest
from cvec_circus.options.survival import Adoption
from cvec_circus.stream.base import Unfinished
from cvec_circus.supervisor.survival import bookkeeper, ledger
from cvec_circus.supervisor.survival.ledger import Entries, Head, LedgerError
from cvec_circus.system import files, pidfd, pipes, proctable
from cvec_circus.system.launch import MARK
from cvec_circus.system.statedir import StateDir

MOST_RUNS = 32
"""How many lives of the daemon are remembered: processes have the mark of the one that began them.
"""

UNREADABLE = (
    *(KeyError, TypeError, ValueError, OverflowError),
    *(IndexError, AttributeError, AssertionError),
)
"""What nonsense in an entry leads to."""

EXEC_TIMEOUT = 0.2
"""Seconds in which what is in its exec may show no environment, all such processes together."""

TICK = 0.02
"""Seconds by which the instant of a start may be off: the table has hundredths."""


class Confirmed(NamedTuple):
    """A process that is certainly the one in the ledger. Immutable."""

    pid: int
    fd: int  # its pidfd
    inode: int
    start_time: int
    pipes: tuple[int, int] = (0, 0)  # the inodes of its pipes: stdout, stderr
    # After an upgrade, what is open already:
    read_ends: Mapping[str, int] = {}  # of its pipes, by channel
    lines: Mapping[str, Unfinished] = {}  # that were begun, likewise
    checks: Mapping[str, Any] | None = None  # see `Checking.hand_over`


class Left(NamedTuple):
    """A watcher, and those of its processes that are there. Immutable by convention."""

    watcher: Watcher
    confirmed: dict[int, Confirmed]  # by wid
    deaths: int  # how many have been noted
    had: dict[int, dict[str, list[Any]]]
    """By wid and folded name, of sockets that are not those of now or had other settings: the name,
    what is noted (None for nothing), and why the settings count."""


class Heritage:
    """What is to be taken over. Owned by the daemon's main thread; used up by `adopting`.

    Attributes:
        entries: What the ledger has.
        has_ledger: Whether all that is taken over is in it.
        runs: The lives whose marks count, the last one first.
        seq: The last number that an event may have.
        watchers: The watchers that were there, the removed ones first.
        loaded: The names of those that the configuration had.
        sockets: What is noted about each socket, by its name.
    """

    has_ledger = True

    def __init__(self, head: Head, entries: Entries) -> None:
        self.entries = entries
        self.runs = list(head.runs)
        self.seq = int(entries.get(bookkeeper.SEQ, 0))
        self.loaded = [str(name) for name in entries.get(bookkeeper.LOADED, ())]
        self.sockets: dict[str, list[Any]] = {}
        self._by_place: dict[int, dict[str, dict[int, Any]]] = {}
        watchers: dict[int, Any] = {}
        for key, value in entries.items():
            what, _, rest = key.partition(" ")
            if what == bookkeeper.SOCKET:
                options, inode, own_path = value
                self.sockets[rest] = [dict(options), int(inode), own_path]
            elif what in (bookkeeper.SEQ, bookkeeper.LOADED, bookkeeper.AT):
                continue
            elif what == bookkeeper.WATCHER:
                watchers[int(rest)] = value
            else:
                place, _, number = rest.partition(" ")
                kinds = self._by_place.setdefault(int(place), {})
                kinds.setdefault(what, {})[int(number or 0)] = value
        self._confirmed: dict[tuple[int, int], Confirmed] = {}
        try:
            self._confirm()
            self._find_unwritten(watchers)
            lefts = [self._left(place, watchers[place]) for place in sorted(watchers)]
        except BaseException:
            self.close()
            raise
        self.watchers = sorted(lefts, key=lambda one: not one.watcher.is_removed)

    def processes(self) -> Iterator[tuple[Watcher, Confirmed]]:
        """Yield the processes that are there, each with its watcher."""
        for left in self.watchers:
            for one in left.confirmed.values():
                yield left.watcher, one

    @property
    def pids(self) -> list[int]:
        """The processes that are there."""
        return [one.pid for one in self._confirmed.values()]

    def _confirm(self) -> None:
        for place, kinds in self._by_place.items():
            for wid, about in kinds.get(bookkeeper.SLOT, {}).items():
                pid, inode, start_time, *_, (out, err) = about
                fd = pidfd.open_same(pid, inode, start_time)
                if fd is not None:
                    start = start_time or proctable.start_time(pid) or 0
                    found = Confirmed(pid, files.moved_up(fd), inode, start, (out, err))
                    self._confirmed[place, wid] = found

    # -- what the daemon had no time to write down

    def _find_unwritten(self, watchers: dict[int, Any]) -> None:
        """Find, by their marks, processes that were started and not written down.

        Each slot may have one, if it is younger than the instant until which all was written.
        """
        at = self.entries.get(bookkeeper.AT)
        if at is None:
            return
        places = {one["name"]: n for n, one in watchers.items() if not one["is_removed"]}
        for name, wid, row in sorted(self._marked(at), key=lambda one: one[2].start_time):
            if name in places:
                self._take_unwritten(places[name], wid, row)

    def _marked(self, since: float) -> Iterator[tuple[str, int, proctable.ProcessRow]]:
        """Yield the leaders of sessions with our mark that began after an instant."""
        until = SYSTEM.monotonic() + EXEC_TIMEOUT
        for row in proctable.rows():
            if row.session == row.pid and row.runs and _began(row) >= since - TICK:
                mark = proctable.variable(_environment(row.pid, until), MARK) or ""
                run, _, rest = mark.partition(":")
                name, _, slot = rest.rpartition(":")
                if run in self.runs and slot.isdecimal():
                    yield name, int(slot), row

    def _take_unwritten(self, place: int, wid: int, row: proctable.ProcessRow) -> None:
        """Take a process into its slot, if that has none."""
        if (place, wid) in self._confirmed:
            return
        fd = pidfd.open_same(row.pid, 0, row.start_time)
        if fd is None:
            return
        inode, _ = pidfd.identity(row.pid, fd)
        outputs = pipes.inode_of(row.pid, 1), pipes.inode_of(row.pid, 2)
        found = Confirmed(row.pid, files.moved_up(fd), inode, row.start_time, outputs)
        self._confirmed[place, wid] = found
        kinds = self._by_place.setdefault(place, {})
        uptime = since_boot() - _began(row)
        spawned_at, started = SYSTEM.monotonic() - uptime, SYSTEM.time() - uptime
        about = [
            *(row.pid, inode, row.start_time, None, "", spawned_at, started, ["", "", ""], None),
            list(outputs),
        ]
        kinds.setdefault(bookkeeper.SLOT, {})[wid] = about
        self.entries[f"{bookkeeper.SLOT} {place} {wid}"] = about

    def _left(self, place: int, record: dict[str, Any]) -> Left:
        kinds = self._by_place.get(place, {})
        deaths = sorted(kinds.get(bookkeeper.DEATH, {}).values())
        options = options_of(record)
        now = digest(options), asked_of(options)
        rows = [
            _row(wid, about, kinds, record, *now)
            for wid, about in sorted(kinds.get(bookkeeper.SLOT, {}).items())
        ]
        *counts, ready_at = kinds.get(bookkeeper.COUNTS, {}).get(0, NO_COUNTS)
        written = Written(
            record,
            [*map(int, counts), None if ready_at is None else float(ready_at)],
            rows,
            {
                wid: dict(zip(Backoff.__slots__, about))
                for wid, about in kinds.get(bookkeeper.BACKOFF, {}).items()
            },
            [death for _, death in deaths],
        )
        there = {wid: one for (own, wid), one in self._confirmed.items() if own == place}
        had = {
            wid: sockets
            for wid, (pid, sockets) in kinds.get(bookkeeper.HAD, {}).items()
            if wid in there and there[wid].pid == pid
        }
        return Left(revive(written), there, deaths[-1][0] + 1 if deaths else 0, had)

    def close(self) -> None:
        """Close the pidfds that were not taken."""
        for one in self._confirmed.values():
            os.close(one.fd)
        self._confirmed.clear()

    def taken(self) -> None:
        """Note that others own the pidfds now."""
        self._confirmed.clear()


class Estate(NamedTuple):
    """What survives the daemon, and what it has found. Immutable."""

    folder: StateDir
    adopt: Adoption  # not False
    heritage: Heritage | None = None  # None if there was nothing


def _row(
    wid: int,
    about: list[Any],
    kinds: dict[str, Any],
    record: dict[str, Any],
    own: str,
    asked_now: int,
) -> Row:
    pid, _, _, generation, started_with, spawned_at, started, cause, checked, _ = about
    asked = asked_now if checked is None else int(checked)
    unwell, *why = kinds.get(bookkeeper.UNWELL, {}).get(wid, [0])
    is_doubted, unready = why if unwell == pid else (False, "")
    stopped, *stopping = kinds.get(bookkeeper.STOPPING, {}).get(wid, [0])
    return Row(
        wid,
        int(pid),
        int(record["settings"][0] if generation is None else generation),
        bool(started_with) and started_with != own,
        float(spawned_at),
        float(started),
        tuple(map(str, cause)),
        bool(asked & 1),
        kinds.get(bookkeeper.PROVED, {}).get(wid) == pid,
        (list(map(str, stopping[0])), float(stopping[1])) if stopped == pid else None,
        bool(asked & 2),
        bool(is_doubted),
        str(unready),
        generation is None,
    )


def read(folder: StateDir) -> Heritage | None:
    """Return what to take over, None if there is nothing; a ledger that is of no use is put
    aside, and the log says why.

    Raises:
        CircusError: The system is short of something: a later attempt may succeed.
    """
    try:
        found = ledger.read(folder)
        if found is None:
            return None
        head, entries = found
        here = place_of_birth()
        if head.boot != here[0]:
            logger.info(
                "%s is from before this boot; none of its processes run", folder.file(ledger.FILE)
            )
            folder.put_aside(ledger.FILE)
            return None
        if head.namespace != here[1]:
            raise LedgerError("it is from another pid namespace, such as another container's")
        return Heritage(head, entries)
    except LedgerError as error:
        reason = str(error)
    except UNREADABLE as error:
        reason = f"an entry cannot be read ({type(error).__name__}: {error})"
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in SHORTAGES:
            raise not_taken_over(error) from error
    path = folder.file(ledger.FILE)
    try:
        aside = f"it is now {folder.put_aside(ledger.FILE)}"
    except OSError as error:
        aside = f"it cannot be put aside: {error.strerror}"
    logger.error("%s: %s; no process is adopted, and %s", path, reason, aside)
    return None


def not_taken_over(error: OSError) -> exc.CircusError:
    """Return what ends a start that a later one may succeed after."""
    reason = error.strerror or str(error)
    return exc.CircusError(f"cannot take over what an earlier daemon has left: {reason}")


def place_of_birth() -> tuple[str, int]:
    """Return the id of this boot, and the number of our pid namespace.

    Raises:
        OSError: There is no /proc.
    """
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    return boot, os.stat("/proc/self/ns/pid").st_ino


def _environment(pid: int, until: float) -> bytes | None:
    """Return the environment of a process, which is empty for a moment during an exec."""
    while (found := proctable.environment(pid)) == b"" and SYSTEM.monotonic() < until:
        select.select([], [], [], 0.002)
    return found


def _began(row: proctable.ProcessRow) -> float:
    """Return when a process began, in seconds since boot."""
    return row.start_time / os.sysconf("SC_CLK_TCK")
