"""An arbiter inside a program: its life, and what it leaves of itself."""

from __future__ import annotations

import os
import signal
import threading
import unittest
from typing import Any
from unittest import mock

import zmq

import cvec_circus
from cvec_circus import exc
from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from cvec_circus.client import Client
from cvec_circus.embedding.promise import Promise
from cvec_circus.supervisor import compose
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Resize
from tests.embedding.arbiter_case import SLEEP, ArbiterCase
from tests.support.eventually import eventually
from tests.support.wire import TIMEOUT, Wire


def len_of_roster(supervisor: Any) -> int:
    """On the supervisor thread."""
    return len(supervisor.roster.watchers())


class TestThreadedArbiter(ArbiterCase):
    def test_many_lives(self) -> None:
        for number in range(50):
            arbiter = self.make()
            arbiter.start()
            if number % 2:
                self.assertEqual(set(arbiter.statuses()), {"a"})
            arbiter.stop()
            self.assertFalse(arbiter.running)
            self.nothing_left()

    def test_many_lives_with_all_it_can_have(self) -> None:
        log = {"stdout_stream": {"filename": f"{self.folder}/log"}}
        for _ in range(10):
            arbiter = self.make(
                ThreadedArbiter,
                {**SLEEP, **log, "use_sockets": True, "args": "$(circus.sockets.web)"},
                sockets=[{"name": "web", "host": "127.0.0.1", "port": 0}],
            )
            arbiter.start()
            with Client(arbiter.endpoint, timeout=TIMEOUT) as client:
                self.assertEqual(client.call("stats", name="a")["name"], "a")
                client.call("restart", name="a", waiting=True)
            arbiter.stop()
            os.unlink(f"{self.folder}/log")
            self.nothing_left()

    def test_a_stop_that_takes_too_long(self) -> None:
        ready = self.folder / "ready"
        rude = f"trap '' TERM; : >{ready}; exec sleep 1000"
        arbiter = self.make(ThreadedArbiter, {"name": "a", "cmd": "sh", "args": ["-c", rude]})
        arbiter.start()
        wire = Wire(self, arbiter.endpoint, arbiter.pubsub_endpoint)
        self.assertTrue(eventually(ready.exists))
        ready.unlink()
        with self.assertRaisesRegex(TimeoutError, "has not stopped within 0.1 s"):
            arbiter.stop(0.1)
        self.assertEqual(wire.refused("start"), "arbiter is stopping")
        arbiter.ask(lambda supervisor: supervisor.roster.hurry())
        arbiter.stop()
        self.nothing_left()

    def test_a_thread_that_the_system_refuses(self) -> None:
        arbiter = self.make()
        refused = mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("none"))
        for _ in range(3):
            with refused, self.assertRaisesRegex(RuntimeError, "none"):
                arbiter.start()
            self.assertFalse(arbiter.running)
        arbiter.start()
        arbiter.stop()
        self.nothing_left()

    def test_stopped_right_after_the_start(self) -> None:
        arbiter = self.make()
        for _ in range(50):
            arbiter.start()
            arbiter.stop(TIMEOUT)
            self.nothing_left()

    def test_stopped_before_it_has_begun(self) -> None:
        # The order is there before the thread's first turn.
        arbiter = self.make()
        end = arbiter._begin([])
        arbiter._stopped_early = True
        runner = threading.Thread(target=arbiter._live, args=(None, Promise()))
        runner.start()
        runner.join(1.5)
        self.assertFalse(runner.is_alive(), "it began after its end")
        self.assertEqual(end.result(0), 0)
        self.nothing_left()

    def test_stopped_by_several_threads_at_once(self) -> None:
        for _ in range(10):
            arbiter = self.make()
            arbiter.start()
            threads = [threading.Thread(target=arbiter.stop, args=(TIMEOUT,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TIMEOUT)
                self.assertFalse(thread.is_alive())
            self.nothing_left()

    def test_stop_without_start(self) -> None:
        arbiter = self.make()
        arbiter.stop()
        self.assertEqual(arbiter.statuses(), {"a": "stopped"})
        with self.assertRaises(exc.SupervisorStopped):
            arbiter.ask(len_of_roster)

    def test_a_second_life_has_the_options_of_the_first(self) -> None:
        arbiter = self.make()
        arbiter.start()
        self.addCleanup(arbiter.stop)
        for _ in range(2):
            self.assertEqual(arbiter.ask(lambda s: s.roster.get("a").goal.numprocesses), 2)
            arbiter.ask(lambda s: s.roster.give(Resize(s.roster.get("a"), 3, Cause("test"))))
            arbiter.ask(lambda s: s.roster.hurry())
            arbiter.stop()
            arbiter.start()
        patience = arbiter.ask(lambda s: s.roster.get("a").options["graceful_timeout"])
        self.assertEqual(patience, 30.0)

    def test_started_twice(self) -> None:
        for kind in (ThreadedArbiter, Arbiter):
            arbiter = self.make()
            arbiter.start()
            with self.assertRaises(exc.ConflictError):
                kind.start(arbiter)
            self.assertTrue(arbiter.running)
            arbiter.stop()
            self.nothing_left()

    def test_an_endpoint_in_use(self) -> None:
        first = self.make()
        first.start()
        self.addCleanup(first.stop)
        for _ in range(3):
            second = self.make(plugins=[], sockets=[{"name": "s", "host": "127.0.0.1", "port": 0}])
            with self.assertRaisesRegex(
                exc.SocketError, "pubsub_endpoint ipc:.*Address already in use"
            ):
                second.start()
            self.assertFalse(second.running)
        self.assertEqual(first.statuses().keys(), {"a"})

    def test_a_fault_of_ours_ends_its_beginning(self) -> None:
        for name in ("ControlServer", "Roster"):
            fault = mock.patch.object(compose, name, side_effect=ZeroDivisionError)
            with self.subTest(name), fault, self.assertRaises(ZeroDivisionError):
                self.make().start()

    def test_a_context_of_the_programs_own(self) -> None:
        context: zmq.Context[Any] = zmq.Context()
        self.addCleanup(context.term)
        for _ in range(3):
            arbiter = self.make(context=context)
            arbiter.start()
            arbiter.stop()
            self.assertFalse(context.closed)

    def test_addresses_of_its_own_choice(self) -> None:
        arbiter = ThreadedArbiter([SLEEP], "tcp://127.0.0.1:0", "tcp://127.0.0.1:*")
        arbiter.start()
        self.addCleanup(arbiter.stop)
        self.assertNotIn(":0", arbiter.endpoint)
        wire = Wire(self, arbiter.endpoint, arbiter.pubsub_endpoint)
        self.assertEqual(wire.call("ping")["pid"], os.getpid())

    def test_it_cannot_be_upgraded(self) -> None:
        arbiter = self.make()
        arbiter.start()
        self.addCleanup(arbiter.stop)
        wire = Wire(self, arbiter.endpoint, arbiter.pubsub_endpoint)
        self.assertIn("embedded in a program", wire.refused("upgrade"))

    def test_quit_over_the_wire(self) -> None:
        arbiter = self.make()
        arbiter.start()
        wire = Wire(self, arbiter.endpoint, arbiter.pubsub_endpoint)
        wire.order("quit")
        self.assertTrue(eventually(lambda: not arbiter.running))
        arbiter.stop()
        self.nothing_left()

    def test_questions_at_the_end_are_answered(self) -> None:
        arbiter = self.make()
        arbiter.start()
        ended = threading.Event()

        def keep_asking() -> None:
            try:
                while True:
                    arbiter.ask(len_of_roster)
            except exc.SupervisorStopped:
                ended.set()

        threads = [threading.Thread(target=keep_asking) for _ in range(4)]
        for thread in threads:
            thread.start()
        arbiter.stop()
        for thread in threads:
            thread.join(TIMEOUT)
            self.assertFalse(thread.is_alive())

    def test_no_signal_handler_is_installed(self) -> None:
        before = {signum: signal.getsignal(signum) for signum in signal.valid_signals()}
        arbiter = self.make()
        arbiter.start()
        after = {signum: signal.getsignal(signum) for signum in signal.valid_signals()}
        arbiter.stop()
        self.assertEqual(before, after)


class TestArbiter(ArbiterCase):
    def test_it_blocks_until_another_thread_stops_it(self) -> None:
        for _ in range(10):
            arbiter = self.make(Arbiter)
            thread = self.run_in_a_thread(arbiter)
            self.assertEqual(set(arbiter.statuses()), {"a"})
            arbiter.stop()
            thread.join(TIMEOUT)
            self.assertEqual(self.codes, [0])
            self.nothing_left()

    def test_a_signal_handler_of_the_program_may_stop_it(self) -> None:
        # The program runs it on its main thread, where its signal handlers run too.
        arbiter = self.make(Arbiter)
        before = signal.signal(signal.SIGUSR1, lambda signum, frame: arbiter.stop())
        self.addCleanup(signal.signal, signal.SIGUSR1, before)

        def interrupt() -> None:
            self.assertTrue(eventually(lambda: arbiter.running))
            arbiter.statuses()
            os.kill(os.getpid(), signal.SIGUSR1)

        thread = threading.Thread(target=interrupt)
        thread.start()
        self.assertEqual(arbiter.start().result(), 0)
        thread.join()
        self.nothing_left()

    def test_what_it_is_made_of_is_checked_at_once(self) -> None:
        with self.assertRaisesRegex(exc.ConfigError, "numprocesses: 'two' is not a whole number"):
            self.make(Arbiter, {**SLEEP, "numprocesses": "two"})

    def test_get_arbiter(self) -> None:
        arbiter = cvec_circus.get_arbiter(
            ({"cmd": "sleep 1000"}, {"cmd": "sleep 999", "name": "b"}),
            controller=self.endpoints[0],
            pubsub_endpoint=self.endpoints[1],
            background=True,
        )
        arbiter.start()
        self.addCleanup(arbiter.stop)
        self.assertEqual(set(arbiter.statuses()), {"sleep", "b"})


if __name__ == "__main__":
    unittest.main()
