"""Sizes as people write them."""

from __future__ import annotations

import unittest

from cvec_circus.options.units import human2bytes


class TestHuman2bytes(unittest.TestCase):
    def test_sizes(self) -> None:
        for text, size in (
            ("0 B", 0),
            ("9", 9),
            ("1K", 1024),
            ("1 k", 1024),
            ("1.45M", 1520435),
            (".5Gi", 1 << 29),
            ("2 tebi", 2 << 40),
            ("10kilo", 10240),
            ("1.Y", 1 << 80),
        ):
            with self.subTest(text):
                self.assertEqual(human2bytes(text), size)

    def test_what_is_none(self) -> None:
        for text in ("", "K", "1 x", "1 kk", "-1K", "1,5K", "nan", "1e3", "1 K B"):
            with self.subTest(text), self.assertRaisesRegex(ValueError, "is no size such as 1.5M"):
                human2bytes(text)


if __name__ == "__main__":
    unittest.main()
