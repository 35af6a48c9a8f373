"""What cannot be run: one line and exit code 2."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus import __version__, exc
from cvec_circus.runtime.catalogue import load_class
from tests.runtime.process import LAUNCHER, ROOT, SUBJECTS


class TestRefusals(unittest.TestCase):
    """What cannot be run is one line on stderr and exit code 2."""

    def refused(self, *arguments: str) -> str:
        ended = subprocess.run(
            [*LAUNCHER, *arguments],
            capture_output=True,
            cwd=ROOT,
            timeout=30,
            check=False,
        )
        said = ended.stderr.decode()
        self.assertEqual((ended.returncode, ended.stdout), (2, b""), said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertTrue(said.startswith("error: "))
        return said

    def test_the_class(self) -> None:
        for name, words in (
            ("nonexistent.Logger", "there is no module nonexistent"),
            ("tests.nonexistent.Logger", "there is no module tests.nonexistent"),
            (f"{SUBJECTS}.Loger", f"there is no Loger in {SUBJECTS}"),
            (f"{SUBJECTS}.NOT_A_CLASS", "is not a plugin"),
            (f"{SUBJECTS}.say", "is not a plugin"),
            ("threading.Thread", "is not a plugin"),
            (f"{SUBJECTS}.NoRecv", "does not implement handle_recv"),
            ("cvec_circus.plugins.CircusPlugin", "does not implement handle_recv"),
        ):
            self.assertIn(words, self.refused(name))

    def test_the_command_line(self) -> None:
        for arguments, words in (
            ([], "error: CLASS is missing"),
            (["--config", "filename", "x.y"], "'filename' is not key:value"),
            (["--config", "endpoint:x", "x.y"], "cannot hold 'endpoint'"),
            (["--check-delay", "soon", "x.y"], "--check-delay: 'soon' is not a time: write 30"),
            (["--log-level", "loud", "x.y"], "--log-level: 'loud' is not one of debug, info, "),
        ):
            self.assertIn(words, self.refused(*arguments))

    def test_version(self) -> None:
        ended = subprocess.run([*LAUNCHER, "--version"], stdout=subprocess.PIPE, check=True)
        self.assertEqual(ended.stdout.decode(), f"{__version__}\n")


class TestLoad(unittest.TestCase):
    def load(self, text: str) -> str:
        """Try to load the class P of a module with a text, and return the reason."""
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "broken_subject.py").write_text(text)
            sys.path.insert(0, directory)
            try:
                with self.assertRaises(exc.PluginError) as caught:
                    load_class("broken_subject.P")
            finally:
                sys.path.remove(directory)
                sys.modules.pop("broken_subject", None)
            reason = str(caught.exception)
            self.assertNotIn("\n", reason)
            return reason.replace(directory, "DIR")

    def test_broken_modules(self) -> None:
        place = "DIR/broken_subject.py, line"
        for text, words in (
            ("x = 1\n1 / 0", f"ZeroDivisionError: division by zero ({place} 2)"),
            ("def", f"({place} 1)"),
            ("import nonexistent", f"No module named 'nonexistent' ({place} 1)"),
            ("import sys\nsys.exit(3)", f"SystemExit: 3 ({place} 2)"),
            ("raise ValueError('a\\nb')", "a b"),
            ("from os import nonexistent", "cannot import name 'nonexistent'"),
        ):
            reason = self.load(text)
            self.assertIn("cannot import broken_subject.P: ", reason)
            self.assertIn(words, reason)

    def test_names_of_circus(self) -> None:
        with mock.patch.dict(sys.modules, {"circus": None}):
            with self.assertLogs("cvec_circus", "WARNING") as logs:
                found = load_class("circus.plugins.flapping.Flapping")
            self.assertEqual(found.__module__, "cvec_circus.plugins.flapping")
            self.assertEqual(len(logs.output), 1)
            self.assertIn("Flapping is cvec_circus.plugins.flapping.Flapping here", logs.output[0])
            with self.assertRaisesRegex(exc.PluginError, "cannot import circus.x.Y: "):
                load_class("circus.x.Y")
            for text in ("import circus", "from circus.plugins import CircusPlugin"):
                self.assertIn("; it is called cvec_circus here", self.load(text))
        self.assertNotIn("cvec", self.load("import circusx"))

    def test_names_that_are_none(self) -> None:
        for name in ("", "Logger", ".Logger", "a..b", "a.b.", "a b.c", "../x.Logger"):
            with self.assertRaises(exc.PluginError) as caught:
                load_class(name)
            self.assertIn("the dotted name", str(caught.exception))
