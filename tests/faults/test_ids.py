"""Each fault of the list is shown by a test, or has a reason why not; each test is in the list."""

from __future__ import annotations

import unittest

from tests.faults import ids


class TestIds(unittest.TestCase):
    def test_each_fault_is_shown(self) -> None:
        named = ids.named()
        for group in ids.groups():
            for fault in group.faults:
                with self.subTest(fault.name):
                    self.assertEqual(fault.name[0], group.letter)
                    shown = bool(fault.tests or fault.name in named)
                    self.assertNotEqual(shown, bool(fault.missing))

    def test_each_test_is_there(self) -> None:
        for group in ids.groups():
            for fault in group.faults:
                found = unittest.defaultTestLoader.loadTestsFromNames(fault.tests)
                broken = [one.id() for one in ids.cases(found) if "_FailedTest" in one.id()]
                self.assertEqual(broken, [], fault.name)

    def test_each_test_of_this_folder_is_named_for_one(self) -> None:
        known = {fault.name for group in ids.groups() for fault in group.faults}
        named = ids.named()
        unnamed = [one.id() for one in named.pop("") if type(one).__module__ != __name__]
        self.assertEqual(unnamed, [])
        self.assertEqual(named.keys() - known, set())


if __name__ == "__main__":
    unittest.main()
