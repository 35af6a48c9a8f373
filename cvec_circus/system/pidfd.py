"""Signals by pidfd: to one process, or to the process group that it leads or has led.

A pidfd means one process for ever, while a pid is used again. A leader's pidfd means its group as
well, even once the leader has been collected (Linux 6.9). Safe from any thread.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import select
import signal
import struct

from cvec_circus.base.complaints import SHORTAGES
from cvec_circus.system import proctable

PROCESS_GROUP = 1 << 2
"""PIDFD_SIGNAL_PROCESS_GROUP of <linux/pidfd.h>."""


def is_usable() -> bool:
    """Return whether there are pidfds: not before Linux 5.3, nor where seccomp forbids them."""
    try:
        return _probe(0) is None
    except OSError:
        return True  # only a file is missing at this moment


def reaches_groups() -> bool:
    """Return whether this kernel sends signals to process groups by pidfd."""
    # A pidfd of a process that leads no group: ESRCH. A kernel that does not know the flag: EINVAL.
    try:
        return isinstance(_probe(PROCESS_GROUP), (ProcessLookupError, type(None)))
    except OSError:
        return False  # it cannot be told at this moment, and is asked again


@functools.cache
def _probe(flags: int) -> Exception | None:
    """Send no signal to this process by pidfd; return what that raised.

    Raises:
        OSError: The system is short of files or memory: that says nothing of what it can do.
    """
    try:
        fd = os.pidfd_open(os.getpid())
    except (AttributeError, OSError) as error:
        if getattr(error, "errno", None) in SHORTAGES:
            raise
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


@functools.cache
def has_inodes() -> bool:
    """Return whether the inode of a pidfd tells one process from all others of this boot: so it
    does in pidfs (Linux 6.9); before, all pidfds have one."""
    try:
        fd = os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        return False
    with open(fd, "rb", buffering=0), select.epoll() as anonymous:
        return os.fstat(fd).st_dev != os.fstat(anonymous.fileno()).st_dev


def identity(pid: int, fd: int | None) -> tuple[int, int]:
    """Return what tells a process from all others: the inode of its pidfd, or else its start time
    in the process table; 0 for what is not needed, or not known."""
    if fd is not None and has_inodes():
        return os.fstat(fd).st_ino, 0
    return 0, proctable.start_time(pid) or 0


def open_same(pid: int, inode: int, start_time: int) -> int | None:
    """Open the process of an `identity`; None when it is gone, or that cannot be told.

    It may have exited, as long as it has not been collected.

    Raises:
        OSError: There is no file descriptor left, or there are no pidfds.
    """
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if inode:
        is_same = has_inodes() and os.fstat(fd).st_ino == inode
    else:
        is_same = bool(start_time) and proctable.start_time(pid) == start_time
    if is_same:
        return fd
    os.close(fd)
    return None


INFO = struct.Struct("=QQ11Ii")
"""`struct pidfd_info` of <linux/pidfd.h>: the mask first, the exit code last."""

GET_INFO = 0xC000FF0B | INFO.size << 16
WITH_EXIT = 1 << 3


def wait_status(fd: int) -> int | None:
    """Return the wait status of a process that any parent has collected; None where the kernel does
    not keep it (before Linux 6.15)."""
    content = bytearray(INFO.pack(WITH_EXIT, *[0] * 13))
    try:
        fcntl.ioctl(fd, GET_INFO, content)
    except OSError:
        return None
    mask, *_, status = INFO.unpack(content)
    return status if mask & WITH_EXIT else None


SYS_PIDFD_GETFD = 438


def take_file(fd: int, number: int) -> int:
    """Return a file of our own for the one that a process has under a number.

    Raises:
        OSError: We may not trace the process, or it is gone, or has no such file.
    """
    import ctypes  # few daemons need it

    libc = ctypes.CDLL(None, use_errno=True)
    taken = libc.syscall(SYS_PIDFD_GETFD, fd, number, 0)
    if taken < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(taken)
