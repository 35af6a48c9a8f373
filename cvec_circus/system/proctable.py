"""The process table, read from /proc with nothing but the standard library.

Walking it takes about 25 ms on a machine with a thousand processes: worker threads do it, never
the thread that supervises. Only `row` and `start_time`, which read one file, are cheap enough.
Every function here is safe from any thread.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

ZOMBIE, DEAD = "Z", "X"

# Where proc(5) has the fields of /proc/<pid>/stat, counted from the one after the command's name.
STATE, PPID, PGRP, SESSION, THREADS, START_TIME = 0, 1, 2, 3, 17, 19
USER_TIME, SYSTEM_TIME, NICE = 11, 12, 16


class ProcessRow(NamedTuple):
    """A process as it was when it was looked at. Immutable.

    Attributes:
        pid: Its number.
        ppid: Its parent's.
        pgrp: Its process group's.
        state: The letter that ps shows: R, S, D, T, Z ...
        start_time: When it began, in clock ticks since the machine did. A pid is used again and
            again, a pid with its start time is not.
        threads: How many threads it has.
        command: The command's name, up to 15 bytes of it.
        fields: The rest of the line, for who wants more: see the constants above.
        session: Its session's.
    """

    pid: int
    ppid: int
    pgrp: int
    state: str
    start_time: int
    threads: int = 1
    command: bytes = b""
    fields: tuple[bytes, ...] = ()
    session: int = 0

    @property
    def runs(self) -> bool:
        """Whether it can still do something. A zombie cannot, unless threads outlive its main."""
        return self.state not in (ZOMBIE, DEAD) or (self.state == ZOMBIE and self.threads > 1)


def row(pid: int) -> ProcessRow | None:
    """Look at one process; None when there is none of that number, or /proc hides it from us."""
    line = _read(f"/proc/{pid}/stat")
    if not line:
        return None
    # The command's name stands in parentheses and may itself contain blanks and parentheses.
    end = line.rindex(b")")
    fields = tuple(line[end + 2 :].split())
    return ProcessRow(
        pid=pid,
        ppid=int(fields[PPID]),
        pgrp=int(fields[PGRP]),
        state=fields[STATE].decode("ascii"),
        start_time=int(fields[START_TIME]),
        threads=int(fields[THREADS]),
        command=line[line.index(b"(") + 1 : end],
        fields=fields,
        session=int(fields[SESSION]),
    )


def memory(pid: int) -> tuple[int, int] | None:
    """Tell how much memory a process has, virtual and resident, in pages; None when it is gone.

    The line that `row` reads has both as well, but the kernel is not exact there any more.
    """
    fields = _read(f"/proc/{pid}/statm").split(None, 2)
    return (int(fields[0]), int(fields[1])) if len(fields) > 1 else None


def _read(path: str) -> bytes:
    """Read a line of /proc; nothing when the process is gone, or hidden (hidepid)."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
    try:
        return os.read(fd, 4096)
    except ProcessLookupError:  # it went away between the open and the read
        return b""
    finally:
        os.close(fd)


def rows() -> Iterator[ProcessRow]:
    """Walk all processes. Those that come and go meanwhile may be in it or not."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = row(int(name))
            if found is not None:
                yield found


def descendants(pid: int, recursive: bool = True) -> list[int]:
    """List the processes below one that are no zombies, parents before their children.

    Args:
        pid: The process; not in the list itself.
        recursive: False lists its own children alone.
    """
    children: defaultdict[int, list[int]] = defaultdict(list)
    for found in rows():
        if found.runs:
            children[found.ppid].append(found.pid)
    below = sorted(children[pid])
    if recursive:
        for child in below:  # grows while it is walked
            below.extend(sorted(children[child]))
    return below


def environment(pid: int) -> bytes | None:
    """Read the environment that a process was given at its start.

    It may block for as long as the process' memory is locked: not for the supervising thread.

    Returns:
        It, which is empty in the middle of an exec; None when the process is gone, or we may not
        look.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def variable(environment: bytes | None, name: str) -> str | None:
    """Find a variable in an environment; None when there is none."""
    sought = b"\0" + os.fsencode(name) + b"="
    _, found, rest = (b"\0" + (environment or b"")).partition(sought)
    return os.fsdecode(rest.partition(b"\0")[0]) if found else None


def start_time(pid: int) -> int | None:
    """Tell when a process began, in clock ticks since the machine did; None when it is gone."""
    found = row(pid)
    return None if found is None else found.start_time


def boot_time() -> int:
    """Tell when the machine began, in whole seconds since 1970, as its clock sees it now."""
    with open("/proc/stat", "rb") as stat:
        for line in stat:
            if line.startswith(b"btime "):
                return int(line.split()[1])
    raise OSError("/proc/stat has no btime")
