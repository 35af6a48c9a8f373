"""Starting a program of tests/children, and hearing from it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import unittest
from pathlib import Path

from cvec_circus.base.clock import SYSTEM

FOLDER = Path(__file__).resolve().parent.parent / "children"
TIMEOUT = 20.0


def command(name: str, *args: object) -> list[str]:
    """Make the argv that runs tests/children/<name>.py with this Python."""
    return [sys.executable, "-I", str(FOLDER / f"{name}.py"), *map(str, args)]


def as_user(uid: int) -> list[str]:
    """Make the argv in front of a program's by which it runs as a user, and may do no more.

    It may read everything, though, since this Python may be in a folder of root's.
    """
    ids = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return [*ids, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


class Lines:
    """The lines that come out of a file descriptor. Owned by the test."""

    def __init__(self, fd: int) -> None:
        """Take over a file descriptor; `close` closes it."""
        self.fd = fd
        self._rest = b""
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)

    def next(self, timeout: float = TIMEOUT) -> str | None:
        """Wait for a line; None at the end of the file.

        Raises:
            AssertionError: There is none within `timeout` seconds.
        """
        deadline = SYSTEM.monotonic() + timeout
        while b"\n" not in self._rest:
            left = deadline - SYSTEM.monotonic()
            if left < 0 or not self._poll.poll(left * 1000):
                raise AssertionError(f"no line within {timeout:g} s; so far: {self._rest!r}")
            block = os.read(self.fd, 65536)
            if not block:
                rest, self._rest = self._rest, b""
                return rest.decode() if rest else None
            self._rest += block
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def until(self, start: str, timeout: float = TIMEOUT) -> str:
        """Wait for a line that begins with `start`, dropping others; return what follows it."""
        while True:
            line = self.next(timeout)
            if line is None:
                raise AssertionError(f"the program ended without a line that begins with {start!r}")
            if line.startswith(start):
                return line[len(start) :].strip()

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)


def output(test: unittest.TestCase) -> tuple[int, Lines]:
    """Make a pipe for a child that something else starts.

    Returns:
        The end to give to the child, which the caller closes afterwards, and the lines.
    """
    read_fd, write_fd = os.pipe()
    lines = Lines(read_fd)
    test.addCleanup(lines.close)
    return write_fd, lines


class Child:
    """A program of tests/children that runs, in a session of its own. Owned by the test.

    When the test ends it is killed with its process group, and collected.

    Attributes:
        pid: Its pid.
        lines: What it prints.
    """

    def __init__(self, test: unittest.TestCase, name: str, *args: object) -> None:
        """Start it and wait until it says that it is ready."""
        write_fd, self.lines = output(test)
        try:
            self._process = subprocess.Popen(
                command(name, *args),
                stdin=subprocess.DEVNULL,
                stdout=write_fd,
                start_new_session=True,
            )
        finally:
            os.close(write_fd)
        self.pid = self._process.pid
        test.addCleanup(self.end)
        self.lines.until("ready")

    def collected(self) -> None:
        """Say that the test has collected the exit status itself."""
        self._process.returncode = 0

    def end(self) -> int:
        """Kill it and what it has started, and collect it."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # they are gone
        return self._process.wait(TIMEOUT)
