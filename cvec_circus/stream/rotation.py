"""Rotation by size: where a file is cut, and what becomes of the ones before it."""

from __future__ import annotations

import contextlib
import os

ENDS = (("", ".gz"), (".gz", ""))
"""A backup may be compressed by now; both forms of the same number are the same file."""


def cut(data: bytes, start: int, room: int, empty: bool) -> int:
    """Find how far to write before the file is full.

    Args:
        data: What is to be written, lines mostly.
        start: Where in it to begin.
        room: How many bytes fit.
        empty: Whether the file is empty, so that another one would not help.

    Returns:
        The place to stop before: the end of the data if it fits, else of the last line that fits;
        `start` when none does. A line that does not fit into an empty file is cut anywhere.
    """
    if len(data) - start <= room:
        return len(data)
    end = data.rfind(b"\n", start, start + max(room, 0)) + 1
    if end:
        return end
    return start + max(room, 1) if empty else start


def shift(filename: str, backup_count: int) -> None:
    """Rename a file to `.1`, after `.1` to `.2` and so on; what was `.<backup_count>` is gone.

    Every step is one rename(2), which replaces in one go: whenever the machine stops, nothing is
    lost but the backup that was to go.

    Raises:
        OSError: It cannot be done; the file still has its name.
    """
    for number in range(backup_count - 1, 0, -1):
        for end, other in ENDS:
            with contextlib.suppress(FileNotFoundError):  # there are not so many yet
                os.replace(f"{filename}.{number}{end}", f"{filename}.{number + 1}{end}")
                os.unlink(f"{filename}.{number + 1}{other}")
    os.replace(filename, f"{filename}.1")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{filename}.1.gz")
