"""How long to wait before another attempt, after several that failed in a row."""

from __future__ import annotations

JITTER = 0.1
"""A wait is made this share longer or shorter, so that 200 programs which lost one database
together do not come back together."""


def exponential(failures: int, first: float, ceiling: float) -> float:
    """Return 0 seconds after no failure, `first` after one, then twice as many each time.

    Args:
        failures: How many in a row.
        first: Seconds.
        ceiling: Seconds that a wait has at most.
    """
    if failures == 0:
        return 0.0
    return float(min(first * 2.0 ** min(failures - 1, 60), ceiling))


def jittered(delay: float, random: float) -> float:
    """Return `delay` made up to 10 % longer or shorter by `random`, which is in [0, 1)."""
    return delay * (1.0 + JITTER * (2.0 * random - 1.0))
