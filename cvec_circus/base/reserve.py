"""Memory set aside for when there is none left, so that each turn has some.

A MemoryError in the middle of a step would leave the core in no state of its tables; and up to
Python 3.10 any call may raise it, because its frame is an object.
"""

from __future__ import annotations

import mmap

SIZE = 2 << 20
"""Bytes of the address space. They are never written to, so the kernel has no page for them."""

kept: list[mmap.mmap] = []
"""One block, or none. Owned by the supervisor thread; any may `clear` it, which needs no memory."""


def make_room() -> None:
    """Set memory aside while there is as much again; otherwise give it back. The supervisor thread,
    at the beginning of a turn's work."""
    try:
        block = _block()
        if not kept:
            kept.append(_block())
    except OSError:
        kept.clear()
    else:
        block.close()


def _block() -> mmap.mmap:
    return mmap.mmap(-1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
