"""Dotted names that can be loaded, and what is said of the others; nothing is imported."""

from __future__ import annotations

import sys
import unittest
from unittest import mock

from cvec_circus.system.modules import why_not
from tests.support.daemon import folder

HERE = "cvec_circus_test_here"


class TestWhyNot(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = folder(self)
        self.write("__init__", "class Inner:\n    def method(self): pass\nraise SystemExit\n")
        self.write("hooks", "def hook(**facts): return True\nraise SystemExit\n")
        self.write("star", "from json import *\nraise SystemExit\n")
        (self.folder / "plain").mkdir()

    def write(self, name: str, text: str) -> None:
        path = self.folder / HERE / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def why_not(self, dotted: str) -> str:
        before = set(sys.modules)
        said = why_not(dotted, [str(self.folder)])
        self.assertEqual({name for name in set(sys.modules) - before if HERE in name}, set())
        return said.replace(str(self.folder), "FOLDER")

    def test_what_may_be_there(self) -> None:
        for dotted in (
            f"{HERE}.hooks.hook",
            f"{HERE}.hooks:hook",
            f"{HERE}.Inner.method",
            f"{HERE}:Inner.method",
            f"{HERE}.star.dumps",
            "os.path.exists",
            "json.dumps",
            "sys.exit",
            "unittest.mock.Mock",
            f"{__name__}.HERE",
        ):
            self.assertEqual(self.why_not(dotted), "", dotted)

    def test_what_is_not(self) -> None:
        self.assertEqual(self.why_not(f"{HERE}x.hook"), f"there is no module {HERE}x")
        path = f"FOLDER/{HERE}"
        for dotted, name, where in (
            (f"{HERE}.hooks.hoook", "hoook", f"{path}/hooks.py"),
            (f"{HERE}.hook.hook", "hook", f"{path}/__init__.py"),
            ("plain.hook.hook", "hook", "plain"),
        ):
            self.assertEqual(self.why_not(dotted), f"there is no {name} in {where}", dotted)

    def test_what_was_written_for_circus(self) -> None:
        self.write("old", "from circus import logger\ndef hook(**facts): return True\n")
        self.write("both", "try:\n    import circus\nexcept ImportError:\n    hook = None\n")
        said = "imports circus, which is not installed; it is called cvec_circus here"
        with mock.patch("cvec_circus.system.modules.importlib.util.find_spec", return_value=None):
            self.assertEqual(self.why_not(f"{HERE}.old.hook"), f"FOLDER/{HERE}/old.py {said}")
            self.assertEqual(self.why_not(f"{HERE}.both.hook"), "")
        (self.folder / "circus").mkdir()
        (self.folder / "circus" / "__init__.py").touch()
        with mock.patch("cvec_circus.system.modules.importlib.util.find_spec", return_value=None):
            self.assertEqual(self.why_not(f"{HERE}.old.hook"), "")

    def test_only_where_modules_are_looked_for(self) -> None:
        self.assertEqual(why_not(f"{HERE}.hooks.hook", []), f"there is no module {HERE}")


if __name__ == "__main__":
    unittest.main()
