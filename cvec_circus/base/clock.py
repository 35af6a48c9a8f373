"""Time: the only place that reads a clock, so that tests can replace it, and backoff delays."""

from __future__ import annotations

import math
import time

LONGEST_POLL = 86_400.0
"""Seconds. poll(2) takes an int of milliseconds, which overflows after 24 days: wake once a day."""

JITTER = 0.1
"""The share by which delays vary, so that 200 programs that lost one database together do not come
back together."""


class Clock:
    """The time of this machine. Safe from any thread."""

    monotonic = staticmethod(time.monotonic)
    """Returns seconds since some fixed point. Never goes back, so every deadline uses it."""

    time = staticmethod(time.time)
    """Returns seconds since 1970. Can jump: for messages and calendars, not for deadlines."""


SYSTEM = Clock()


def poll_milliseconds(delay: float | None) -> int | None:
    """Convert a delay in seconds to poll(2)'s milliseconds; None, without a limit, stays None.

    Rounded up: a poll that ends a fraction of a millisecond before its timer is due finds nothing
    to do and polls again, 78 times for one timer when measured with truncation.
    """
    if delay is None:
        return None
    return math.ceil(min(max(delay, 0.0), LONGEST_POLL) * 1000)


def since_boot() -> float:
    """Return seconds since boot, as the kernel counts them in its process table."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def processor_time() -> float:
    """Return the processor time of the calling thread, in seconds."""
    return time.thread_time()


def exponential(failures: int, first: float, ceiling: float) -> float:
    """Return the delay before another attempt: `first` seconds after one failure, then doubling.

    Args:
        failures: How many in a row; 0 gives no delay.
        first: Seconds.
        ceiling: The longest delay, in seconds.
    """
    if failures == 0:
        return 0.0
    return float(min(first * 2.0 ** min(failures - 1, 60), ceiling))


def jittered(delay: float, random: float) -> float:
    """Return `delay` made up to `JITTER` longer or shorter by `random`, which is in [0, 1)."""
    return delay * (1.0 + JITTER * (2.0 * random - 1.0))
