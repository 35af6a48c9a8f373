"""Memory that is free again: the C library keeps most of it, unless it is asked to give it back.

What thousands of clients have taken is freed when they leave, but it lies between what is still in
use, and only `malloc_trim` returns it to the system: glibc's; other libraries have no need of it.
"""

from __future__ import annotations

import os

PAUSE = 10.0
"""Seconds between two times: it takes some milliseconds where there is much."""

WORTH = 8 << 20
"""Bytes above the least that this process has had, from which on it is worth the time."""

_least: int | None = None
_not_before = float("-inf")


def give_back(now: float) -> bool:
    """Give free memory back to the system, if there may be much of it.

    Safe from any thread; called by the supervisor thread.

    Args:
        now: The instant on the monotonic clock, in seconds.

    Returns:
        Whether it is too soon after the last time, and worth another call.
    """
    global _least, _not_before
    resident = _resident()
    if _least is None or resident < _least + WORTH:
        _least = resident if _least is None else min(_least, resident)
        return False
    if now < _not_before:
        return True
    _not_before = now + PAUSE
    _trim()
    return False


def _resident() -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def _trim() -> None:
    import ctypes  # a program that embeds an arbiter may never need it

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
