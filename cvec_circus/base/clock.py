"""The only place that reads the time, so that a test can put another clock in its stead."""

from __future__ import annotations

import math
import time

LONGEST_POLL = 86_400.0
"""Seconds. poll(2) takes an int of milliseconds, which overflows after 24 days: wake once a day."""


class Clock:
    """The time of this machine. Safe from any thread."""

    def monotonic(self) -> float:
        """Seconds since some fixed point. Never goes back: every deadline is made of it."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since 1970. Can jump, so it only goes into messages, never into a deadline."""
        return time.time()


SYSTEM = Clock()


def poll_milliseconds(delay: float | None) -> int | None:
    """Turn a delay into what poll takes.

    Rounded up: a poll that ends a fraction of a millisecond before its timer is due finds nothing
    to do and polls again, 78 times for one timer where it was measured with truncation.

    Args:
        delay: Seconds from now; None for as long as it takes; what is past counts as now.

    Returns:
        Whole milliseconds, or None for as long as it takes.
    """
    if delay is None:
        return None
    return math.ceil(min(max(delay, 0.0), LONGEST_POLL) * 1000)


def processor_time() -> float:
    """Return the seconds of processor time that the calling thread has had."""
    return time.thread_time()
