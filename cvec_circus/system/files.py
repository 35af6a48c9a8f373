"""File descriptors: how many there may be, and what the last few are reserved for.

The kernel assigns the lowest free number. From below, the numbers are for:

- everything, up to three quarters: beyond that no more clients are accepted, so that idle ones
  cannot starve a respawn;
- children, up to the last 32 (or a quarter of a small limit);
- what must not fail: the few clients that are always accepted, the log, reading /proc.

The daemon raises its soft limit to the hard one. Children get the limit that the daemon was given
(see `launch.launch`), which is cheap while low numbers are free: so what stays open for long is
moved above them (`moved_up`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource

RESERVED = 32
"""How many are reserved against children, but never more than a quarter of all."""

_NOFILE = resource.RLIMIT_NOFILE
_INFINITY = resource.RLIM_INFINITY
_CEILING = 1 << 20
"""The most to ask for where there is no limit; kernels allow this many (fs.nr_open)."""

_given: int | None = None
"""The soft limit that the process was given, once it has been raised."""


def limit() -> int:
    """Return how many files this process may have."""
    soft = resource.getrlimit(_NOFILE)[0]
    return _CEILING if soft == _INFINITY else soft


def raise_limit() -> None:
    """Raise the soft limit to the hard one for the life of this process. Once, at its start."""
    global _given
    soft, hard = resource.getrlimit(_NOFILE)
    wanted = _CEILING if hard == _INFINITY else hard
    if _given is not None or soft == _INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return  # the kernel allows fewer
    _given = soft


def given_limit() -> int | None:
    """Return the soft limit for children; None where it is our own."""
    return _given


def moved_up(fd: int) -> int:
    """Move a file that stays open for long above the given limit; return its new number.

    The number stays the same where the limit was not raised, or nothing above is free.
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
    """Return whether a file descriptor is one of those reserved against children."""
    allowed = limit()
    return fd >= allowed - min(RESERVED, allowed // 4)


def has_room(fd: int) -> bool:
    """Return whether one more that is not reserved is free, given any open file.

    Raises:
        OSError: None at all is free.
    """
    return not is_reserved(_lowest(fd))


def has_room_for_others(fd: int) -> bool:
    """Return whether one more is free that children do not need, given any open file."""
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
