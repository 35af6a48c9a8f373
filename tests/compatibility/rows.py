"""Reading the tables: `switches.txt`, `names.txt`, and `differences.txt` for people who move."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("switches.txt")
NAMES = Path(__file__).with_name("names.txt")
DIFFERENCES = Path(__file__).with_name("differences.txt")

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


class Difference(NamedTuple):
    """Something that people who move from Circus notice, or need not mind. Immutable.

    Attributes:
        state: "same", "better", "change" or "gone".
        title: What it is about.
        test: The name of the test that shows it.
        lines: The text, as reStructuredText.
    """

    state: str
    title: str
    test: str
    lines: list[str]


def differences() -> list[Difference]:
    """Read the table of differences."""
    found = []
    for line in DIFFERENCES.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if line and not line.startswith(" "):
            state, _, title = line.partition(": ")
            found.append(Difference(state, title, "", []))
        elif found and not found[-1].test:
            found[-1] = found[-1]._replace(test=line.strip())
        elif found:
            found[-1].lines.append(line[2:])
    return found


def names() -> list[Row]:
    """Read the table of names, a row for each."""
    listed = read(NAMES.read_text(encoding="utf-8"))
    return [row._replace(name=name) for row in listed for name in row.name.split()]
