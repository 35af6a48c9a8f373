"""The worker: order, crashes, and its end."""

import queue
import threading

from cvec_circus.base.worker import Worker
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
