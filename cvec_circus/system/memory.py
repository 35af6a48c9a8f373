"""Memory that is free again: the C library keeps most of it, unless it is asked to give it back.

What thousands of clients have taken is freed when they leave, but it lies between what is still in
use. Python keeps some freed objects for later ones of their type, each of which holds a mebibyte;
only a full collection lets go of them. Then `malloc_trim` returns the rest to the system: it is
glibc's, other libraries have no need of it.
"""

from __future__ import annotations

import gc
import os

from cvec_circus.base.clock import Clock

PAUSE = 10.0
"""Seconds between two times, at least."""

RARELY = 1000
"""The pause is that many times what it has taken: milliseconds, or longer in a large program."""

WORTH = 8 << 20
"""Bytes above the least that this process has had, from which on it is worth the time."""

_least: int | None = None
_not_before = float("-inf")


def give_back(clock: Clock) -> bool:
    """Give free memory back to the system, if there may be much of it.

    Safe from any thread; called by the supervisor thread.

    Args:
        clock: The time.

    Returns:
        Whether it is too soon after the last time, and worth another call.
    """
    global _least, _not_before
    resident = _resident()
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
