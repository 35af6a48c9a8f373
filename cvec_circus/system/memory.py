"""Returning freed memory to the system.

What thousands of clients took is freed when they leave, but lies between blocks still in use.
Python keeps some freed objects for reuse, each of which can pin a mebibyte; only a full collection
releases them. Then `malloc_trim`, which is glibc's, returns the rest to the system.
"""

from __future__ import annotations

import gc
import os

from cvec_circus.base.clock import Clock

PAUSE = 10.0
"""Seconds between two attempts, at least."""

RARELY = 1000
"""The pause, in multiples of the attempt's time: milliseconds, or longer in a large program."""

WORTH = 8 << 20
"""Bytes above the smallest size of this process from which on an attempt is worth its time."""

_least: int | None = None
_not_before = float("-inf")


def give_back(clock: Clock) -> bool:
    """Return free memory to the system, if there may be much of it. Supervisor thread.

    Returns:
        Whether it is too soon after the last attempt, so that another call is worth it.
    """
    global _least, _not_before
    try:
        resident = _resident()
    except (OSError, MemoryError):
        return False  # nothing is left to look with
    if _least is None or resident < _least + WORTH:
        _least = resident if _least is None else min(_least, resident)
        return False
    began = clock.monotonic()
    if began < _not_before:
        return True
    gc.collect()
    _trim()
    now = clock.monotonic()
    _not_before = now + max(PAUSE, RARELY * (now - began))
    return False


def _resident() -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def _trim() -> None:
    import ctypes  # a program that embeds an arbiter may never need it

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
