"""Making the product's own times short, so that a test need not wait for seconds to go by.

They are constants of modules, written as "supervisor.shutdown.MARGIN". Whoever has imported such a
name from elsewhere has one of his own.
"""

from __future__ import annotations

import importlib
import sys
import unittest
from pathlib import Path
from unittest import mock

PROGRAM = Path(__file__).resolve().parents[1] / "children" / "hurried.py"

WALKING = {"supervisor.ending.leftovers.FIRST_WALK_DELAY": 0.01}
"""For orphans, which process 1 of a container may take seconds to collect: until then a second walk
of /proc tells that there is nothing but zombies in a group."""


def hurry(test: unittest.TestCase, times: dict[str, float]) -> None:
    """Make times short in the test's own process, until the test ends."""
    for name, seconds in times.items():
        module, _, constant = name.rpartition(".")
        found = importlib.import_module(f"cvec_circus.{module}")
        patch = mock.patch.object(found, constant, seconds)
        patch.start()
        test.addCleanup(patch.stop)


def hurried(times: dict[str, float]) -> list[str]:
    """Make the argv that stands in front of that of a script, and makes times short in it."""
    words = [f"{name}={seconds}" for name, seconds in times.items()]
    return [sys.executable, str(PROGRAM), str(PROGRAM.parents[2]), *words]
