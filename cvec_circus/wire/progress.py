"""A plugin's progress, in memory that it shares with its daemon: the numbers of two events.

The plugin writes them, and the daemon reads them when the plugin has died: its successor resumes
there, and the daemon knows the event that it died in. Safe from any thread.
"""

from __future__ import annotations

import struct

LAYOUT = struct.Struct("=QQ")
"""The contents of the file."""

DELIVERED, CURRENT = 0, 1
"""Indexes of the last event delivered and of the one being delivered; 0 there means none."""


def of_its_own() -> memoryview:
    """Return memory that no other process shares yet, with both numbers 0."""
    return memoryview(bytearray(LAYOUT.size)).cast("Q")
