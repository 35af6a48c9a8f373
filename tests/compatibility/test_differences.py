"""The table of differences: what the page of migration says has a test, and a place on it."""

from __future__ import annotations

import unittest

from tests.compatibility import rows
from tests.compatibility.test_switches import is_test
from tests.test_docs import DOCS

STATES = ("same", "better", "change", "gone")


class TestDifferences(unittest.TestCase):
    def test_each_is_whole(self) -> None:
        listed = rows.differences()
        self.assertGreater(len(listed), 45)
        self.assertEqual(
            [one.state for one in listed], sorted((one.state for one in listed), key=STATES.index)
        )
        titles = [one.title for one in listed]
        self.assertEqual(len(titles), len(set(titles)))
        for one in listed:
            with self.subTest(one.title):
                self.assertTrue(any(line.strip() for line in one.lines))

    def test_each_test_exists(self) -> None:
        self.assertEqual([one.test for one in rows.differences() if not is_test(one.test)], [])

    def test_each_state_is_on_the_page(self) -> None:
        text = (DOCS / "migration.rst").read_text(encoding="utf-8")
        places = [text.index(f".. difference-table:: {state}\n") for state in STATES]
        self.assertEqual(places, sorted(places))


if __name__ == "__main__":
    unittest.main()
