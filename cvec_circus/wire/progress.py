"""How far a plugin has got, in memory that it shares with its daemon: the numbers of two events.

The plugin writes them, and the daemon reads them when the plugin has died: its successor begins
where it had got to, and the event that it died in is known. Safe from any thread.
"""

from __future__ import annotations

import struct

LAYOUT = struct.Struct("=QQ")
"""What the file holds."""

DELIVERED, CURRENT = 0, 1
"""The places of the last event that has been delivered, and of the one that is being delivered: 0
for none."""


def of_its_own() -> memoryview:
    """Return memory that is shared with no other process, with both numbers 0."""
    return memoryview(bytearray(LAYOUT.size)).cast("Q")
