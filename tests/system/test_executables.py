"""Which files can be executed, and what is said of the others."""

from __future__ import annotations

import os
import subprocess
import unittest
from pathlib import Path

from cvec_circus.system.executables import why_not
from tests.support.daemon import folder

SYSTEM = ["/bin", "/usr/bin"]


class TestWhyNot(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = folder(self)

    def file(self, name: str, text: str | bytes = "#!/bin/sh\n", mode: int = 0o755) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def why_not(self, program: str, *folders: str) -> str:
        """What is said; a program that nothing is said of is run, and any other is not."""
        path = [*folders, *SYSTEM]
        said = why_not(program, path, str(self.folder))
        environ = {"PATH": os.pathsep.join(path)}
        try:
            done = subprocess.run([program], cwd=self.folder, env=environ, capture_output=True)
        except OSError:
            runs = False
        else:
            runs = done.returncode == 0
        self.assertEqual(said == "", runs, said)
        return said.replace(str(self.folder), "HERE")

    def test_programs(self) -> None:
        self.file("here")
        self.file("bin/there", "#!/usr/bin/env sh\n")
        self.file("flags", "#! /bin/sh -e\n")
        os.symlink("here", self.folder / "link")
        for program in ("true", "/bin/true", "./here", f"{self.folder}/here", "there", "./link"):
            self.assertEqual(self.why_not(program, "bin"), "", program)
        self.assertEqual(self.why_not("./flags"), "")
        self.assertEqual(self.why_not("bin/there"), "")

    def test_what_is_not_there(self) -> None:
        said = self.why_not("nosuchprogram")
        self.assertEqual(said, "there is no program nosuchprogram in /bin:/usr/bin")
        self.assertEqual(self.why_not("./x"), "there is no HERE/x")
        self.file("file")
        self.assertEqual(self.why_not("file/x"), "HERE/file/x cannot be reached: Not a directory")
        os.symlink("nowhere", self.folder / "link")
        self.assertEqual(self.why_not("./link"), "there is no HERE/link")

    def test_what_is_no_program(self) -> None:
        self.file("plain", mode=0o644)
        self.assertEqual(
            self.why_not("./plain"), "HERE/plain is not executable; chmod +x HERE/plain"
        )
        self.file("bin/x", "echo x\n")
        self.assertEqual(self.why_not("./bin"), "HERE/bin is a folder, not a program")
        bare = "is not a program: a script begins with #! and the path of its interpreter"
        self.assertEqual(self.why_not("bin/x"), f"HERE/bin/x {bare}")
        self.file("empty", "")
        self.assertEqual(self.why_not("./empty"), f"HERE/empty {bare}")

    def test_the_first_that_can_be_executed(self) -> None:
        self.file("a/x", mode=0o644)
        self.file("b/x")
        self.assertEqual(self.why_not("x", "a", "b"), "")
        said = self.why_not("x", "a")
        self.assertEqual(said, "HERE/a/x is not executable; chmod +x HERE/a/x")

    def test_interpreters(self) -> None:
        self.file("a", "#!/nope/python\n")
        said = self.why_not("./a")
        self.assertEqual(said, "/nope/python, the interpreter of HERE/a, does not exist")
        self.file("b", "#!/usr/bin/env nosuchpython\n")
        said = self.why_not("./b")
        self.assertEqual(said, "nosuchpython, the interpreter of HERE/b, is not in /bin:/usr/bin")
        self.file("c", "#!/bin/sh\r\n")
        said = self.why_not("./c")
        self.assertEqual(said, "the first line of HERE/c ends in CR LF; end its lines in LF")
        self.file("d", "#!\n")
        self.assertIn("nothing, the interpreter of", why_not("./d", SYSTEM, str(self.folder)))

    @unittest.skipIf(os.geteuid() == 0, "root may execute what anybody may")
    def test_what_is_not_for_us(self) -> None:
        self.file("x", mode=0o001)
        self.assertIn(f"user {os.geteuid()} cannot execute", self.why_not("./x"))
        self.assertEqual(why_not("./x", SYSTEM, str(self.folder), as_us=False), "")


if __name__ == "__main__":
    unittest.main()
