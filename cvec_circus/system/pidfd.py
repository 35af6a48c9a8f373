"""Signals by pidfd: to one process, or to the process group that it leads or has led.

A pidfd means one process for ever, while a pid is used again. A leader's pidfd means its group as
well, even once the leader has been collected (Linux 6.9). Safe from any thread.
"""

from __future__ import annotations

import errno
import functools
import os
import signal

from cvec_circus.system import proctable

PROCESS_GROUP = 1 << 2
"""PIDFD_SIGNAL_PROCESS_GROUP of <linux/pidfd.h>."""


@functools.cache
def is_usable() -> bool:
    """Return whether there are pidfds: not before Linux 5.3, nor where seccomp forbids them."""
    return _probe(0) is None


@functools.cache
def reaches_groups() -> bool:
    """Return whether this kernel sends signals to process groups by pidfd."""
    # A pidfd of a process that leads no group: ESRCH. A kernel that does not know the flag: EINVAL.
    return isinstance(_probe(PROCESS_GROUP), (ProcessLookupError, type(None)))


def _probe(flags: int) -> Exception | None:
    """Send no signal to this process by pidfd; return what that raised."""
    try:
        fd = os.pidfd_open(os.getpid())
    except (AttributeError, OSError) as error:
        return error
    try:
        signal.pidfd_send_signal(fd, 0, None, flags)
    except (AttributeError, OSError) as error:
        return error
    finally:
        os.close(fd)
    return None


def send_to_group(fd: int, signum: int) -> bool:
    """Send a signal, or 0 to ask, to the process group of a pidfd's leader, collected or not.

    Returns:
        False when the group is empty. A zombie that is not collected is still a member.

    Raises:
        PermissionError: It has members, and we may signal none of them.
    """
    try:
        signal.pidfd_send_signal(fd, signum, None, PROCESS_GROUP)
    except ProcessLookupError:
        return False
    return True


def send_once(pid: int, start_time: int, signum: int) -> bool:
    """Send a signal, or 0 to ask, to a process known by its start time in the process table.

    Returns:
        False when it is gone, even if another process has its pid.

    Raises:
        PermissionError: It runs as another user.
        OSError: There is no file descriptor left to open it with.
    """
    fd = None  # without pidfds there is a gap between the look and the signal
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except AttributeError:
        pass
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise
    try:
        # Looked up after the open: the file means whichever process has the pid now.
        if proctable.start_time(pid) != start_time:
            return False
        if fd is None:
            os.kill(pid, signum)
        else:
            signal.pidfd_send_signal(fd, signum)
    except ProcessLookupError:
        return False
    finally:
        if fd is not None:
            os.close(fd)
    return True
