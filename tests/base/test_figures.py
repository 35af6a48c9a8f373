"""Figures as people read them."""

from __future__ import annotations

import unittest

from cvec_circus.base.figures import counted, size_text


class TestCounts(unittest.TestCase):
    def test_one_and_others(self) -> None:
        self.assertEqual(counted(1, "process"), "1 process")
        self.assertEqual(counted(0, "process"), "0 processes")
        self.assertEqual(counted(2, "attempt"), "2 attempts")
        self.assertEqual(counted(2, "retry", "retries"), "2 retries")

    def test_sizes(self) -> None:
        self.assertEqual(
            [size_text(size) for size in (0, 1000.9, 1519616)], ["0B", "1000B", "1.45M"]
        )


if __name__ == "__main__":
    unittest.main()
