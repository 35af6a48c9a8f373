"""A file that tells when the wall clock has been set: see timerfd_create(2).

That is so when a person or NTP makes the time jump, and when the machine wakes up from a sleep. It
is not when NTP lets the clock run a bit faster or slower: the monotonic clock follows that.
"""

from __future__ import annotations

import ctypes
import os
import time

CANCEL_ON_SET = 1 << 1
"""TFD_TIMER_CANCEL_ON_SET of <sys/timerfd.h>."""

_ABSTIME = 1 << 0
_FAR = 1 << 33
"""The year 2242, in seconds since 1970: the timer itself never comes."""


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("it_interval", _Timespec), ("it_value", _Timespec))


class ClockSet:
    """Becomes readable when the wall clock has been set. Owned by the thread that reads it.

    Raises:
        OSError: The system has no such file, or none left.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._call("timerfd_create", time.CLOCK_REALTIME, os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self._arm()
        except OSError:
            os.close(self._fd)
            raise

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._fd

    def read(self) -> None:
        """Take note of it, so that the file becomes readable at the next time only."""
        try:
            os.read(self._fd, 8)
        except OSError:  # ECANCELED, which is the news; EAGAIN if it was read already
            pass
        self._arm()

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _arm(self) -> None:
        when = _Itimerspec(_Timespec(0, 0), _Timespec(_FAR, 0))
        flags = _ABSTIME | CANCEL_ON_SET
        self._call("timerfd_settime", self._fd, flags, ctypes.byref(when), None)

    def _call(self, name: str, *args: object) -> int:
        result = int(getattr(self._libc, name)(*args))
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")
        return result
