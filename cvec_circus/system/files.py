"""File descriptors: the last few are kept back for what must not fail.

The kernel gives out the lowest free number, so whoever leaves the highest ones alone leaves them to
others: to the connections of clients, the log, the reading of /proc. A libzmq that gets none for a
new connection ends the whole process (`src/ipc_listener.cpp`).
"""

from __future__ import annotations

import os
import resource

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
