"""File descriptors, and regular files.

The last few descriptors are kept back for what must not fail. The kernel gives out the lowest free
number, so whoever leaves the highest ones alone leaves them to others: to the connections of
clients, the log, the reading of /proc. A libzmq that gets none for a new connection ends the whole
process (`src/ipc_listener.cpp`).
"""

from __future__ import annotations

import errno
import os
import resource
import stat

RESERVED = 32
"""How many are kept back, but never more than a quarter of all."""


def limit() -> int:
    """Tell how many files this process may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def is_reserved(fd: int) -> bool:
    """Tell whether a file descriptor is one of those kept back."""
    allowed = limit()
    return allowed != resource.RLIM_INFINITY and fd >= allowed - min(RESERVED, allowed // 4)


def has_room(fd: int) -> bool:
    """Tell whether there is one more that is not kept back.

    Args:
        fd: Any file that is open.

    Raises:
        OSError: There is none at all.
    """
    probe = os.dup(fd)
    os.close(probe)
    return not is_reserved(probe)


def open_regular(path: str) -> int:
    """Open a regular file for reading, and nothing else.

    To open a FIFO would wait for a writer, and to open a device may set it going.

    Returns:
        The file descriptor, which is the caller's.

    Raises:
        OSError: It cannot be opened, or is something else.
        ValueError: No file can have that name.
    """
    _require_regular(os.stat(path))
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        _require_regular(os.fstat(fd))
    except OSError:
        os.close(fd)
        raise
    return fd


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
