"""Durations in words."""

from __future__ import annotations

import unittest

from cvec_circus.wire.outcome import lasting


class TestLasting(unittest.TestCase):
    def test_no_duration_has_an_exponent(self) -> None:
        for seconds, text in (
            (0.0, "less than 0.001 s"),
            (0.00047, "less than 0.001 s"),
            (0.001, "0.001 s"),
            (0.0512, "0.051 s"),
            (3.004, "3 s"),
            (1.25, "1.2 s"),
            (9.96, "10 s"),
            (150.4, "150 s"),
            (3600.2, "3600 s"),
        ):
            with self.subTest(seconds):
                self.assertEqual(lasting(seconds), text)


if __name__ == "__main__":
    unittest.main()
