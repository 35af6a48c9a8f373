"""What becomes of a pump whose thread dies, or does not come."""

import threading
import unittest
from unittest import mock

from cvec_circus.base.thread import Thread
from cvec_circus.stream.pump import RETRY_DELAY
from tests.stream.support import PumpTestCase
from tests.support.eventually import eventually


def once(error, fn):
    """Return what raises an error the first time, and calls a function after that."""
    errors = [error]

    def call(*args):
        if errors:
            raise errors.pop()
        return fn(*args)

    return call


class CrashTest(PumpTestCase):
    def setUp(self):
        super().setUp()
        self.thread = None

    def current(self):
        self.pump.do(lambda: setattr(self, "thread", threading.current_thread()))
        self.done()
        return self.thread

    def test_another_thread_goes_on(self):
        self.open()
        writer = self.pipe()
        writer.write(b"one\ntwo")
        self.assert_shows(b"one\n")
        first = self.current()
        for error, word in ((RuntimeError("no"), b" three\n"), (MemoryError(), b"four\n")):
            with self.subTest(error=error):
                self.pump._crashed_at = float("-inf")
                read = self.pump.reader._read
                dying = mock.patch.object(self.pump.reader, "_read", once(error, read))
                with dying, self.assertLogs("cvec_circus", "ERROR") as logs:
                    writer.write(word)
                    self.assertTrue(eventually(lambda logs=logs: logs.output))
                said = f"thread pump (files) died of {error!r}; another one replaces it"
                self.assertEqual(logs.output, [f"ERROR:cvec_circus:{said}"])
                self.assertTrue(eventually(lambda word=word: self.text().endswith(word)))
                self.assertIsNot(self.current(), first)
        self.assertEqual(self.text(), b"one\ntwo three\nfour\n")

    def test_one_that_dies_again_and_again_is_not_replaced_at_once(self):
        waiting = []
        self.pump._later = lambda delay, fn: waiting.append(delay)
        self.open()
        writer = self.pipe()
        self.done()
        dying = mock.patch.object(self.pump.reader, "_read", side_effect=RuntimeError("no"))
        with dying, self.assertLogs("cvec_circus", "ERROR") as logs:
            writer.write(b"one\n")
            # After the first start, that of the second thread, and its death.
            self.assertTrue(eventually(lambda: len(waiting) == 3))
        self.assertEqual(len(logs.output), 1)
        self.pump._start()
        self.assertEqual(waiting, [RETRY_DELAY] * 3)
        self.pump._not_before = 0.0  # the time has come
        self.pump._start()
        self.assert_shows(b"one\n")

    def test_one_that_never_comes_to_read_is_told_of_once(self):
        no_files, died = OSError(24, "Too many open files"), threading.Semaphore(0)

        def refused():
            self.pump._crashed_at = float("-inf")  # long ago
            died.release()
            raise no_files

        without = mock.patch("cvec_circus.stream.pump.Wakeup", refused)
        with without, self.assertLogs("cvec_circus", "ERROR") as logs:
            self.open()
            writer = self.pipe()
            for _ in range(5):  # each is replaced at once
                self.assertTrue(died.acquire(timeout=20))
        writer.write(b"one\n")
        self.assert_shows(b"one\n")
        said = f"thread pump (files) died of {no_files!r}; another one replaces it"
        self.assertEqual(logs.output, [f"ERROR:cvec_circus:{said}"])

    def test_no_thread_now(self):
        waiting = []
        self.pump._later = lambda delay, fn: waiting.append((delay, fn))
        refuse = mock.patch.object(Thread, "start", side_effect=RuntimeError("no thread"))
        with refuse as start, self.assertLogs("cvec_circus", "WARNING") as logs:
            self.assertTrue(self.open())
            writer = self.pipe()
            writer.write(b"one\n")
            self.assertEqual(start.call_count, 1)  # one attempt, though there are two orders
            self.pump._not_before = 0.0  # the time has come
            waiting[0][1]()
        said = "pump: no thread to read output now: no thread; it waits in its pipes"
        self.assertEqual(logs.output, [f"WARNING:cvec_circus:{said}"])
        self.assertEqual([delay for delay, _ in waiting], [RETRY_DELAY] * 2)
        self.pump._not_before = 0.0
        waiting[-1][1]()
        self.assert_shows(b"one\n")

    def test_a_thread_that_dies_late_and_before_its_first_step(self):
        waiting = []
        self.pump._later = lambda delay, fn: waiting.append(fn)
        with mock.patch.object(Thread, "start"):  # it returns, as if the thread were still to come
            with mock.patch.object(Thread, "has_ended", False):
                self.open()
                writer = self.pipe()
                writer.write(b"one\n")
                waiting[0]()
        self.assertEqual(len(waiting), 1)
        with mock.patch.object(self.pump, "_thread", mock.Mock(has_ended=True)):
            waiting[0]()
        self.assert_shows(b"one\n")

    def test_the_end_of_what_never_began(self):
        self.pump._later = lambda delay, fn: None
        with mock.patch.object(Thread, "start", side_effect=RuntimeError("no thread")):
            self.open()
            writer = self.pipe()
            self.assertFalse(self.pump.stop())
        self.assertTrue(self.pump.join(0))
        with self.assertRaises(BrokenPipeError):
            writer.write(b"x")


if __name__ == "__main__":
    unittest.main()
