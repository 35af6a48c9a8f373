"""The worker: order, crashes, and its end."""

import _thread
import queue
import subprocess
import sys
import threading
import unittest
from unittest import mock

from cvec_circus.base.thread import Thread, Worker
from tests.support.leaks import LeakCheckedTestCase


class WorkerTest(LeakCheckedTestCase):
    def setUp(self):
        super().setUp()
        self.done = queue.SimpleQueue()
        self.crashes = queue.SimpleQueue()
        self.worker = Worker("hooks:web", lambda error, name: self.crashes.put((error, name)))
        self.addCleanup(self.worker.join, 30)
        self.addCleanup(self.worker.stop)

    def test_starts_no_thread_for_nothing(self):
        before = threading.active_count()
        Worker("idle", print).stop()
        self.assertEqual(threading.active_count(), before)
        self.assertTrue(self.worker.join(0))

    def test_does_the_jobs_in_order_on_one_named_daemon_thread(self):
        for n in range(100):
            self.assertTrue(
                self.worker.do(lambda n=n: self.done.put((n, threading.current_thread())))
            )
        results = [self.done.get(timeout=30) for _ in range(100)]
        self.assertEqual([n for n, _ in results], list(range(100)))
        (thread,) = {thread for _, thread in results}
        self.assertEqual(thread.name, "hooks:web")
        self.assertTrue(thread.daemon)

    def test_a_job_that_raises_is_told_and_the_next_one_is_done(self):
        def fail(text):
            raise ValueError(text)

        self.worker.do(fail, "no")
        self.worker.do(exit, 3)
        self.worker.do(self.done.put, "next")
        self.assertEqual(self.done.get(timeout=30), "next")
        error, name = self.crashes.get(timeout=30)
        self.assertEqual(str(error), "no")
        self.assertIn("fail", name)
        self.assertIsInstance(self.crashes.get(timeout=30)[0], SystemExit)

    def test_stop_ends_it_after_what_is_queued(self):
        gate = threading.Event()
        self.worker.do(gate.wait, 30)
        self.worker.do(self.done.put, "last")
        self.worker.stop()
        self.worker.stop()
        self.assertFalse(self.worker.do(self.done.put, "too late"))
        self.assertFalse(self.worker.join(0))
        gate.set()
        self.assertTrue(self.worker.join(30))
        self.assertEqual(self.done.get(timeout=30), "last")
        self.assertTrue(self.done.empty())

    def test_a_job_of_a_job_is_done(self):
        self.worker.do(lambda: self.worker.do(self.done.put, "inner"))
        self.assertEqual(self.done.get(timeout=30), "inner")

    def test_its_thread_can_be_started_before_there_is_a_job(self):
        self.worker.start()
        before = threading.active_count()
        self.assertFalse(self.worker.join(0))
        self.worker.start()
        self.worker.do(self.done.put, "job")
        self.assertEqual(self.done.get(timeout=30), "job")
        self.assertEqual(threading.active_count(), before)

    def test_nothing_starts_after_the_end(self):
        self.worker.stop()
        self.worker.start()
        self.assertTrue(self.worker.join(0))

    def test_a_thread_that_has_died_is_replaced(self):
        def die(error, name):
            raise SystemExit  # what is raised here nobody catches

        worker = Worker("mortal", die)
        self.addCleanup(worker.join, 30)
        self.addCleanup(worker.stop)
        worker.do(exit)
        self.assertTrue(worker.join(30))
        worker.do(self.done.put, "next")
        self.assertEqual(self.done.get(timeout=30), "next")

    def test_no_thread_is_an_error_of_that_job_alone(self):
        with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("none")):
            with self.assertRaisesRegex(RuntimeError, "none"):
                self.worker.do(self.done.put, "lost")
        self.assertTrue(self.worker.join(0))
        self.worker.do(self.done.put, "next")
        self.assertEqual(self.done.get(timeout=30), "next")


START = "_start_joinable_thread" if sys.version_info >= (3, 13) else "_start_new_thread"
"""What `threading` starts threads with."""


def die_at_birth(function, *args, **options):
    """Start a thread as the system does when there is no memory for its first step."""
    _thread.start_new_thread(len, ([function],))
    return threading.get_ident()


class ThreadTest(LeakCheckedTestCase):
    def test_one_that_dies_before_its_first_step(self):
        for _ in range(20):
            thread = Thread(print, "stillborn")
            with mock.patch.object(threading, START, die_at_birth):
                with self.assertRaisesRegex(RuntimeError, "no memory for a thread"):
                    thread.start()
        self.assertNotIn("stillborn", [one.name for one in threading.enumerate()])

    def test_one_that_is_late_comes_all_the_same(self):
        held, done = [], queue.SimpleQueue()

        def keep(*args, **options):
            held.append((args, options))
            return 0

        worker = Worker("late", print)
        self.addCleanup(worker.join, 30)
        self.addCleanup(worker.stop)
        with (
            mock.patch.object(threading, START, keep),
            mock.patch("cvec_circus.base.thread.BIRTH_TIMEOUT", 0.02),
        ):
            worker.do(done.put, 1)
            worker.do(done.put, 2)
        self.assertFalse(worker.join(0))
        ((args, options),) = held
        held.clear()
        getattr(threading, START)(*args, **options)
        del args, options
        self.assertEqual([done.get(timeout=30), done.get(timeout=30)], [1, 2])


class NoMemoryTest(unittest.TestCase):
    """A program that has no memory left for a thread."""

    SCRIPT = """
import resource, sys
from cvec_circus.base.thread import Thread
from cvec_circus.base.thread import Worker
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for room in range(0, 80 << 20, 4 << 10):
    resource.setrlimit(resource.RLIMIT_AS, (size + room, resource.RLIM_INFINITY))
    worker = Worker("w", print)
    try:
        worker.start()
    except RuntimeError as error:
        continue
    worker.stop()
    worker.join()
    print("at last")
    break
"""

    def test_a_start_ends_whatever_the_limit(self):
        done = subprocess.run(
            [sys.executable, "-c", self.SCRIPT],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual(done.stdout, "at last\n", done.stderr)
