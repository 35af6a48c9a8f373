"""Reading the table of switches: `switches.txt`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("switches.txt")

STATES = {
    "same": "as in Circus",
    "better": "as in Circus, with a difference",
    "warns": "accepted without effect, with a warning",
    "ignored": "accepted without effect",
    "later": "not in this version, and refused",
    "gone": "left out on purpose",
}


class Row(NamedTuple):
    """A switch, key or property of Circus. Immutable.

    Attributes:
        group: Where it belongs: a program, a section, a class, or "properties of COMMAND".
        name: What it is called there.
        state: What becomes of it here: one of `STATES`.
        test: The name of the test that shows it.
        note: What there is to say about it, or "".
    """

    group: str
    name: str
    state: str
    test: str
    note: str


def read(text: str | None = None) -> list[Row]:
    """Read the rows of the table, or those of a text."""
    rows, group = [], ""
    for line in (FILE.read_text(encoding="utf-8") if text is None else text).splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if not line.startswith(" "):
            group = line.rstrip(":")
            continue
        parts = re.split(r" {2,}", line.strip(), maxsplit=3)
        name, state, test, note = [*parts, "", "", ""][:4]
        rows.append(Row(group, name, state, test, note))
    return rows


def of(group: str, *states: str) -> list[str]:
    """Return the names in a group whose state is one of these."""
    return [row.name for row in read() if row.group == group and row.state in states]
