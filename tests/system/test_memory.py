"""Freed memory goes back to the system."""

from __future__ import annotations

import errno
import unittest
from unittest import mock

from cvec_circus.system import memory
from tests.support.clock import FakeClock


class TestMemory(unittest.TestCase):
    def setUp(self) -> None:
        for name, value in (("_least", None), ("_not_before", float("-inf"))):
            patch = mock.patch.object(memory, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        self.clock = FakeClock()

    def test_it_is_given_back_once_in_a_while(self) -> None:
        self.assertFalse(memory.give_back(self.clock))
        before = memory._resident()
        blocks = [bytearray(b"x" * 3000) for _ in range(20_000)]
        kept = [*blocks[::500], blocks[-1]]
        blocks.clear()
        # What other tests have left free may have had room for all of it.
        grown = mock.patch.object(memory, "_resident", return_value=before + memory.WORTH)
        with grown:
            self.assertFalse(memory.give_back(self.clock))
        self.assertLess(memory._resident() - before, 30 << 20)
        self.assertEqual(len(kept), 41)
        del kept
        with grown:
            self.assertTrue(memory.give_back(self.clock))
            self.clock.advance(memory.PAUSE)
            self.assertFalse(memory.give_back(self.clock))

    def test_without_a_file_to_look_with(self) -> None:
        for error in (OSError(errno.EMFILE, ""), MemoryError()):
            with mock.patch.object(memory, "_resident", side_effect=error):
                self.assertFalse(memory.give_back(self.clock))

    def test_little_is_left_alone(self) -> None:
        memory.give_back(self.clock)
        with mock.patch.object(memory, "_trim") as trim:
            memory.give_back(self.clock)
        trim.assert_not_called()


if __name__ == "__main__":
    unittest.main()
