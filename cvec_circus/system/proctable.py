"""The process table, read from /proc.

Walking it takes about 25 ms on a machine with a thousand processes: a job for worker threads, never
for the supervisor thread. `row` and `start_time` read one file and are cheap enough. Safe from any
thread.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator

from cvec_circus import exc
from cvec_circus.base.named import NamedTuple

ZOMBIE, DEAD = "Z", "X"

# Positions of the fields of /proc/<pid>/stat (proc(5)), counted from the one after the command.
STATE, PPID, PGRP, SESSION, THREADS, START_TIME = 0, 1, 2, 3, 17, 19
USER_TIME, SYSTEM_TIME, NICE = 11, 12, 16
EXIT_STATUS = 49


class ProcessRow(NamedTuple):
    """A process as it was when it was looked at. Immutable.

    Attributes:
        state: The letter that ps shows: R, S, D, T, Z ...
        start_time: When it began, in clock ticks since boot. A pid is used again, a pid with its
            start time is not.
        command: The command's name, up to 15 bytes of it.
        fields: All fields of the line: see the constants above.
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
        """Whether it can still act. A zombie cannot, unless threads outlive its main one."""
        return self.state not in (ZOMBIE, DEAD) or (self.state == ZOMBIE and self.threads > 1)


def require() -> None:
    """See to it that /proc is there, and shows the processes that we see.

    Raises:
        CircusError: It is not mounted, or that of another pid namespace, where each pid would be
            taken for that of another process.
    """
    try:
        shown = os.readlink("/proc/self")
    except OSError:
        raise exc.CircusError(
            "there is no /proc, which shows what processes leave behind; mount it: "
            "mount -t proc proc /proc"
        ) from None
    if shown != str(os.getpid()):
        raise exc.CircusError(
            f"/proc is that of another pid namespace: it has this process as {shown}, which is "
            f"{os.getpid()} here; mount it anew (unshare has --mount-proc)"
        )


def row(pid: int) -> ProcessRow | None:
    """Look at one process; None when there is none, or /proc hides it from us."""
    line = _read(f"/proc/{pid}/stat")
    if not line:
        return None
    # The command's name, in parentheses, may itself contain blanks and parentheses.
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
    """Return the virtual and resident memory of a process, in pages; None when it is gone.

    The line that `row` reads has both as well, but no longer exactly.
    """
    fields = _read(f"/proc/{pid}/statm").split(None, 2)
    return (int(fields[0]), int(fields[1])) if len(fields) > 1 else None


def _read(path: str) -> bytes:
    """Read a line of /proc; empty when the process is gone, or hidden (hidepid)."""
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
    """Yield all processes. Those that come and go meanwhile may be missing."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = row(int(name))
            if found is not None:
                yield found


def descendants(pid: int, recursive: bool = True) -> list[int]:
    """Return the descendants of a process, or only its children, without zombies.

    Parents come before their children.
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


def children() -> list[int]:
    """Return the pids of all our children, uncollected zombies included.

    The kernel keeps a list for each thread: 20 µs for ten children, 270 µs for a thousand.
    """
    listed = b""
    for thread in os.listdir("/proc/self/task"):
        try:
            listed += _whole(f"/proc/self/task/{thread}/children")
        except FileNotFoundError:
            if os.path.exists(f"/proc/self/task/{thread}"):
                # The kernel keeps no such lists (CONFIG_PROC_CHILDREN).
                return [found.pid for found in rows() if found.ppid == os.getpid()]
    return [int(pid) for pid in listed.split()]


def _whole(path: str) -> bytes:
    """Read a file of /proc, in half the system calls that a Python file takes."""
    content = b""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while block := os.read(fd, 65536):
            content += block
    finally:
        os.close(fd)
    return content


def environment(pid: int) -> bytes | None:
    """Read the environment that a process was given at its start; None if gone, or not allowed.

    Empty in the middle of an exec. It may block while the process' memory is locked: not for the
    supervisor thread.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def variable(environment: bytes | None, name: str) -> str | None:
    """Return the value of a variable in an environment, or None."""
    sought = b"\0" + os.fsencode(name) + b"="
    _, found, rest = (b"\0" + (environment or b"")).partition(sought)
    return os.fsdecode(rest.partition(b"\0")[0]) if found else None


def start_time(pid: int) -> int | None:
    """Return when a process began, in clock ticks since boot; None when it is gone."""
    found = row(pid)
    return None if found is None else found.start_time


def uids(pid: int) -> list[int]:
    """Return the real, effective, saved and file system uid of a process; empty when it is gone."""
    for line in _read(f"/proc/{pid}/status").splitlines():
        if line.startswith(b"Uid:"):
            return [int(one) for one in line.split()[1:]]
    return []


def boot_time() -> int:
    """Return the time of boot in whole seconds since 1970, as the machine's clock sees it now."""
    with open("/proc/stat", "rb") as stat:
        for line in stat:
            if line.startswith(b"btime "):
                return int(line.split()[1])
    raise OSError("/proc/stat has no btime")
