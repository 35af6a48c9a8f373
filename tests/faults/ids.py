"""Which tests show what: the list of faults in `ids.txt`, and the tests that are named for its ids.

A test of this folder says in its name what it shows, as `test_a13_...`. Those that stand with what
they test, in other folders, are listed below their id; a module stands for all of its tests.
"""

from __future__ import annotations

import functools
import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent
NAMED = re.compile(r"test_([a-n]\d+)_")


class Fault(NamedTuple):
    """A fault that the daemon lives through. Immutable.

    Attributes:
        name: Such as "A13".
        title: In a few words.
        tests: The dotted names of tests in other folders that show it.
        missing: Why there is none; "" if there is.
    """

    name: str
    title: str
    tests: list[str]
    missing: str = ""


class Group(NamedTuple):
    """Faults of one kind. Immutable."""

    letter: str
    title: str
    faults: list[Fault]


@functools.cache
def groups() -> list[Group]:
    """Read the list."""
    found: list[Group] = []
    for line in (FOLDER / "ids.txt").read_text().splitlines():
        if line.startswith("# "):
            letter, _, title = line[2:].partition(". ")
            found.append(Group(letter, title, []))
        elif line.startswith("    "):
            found[-1].faults[-1].tests.append(line.strip())
        elif line:
            name, _, title = line.partition(" ")
            missing = title[2:] if title.startswith("- ") else ""
            found[-1].faults.append(Fault(name, title, [], missing))
    return found


def named() -> dict[str, list[unittest.TestCase]]:
    """Find the tests of this folder, by the id in their name."""
    found: dict[str, list[unittest.TestCase]] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        module = unittest.defaultTestLoader.loadTestsFromName(f"tests.faults.{path.stem}")
        for case in cases(module):
            match = NAMED.match(case.id().rpartition(".")[2])
            found.setdefault(match[1].upper() if match else "", []).append(case)
    return found


def cases(tests: unittest.TestSuite | unittest.TestCase) -> Iterator[unittest.TestCase]:
    """Yield the tests of a suite, one by one."""
    if isinstance(tests, unittest.TestSuite):
        for one in tests:
            yield from cases(one)
    else:
        yield tests
