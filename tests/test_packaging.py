"""What is installed, and what stands at the top of the repository."""

from __future__ import annotations

import ast
import fnmatch
import os
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "bin",
    "cvec_circus",
    "docs",
    "pyproject.toml",
    "requirements.txt",
    "setup.py",
    "tests",
}


def constants(path: Path) -> dict[str, object]:
    """Return the names that a file gives constant values to, without running it."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


class TestSetup(unittest.TestCase):
    """setup.py says what the rest of the repository says."""

    def test_requirements(self) -> None:
        lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
        self.assertEqual(lines, constants(ROOT / "setup.py")["REQUIRES"])
        names = [line.partition(">")[0] for line in lines]
        self.assertEqual(names, ["pyzmq", "psutil", "configobj"])

    def test_version_is_in_the_changelog(self) -> None:
        version = constants(ROOT / "cvec_circus" / "__init__.py")["__version__"]
        text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        self.assertIn(f"\n## {version}\n", text)

    def test_scripts(self) -> None:
        text = (ROOT / "setup.py").read_text(encoding="utf-8")
        for script in (ROOT / "bin").iterdir():
            with self.subTest(script.name):
                self.assertIn(f'"bin/{script.name}"', text)
                self.assertTrue(os.access(script, os.X_OK), "not executable")
                lines = script.read_text(encoding="utf-8").splitlines()
                self.assertEqual(lines[0], "#!/usr/bin/env python3")

    def test_every_package_has_an_init(self) -> None:
        for file in (ROOT / "cvec_circus").rglob("*.py"):
            self.assertTrue((file.parent / "__init__.py").is_file(), file.parent)

    def test_top_level(self) -> None:
        lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
        ignored = [".git", *(line.rstrip("/") for line in lines)]
        names = {path.name for path in ROOT.iterdir()}
        kept = {n for n in names if not any(fnmatch.fnmatch(n, line) for line in ignored)}
        self.assertLessEqual(kept, TOP_LEVEL)


if __name__ == "__main__":
    unittest.main()
