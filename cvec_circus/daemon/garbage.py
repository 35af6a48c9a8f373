"""debug_gc: each garbage collection in the log."""

from __future__ import annotations

import gc
import logging
from typing import Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM, Clock

OLDEST = 2
"""The generation whose collection looks at everything, and takes long. The others come often."""


class GarbageTrace:
    """Tells of garbage collections. Safe from any thread: each is told by the one that it stops.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._began = 0.0

    def start(self) -> None:
        """Begins to tell."""
        gc.callbacks.append(self._collected)

    def stop(self) -> None:
        """Tells no more."""
        gc.callbacks.remove(self._collected)

    def _collected(self, phase: str, details: dict[str, Any]) -> None:
        if phase == "start":
            self._began = self._clock.monotonic()
            return
        generation = details["generation"]
        logger.log(
            logging.INFO if generation == OLDEST else logging.DEBUG,
            "garbage: generation %d: %d collected, %d uncollectable, %.1f ms",
            generation,
            details["collected"],
            details["uncollectable"],
            (self._clock.monotonic() - self._began) * 1000,
        )
