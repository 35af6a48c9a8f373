"""A timer on a tornado loop that never runs, such as plugins and hooks for Circus may begin."""

from __future__ import annotations

import importlib
import importlib.util
import unittest
from typing import Any

is_there = bool(importlib.util.find_spec("tornado"))
needs_tornado = unittest.skipUnless(is_there, "tornado is not installed")


class Timers:
    """Begins timers on the calling thread. Their loops are closed when the test ends."""

    def __init__(self, test: unittest.TestCase) -> None:
        self._loops: list[Any] = []
        test.addCleanup(self._close)

    def begin(self) -> None:
        """Begin a timer, which is never due."""
        ioloop = importlib.import_module("tornado.ioloop")
        ioloop.PeriodicCallback(print, 1).start()
        if ioloop.IOLoop.current() not in self._loops:
            self._loops.append(ioloop.IOLoop.current())

    def _close(self) -> None:
        for loop in self._loops:
            loop.close()
