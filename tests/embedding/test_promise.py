"""The result of an order, for the threads that wait for it."""

from __future__ import annotations

import threading
import unittest
from typing import Any

from cvec_circus.embedding.promise import Promise


class TestPromise(unittest.TestCase):
    def test_kept(self) -> None:
        promise = Promise()
        self.assertFalse(promise.done())
        promise.keep(7)
        promise.keep(8)
        promise.fail(OSError())
        self.assertTrue(promise.done())
        self.assertEqual([promise.result(), promise.result(0), promise.exception()], [7, 7, None])

    def test_broken(self) -> None:
        promise = Promise()
        promise.fail(OSError("no"))
        promise.keep(1)
        self.assertIsInstance(promise.exception(), OSError)
        for _ in range(2):
            with self.assertRaisesRegex(OSError, "no"):
                promise.result()

    def test_not_in_time(self) -> None:
        promise = Promise()
        for timeout in (0, 0.01, -1):
            with self.assertRaisesRegex(TimeoutError, "not done within"):
                promise.result(timeout)
        promise.keep(None)
        self.assertIsNone(promise.result(0))

    def test_many_wait(self) -> None:
        promise = Promise()
        results: list[Any] = []
        threads = [
            threading.Thread(target=lambda: results.append(promise.result(20))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        promise.keep("it")
        for thread in threads:
            thread.join()
        self.assertEqual(results, ["it"] * 8)

    def test_the_thread_that_keeps_it_does_not_wait_for_it(self) -> None:
        promise = Promise(lambda: True)
        with self.assertRaisesRegex(RuntimeError, "would wait for itself"):
            promise.result()
        with self.assertRaisesRegex(RuntimeError, "would wait for itself"):
            promise.exception(0)
        promise.keep(1)
        self.assertEqual(promise.result(), 1)

    def test_callbacks(self) -> None:
        promise = Promise()
        seen: list[object] = []
        promise.add_done_callback(seen.append)
        promise.add_done_callback(lambda one: seen.append(one.result()))
        self.assertEqual(seen, [])
        promise.keep(3)
        promise.add_done_callback(lambda one: seen.append("late"))
        self.assertEqual(seen, [promise, 3, "late"])

    def test_a_callback_that_raises(self) -> None:
        promise = Promise()
        seen: list[object] = []
        promise.add_done_callback(lambda one: 1 / 0)
        promise.add_done_callback(seen.append)
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            promise.keep(None)
        self.assertIn("ZeroDivisionError", logs.output[0])
        self.assertEqual(seen, [promise])

    def test_each_callback_is_called_once(self) -> None:
        for _ in range(200):
            promise = Promise()
            seen: list[int] = []
            begin = threading.Barrier(2)

            def add(promise: Promise = promise, begin: Any = begin, seen: Any = seen) -> None:
                begin.wait()
                for number in range(20):
                    promise.add_done_callback(lambda one, number=number: seen.append(number))

            thread = threading.Thread(target=add)
            thread.start()
            begin.wait()
            promise.keep(None)
            thread.join()
            self.assertEqual(sorted(seen), list(range(20)))


if __name__ == "__main__":
    unittest.main()
