"""The table of switches is complete, and every row of it has a test."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import unittest
from pathlib import Path

from tests.compatibility import rows
from tests.compatibility.rows import Row

PUBLISHED = Path(__file__).with_name("published.py")


def is_test(name: str) -> bool:
    """Whether unittest finds exactly one test of that name."""
    try:
        found = unittest.TestLoader().loadTestsFromName(name)
    except (AttributeError, ImportError, TypeError, ValueError):
        return False
    tests = list(found)
    failed = "unittest.loader._FailedTest"
    return len(tests) == 1 and failed not in str(type(tests[0]))


class TestRows(unittest.TestCase):
    """What stands in the table."""

    rows: list[Row]

    @classmethod
    def setUpClass(cls) -> None:
        cls.rows = rows.read()

    def test_each_is_whole(self) -> None:
        self.assertGreater(len(self.rows), 250)
        for row in self.rows:
            with self.subTest(row):
                self.assertTrue(row.group and row.name)
                self.assertIn(row.state, rows.STATES)
                self.assertTrue(row.test, "no test")
                self.assertEqual(row.state == "better" and not row.note, False, "better in what?")

    def test_each_is_there_once(self) -> None:
        keys = [(row.group, row.name) for row in self.rows]
        self.assertEqual(len(keys), len(set(keys)))

    def test_each_test_exists(self) -> None:
        missing = [name for name in sorted({row.test for row in self.rows}) if not is_test(name)]
        self.assertEqual(missing, [])

    def test_what_is_no_test_is_found(self) -> None:
        this = "tests.compatibility.test_switches.TestRows"
        self.assertTrue(is_test(f"{this}.test_what_is_no_test_is_found"))
        for name in (f"{this}.test_of_nothing", "tests.no_such_module.Test.test_it", this, ""):
            self.assertFalse(is_test(name), name)


class TestAgainstCircus(unittest.TestCase):
    """What the installed Circus takes has a row."""

    @unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")
    def test_nothing_is_missing(self) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(PUBLISHED)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        published = json.loads(done.stdout)
        self.assertGreater(sum(map(len, published.values())), 230)
        ours = {(row.group, row.name) for row in rows.read()}
        missing = [
            f"{group}: {name}"
            for group, names in published.items()
            for name in names
            if (group, name) not in ours
        ]
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
