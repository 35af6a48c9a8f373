"""An arbiter whose thread a signal handler raises in, at any moment."""

from __future__ import annotations

import gc
import os
import signal
import threading
import unittest
from functools import partial
from typing import Any
from unittest import mock

from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from cvec_circus.supervisor.supervisor import Supervisor
from cvec_circus.wire.cause import Cause
from tests.embedding.arbiter_case import SLEEP, ArbiterCase
from tests.support.wire import TIMEOUT


class TestInterrupted(ArbiterCase):
    """Ctrl-C in a program that has Python's handler for it, and keeps it."""

    def setUp(self) -> None:
        super().setUp()
        # What a signal handler raises in such a callback, hypothesis' for one, is lost.
        callbacks = [*gc.callbacks]
        self.addCleanup(gc.callbacks.extend, callbacks)
        gc.callbacks.clear()

    def interrupt(self, arbiter: Any) -> None:
        """Interrupt the main thread, which is in `start`, once it is up."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

        def cb(started: Any) -> None:
            thread = threading.Thread(target=lambda: os.kill(os.getpid(), signal.SIGINT))
            thread.start()
            self.addCleanup(thread.join)

        with self.assertRaises(KeyboardInterrupt):
            arbiter.start(cb)

    def test_everything_is_stopped(self) -> None:
        arbiter = self.make(Arbiter, signals=False)
        self.interrupt(arbiter)
        self.assertFalse(arbiter.running)
        self.nothing_left()
        arbiter.start(lambda started: arbiter.stop())  # and it can be started again

    def test_twice(self) -> None:
        # The first asks it to end, which it ignores; the second has no more patience.
        stubborn = {"name": "a", "cmd": "sleep 1000", "stop_signal": "URG"}
        arbiter = self.make(Arbiter, stubborn, signals=False)
        causes = []

        def stop(supervisor: Any, cause: Cause) -> None:
            causes.append(cause)
            Supervisor.stop(supervisor, cause)
            if len(causes) == 1:
                os.kill(os.getpid(), signal.SIGINT)

        def cb(started: Any) -> None:
            arbiter.ask(lambda supervisor: setattr(supervisor, "stop", partial(stop, supervisor)))
            os.kill(os.getpid(), signal.SIGINT)

        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        with self.assertLogs("cvec_circus", "WARNING"), self.assertRaises(KeyboardInterrupt):
            arbiter.start(cb)
        self.assertEqual(causes, 2 * [Cause("interrupt", "program")])
        self.nothing_left()

    def test_at_any_moment(self) -> None:
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        busy = {"name": "t", "cmd": "true", "numprocesses": 2, "backoff": False, "copy_env": True}
        for number in range(40):
            arbiter = self.make(Arbiter if number % 4 else ThreadedArbiter, SLEEP, busy)
            try:
                # Once more after a while: it may come where nothing that is raised gets out.
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + number * 0.0004, 5.0)
                arbiter.start()
                while True:
                    arbiter.statuses()
            except KeyboardInterrupt:
                signal.setitimer(signal.ITIMER_REAL, 0)
                arbiter.stop()
            self.assertFalse(arbiter.running)
            self.nothing_left()

    def test_right_after_the_start_has_begun(self) -> None:
        for kind in (Arbiter, ThreadedArbiter):
            arbiter = self.make(kind, SLEEP)
            begin = arbiter._begin

            def interrupted(claims: list[None], begin: Any = begin) -> None:
                begin(claims)
                raise KeyboardInterrupt

            with mock.patch.object(arbiter, "_begin", interrupted):
                self.assertRaises(KeyboardInterrupt, arbiter.start)
            arbiter.stop(timeout=TIMEOUT)
            self.assertFalse(arbiter.running)
            self.nothing_left()
            begin([])  # and a start can begin again

    def test_right_before_the_start_has_begun(self) -> None:
        arbiter = self.make(Arbiter, SLEEP)
        arbiter.start(lambda started: arbiter.stop())
        with mock.patch.object(arbiter, "_begin", side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, arbiter.start)
        arbiter.stop(timeout=TIMEOUT)
        self.assertFalse(arbiter.running)

    def test_a_signal_between_the_start_and_the_first_turn(self) -> None:
        for kind in (Arbiter, ThreadedArbiter):
            arbiter = self.make(kind)
            seen: list[Any] = []

            def handle(
                signum: int, frame: object, arbiter: Any = arbiter, seen: Any = seen
            ) -> None:
                seen.append(arbiter.running)
                arbiter.stop()

            before = signal.signal(signal.SIGUSR1, handle)
            self.addCleanup(signal.signal, signal.SIGUSR1, before)
            configure = arbiter._configure

            def interrupted(configure: Any = configure) -> None:
                os.kill(os.getpid(), signal.SIGUSR1)
                configure()

            arbiter._configure = interrupted
            self.assertEqual(arbiter.start().result(TIMEOUT), 0)
            self.assertEqual(len(seen), 1)
            self.nothing_left()

    def test_an_exception_in_the_middle_of_the_start(self) -> None:
        for kind in (Arbiter, ThreadedArbiter):
            arbiter = self.make(kind)
            with mock.patch.object(arbiter._reach, "begin", side_effect=ZeroDivisionError):
                for _ in range(2):
                    with self.assertRaises(ZeroDivisionError):
                        arbiter.start()
                    self.assertFalse(arbiter.running)
            self.nothing_left()


if __name__ == "__main__":
    unittest.main()
