"""Signals to a program whose main thread an arbiter holds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from cvec_circus.embedding.signals import TAKEN
from tests.embedding.arbiter_case import SLEEP, ArbiterCase
from tests.support.eventually import eventually
from tests.support.wire import TIMEOUT

LIBRARY = """
import signal

from cvec_circus import get_arbiter

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it

arbiter = get_arbiter([{{"cmd": "sleep 1000", "numprocesses": 2, "copy_env": True}}], {0!r}, {1!r})
try:
    arbiter.start(cb=lambda started: print(*arbiter.get_watcher("sleep").pids, flush=True))
finally:
    arbiter.stop()
"""


class TestAProgram(ArbiterCase):
    """The example of Circus' page on its library."""

    def run_it(self, signum: int) -> None:
        program = subprocess.Popen(
            [sys.executable, "-c", LIBRARY.format(*self.endpoints)],
            stdout=subprocess.PIPE,
        )
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        assert program.stdout is not None
        self.addCleanup(program.stdout.close)
        pids = program.stdout.readline().split()
        self.assertEqual(len(pids), 2)
        program.send_signal(signum)
        self.assertEqual(program.wait(TIMEOUT), 0)
        self.assertEqual([pid for pid in pids if Path("/proc", pid.decode()).exists()], [])
        self.nothing_left()

    def test_sigterm_ends_it_with_0_and_nothing_left(self) -> None:
        self.run_it(signal.SIGTERM)

    def test_and_so_does_ctrl_c(self) -> None:
        self.run_it(signal.SIGINT)


class SignalCase(ArbiterCase):
    def setUp(self) -> None:
        super().setUp()
        for signum in TAKEN:
            self.addCleanup(signal.signal, signum, signal.getsignal(signum))
            signal.signal(signum, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.before = self.handlers()

    def handlers(self) -> dict[str, Any]:
        return {one.name: signal.getsignal(one) for one in TAKEN}

    def ended_by(self, signum: int, arbiter: Any) -> str:
        """Start an arbiter, end it by a signal, and return what it logs of its end."""
        with self.assertLogs("cvec_circus", "INFO") as logs:
            end = arbiter.start(lambda started: os.kill(os.getpid(), signum))
        self.assertEqual(end.result(), 0)
        self.assertEqual(self.handlers(), self.before)
        self.nothing_left()
        return next(line for line in logs.output if "stopping" in line)


class TestAuto(SignalCase):
    """By default it takes the signals that the program leaves to the system or to Python."""

    def test_each_that_asks_for_the_end(self) -> None:
        arbiter = self.make(Arbiter)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            said = self.ended_by(signum, arbiter)
            self.assertIn(f"stopping (signal:{signal.Signals(signum).name[3:]})", said)

    def test_sighup_reloads(self) -> None:
        reloaded = []
        arbiter = self.make(Arbiter, prereload_fn=reloaded.append)
        causes = []

        def look() -> None:
            before = arbiter.get_watcher("a").pids
            os.kill(os.getpid(), signal.SIGHUP)
            causes.append(eventually(lambda: not set(before) & set(arbiter.get_watcher("a").pids)))
            arbiter.stop()

        thread = threading.Thread(target=look)
        arbiter.start(lambda started: thread.start())
        thread.join()
        self.assertEqual(causes, [True])
        self.assertEqual(reloaded, [arbiter])
        self.assertEqual(self.handlers(), self.before)

    def test_what_the_program_handles_or_ignores_is_left_alone(self) -> None:
        seen = []
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGQUIT, lambda signum, frame: seen.append(signum))
        self.before = self.handlers()
        arbiter = self.make(Arbiter)

        def cb(started: Any) -> None:
            during.update(self.handlers())
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGQUIT)
            os.kill(os.getpid(), signal.SIGTERM)

        during: dict[str, Any] = {}
        self.assertEqual(arbiter.start(cb).result(), 0)
        self.assertEqual(seen, [signal.SIGQUIT])
        kept = {name for name in during if during[name] == self.before[name]}
        self.assertEqual(kept, {"SIGHUP", "SIGQUIT"})
        self.assertEqual(self.handlers(), self.before)

    def test_a_handler_that_the_program_installs_meanwhile_stays(self) -> None:
        arbiter = self.make(Arbiter)

        def mine(signum: int, frame: object) -> None:
            signal.signal(signal.SIGTERM, mine)
            arbiter.stop()

        signal.signal(signal.SIGUSR1, mine)
        self.addCleanup(signal.signal, signal.SIGUSR1, signal.SIG_DFL)
        arbiter.start(lambda started: os.kill(os.getpid(), signal.SIGUSR1))
        self.assertEqual(signal.getsignal(signal.SIGTERM), mine)

    def test_before_anything_is_open(self) -> None:
        arbiter = self.make(Arbiter)
        configure = arbiter._configure

        def interrupted() -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            configure()

        arbiter._configure = interrupted
        self.assertEqual(arbiter.start().result(), 0)
        self.nothing_left()


class TestOtherChoices(SignalCase):
    def test_all(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGQUIT, lambda signum, frame: self.fail("it was taken"))
        self.before = self.handlers()
        for signum in (signal.SIGTERM, signal.SIGQUIT):
            self.ended_by(signum, self.make(Arbiter, signals=True))

    def test_none(self) -> None:
        arbiter = self.make(Arbiter, signals=False)
        during: dict[str, Any] = {}

        def cb(started: Any) -> None:
            during.update(self.handlers())
            arbiter.stop()

        arbiter.start(cb)
        self.assertEqual(during, self.before)

    def test_another_word(self) -> None:
        with self.assertRaisesRegex(ValueError, "signals: 'yes' is not"):
            self.make(Arbiter, signals="yes")

    def test_an_arbiter_that_does_not_block_the_main_thread_takes_none(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "signals=True: only an arbiter that blocks"):
            self.make(ThreadedArbiter, signals=True).start()
        arbiter = self.started()
        self.assertEqual(self.handlers(), self.before)
        arbiter.stop()
        blocking = self.make(Arbiter)
        self.run_in_a_thread(blocking)
        self.assertEqual(self.handlers(), self.before)

    def test_elsewhere_all_are_refused(self) -> None:
        raised: list[BaseException] = []

        def start() -> None:
            try:
                self.make(Arbiter, signals=True).start()
            except RuntimeError as error:
                raised.append(error)

        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        self.assertIn("blocks the main thread", str(raised))


class TestASubclass(SignalCase):
    """One that overrides `stop` cleans up there, whatever begins the end."""

    def make_one(self) -> tuple[Any, list[str]]:
        said: list[str] = []

        class Mine(Arbiter):
            def stop(self) -> None:  # type: ignore[override]
                said.append(f"{len(self.get_watcher('a').pids)} processes")
                super().stop()

        return self.make(Mine, SLEEP), said

    def test_a_signal(self) -> None:
        arbiter, said = self.make_one()
        self.ended_by(signal.SIGTERM, arbiter)
        self.assertEqual(said, ["2 processes"])

    def test_a_command(self) -> None:
        arbiter, said = self.make_one()
        arbiter.start(lambda started: arbiter._reach.order("quit"))
        self.assertEqual(said, ["2 processes"])

    def test_the_program_itself(self) -> None:
        arbiter, said = self.make_one()
        for _ in range(2):
            arbiter.start(lambda started: arbiter.stop())
        self.assertEqual(said, 2 * ["2 processes"])

    def test_it_raises(self) -> None:
        class Mine(Arbiter):
            def stop(self) -> None:  # type: ignore[override]
                raise ZeroDivisionError

        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.make(Mine).start(lambda started: os.kill(os.getpid(), signal.SIGTERM))
        self.assertIn("Mine.stop raised; shutting down all the same", logs.output[0])
        self.nothing_left()


if __name__ == "__main__":
    unittest.main()
