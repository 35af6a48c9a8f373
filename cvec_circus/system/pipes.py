"""Pipes that outlive the daemon.

The process that writes to one has its end open for reading too. So there is always a reader: what
it writes while there is no daemon waits in the pipe, and does not end it by SIGPIPE.
"""

from __future__ import annotations

import os

from cvec_circus.system import files


def lasting(theirs: int) -> int:
    """Return a file to give a process in place of the write end of a pipe, which is closed.

    Raises:
        OSError: There is no file left; the write end stays open.
    """
    fd = os.open(f"/proc/self/fd/{theirs}", os.O_RDWR | os.O_CLOEXEC)
    os.close(theirs)
    return fd


def inode_of(pid: int, number: int) -> int:
    """Return the inode of the daemon's pipe that a process has under a number, 0 for none.

    The daemon's pipes are open for reading too. Without a stream a process has what the daemon had,
    which may be a pipe that another program reads.
    """
    try:
        target = os.readlink(f"/proc/{pid}/fd/{number}")
        with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as file:
            flags = next(int(row[6:], 8) for row in file if row.startswith("flags:"))
    except (OSError, StopIteration):
        return 0
    kind, _, rest = target.partition(":[")
    return int(rest[:-1]) if kind == "pipe" and flags & os.O_ACCMODE == os.O_RDWR else 0


def reopen(pid: int, first: str, inode: int) -> int | None:
    """Open the pipe that a process has under a number, or under another one, for reading; None if
    it no longer has it.

    Raises:
        OSError: We may not look, or may not open it.
    """
    folder = f"/proc/{pid}/fd"
    try:
        names = sorted(os.listdir(folder), key=lambda name: name != first)
    except FileNotFoundError:
        return None  # it has ended
    for name in names:
        path = f"{folder}/{name}"
        try:
            if os.stat(path).st_ino != inode:
                continue
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if os.fstat(fd).st_ino == inode:
            return files.moved_up(fd)
        os.close(fd)
    return None
