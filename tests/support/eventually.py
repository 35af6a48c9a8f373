"""Waiting for what a real process does without telling."""

from __future__ import annotations

import select
from collections.abc import Callable

from cvec_circus.base.clock import SYSTEM


def eventually(predicate: Callable[[], object], timeout: float = 10.0) -> bool:
    """Look every 5 ms whether something has become true.

    For real processes only: what runs in the test itself can be handed over.

    Returns:
        Whether it did within `timeout` seconds.
    """
    deadline = SYSTEM.monotonic() + timeout
    while not predicate():
        if SYSTEM.monotonic() > deadline:
            return False
        select.select([], [], [], 0.005)
    return True
