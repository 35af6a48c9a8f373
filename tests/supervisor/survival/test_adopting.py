"""Pipes are taken from a process, from what it has started, or from nobody."""

from __future__ import annotations

import fcntl
import os
import subprocess
import unittest

from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.stream.base import Source
from cvec_circus.stream.output import GAP, Pipe
from cvec_circus.supervisor.launcher import StandardFiles
from cvec_circus.supervisor.survival.adopting import Adopter
from cvec_circus.system import pipes

BOTH = "exec 3>&1 >/dev/null; echo closed >&2; read x"
CHILD = "sleep 100 & exec >/dev/null; echo closed >&2; read x"
NOBODY = "exec >/dev/null; echo closed >&2; read x"


class TestPipes(unittest.TestCase):
    def start(self, script: str) -> tuple[int, int]:
        """Start a shell, and return its pid and the inode of the pipe that was its stdout."""
        shell = subprocess.Popen(
            ["sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.addCleanup(self.end, shell)
        if "closed" in script:
            shell.stderr.readline()
        return shell.pid, os.fstat(shell.stdout.fileno()).st_ino

    def end(self, shell: subprocess.Popen[bytes]) -> None:
        """End it with all that it has started."""
        os.killpg(shell.pid, 9)
        shell.communicate()

    def open(self, script: str) -> int | None:
        """Open its stdout as an adopter does; the inode must be the same."""
        pid, inode = self.start(script)
        adopter = Adopter.__new__(Adopter)
        adopter._sessions = None
        fd = adopter._open_pipe(pid, 1, inode)
        if fd is not None:
            self.addCleanup(os.close, fd)
            self.assertEqual(os.fstat(fd).st_ino, inode)
            self.assertFalse(os.get_blocking(fd))
        return fd

    def test_under_its_number(self) -> None:
        self.assertIsNotNone(self.open("read x"))

    def test_under_another_number(self) -> None:
        self.assertIsNotNone(self.open(BOTH))

    def test_of_a_child(self) -> None:
        self.assertIsNotNone(self.open(CHILD))

    def test_closed(self) -> None:
        self.assertIsNone(self.open(NOBODY))

    def test_a_process_that_is_gone(self) -> None:
        self.assertIsNone(pipes.reopen(2**22 + 1, "1", 1))


class TestStandardFiles(unittest.TestCase):
    def test_who_survives_has_a_reader(self) -> None:
        options = WATCHER_OPTIONS.complete({"cmd": "x"})
        for survives, mode in ((True, os.O_RDWR), (False, os.O_WRONLY)):
            with StandardFiles(options, None, ["stdout"], survives) as made:
                theirs = made.files["stdout"]
                flags = fcntl.fcntl(theirs, fcntl.F_GETFL)
                self.assertEqual(flags & os.O_ACCMODE, mode)
                self.assertFalse(os.get_inheritable(theirs))
                for fd in made.take().values():
                    os.close(fd)


class TestMark(unittest.TestCase):
    """The line that says what may be missing stands behind the first end of a line."""

    def test_once(self) -> None:
        pipe = Pipe("key", -1, 1, Source(is_adopted=True))
        self.assertFalse(pipe.is_marked)
        self.assertEqual(pipe.marked(b"no end"), b"no end")
        self.assertFalse(pipe.is_marked)
        self.assertEqual(pipe.marked(b" here\nnext\nlast"), b" here\n" + GAP + b"next\nlast")
        self.assertTrue(pipe.is_marked)
        self.assertTrue(Pipe("key", -1, 1, Source()).is_marked)


if __name__ == "__main__":
    unittest.main()
