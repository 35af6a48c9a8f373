"""What the tests of `--check` and this machine share."""

from __future__ import annotations

import contextlib
import io
import unittest

from cvec_circus.daemon.check import check
from tests.support.daemon import folder

WEB = "[watcher:web]\ncmd = sleep 10\n"
MAKE = "make it first"


class MachineCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = folder(self)

    def program(self, name: str, text: str = "#!/bin/sh\n") -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def found(self, text: str, elsewhere: bool = False, **environ: str) -> list[str]:
        """The warnings, without the file's name and the verdict. No warning is a failure."""
        lines, verdict = self.said(text, elsewhere, environ)
        self.assertTrue(verdict.startswith("a.ini: ok"), f"{lines}, {verdict}")
        return [line.replace(" warning: ", " ") for line in lines]

    def problems(self, text: str) -> list[str]:
        """The same of a file with which no daemon starts here, though one may elsewhere."""
        self.assertEqual(self.found(text, elsewhere=True), [])
        lines, verdict = self.said(text, False, {})
        self.assertTrue(verdict.endswith("; the daemon does not start"), verdict)
        return [line.replace(" problem: ", " ") for line in lines]

    def said(self, text: str, elsewhere: bool, environ: dict[str, str]) -> tuple[list[str], str]:
        (self.folder / "a.ini").write_text(text)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            code = check(["a.ini"], environ, str(self.folder), elsewhere)
        *lines, verdict = said.getvalue().replace(str(self.folder), "HERE").splitlines()
        self.assertEqual(code, 0 if verdict.startswith("a.ini: ok") else 1)
        return [line.replace("a.ini:", "", 1) for line in lines], verdict

    def says(self, text: str, *expected: str, **environ: str) -> None:
        self.assertEqual(self.found(text, **environ), list(expected))
        self.assertEqual(self.found(text, elsewhere=True, **environ), [])

    def silent(self, *texts: str, **environ: str) -> None:
        for text in texts:
            with self.subTest(text):
                self.assertEqual(self.found(text, **environ), [])
