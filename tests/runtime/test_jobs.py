"""Blocking work away from the plugin thread."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any, Callable

from cvec_circus.runtime import jobs as jobs_module
from cvec_circus.runtime.jobs import Jobs
from tests.runtime.loop_case import LoopCase


class TestRunInThread(LoopCase):
    def run_and_wait(self, fn: Callable[..., Any], *args: Any) -> tuple[Any, Any, str]:
        results: list[tuple[Any, Any, str]] = []
        done = threading.Event()

        def then(result: Any, error: Any) -> None:
            results.append((result, error, threading.current_thread().name))
            done.set()

        self.loop.run_in_thread(fn, *args, then=then)
        self.assertTrue(done.wait(10))
        return results[0]

    def test_the_result(self) -> None:
        self.start()
        result = self.run_and_wait(lambda x: (x, threading.current_thread().name), 3)
        self.assertEqual(result, ((3, "test worker 1"), None, "plugin thread"))

    def test_the_exception(self) -> None:
        self.start()
        result, error, _ = self.run_and_wait(int, "x")
        self.assertIsNone(result)
        self.assertIsInstance(error, ValueError)

    def test_nobody_wants_the_result(self) -> None:
        self.start()
        with self.assertLogs("cvec_circus", logging.ERROR) as logs:
            self.loop.run_in_thread(int, "x")
            self.run_and_wait(int, "1")
            self.loop._jobs.stop()
            for worker in self.loop._jobs._workers:
                worker.join(10)
        self.assertIn("invalid literal", logs.output[0])

    def test_one_that_hangs_does_not_hold_up_the_others(self) -> None:
        release = threading.Event()
        self.addCleanup(release.set)
        self.start()
        for _ in range(jobs_module.WORKERS - 1):
            self.loop.run_in_thread(release.wait, 30)
        for number in range(20):
            self.assertEqual(self.run_and_wait(int, number)[0], number)
        self.assertEqual(len(self.loop._jobs._workers), jobs_module.WORKERS)
        release.set()

    def test_dropped_after_the_stop(self) -> None:
        begun, release = threading.Event(), threading.Event()

        def job() -> None:
            begun.set()
            release.wait(30)

        self.start()
        for _ in range(jobs_module.WORKERS):
            self.loop.run_in_thread(job, then=self.fail)
        self.loop.run_in_thread(self.fail)
        self.assertTrue(begun.wait(10))
        self.end()
        self.loop.run_in_thread(self.fail)
        release.set()

    def test_jobs_of_their_own(self) -> None:
        crashes: list[str] = []
        done = threading.Event()
        jobs = Jobs("j", lambda error, name: (crashes.append(f"{name}: {error!r}"), done.set()))
        jobs.do(sys.exit, 3)
        self.assertTrue(done.wait(10))
        self.assertEqual(crashes, ["exit: SystemExit(3)"])
        jobs.stop()
        jobs.do(self.fail)
        for worker in jobs._workers:
            self.assertTrue(worker.join(10))
