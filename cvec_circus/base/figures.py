"""Figures as people read them: counts with their nouns, durations, sizes, lists cut short."""

from __future__ import annotations

from collections.abc import Sequence

UNITS = "KMGTPEZY"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Render a number with its noun: "1 process", "2 processes"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {plural or noun + ('es' if noun.endswith('s') else 's')}"


def first_of(names: Sequence[str], most: int) -> str:
    """Join the first `most` of some names, and count the others: "a, b, c and 2 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def duration(seconds: float) -> str:
    """Render a duration in seconds in its largest unit, or the two largest from an hour on."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m"
    if whole < 86400:
        return f"{whole // 3600} h {whole // 60 % 60} m"
    return f"{whole // 86400} d {whole // 3600 % 24} h"


def size_text(size: float) -> str:
    """Render a number of bytes as on the wire: 1519616 is "1.45M", 1000 is "1000B"."""
    for power in range(len(UNITS), 0, -1):
        if size >= 1024**power:
            return f"{size / 1024**power:.2f}{UNITS[power - 1]}"
    return f"{int(size)}B"


def time_text(seconds: float) -> str:
    """Render a processor time as on the wire: 62.23 is "1:02.23", and 0 is "0:00.0".

    Circus counts no hours, and writes 0.07 as "0:00.70". Here it is "0:00.07", and an hour is
    "60:00.0".
    """
    whole, hundredths = divmod(round(seconds * 100), 100)
    fraction = f"{hundredths:02d}" if hundredths else "0"
    return f"{whole // 60}:{whole % 60:02d}.{fraction}"
