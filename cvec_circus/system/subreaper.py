"""The child subreaper: the process that orphans below it come to, in place of process 1.

Safe from any thread; the attribute is the process', not a thread's.
"""

from __future__ import annotations

import ctypes
import os

from cvec_circus.system import proctable

PR_SET_CHILD_SUBREAPER = 36

PART = 1 << 14
"""Bytes of a list of children that are read at once."""


def enable(on: bool = True) -> None:
    """Become the child subreaper, or be it no longer.

    Raises:
        OSError: The kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(on), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def children() -> list[int]:
    """List the pids of all our children, those that have exited and are not collected too.

    The kernel keeps a list for each thread: 20 µs for ten children, 270 µs for a thousand.
    """
    listed = []
    for thread in os.listdir("/proc/self/task"):
        try:
            fd = os.open(f"/proc/self/task/{thread}/children", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if os.path.exists(f"/proc/self/task/{thread}"):
                # The kernel keeps no such lists (CONFIG_PROC_CHILDREN).
                return [row.pid for row in proctable.rows() if row.ppid == os.getpid()]
            continue  # the thread has ended
        try:
            while part := os.read(fd, PART):
                listed.append(part)
        finally:
            os.close(fd)
    return [int(pid) for pid in b"".join(listed).split()]
