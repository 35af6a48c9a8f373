"""Signals by pidfd: to one process, or to the process group that it leads or has led.

A pidfd means one process for ever; a number is given to another one some day. A pidfd of the leader
means its group as well, even when the leader has been collected (Linux 6.9). Every function here is
safe from any thread.
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
def reaches_groups() -> bool:
    """Tell whether this kernel sends signals to process groups by pidfd.

    A process that leads no group is answered ESRCH, a kernel that does not know the flag EINVAL.
    """
    try:
        fd = os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        return False
    try:
        signal.pidfd_send_signal(fd, 0, None, PROCESS_GROUP)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def send_to_group(fd: int, signum: int) -> bool:
    """Send a signal to the whole process group whose leader a pidfd means.

    Args:
        fd: A pidfd of the leader, which may have been collected.
        signum: The signal; 0 only asks.

    Returns:
        False when the group is empty. A zombie that is not collected is a member still.

    Raises:
        PermissionError: It has members, and we may signal none of them.
    """
    try:
        signal.pidfd_send_signal(fd, signum, None, PROCESS_GROUP)
    except ProcessLookupError:
        return False
    return True


def send_once(pid: int, start_time: int, signum: int) -> bool:
    """Send a signal to a process that was seen before, and to no other of that number.

    Args:
        pid: The process.
        start_time: When it began, as the process table had it.
        signum: The signal; 0 only asks.

    Returns:
        False when it is gone.

    Raises:
        PermissionError: It runs as another user.
        OSError: There is no file left to open it with.
    """
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except AttributeError:
        return _send_by_number(pid, start_time, signum)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM):
            return _send_by_number(pid, start_time, signum)
        raise
    try:
        # Looked up after the open: the file means whichever process has the number now.
        if proctable.start_time(pid) != start_time:
            return False
        signal.pidfd_send_signal(fd, signum)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def _send_by_number(pid: int, start_time: int, signum: int) -> bool:
    """The same where there are no pidfds, with a gap between the look and the signal."""
    if proctable.start_time(pid) != start_time:
        return False
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    return True
