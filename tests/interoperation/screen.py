"""A program on a terminal of its own, and what its screen shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import unittest
from collections.abc import Mapping, Sequence

from cvec_circus.base.clock import SYSTEM

ROWS, COLUMNS = 40, 120
TIMEOUT = 60.0

TOKEN = re.compile(r"\x1b\[([?\d;]*)([A-Za-z@])|\x1b[()][A-Z0-9]|\x1b.|(.)", re.DOTALL)
"""A control sequence with its numbers and its letter, one that is ignored, or a character."""


class Screen:
    """A program on a terminal of its own. Owned by the test.

    It knows as much of a terminal as curses uses with TERM=linux.

    Attributes:
        lines: What every line shows.
    """

    def __init__(
        self, test: unittest.TestCase, argv: Sequence[str], environ: Mapping[str, str]
    ) -> None:
        """Start it; it is killed when the test ends."""
        self.lines = [" " * COLUMNS] * ROWS
        self._row = self._column = 0
        self._left = ""
        self._ours, theirs = pty.openpty()
        test.addCleanup(os.close, self._ours)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        unsized = {key: text for key, text in environ.items() if key not in ("LINES", "COLUMNS")}
        self.process = subprocess.Popen(
            argv,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**unsized, "TERM": "linux"},
            start_new_session=True,
        )
        os.close(theirs)
        test.addCleanup(self._end)

    def until(self, *patterns: str) -> None:
        """Wait until each pattern is found in a line of the screen."""
        deadline = SYSTEM.monotonic() + TIMEOUT
        while not all(any(re.search(one, line) for line in self.lines) for one in patterns):
            left = max(deadline - SYSTEM.monotonic(), 0)
            if not left or not select.select([self._ours], [], [], left)[0]:
                shown = "\n".join(line.rstrip() for line in self.lines).rstrip()
                raise AssertionError(f"not shown within {TIMEOUT:g} s: {patterns}; but:\n{shown}")
            self._take(os.read(self._ours, 65536).decode("utf-8", "replace"))

    def _end(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT)

    def _take(self, text: str) -> None:
        text = self._left + text
        cut = text.rfind("\x1b")
        whole = (
            cut < 0
            or len(text) - cut > 12
            or re.match(r"\x1b(\[[?\d;]*[A-Za-z@]|[^\[])", text[cut:])
        )
        self._left = "" if whole else text[cut:]
        for token in TOKEN.finditer(text if whole else text[:cut]):
            if token[2]:
                self._control(token[2], [int(one or 1) for one in token[1].lstrip("?").split(";")])
            elif token[3]:
                self._character(token[3])

    def _control(self, letter: str, numbers: list[int]) -> None:
        first = numbers[0]
        if letter == "H":
            self._row, self._column = first - 1, (numbers[1:] or [1])[0] - 1
        elif letter == "d":
            self._row = first - 1
        elif letter == "G":
            self._column = first - 1
        elif letter in "ABCD":
            self._row += {"A": -first, "B": first}.get(letter, 0)
            self._column += {"C": first, "D": -first}.get(letter, 0)
        elif letter == "K":
            self._write(" " * (COLUMNS - self._column))
        elif letter == "X":
            self._write(" " * first)
        elif letter == "J":
            self.lines = [" " * COLUMNS] * ROWS

    def _character(self, text: str) -> None:
        if text == "\n":
            self._row = min(self._row + 1, ROWS - 1)
        elif text == "\r":
            self._column = 0
        elif text == "\b":
            self._column = max(self._column - 1, 0)
        elif text >= " ":
            self._write(text)
            self._column += 1

    def _write(self, text: str) -> None:
        """Put text where the cursor is, and leave it there."""
        line = self.lines[self._row]
        end = self._column + len(text)
        self.lines[self._row] = (line[: self._column] + text + line[end:])[:COLUMNS]
