"""The programs and the test that the page on embedding shows, run as a reader runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest

from tests.test_docs import DOCS, ROOT


class TestExamples(unittest.TestCase):
    def test_it_passes(self) -> None:
        done = self.run_python("-m", "unittest", "test_scaler")
        self.assertIn("Ran 3 tests", done.stderr)

    def test_orders(self) -> None:
        lines = self.run_python("orders.py").stdout.split("\n")
        self.assertEqual(lines[:2], ["active 2", "2"])
        # The end may overtake the last order, or not.
        self.assertEqual([line for line in lines[2:] if line != "3"], ["0", ""])

    def run_python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=DOCS / "examples",
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_it_is_short(self) -> None:
        lines = (DOCS / "examples" / "test_scaler.py").read_text(encoding="utf-8").splitlines()
        self.assertLess(len(lines), 40)


if __name__ == "__main__":
    unittest.main()
