"""What others have said, on a line of ours."""

from __future__ import annotations


def printable(line: str) -> str:
    """Return a line without what could end it, or move a cursor about. Any thread."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in line)
