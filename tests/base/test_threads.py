"""Starting a thread without waiting for it."""

from __future__ import annotations

import threading
import unittest
from unittest import mock

from cvec_circus.base import threads


class TestStart(unittest.TestCase):
    def test_it_runs(self) -> None:
        ran = threading.Event()
        thread = threading.Thread(target=ran.set)
        threads.start(thread, self.fail)
        self.assertTrue(ran.wait(30))
        thread.join(30)

    def test_one_that_dies_at_birth_holds_up_its_starter_only(self) -> None:
        gate = threading.Event()
        thread = threading.Thread(target=gate.set)
        with mock.patch.object(thread, "start", gate.wait):
            threads.start(thread, self.fail)
        self.assertFalse(gate.is_set())
        gate.set()

    def test_a_refusal(self) -> None:
        refusals: list[Exception] = []
        refused = threading.Event()
        for error in (RuntimeError("no thread"), MemoryError()):
            thread = threading.Thread()

            def refuse(error: Exception) -> None:
                refusals.append(error)
                refused.set()

            with mock.patch.object(thread, "start", side_effect=error):
                refused.clear()
                threads.start(thread, refuse)
                self.assertTrue(refused.wait(30))
            self.assertEqual(refusals.pop(), error)

    def test_no_thread_at_all(self) -> None:
        error = RuntimeError("can't start new thread")
        with mock.patch("_thread.start_new_thread", side_effect=error):
            with self.assertRaises(RuntimeError):
                threads.start(threading.Thread(), self.fail)


if __name__ == "__main__":
    unittest.main()
