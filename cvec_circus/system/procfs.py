"""What `stats` tells about processes: their memory, their processor time, their children.

The only module that imports psutil, so whoever needs it imports it when it is needed: half a
daemon's life may pass before the first `stats`.

What changes all the time stands in two lines of /proc, one of which is read anyway to find the
children. To ask psutil for it took 0.1 ms a process, and this takes a fifth of that: psutil is
asked for what a process is called and whose it is, once in a while.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import psutil

from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.system import proctable
from cvec_circus.system.proctable import NICE, SYSTEM_TIME, USER_TIME, ProcessRow

DENIED = "N/A"
"""Stands for what the system does not tell us, as on the wire."""

UNITS = "KMGTPEZY"

YOUNG = 5.0
"""Seconds in which a process may still become what it is going to be: a program of another name, a
user with fewer rights. It is described anew at each look."""

DESCRIBED = 20
"""Seconds after which one that is older is described anew; as many again, spread by pid."""

STEPPED = 1.0
"""Seconds by which the wall clock has to move against the other one to have been set."""


class Sampler:
    """Looks at processes, and remembers them: processor use is counted since the look before.

    Owned by one thread, the sampler's; it may take a tenth of a second.
    """

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._known: dict[int, _Known] = {}
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._memory = os.sysconf("SC_PHYS_PAGES")
        self._booted_at = float(proctable.boot_time())
        self._offset = clock.time() - clock.monotonic()

    def sample(self, pids: Iterable[int], children: bool = True) -> dict[int, dict[str, Any]]:
        """Look at some processes.

        One walk of the process table serves all of them. To have psutil find the children of
        each took 35 ms a process, on a machine with 1100 of them.

        Args:
            pids: The processes.
            children: Whether to look at their children and those below as well. Without, the
                process table is not walked.

        Returns:
            For each process that is there and no zombie: pid, cmdline, username, nice, cpu (in
            per cent of a processor), mem (in per cent of all), mem_info1 (resident) and mem_info2
            (virtual, both as text), ctime (as text, minutes:seconds.hundredths), create_time
            (seconds since 1970), age (seconds) and children (a list of the same). What we may
            not know is "N/A".
        """
        wanted = list(pids)
        if children:
            table = {row.pid: row for row in proctable.rows()}
        else:
            found = (proctable.row(pid) for pid in {*wanted, *self._known})
            table = {row.pid: row for row in found if row is not None}
        below: defaultdict[int, list[int]] = defaultdict(list)
        if children:
            for row in table.values():
                below[row.ppid].append(row.pid)
        self._forget(table)
        self._notice_a_set_clock()
        # Each is looked at once even if it is wanted beside its parent: a second look would count
        # its processor use since the first.
        looks = _Looks(self._look, table)
        trees = {pid: _tree(pid, looks, below, frozenset()) for pid in wanted}
        return {pid: tree for pid, tree in trees.items() if tree is not None}

    def _forget(self, table: dict[int, ProcessRow]) -> None:
        """Drop what is gone, and numbers that belong to somebody else by now."""
        for pid, known in list(self._known.items()):
            if pid not in table or table[pid].start_time != known.start_time:
                del self._known[pid]

    def _notice_a_set_clock(self) -> None:
        """Reckon anew when the machine began, which the wall clock has another opinion of now."""
        offset = self._clock.time() - self._clock.monotonic()
        if abs(offset - self._offset) > STEPPED:
            self._offset = offset
            self._booted_at = float(proctable.boot_time())

    def _look(self, row: ProcessRow) -> dict[str, Any]:
        fields = row.fields
        used = int(fields[USER_TIME]) + int(fields[SYSTEM_TIME])
        pages = proctable.memory(row.pid)
        if pages is None:
            raise psutil.NoSuchProcess(row.pid)
        virtual, resident = pages
        create_time = self._booted_at + row.start_time / self._ticks
        age = self._clock.time() - create_time
        now = self._clock.monotonic()
        known = self._known.get(row.pid)
        cpu = 0.0
        if known is None:
            known = self._known[row.pid] = _Known(row.start_time)
        elif now > known.seen_at:
            seconds = (used - known.used) / self._ticks
            cpu = round(100 * seconds / (now - known.seen_at), 1)
        known.used, known.seen_at = used, now
        if age < YOUNG or now > known.described_until or row.command != known.command:
            known.describe(row, now)
        return {
            "pid": row.pid,
            "cmdline": known.name,
            "username": known.username,
            "nice": int(fields[NICE]),
            "cpu": cpu,
            "mem": round(100 * resident / self._memory, 3),
            "mem_info1": size_text(resident * self._page),
            "mem_info2": size_text(virtual * self._page),
            "ctime": time_text(used / self._ticks),
            "create_time": create_time,
            "age": age,
        }


class _Known:
    """What is remembered of a process from one look to the next. The sampler's thread."""

    __slots__ = (
        "command",
        "described_until",
        "name",
        "process",
        "seen_at",
        "start_time",
        "used",
        "username",
    )

    def __init__(self, start_time: int) -> None:
        self.start_time = start_time
        self.used = 0
        self.seen_at = 0.0
        self.command = b""
        self.described_until = 0.0
        self.name = self.username = DENIED
        self.process: psutil.Process | None = None

    def describe(self, row: ProcessRow, now: float) -> None:
        """Find out what it is called, and whose it is.

        Raises:
            psutil.NoSuchProcess: It is gone.
        """
        if self.process is None:
            self.process = psutil.Process(row.pid)
        process = self.process
        self.name = _ask(lambda: command_name(process.cmdline()))
        self.username = _ask(process.username)
        self.command = row.command
        self.described_until = now + DESCRIBED + row.pid % DESCRIBED


class _Looks(dict[int, "dict[str, Any] | None"]):
    """What was seen of each process in one sweep; None for what is gone. The sampler's thread."""

    def __init__(
        self,
        look: Callable[[ProcessRow], dict[str, Any]],
        table: dict[int, ProcessRow],
    ) -> None:
        super().__init__()
        self._look = look
        self._table = table

    def __missing__(self, pid: int) -> dict[str, Any] | None:
        row = self._table.get(pid)
        seen = None
        if row is not None and row.runs:
            try:
                seen = self._look(row)
            except psutil.NoSuchProcess:
                pass  # gone since the table was read
        self[pid] = seen
        return seen


def _tree(
    pid: int, looks: _Looks, below: dict[int, list[int]], above: frozenset[int]
) -> dict[str, Any] | None:
    """Put together what was seen of a process and of those below it.

    Args:
        pid: The process.
        looks: What is seen of each.
        below: The children of each.
        above: Those it is below of. Numbers that were used again while the table was read could
            make a ring of it.
    """
    seen = looks[pid]
    if seen is None or pid in above:
        return None
    above |= {pid}
    trees = [_tree(child, looks, below, above) for child in below.get(pid, ())]
    return {**seen, "children": [tree for tree in trees if tree is not None]}


def size_text(size: int) -> str:
    """Write a number of bytes as the wire does: 1519616 is "1.45M", 1000 is "1000B"."""
    for power in range(len(UNITS), 0, -1):
        if size >= 1024**power:
            return f"{size / 1024**power:.2f}{UNITS[power - 1]}"
    return f"{size}B"


def time_text(seconds: float) -> str:
    """Write a processor time as the wire does: 62.23 is "1:02.23", and 0 is "0:00.0".

    Circus counts no hours, and writes 0.07 as "0:00.70". Here it is "0:00.07", and an hour is
    "60:00.0".
    """
    whole, hundredths = divmod(round(seconds * 100), 100)
    fraction = f"{hundredths:02d}" if hundredths else "0"
    return f"{whole // 60}:{whole % 60:02d}.{fraction}"


def command_name(argv: list[str]) -> str:
    """Name a process by the base name of its first argument; "N/A" where there is none.

    Only up to a blank: programs that write a title there begin with their name.
    """
    words = argv[0].split() if argv else []
    return os.path.basename(words[0]) if words else DENIED


def _ask(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except psutil.AccessDenied:
        return DENIED
