"""A flood of output through a file that is rotated: every byte of it, in order."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from tests.bench.integrity import MIB, check


class TestIntegrity(unittest.TestCase):
    """`python -m tests.bench.integrity` does the same with a gigabyte."""

    def test_a_flood(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            found = check(Path(folder), 12 * MIB, MIB // 2)
        self.assertTrue(found.is_right, found)
        self.assertGreater(found.files, 20)
        self.assertLess(found.largest, MIB // 2)


if __name__ == "__main__":
    unittest.main()
