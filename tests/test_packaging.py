"""What is installed, and what stands at the top of the repository."""

from __future__ import annotations

import ast
import fnmatch
import importlib.metadata
import os
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "alias",
    "bin",
    "cvec_circus",
    "docs",
    "pyproject.toml",
    "requirements.txt",
    "setup.py",
    "tests",
}

PROGRAMS = {
    "cvec_circus.circusd": "cvec_circusd",
    "cvec_circus.daemon.main": "cvec_circusd",
    "cvec_circus.circusctl": "cvec_circusctl",
    "cvec_circus.ctl.main": "cvec_circusctl",
    "cvec_circus.plugins": "cvec_circus-plugin",
    "cvec_circus.runtime.runner": "cvec_circus-plugin",
    "cvec_circus.stats": "cvec_circusd-stats",
    "cvec_circus.stats.program": "cvec_circusd-stats",
    "cvec_circus.stats.client": "cvec_circus-top",
    "cvec_circus.top.main": "cvec_circus-top",
}
"""Modules that `python -m` runs, and the script that does the same."""


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


def output(*words: str) -> tuple[int, str, str]:
    """Run Python; return the exit code and what was printed."""
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


def runs(test: ast.expr) -> bool:
    """Whether a condition is that of a module that is run."""
    return ast.unparse(test) == "__name__ == '__main__'"


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

    def test_every_program_of_circus_by_python_m(self) -> None:
        circus = importlib.metadata.distribution("circus")
        programs = set()
        for file in circus.files or ():
            if file.parts[0] == "circus" and file.suffix == ".py" and "tests" not in file.parts:
                if "if __name__ == '__main__':" in file.read_text(encoding="utf-8"):
                    parts = file.with_suffix("").parts
                    programs.add("cvec_" + ".".join(parts).removesuffix(".__init__"))
        self.assertEqual(len(programs), 5)
        self.assertEqual(programs - set(PROGRAMS), set())

    def test_every_program_by_python_m(self) -> None:
        for module, script in PROGRAMS.items():
            for words, code in (["--help"], 0), (["--no-such-switch"], 2):
                with self.subTest(module=module, words=words):
                    expected = output(str(ROOT / "bin" / script), *words)
                    self.assertEqual(expected[0], code)
                    self.assertEqual(output("-W", "error", "-m", module, *words), expected)

    def test_what_has_a_main_runs_it(self) -> None:
        without = []
        for file in (ROOT / "cvec_circus").rglob("*.py"):
            body = ast.parse(file.read_text(encoding="utf-8")).body
            names = {node.name for node in body if isinstance(node, ast.FunctionDef)}
            last = body[-1] if body else None
            if "main" in names and not (isinstance(last, ast.If) and runs(last.test)):
                without.append(str(file.relative_to(ROOT)))
        self.assertEqual(without, [])

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
