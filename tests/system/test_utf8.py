"""Programs of ours under a locale that knows ASCII only."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest
from types import SimpleNamespace
from unittest import mock

from cvec_circus.system import utf8
from tests.support.daemon import folder, script

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


class TestPrograms(unittest.TestCase):
    """The whole way: arguments, names of files, what is read and what is printed."""

    def setUp(self) -> None:
        self.folder = folder(self)

    def run_in_ascii(self, *argv: str) -> subprocess.CompletedProcess[bytes]:
        env = {**os.environ, **ASCII}
        return subprocess.run(
            argv, cwd=self.folder, env=env, capture_output=True, timeout=60, check=False
        )

    def test_it_is_one(self) -> None:
        code = "import sys; print(sys.getfilesystemencoding())"
        self.assertEqual(self.run_in_ascii(sys.executable, "-c", code).stdout, b"ascii\n")

    def test_the_daemon(self) -> None:
        text = "[watcher:é]\ncmd = sleep\nworking_dir = /nö\n"
        (self.folder / "ü.ini").write_text(text, encoding="utf-8")
        for argv in (script("cvec_circusd"), [sys.executable, "-m", "cvec_circus.circusd"]):
            done = self.run_in_ascii(*argv, "--check", "ü.ini")
            said = done.stdout.decode()
            self.assertIn("ü.ini:3: warning: [watcher:é] working_dir: there is no folder /nö", said)
            self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_the_others(self) -> None:
        for name, *words in (
            ("cvec_circusctl", "status"),
            ("cvec_circus-top", "--once"),
            ("cvec_circusd-stats",),
        ):
            done = self.run_in_ascii(*script(name, "--endpoint", "é"), *words)
            self.assertIn("é", done.stderr.decode(), name)
            self.assertNotIn("Traceback", done.stderr.decode(), name)
        done = self.run_in_ascii(*script("cvec_circus-plugin", "é.É"))
        self.assertIn("é", done.stderr.decode())
        self.assertNotIn("Traceback", done.stderr.decode())


class TestArguments(unittest.TestCase):
    """What Python is started with anew, where it does not say what it was started with."""

    def check(self, spec: object, expected: list[str]) -> None:
        main = SimpleNamespace(__spec__=spec)
        with mock.patch.object(utf8.sys, "version_info", (3, 9)):
            with mock.patch.object(utf8.sys, "argv", ["/x/y", "a"]):
                with mock.patch.dict(sys.modules, {"__main__": main}):
                    self.assertEqual(utf8._arguments(), expected)

    def test_a_script(self) -> None:
        self.check(None, ["/x/y", "a"])

    def test_a_module(self) -> None:
        self.check(SimpleNamespace(name="p.m"), ["-m", "p.m", "a"])
        self.check(SimpleNamespace(name="p.__main__"), ["-m", "p", "a"])

    def test_utf8_stays(self) -> None:
        with mock.patch("os.execv") as begun:
            with mock.patch.object(utf8.sys, "getfilesystemencoding", return_value="UTF8"):
                utf8.require()
        begun.assert_not_called()


if __name__ == "__main__":
    unittest.main()
