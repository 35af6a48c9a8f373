"""The start and the end of an arbiter: callbacks, and what overtakes what."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import unittest
from typing import Any

from cvec_circus import exc
from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from tests.embedding.arbiter_case import SLEEP, ArbiterCase
from tests.support.eventually import eventually
from tests.support.leaks import child_pids
from tests.support.wire import TIMEOUT

PROGRAM = """
import threading
from cvec_circus import get_arbiter
arbiter = get_arbiter([{"name": "a", "cmd": "sleep 1000"}], "%s", "%s", background=True)
up = threading.Event()
arbiter.start(cb=lambda started: up.set())
assert up.wait(20)
%s
"""

INTERVAL = 0.0007
"""Seconds between two signals."""

MISSING = {"name": "a", "cmd": "/no/such/program", "max_retry": 0}


class TestBeginning(ArbiterCase):
    def begun(self, *watchers: Any) -> tuple[Any, Any]:
        """Start an arbiter, and return what `cb` was called with, and on which thread."""
        called: list[Any] = []
        come = threading.Event()

        def cb(started: Any) -> None:
            called.append((started, threading.current_thread().name))
            come.set()

        self.arbiter = self.make(ThreadedArbiter, *watchers)
        self.end = self.arbiter.start(cb=cb)
        self.addCleanup(self.arbiter.stop)
        self.assertTrue(come.wait(TIMEOUT))
        return called[0]

    def test_everything_is_started(self) -> None:
        started, thread = self.begun()
        self.assertEqual(thread, "supervisor")
        self.assertIsNone(started.exception())
        self.assertEqual(started.result()["started"], self.arbiter.get_watcher("a").pids)
        self.assertEqual(len(started.result()["started"]), 2)

    def test_something_cannot_be_started(self) -> None:
        started, _ = self.begun(MISSING)
        self.assertIsInstance(started.exception(), exc.CircusError)
        self.assertIn("/no/such/program", str(started.exception()))
        self.assertTrue(self.arbiter.running)

    def test_the_end(self) -> None:
        self.begun()
        self.assertFalse(self.end.done())
        self.arbiter.stop()
        self.assertEqual((self.end.result(0), self.end.exception()), (0, None))

    def test_of_a_blocking_one(self) -> None:
        arbiter = self.make(Arbiter)
        end = arbiter.start(cb=lambda started: arbiter.stop())
        self.assertEqual((end.result(0), end.exception(0)), (0, None))
        self.nothing_left()

    def test_a_callback_may_do_anything_but_wait(self) -> None:
        arbiter = self.make(Arbiter)
        seen: dict[str, Any] = {}

        def cb(started: Any) -> None:
            watcher = arbiter.get_watcher("a")
            seen.update(states=arbiter.statuses(), pids=watcher.pids, number=watcher.numprocesses)
            order = watcher.incr()
            try:
                order.result()
            except RuntimeError as error:
                seen["error"] = str(error)
            order.add_done_callback(lambda order: seen.update(now=order.result()))
            order.add_done_callback(lambda order: arbiter.stop())

        arbiter.start(cb)
        self.assertEqual((seen["states"], seen["number"]), ({"a": "active"}, 2))
        self.assertEqual(len(seen["pids"]), 2)
        self.assertIn("would wait for itself", seen["error"])
        self.assertEqual(seen["now"], 3)
        self.nothing_left()

    def test_an_order_that_the_end_overtakes_is_answered(self) -> None:
        arbiter = self.make(Arbiter, {**SLEEP, "stop_signal": "WINCH"})
        orders = []
        told: list[Any] = []

        def cb(started: Any) -> None:
            arbiter._reach.ask(lambda supervisor: supervisor.loop.stop())
            orders.append(arbiter.get_watcher("a").stop())
            orders[0].add_done_callback(told.append)

        with self.assertLogs("cvec_circus", "ERROR"):  # its processes were not asked to end
            self.assertEqual(arbiter.start(cb).result(), 1)
        self.assertIsInstance(orders[0].exception(0), exc.CircusError)
        self.assertEqual(told, orders)
        for pid in child_pids():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.nothing_left()

    def test_a_callback_that_raises(self) -> None:
        arbiter = self.make(Arbiter)

        def cb(started: Any) -> None:
            arbiter.stop()
            raise ZeroDivisionError

        with self.assertLogs("cvec_circus", "ERROR") as logs:
            arbiter.start(cb)
        self.assertIn("ZeroDivisionError", "".join(logs.output))


class TestEarlyStop(ArbiterCase):
    """A stop that comes before the start which it means, or in the middle of it."""

    def test_right_after_the_start_of_its_thread(self) -> None:
        for _ in range(100):
            arbiter = self.make(Arbiter)
            thread = threading.Thread(target=arbiter.start)
            thread.start()
            arbiter.stop(TIMEOUT)
            thread.join(TIMEOUT)
            self.assertFalse(thread.is_alive(), "the stop was lost")
            self.assertFalse(arbiter.running)
        self.nothing_left()

    def test_before_the_start_by_another_thread(self) -> None:
        arbiter = self.make(Arbiter)
        arbiter.stop()
        thread = threading.Thread(target=arbiter.start)
        thread.start()
        thread.join(TIMEOUT)
        self.assertFalse(thread.is_alive())
        self.nothing_left()

    def test_before_the_start_by_the_same_thread(self) -> None:
        for kind in (ThreadedArbiter, Arbiter):
            arbiter = self.make(kind)
            arbiter.stop()
            started: list[Any] = []
            arbiter.start(
                cb=lambda one, started=started, it=arbiter: (started.append(one), it.stop())
            )
            self.assertTrue(eventually(lambda it=arbiter: not it.running))
            arbiter.stop()
            self.assertIsNone(started[0].exception())

    def test_after_the_end(self) -> None:
        arbiter = self.make()
        for _ in range(3):
            arbiter.start()
            arbiter.stop()
            other = threading.Thread(target=arbiter.stop)
            other.start()
            other.join()
        arbiter.start()
        self.assertTrue(eventually(lambda: arbiter.statuses() == {"a": "active"}))
        arbiter.stop()

    def test_while_it_opens(self) -> None:
        arbiter = self.make()
        configure = arbiter._configure

        def configure_and_stop() -> None:
            configure()
            thread = threading.Thread(target=arbiter.stop)
            thread.start()
            self.addCleanup(thread.join)
            self.assertTrue(eventually(lambda: arbiter._stopped_early))

        arbiter._configure = configure_and_stop
        end = arbiter.start()
        self.assertEqual(end.result(TIMEOUT), 0)
        arbiter.stop()
        self.nothing_left()

    def test_a_hundred_rounds_of_one_arbiter(self) -> None:
        arbiter = self.make()
        for number in range(100):
            end = arbiter.start()
            if number % 3 == 0:
                arbiter.get_watcher("a").status()
            arbiter.stop(TIMEOUT)
            self.assertEqual(end.result(0), 0)
        self.nothing_left()

    def test_stop_returns_when_nothing_is_left_of_a_blocking_one(self) -> None:
        arbiter = self.make(Arbiter)
        thread = self.run_in_a_thread(arbiter)
        arbiter.statuses()
        arbiter.stop()
        self.nothing_left()
        thread.join(TIMEOUT)


class TestSignals(ArbiterCase):
    """Signal handlers that ask and stop, wherever they interrupt the main thread."""

    def handle(self, arbiter: Any, count: int) -> None:
        """Have every signal ask the arbiter, and the last of them stop it."""
        left = [count]

        def handler(signum: int, frame: object) -> None:
            left[0] -= 1
            try:
                arbiter.statuses()
            except exc.SupervisorStopped:
                left[0] = 0
            if left[0] <= 0:
                arbiter.stop()
            else:
                # One after the other: on a busy machine the next would come within this one.
                signal.setitimer(signal.ITIMER_REAL, INTERVAL)

        before = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)

    def test_in_a_program_that_asks_all_the_time(self) -> None:
        for number in range(20):
            arbiter = self.make()
            self.handle(arbiter, number)
            arbiter.start()
            signal.setitimer(signal.ITIMER_REAL, INTERVAL)
            with contextlib.suppress(exc.CircusError, KeyError):
                while arbiter.running:
                    arbiter.statuses()
                    arbiter.get_watcher("a").set_options(max_retry=3)
            arbiter.stop()
            self.assertFalse(arbiter.running)
        self.nothing_left()

    def test_in_a_program_that_is_in_start(self) -> None:
        for number in range(20):
            arbiter = self.make(Arbiter)
            self.handle(arbiter, number)
            arbiter.start(cb=lambda started: signal.setitimer(signal.ITIMER_REAL, INTERVAL))
        self.nothing_left()


class TestExit(ArbiterCase):
    """A program that does not stop its arbiter."""

    def end(self, how: str) -> subprocess.CompletedProcess[str]:
        # Whoever is left holds the pipe open, and so keeps this from returning.
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM % (*self.endpoints, how)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_it_ends(self) -> None:
        done = self.end("pass")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.nothing_left()

    def test_it_raises(self) -> None:
        done = self.end("raise SystemExit(3)")
        self.assertEqual((done.returncode, done.stderr), (3, ""))
        self.nothing_left()

    def test_its_forked_children_leave_the_arbiter_alone(self) -> None:
        for ending in ("", "arbiter.stop(); "):
            done = self.end(
                "import os, sys\n"
                "child = os.fork()\n"
                f"if not child: {ending}sys.exit(5)\n"
                "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), arbiter.statuses())"
            )
            self.assertEqual((done.stdout, done.stderr), ("5 {'a': 'active'}\n", ""))
            self.nothing_left()

    def test_its_forked_children_are_told_that_it_is_not_there(self) -> None:
        done = self.end(
            "import os\n"
            "from cvec_circus.exc import ForkedError\n"
            "stopped = arbiter.get_watcher('a').stop\n"
            "order = arbiter.stop_watchers()\n"
            "order.result()\n"
            "end = arbiter._end\n"
            "child = os.fork()\n"
            "uses = arbiter.statuses, arbiter.restart, arbiter.start, stopped, end.result\n"
            "for use in () if child else uses:\n"
            "    try: use()\n"
            "    except ForkedError as error: print(str(error).split(' belongs')[0], flush=True)\n"
            "if not child: os._exit(0)\n"
            "os.waitpid(child, 0)\n"
            "print(arbiter.statuses())"
        )
        told = [*["this arbiter"] * 4, "this promise", "{'a': 'stopped'}"]
        self.assertEqual((done.stdout.splitlines(), done.stderr), (told, ""))
        self.nothing_left()


if __name__ == "__main__":
    unittest.main()
