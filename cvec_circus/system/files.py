"""File descriptors: how many there may be, and for whom the last few are kept.

The kernel gives out the lowest free number, so those that leave the highest numbers alone leave
them to others. From below, they are for:

- everything, up to three quarters: beyond that, no more clients are let in, so that idle ones
  cannot starve a respawn;
- children, up to the last 32 (or a quarter of a small limit);
- what must not fail: the few clients that are always let in, the log, the reading of /proc.

The daemon raises its soft limit to the hard one. Children get the one that the daemon was given
(see `launch.launch`), which costs nothing as long as low numbers are free: so what stays open for
long is moved above them (`moved_up`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource

RESERVED = 32
"""How many are kept from children, but never more than a quarter of all."""

_NOFILE = resource.RLIMIT_NOFILE
_INFINITY = resource.RLIM_INFINITY
_CEILING = 1 << 20
"""No more are asked for, even where there is no limit; kernels allow this many (fs.nr_open)."""

_given: int | None = None
"""The soft limit as the process was given it, once it has been raised."""


def limit() -> int:
    """Tell how many files this process may have."""
    soft = resource.getrlimit(_NOFILE)[0]
    return _CEILING if soft == _INFINITY else soft


def raise_limit() -> None:
    """Raise the soft limit to the hard one, for the life of this process. Once, at its start."""
    global _given
    soft, hard = resource.getrlimit(_NOFILE)
    wanted = _CEILING if hard == _INFINITY else hard
    if _given is not None or soft == _INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return  # a kernel that allows fewer: then it stays as it is
    _given = soft


def given_limit() -> int | None:
    """Return the soft limit that children are to have; None where it is our own."""
    return _given


def moved_up(fd: int) -> int:
    """Move a file that stays open for long to a number above the given limit, if it was raised.

    Returns:
        Its number from now on; the same one where there is no place above.
    """
    if _given is None or fd >= _given:
        return fd
    try:
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _given)
    except OSError:
        return fd
    os.close(fd)
    return moved


def is_reserved(fd: int) -> bool:
    """Tell whether a file descriptor is one of those that are kept from children."""
    allowed = limit()
    return fd >= allowed - min(RESERVED, allowed // 4)


def has_room(fd: int) -> bool:
    """Tell whether there is one more that is not kept back.

    Args:
        fd: Any file that is open.

    Raises:
        OSError: There is none at all.
    """
    return not is_reserved(_lowest(fd))


def has_room_for_others(fd: int) -> bool:
    """Tell whether there is one more that children do not need.

    Args:
        fd: Any file that is open.
    """
    try:
        return _lowest(fd) < limit() * 3 // 4
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENOMEM):
            raise
        return False


def _lowest(fd: int) -> int:
    """Return the lowest number that is free."""
    probe = os.dup(fd)
    os.close(probe)
    return probe
