"""Samples of processes for `stats`: memory, processor time, children.

The only module that imports psutil, and so imported late: a daemon may run for long before the
first `stats`.

What changes all the time is in two lines of /proc, one of which is read anyway to find the
children. That takes 20 µs per process, where psutil took 100; psutil only provides the name and the
user of a process, now and then.
"""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import psutil

from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.figures import size_text, time_text
from cvec_circus.base.patterns import regex
from cvec_circus.system import proctable
from cvec_circus.system.proctable import NICE, SYSTEM_TIME, USER_TIME, ProcessRow

DENIED = "N/A"
"""What we may not know, as on the wire."""

YOUNG = 5.0
"""Seconds in which a process may still change its name or user; it is described at each sample."""

DESCRIBED = 20
"""Seconds after which an older one is described again; up to twice as many, spread by pid."""

INTERPRETER = regex("(python|pypy|ruby|perl|php|node|nodejs|java|bash|dash|zsh|sh)[0-9.]*")
"""Programs whose name says little of what they run."""

STEPPED = 1.0
"""Seconds by which the wall clock moves against the monotonic one if it was set."""


class Sampler:
    """Samples processes; processor use is measured since the previous sample.

    Owned by one thread, the sampler's; a sample may take a tenth of a second.
    """

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._known: dict[int, _Known] = {}
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._memory = os.sysconf("SC_PHYS_PAGES")
        self._booted_at = float(proctable.boot_time())
        self._offset = clock.time() - clock.monotonic()

    def sample(self, pids: Iterable[int], alone: Iterable[int] = ()) -> dict[int, dict[str, Any]]:
        """Sample some processes.

        One walk of the process table serves all of them; with psutil, finding the children took
        35 ms per process on a machine with 1100 of them.

        Args:
            pids: The processes, which come with their descendants.
            alone: More of them, which come without.

        Returns:
            For each process that exists and is not a zombie: pid, cmdline, command, username, nice,
            cpu (in per cent of a processor), mem (in per cent of all), mem_info1 (resident) and
            mem_info2 (virtual, both as text), ctime (as text, minutes:seconds.hundredths),
            create_time (seconds since 1970), age (seconds) and children (a list of the same). What
            we may not know is "N/A".
        """
        wanted, table = list(pids), {row.pid: row for row in proctable.rows()}
        below: defaultdict[int, list[int]] = defaultdict(list)
        for row in table.values():
            below[row.ppid].append(row.pid)
        self._forget(table)
        self._notice_a_set_clock()

        # Each is looked at once even if it is wanted beside its parent: a second look would measure
        # its processor use since the first.
        @functools.cache
        def look(pid: int) -> dict[str, Any] | None:
            row = table.get(pid)
            if row is None or not row.runs:
                return None
            try:
                return self._look(row)
            except psutil.NoSuchProcess:
                return None  # gone since the table was read

        trees = {pid: _tree(pid, look, below, frozenset()) for pid in wanted}
        trees.update((pid, _tree(pid, look, {}, frozenset())) for pid in alone)
        return {pid: tree for pid, tree in trees.items() if tree is not None}

    def _forget(self, table: dict[int, ProcessRow]) -> None:
        """Drop processes that are gone, and pids that belong to other processes by now."""
        for pid, known in list(self._known.items()):
            if pid not in table or table[pid].start_time != known.start_time:
                del self._known[pid]

    def _notice_a_set_clock(self) -> None:
        """Recompute the time of boot if the wall clock was set."""
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
            "command": known.program,
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
    """What is kept of a process from one sample to the next. The sampler's thread."""

    def __init__(self, start_time: int) -> None:
        self.start_time = start_time
        self.used = 0
        self.seen_at = 0.0
        self.command = b""
        self.described_until = 0.0
        self.name = self.program = self.username = DENIED
        self.process: psutil.Process | None = None

    def describe(self, row: ProcessRow, now: float) -> None:
        """Look up its name and user; raise psutil.NoSuchProcess if it is gone."""
        process = self.process = self.process or psutil.Process(row.pid)
        words = _ask(process.cmdline)
        self.name, self.program = DENIED, DENIED
        if words is not DENIED:
            self.name, self.program = command_name(words), program_name(words)
        self.username = _ask(process.username)
        self.command = row.command
        self.described_until = now + DESCRIBED + row.pid % DESCRIBED


def _tree(
    pid: int,
    look: Callable[[int], dict[str, Any] | None],
    below: Mapping[int, list[int]],
    above: frozenset[int],
) -> dict[str, Any] | None:
    """Combine what is seen of a process and of its descendants.

    `above` are its ancestors: pids reused while the table was read could make a ring.
    """
    seen = look(pid)
    if seen is None or pid in above:
        return None
    above |= {pid}
    trees = [_tree(child, look, below, above) for child in below.get(pid, ())]
    return {**seen, "children": [tree for tree in trees if tree is not None]}


OURS = {
    "cvec_circus.circusd": "cvec_circusd",
    "cvec_circus.runtime.runner": "cvec_circus-plugin",
    "cvec_circus.stats.program": "cvec_circusd-stats",
}
"""Our modules that run as programs: what the daemon starts, and itself."""


def command_name(argv: list[str]) -> str:
    """Return the base name of a process's first argument; "N/A" where there is none.

    Only up to a blank: programs that write a title there begin it with their name.
    """
    words = argv[0].split() if argv else []
    return os.path.basename(words[0]) if words else DENIED


def program_name(argv: list[str]) -> str:
    """Return what people call a program: the script or the module that an interpreter runs.

    For "python3 -m celery worker" it is "celery", for "python3 /usr/bin/gunicorn app" "gunicorn";
    otherwise the command's name, without the colon that ends it in a title.
    """
    name = command_name(argv).rstrip(":") or DENIED
    if not INTERPRETER.fullmatch(name):
        return name
    words = iter(argv[1:])
    for word in words:
        if word in ("-m", "-jar"):
            word = next(words, "")
        elif word in ("-c", "-e"):
            break  # the program itself stands there
        elif word in ("-W", "-X", "-r", "-cp", "-classpath"):
            next(words, "")
            continue
        elif word.startswith("-"):
            continue
        return OURS.get(word) or os.path.basename(word) or name
    return name


def _ask(question: Callable[[], Any]) -> Any:
    try:
        return question()
    except psutil.AccessDenied:
        return DENIED
