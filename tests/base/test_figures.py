"""Figures as people read them."""

from __future__ import annotations

import unittest

from cvec_circus.base.figures import counted, first_of, size_text


class TestCounts(unittest.TestCase):
    def test_one_and_others(self) -> None:
        self.assertEqual(counted(1, "process"), "1 process")
        self.assertEqual(counted(0, "process"), "0 processes")
        self.assertEqual(counted(2, "attempt"), "2 attempts")
        self.assertEqual(counted(2, "retry", "retries"), "2 retries")

    def test_the_first_of_many(self) -> None:
        self.assertEqual(first_of([], 2), "")
        self.assertEqual(first_of(["a", "b"], 2), "a, b")
        self.assertEqual(first_of(["a", "b", "c", "d"], 2), "a, b and 2 more")

    def test_sizes(self) -> None:
        self.assertEqual(
            [size_text(size) for size in (0, 1000.9, 1519616)], ["0B", "1000B", "1.45M"]
        )


if __name__ == "__main__":
    unittest.main()
