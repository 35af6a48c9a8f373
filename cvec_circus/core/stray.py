"""Strays: what the processes of a watcher left behind, outside its slots."""

from __future__ import annotations

from typing import NamedTuple


class Stray(NamedTuple):
    """A process that one of a watcher's processes left behind, outside its slots. Immutable.

    Attributes:
        pid: Its number.
        start_time: When it began, in clock ticks since the machine did.
        command: What it is called.
    """

    pid: int
    start_time: int
    command: str
