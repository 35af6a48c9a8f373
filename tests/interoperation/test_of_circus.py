"""Circus' own tests, from its source archive on PyPI, run on our package and counted.

0.18.0 is the last one whose archive has them; 0.19 differs in a line. `of_circus.txt` says of each
test that does not pass why. It takes minutes and the network, so CVEC_CIRCUS_NIGHTLY=1 runs it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
from collections import Counter
from pathlib import Path

from tests.support.nightly import NIGHTLY

ROOT = Path(__file__).resolve().parents[2]
BRIDGE = Path(__file__).with_name("bridge.py")
TABLE = Path(__file__).with_name("of_circus.txt")
ARCHIVE = "circus==0.18.0"
NEEDED = ("tornado", "pyyaml", "mock", "psutil")
TIMEOUT = 600.0
AT_TIMES = "At times"


def reasons() -> dict[str, str]:
    """Return why a test does not pass, by its name; a module's for all of its tests."""
    found, why = {}, ""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            found.update(dict.fromkeys(line.split(), why))
        else:
            why = line
    return found


class TestTable(unittest.TestCase):
    def test_each_has_a_reason(self) -> None:
        found = reasons()
        self.assertGreater(len(found), 20)
        for name, why in found.items():
            self.assertTrue(name.startswith("test_") and why, name)


@unittest.skipUnless(NIGHTLY, "takes minutes and the network: CVEC_CIRCUS_NIGHTLY=1 runs it")
class TestOfCircus(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.python = cls.folder / "venv" / "bin" / "python"
        cls.run_it(sys.executable, "-m", "venv", str(cls.folder / "venv"))
        pip = (str(cls.python), "-m", "pip", "--quiet")
        cls.run_it(*pip, "install", *NEEDED, str(ROOT), str(ROOT / "alias"))
        download = ("download", "--no-deps", "--no-binary", "circus", "--dest", str(cls.folder))
        cls.run_it(*pip, *download, ARCHIVE)
        (archive,) = cls.folder.glob("circus-*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(cls.folder)
        where = "import circus, os; print(os.path.dirname(circus.__file__))"
        cls.package = Path(cls.run_it(str(cls.python), "-c", where).strip())
        name = archive.name.removesuffix(".tar.gz")
        shutil.copytree(cls.folder / name / "circus" / "tests", cls.package / "tests")

    @classmethod
    def run_it(cls, *argv: str) -> str:
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            env=environ,
            cwd=cls.folder,
        )
        if done.returncode:
            raise AssertionError(f"{argv}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def outcome(self, module: str) -> dict[str, str]:
        """Run the tests of a module in a session of their own; return what each has found out."""
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        running = subprocess.Popen(
            [str(self.python), "-W", "ignore", str(BRIDGE), f"circus.tests.{module}"],
            cwd=self.package.parent,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        try:
            out, _ = running.communicate(timeout=TIMEOUT)
        finally:
            running.kill()
        lines = out.splitlines()
        if not lines:
            return {}
        found: dict[str, str] = json.loads(lines[-1])
        return {name.removeprefix("circus.tests."): said for name, said in found.items()}

    def test_what_passes(self) -> None:
        table = reasons()
        found: dict[str, str] = {}
        for path in sorted((self.package / "tests").glob("test_*.py")):
            if path.stem not in table:
                found.update(self.outcome(path.stem))
        counts = Counter(said if is_good(said) else "with a reason" for said in found.values())
        print(f"Circus' own tests: {dict(counts)}", file=sys.stderr)
        unexplained = {
            name: said for name, said in found.items() if not is_good(said) and name not in table
        }
        self.assertEqual(unexplained, {})
        passed = [name for name, said in found.items() if said == "ok"]
        listed = [name for name in passed if not table.get(name, AT_TIMES).startswith(AT_TIMES)]
        self.assertEqual(listed, [], "they pass: take them off the table")
        self.assertGreater(len(passed), 100)


def is_good(said: str) -> bool:
    """Tell whether a test has not failed."""
    return said in ("ok", "skipped")


if __name__ == "__main__":
    unittest.main()
