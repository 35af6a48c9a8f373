"""A terminal to look at: what a program draws, as lines of text."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence

from cvec_circus.base.clock import SYSTEM

SEQUENCE = re.compile(r"\x1b(\[[?>]?[\d;]*[A-Za-z@`]|[()][A-Z0-9]|[=>78MDE])")
TERM = "vt100"


class Screen:
    """What a vt100 shows. Owned by the test.

    Attributes:
        lines: The text, a list of characters a line.
    """

    def __init__(self, height: int, width: int) -> None:
        self._row = self._column = 0
        self._rest = ""
        self.resize(height, width)

    def resize(self, height: int, width: int) -> None:
        """Begin anew with another size; programs draw everything then."""
        self._height, self._width = height, width
        self._top, self._bottom = 0, height - 1
        self.lines = [[" "] * width for _ in range(height)]

    def text(self) -> list[str]:
        """Return the lines without blanks at their ends."""
        return ["".join(line).rstrip() for line in self.lines]

    def feed(self, data: str) -> None:
        """Take what a program has written."""
        data, self._rest = self._rest + data, ""
        at = 0
        while at < len(data):
            letter = data[at]
            if letter == "\x1b":
                found = SEQUENCE.match(data, at)
                if found is None:
                    self._rest = data[at:]
                    return
                if found[1] in "MD":
                    self._up() if found[1] == "M" else self._down()
                elif found[1].startswith("["):
                    self._do(found[1])
                at = found.end()
                continue
            self._put(letter)
            at += 1

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self._column = 0
        elif letter == "\n":
            self._down()
        elif letter == "\b":
            self._column = max(0, self._column - 1)
        elif letter.isprintable():
            if self._row < self._height and self._column < self._width:
                self.lines[self._row][self._column] = letter
            self._column += 1

    def _down(self) -> None:
        if self._row == self._bottom:
            self.lines.insert(self._bottom + 1, [" "] * self._width)
            del self.lines[self._top]
        else:
            self._row += 1

    def _up(self) -> None:
        if self._row == self._top:
            del self.lines[self._bottom]
            self.lines.insert(self._top, [" "] * self._width)
        else:
            self._row -= 1

    def _do(self, sequence: str) -> None:
        kind = sequence[-1]
        numbers = [int(one) if one else 0 for one in re.sub(r"[^\d;]", "", sequence).split(";")]
        first = numbers[0] or 1
        if kind in "Hf":
            second = numbers[1] if len(numbers) > 1 else 1
            self._row, self._column = first - 1, max(second, 1) - 1
        elif kind == "A":
            self._row = max(0, self._row - first)
        elif kind == "B":
            self._row = min(self._height - 1, self._row + first)
        elif kind == "C":
            self._column += first
        elif kind == "D":
            self._column = max(0, self._column - first)
        elif kind == "r":
            last = numbers[1] if len(numbers) > 1 else self._height
            self._top, self._bottom = first - 1, last - 1
            self._row = self._column = 0
        elif kind in "JK":
            self._erase(kind, numbers[0])

    def _erase(self, kind: str, how: int) -> None:
        cells = range(self._width)
        if how == 0:
            cells = range(self._column, self._width)
        elif how == 1:
            cells = range(min(self._column + 1, self._width))
        if self._row < self._height:
            for cell in cells:
                self.lines[self._row][cell] = " "
        if kind == "J":
            rows = {0: range(self._row + 1, self._height), 1: range(self._row)}
            for row in rows.get(how, range(self._height)):
                self.lines[row] = [" "] * self._width


class Terminal:
    """A program in a terminal of its own. Owned by the test; use it as a context."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], height: int = 24, width: int = 80
    ) -> None:
        self.screen = Screen(height, width)
        self.raw = b""
        self._fd, theirs = pty.openpty()
        self._set_size(height, width)
        self.process = subprocess.Popen(
            argv,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**env, "TERM": TERM},
            start_new_session=True,
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *details: object) -> None:
        self.process.kill()
        self.process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Take the terminal away."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def resize(self, height: int, width: int) -> None:
        """Give the window another size."""
        self.screen.resize(height, width)
        self._set_size(height, width)
        self.process.send_signal(signal.SIGWINCH)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._fd, keys.encode())

    def until(self, what: Callable[[list[str]], object], timeout: float = 20.0) -> bool:
        """Read what is drawn until the screen is so; tell whether it came to that."""
        deadline = SYSTEM.monotonic() + timeout
        while not what(self.screen.text()):
            left = deadline - SYSTEM.monotonic()
            readable, _, _ = select.select([self._fd], [], [], max(left, 0))
            if not readable:
                return False
            try:
                block = os.read(self._fd, 65536)
            except OSError:  # the program has ended
                block = b""
            if not block:
                return bool(what(self.screen.text()))
            self.raw += block
            self.screen.feed(block.decode("utf-8", "replace"))
        return True

    def _set_size(self, height: int, width: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
