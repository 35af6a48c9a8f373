"""How often tests do what they do: a little by day, much by night.

CVEC_CIRCUS_NIGHTLY=1 is the night, CVEC_CIRCUS_SEED chooses other random numbers.
"""

from __future__ import annotations

import os
import unittest
from collections import Counter

NIGHTLY = bool(os.environ.get("CVEC_CIRCUS_NIGHTLY"))
SEED = int(os.environ.get("CVEC_CIRCUS_SEED", "1"))

DONE: Counter[str] = Counter()
"""The repetitions of each test that has noted them, by its id."""


def repetitions(test: unittest.TestCase, count: int) -> None:
    """Note that a test has done so many, for the summary of `python -m tests.faults`."""
    DONE[test.id()] += count


def times(by_day: int, by_night: int) -> int:
    """Return how often something is done."""
    return by_night if NIGHTLY else by_day
