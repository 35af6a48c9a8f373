"""What a dotted name leads to."""

import os
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus.system import importing

MODULE = "cvec_circus_test_importing"
TEXT = """
class Outer:
    class Inner:
        def method(self):
            return 5

def name():
    return 4
"""


class ImportingTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.addCleanup(sys.path.__setitem__, slice(None), list(sys.path))
        self.write(MODULE, TEXT)

    def write(self, module: str, text: str) -> None:
        path = Path(self.folder, *module.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.addCleanup(sys.modules.pop, module, None)

    def refusal(self, dotted: str) -> str:
        with self.assertRaises(ImportError) as caught:
            importing.load(dotted, self.folder)
        return str(caught.exception)

    def test_names_that_are_there(self) -> None:
        for name in (f"{MODULE}.name", f"{MODULE}:name"):
            self.assertEqual(importing.load(name, self.folder)(), 4)
        inner = importing.load(f"{MODULE}.Outer.Inner")
        self.assertIs(importing.load(f"{MODULE}:Outer.Inner"), inner)
        self.assertIs(importing.load("os.path.join"), os.path.join)

    def test_names_that_are_not_there(self) -> None:
        cases = {
            f"{MODULE}.nothing": f"there is no nothing in {MODULE}",
            f"{MODULE}:name.more": f"there is no name.more in {MODULE}",
            f"{MODULE}.Outer.nothing": f"there is no Outer.nothing in {MODULE}",
            "cvec_no_such_module.name": "No module named 'cvec_no_such_module'",
            "cvec_no_such_package.module.name": "No module named 'cvec_no_such_package'",
        }
        for dotted, text in cases.items():
            with self.subTest(dotted):
                self.assertEqual(self.refusal(dotted), text)
        for dotted in ("name", "name.", ".name", ""):
            with self.subTest(dotted):
                self.assertIn("is not a dotted name", self.refusal(dotted))

    def test_what_a_module_itself_does_not_find_is_named(self) -> None:
        self.write(f"{MODULE}_faulty", "import cvec_no_such_module")
        self.assertEqual(
            self.refusal(f"{MODULE}_faulty.name"), "No module named 'cvec_no_such_module'"
        )

    def test_why_in_a_line(self) -> None:
        faulty = f"{MODULE}_faulty"
        here = f"{self.folder}/{faulty}.py"
        for text, why in (
            (
                "import cvec_no_such",
                f"ModuleNotFoundError: No module named 'cvec_no_such' ({here}:1)",
            ),
            ("def f():\n    raise OSError('a\\nb')\nf()\n", f"OSError: a b ({here}:2)"),
            ("x y", f"SyntaxError: invalid syntax ({here}:1)"),
            ("", f"ImportError: there is no name in {faulty}"),
        ):
            with self.subTest(text):
                self.write(faulty, text)
                self.assertEqual(self.why(f"{faulty}.name"), why)
        with mock.patch.dict(sys.modules, {"circus": None}):
            said = self.why("circus.plugins.Mine")
        self.assertTrue(said.endswith("; it is called cvec_circus here"), said)
        why = "ModuleNotFoundError: No module named 'cvec_no_such'"
        self.assertEqual(self.why("cvec_no_such.name"), why)

    def why(self, dotted: str) -> str:
        """Return why a name cannot be loaded. (`assertRaises` drops the traceback.)"""
        try:
            importing.load(dotted, self.folder)
        except Exception as error:
            return importing.why(error)
        raise AssertionError(f"{dotted} was loaded")

    def test_the_current_directory_comes_last(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        self.assertEqual(importing.load(f"{MODULE}.name")(), 4)
        self.assertEqual(sys.path[-1], os.path.realpath(self.folder))
        importing.load(f"{MODULE}.name")
        self.assertEqual(sys.path.count(self.folder), 1)

    def test_a_module_that_was_written_a_moment_ago(self) -> None:
        importing.load(f"{MODULE}.name", self.folder)
        self.write(f"{MODULE}_late", "found = True")
        self.assertIs(importing.load(f"{MODULE}_late.found", self.folder), True)

    def test_folders_come_last_and_once(self) -> None:
        before = list(sys.path)
        other = os.path.join(self.folder, "other")
        path = os.pathsep.join([self.folder, "", other, self.folder])
        threads = [threading.Thread(target=importing.extend, args=[path]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sys.path, [*before, self.folder, other])

    def test_a_folder_that_is_relative(self) -> None:
        importing.extend("cvec_no_such_folder")
        self.assertEqual(sys.path[-1], os.path.abspath("cvec_no_such_folder"))
