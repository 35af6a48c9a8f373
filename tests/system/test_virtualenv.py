"""PATH and PYTHONPATH of a Python environment."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from cvec_circus.system.virtualenv import variables

OURS = "{}.{}".format(*sys.version_info[:2])

PUBLISHED = """
import json, sys
from circus.util import load_virtualenv

class Watcher:
    copy_env = True

watcher = Watcher()
watcher.virtualenv, watcher.env = json.loads(sys.argv[1])
load_virtualenv(watcher, py_ver=json.loads(sys.argv[2]))
print(json.dumps(watcher.env))
"""


class TestVariables(unittest.TestCase):
    """What stands in them, and in which order."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def packages(self, name: str = f"python{OURS}") -> Path:
        """Make a folder for packages."""
        path = self.root / "lib" / name / "site-packages"
        path.mkdir(parents=True)
        return path

    def test_programs_and_packages(self) -> None:
        packages = self.packages()
        self.assertEqual(variables({}, str(self.root), None), {"PYTHONPATH": str(packages)})
        (self.root / "bin").mkdir()
        found = variables({"PATH": "/bin", "PYTHONPATH": "/a:/b"}, str(self.root), None)
        self.assertEqual(
            found, {"PATH": f"{self.root}/bin:/bin", "PYTHONPATH": f"/a:/b:{packages}"}
        )
        self.assertEqual(variables({}, str(self.root), None)["PATH"], f"{self.root}/bin")

    def test_a_relative_folder_is_ours(self) -> None:
        packages = self.packages()
        relative = os.path.relpath(self.root)
        self.assertEqual(variables({}, relative, None)["PYTHONPATH"], str(packages))

    def test_folders_that_files_name(self) -> None:
        packages = self.packages()
        for name in ("inner", "later"):
            (packages / name).mkdir()
        outer = self.root / "outer"
        outer.mkdir()
        (packages / "a.pth").write_text(f"# x\nimport os; boom\n\n{outer}\ninner\n/no/such\n")
        (packages / "b.pth").write_text(f"later\n{outer}\n.\n")
        (packages / "c.txt").write_text("later\n")
        found = variables({"PYTHONPATH": "/a"}, str(self.root), None)["PYTHONPATH"]
        expected = [outer, packages / "inner", packages / "later", "/a", packages]
        self.assertEqual(found.split(":"), list(map(str, expected)))

    def test_what_is_installed_later(self) -> None:
        packages = self.packages()
        self.assertEqual(variables({}, str(self.root), None)["PYTHONPATH"], str(packages))
        (packages / "a.pth").write_text(str(self.root))
        os.utime(packages, ns=(1, 1))
        found = variables({}, str(self.root), None)["PYTHONPATH"]
        self.assertEqual(found, f"{self.root}:{packages}")

    def test_versions(self) -> None:
        self.packages("python2.9")
        pypy = self.packages("pypy3.1")
        self.assertEqual(variables({}, str(self.root), "3.1")["PYTHONPATH"], str(pypy))
        missing = f"{self.root}/lib/python{OURS}/site-packages"
        with self.assertRaises(ValueError) as caught:
            variables({}, str(self.root), None)
        self.assertEqual(
            str(caught.exception),
            f"virtualenv {self.root}: there is no {missing}; it has packages for 3.1 and 2.9, "
            "see virtualenv_py_ver",
        )

    def test_no_environment(self) -> None:
        with self.assertRaisesRegex(ValueError, "virtualenv /no/such: there is no /no/such/lib/"):
            variables({}, "/no/such", "3.9")

    @unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")
    def test_the_same_as_circus(self) -> None:
        packages = self.packages("python3.7")
        (packages / "inner").mkdir()
        (packages / "a.pth").write_text("# x\nimport os; boom\ninner\n/no/such\n")
        (self.root / "bin").mkdir()
        for env in ({"PATH": "/bin", "PYTHONPATH": "/a:/b"}, {"PATH": "/bin"}):
            given = [json.dumps([str(self.root), env]), json.dumps("3.7")]
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", PUBLISHED, *given],
                capture_output=True,
                text=True,
                check=True,
            )
            self.assertEqual(variables(env, str(self.root), "3.7"), json.loads(done.stdout))


if __name__ == "__main__":
    unittest.main()
