"""Dotted names that can be loaded, and what is said of the others; nothing is imported."""

from __future__ import annotations

import sys
import unittest
from unittest import mock

from cvec_circus.system.modules import why_not
from tests.support.daemon import folder

HERE = "cvec_circus_test_here"
GIVEN = ("watcher", "hook_name")


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

    def why_not(self, dotted: str, given: tuple[str, ...] | None = None) -> str:
        before = set(sys.modules)
        said = why_not(dotted, [str(self.folder)], given)
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
            f"{__name__}.TestWhyNot",
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

    def test_lines_that_keep_a_module_from_being_imported(self) -> None:
        for text, line, reason in (
            ("a = 1\ndef hook(:\n", 2, "invalid syntax"),
            ("a = 1\ndef other(:\n", 2, "invalid syntax"),
            ("import os\nimport os.path, cvec_no_such.x\nhook = 1\n", 2, ""),
            ("from cvec_no_such import y\ndef hook(**facts): pass\n", 1, ""),
        ):
            self.write("bad", text)
            said = self.why_not(f"{HERE}.bad.hook")
            reason = reason or "there is no module cvec_no_such"
            self.assertEqual(said, f"FOLDER/{HERE}/bad.py:{line}: {reason}")
        self.write(
            "good", "try:\n  import cvec_no_such\nexcept ImportError: hook = 1\nhook = f()\n"
        )
        self.assertEqual(self.why_not(f"{HERE}.good.hook", GIVEN), "")

    def test_what_cannot_be_called(self) -> None:
        path = f"FOLDER/{HERE}/odd.py:1: x"
        wanted = "write def x(watcher, hook_name, **kwargs)"
        for text, given, reason in (
            ("x = 3", GIVEN, " is a value, and no function"),
            ("x = 3", None, " is a value, and no class"),
            ("class x: pass", None, " has no __call__, which gets the output"),
            ("async def x(**kw): pass", GIVEN, " is a coroutine function, which is never awaited"),
            (
                "def x(): pass",
                GIVEN,
                f" is called with watcher, hook_name, which it does not take; {wanted}",
            ),
            (
                "def x(watcher, name): pass",
                GIVEN,
                f" is called with hook_name, which it does not take; {wanted}",
            ),
        ):
            self.write("odd", f"{text}\n")
            self.assertEqual(self.why_not(f"{HERE}.odd.x", given), f"{path}{reason}", text)
        for text, given in (
            ("def x(watcher, hook_name): pass", GIVEN),
            ("def x(*, hook_name, **others): pass", GIVEN),
            ("def x(a, b): pass", ()),
            ("@f\ndef x(): pass", GIVEN),
            ("x = 3\nfrom os import x", GIVEN),
            ("x = 3\nif f: x = g", GIVEN),
            ("x = f()", GIVEN),
            ("class x: pass", GIVEN),
            ("class x(Y): pass", None),
            ("class x:\n  def __call__(self, data): pass", None),
            ("class x:\n  __call__ = f", None),
        ):
            self.write("odd", f"{text}\n")
            self.assertEqual(self.why_not(f"{HERE}.odd.x", given), "", text)

    def test_only_where_modules_are_looked_for(self) -> None:
        self.assertEqual(why_not(f"{HERE}.hooks.hook", []), f"there is no module {HERE}")


if __name__ == "__main__":
    unittest.main()
