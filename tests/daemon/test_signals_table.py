"""The table of signals, and every signal of it sent to a real daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import unittest

from cvec_circus.base.loop import Loop
from cvec_circus.daemon.signals import QUIET, Action, Signals, handled, row_of
from cvec_circus.system.signals import to_name, to_signum
from tests.support.clock import FakeClock
from tests.support.daemon import DaemonCase
from tests.support.eventually import eventually

DEADLY = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT XCPU XFSZ VTALRM"
    " PROF IO PWR SYS RTMIN RTMIN+1 RTMAX"
)
"""Those whose default is the end of a process, by signal(7)."""

STILL_DEADLY = {"ILL", "ABRT", "BUS", "FPE", "KILL", "SEGV"}

SLEEP = "[watcher:a]\ncmd = sleep 1000\n"


def signums(action: Action) -> list[int]:
    """Every signal that is dealt with like that."""
    return sorted(int(one) for one in signal.valid_signals() if row_of(one).action is action)


class TestTable(unittest.TestCase):
    def test_those_that_end_a_process_by_default(self) -> None:
        # Python before 3.11 does not name STKFLT.
        names = [one for one in DEADLY.split() if one != "STKFLT" or hasattr(signal, "SIGSTKFLT")]
        left = {name for name in names if row_of(to_signum(name)).action is Action.LEAVE}
        self.assertEqual(left, STILL_DEADLY)

    def test_every_real_time_signal(self) -> None:
        self.assertLessEqual(set(range(signal.SIGRTMIN, signal.SIGRTMAX + 1)), set(handled()))

    def test_each_row_says_why(self) -> None:
        for signum in signal.valid_signals():
            if row_of(signum).names:
                self.assertTrue(row_of(signum).why, to_name(signum))


class TestLog(unittest.TestCase):
    """The lines about signals that mean nothing, on a loop whose time the test makes."""

    def setUp(self) -> None:
        self.clock = FakeClock()
        self.loop = Loop(self.clock, "test")
        self.addCleanup(self.loop.close)
        former = {signum: signal.getsignal(signum) for signum in handled()}
        wakeup_fd = signal.set_wakeup_fd(-1)
        self.addCleanup(signal.set_wakeup_fd, wakeup_fd)
        for signum, handler in former.items():
            self.addCleanup(signal.signal, signum, handler)
        self.dealt: list[tuple[str, Action]] = []
        self.signals = Signals()

    def turn(self) -> None:
        self.loop.post(self.loop.stop)
        self.loop.run()

    def lines(self, *signums: int, advance: float = 0.0) -> list[str]:
        """Send ourselves signals, each in a turn of its own, then let time go by."""
        with self.assertLogs("cvec_circus") as logs:
            for signum in signums:
                signal.raise_signal(signum)
                self.turn()
            self.clock.advance(advance)
            self.turn()
        return [record.getMessage() for record in logs.records]

    def deal(self, name: str, action: Action) -> None:
        self.dealt.append((name, action))

    def test_one_line_in_ten_seconds(self) -> None:
        self.signals.hold()
        self.signals.install(self.loop, self.deal)
        first = "ignored SIGALRM: a timer that the daemon did not set"
        self.assertEqual(self.lines(*[signal.SIGALRM] * 50), [first])
        again = f"ignored SIGALRM 49 more times in {QUIET:g} s"
        self.assertEqual(self.lines(advance=QUIET), [again])
        again = f"ignored SIGALRM 3 more times in {QUIET:g} s"
        self.assertEqual(self.lines(*[signal.SIGALRM] * 3, advance=QUIET), [again])
        self.clock.advance(QUIET)
        self.turn()
        self.assertEqual(self.lines(signal.SIGALRM), [first])

    def test_each_signal_has_lines_of_its_own(self) -> None:
        self.signals.hold()
        self.signals.install(self.loop, self.deal)
        two = self.lines(signal.SIGUSR2, signal.SIGRTMIN + 2, signal.SIGUSR2)
        self.assertEqual(two, ["ignored SIGUSR2", "ignored SIGRTMIN+2"])

    def test_what_came_too_early_is_dealt_with_in_its_order(self) -> None:
        self.signals.hold()
        for signum in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(signum)
        self.signals.install(self.loop, self.deal)
        self.turn()
        self.assertEqual(self.dealt, [("HUP", Action.RELOAD), ("TERM", Action.STOP)])

    def test_exits_of_children_are_told_and_children_stay_there(self) -> None:
        self.signals.hold()
        self.signals.install(self.loop, self.deal)
        child = subprocess.Popen(["/bin/true"])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.turn()
        self.assertEqual(self.dealt, [("CHLD", Action.COLLECT)])
        self.signals.uninstall()
        self.signals.ignore()
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, ())
        late = subprocess.Popen(["/bin/sh", "-c", "exit 3"])
        self.assertEqual((child.wait(), late.wait()), (0, 3))

    def test_no_thread_inherits_a_blocked_signal(self) -> None:
        self.signals.hold()
        self.assertEqual(signal.pthread_sigmask(signal.SIG_BLOCK, ()), set())


class TestDaemon(DaemonCase):
    """Every signal, sent to a daemon; what it runs is never left alone."""

    def test_those_that_are_logged(self) -> None:
        daemon = self.daemon(SLEEP)
        daemon.wire.events.wait("start", 1)
        pids = daemon.wire.pids("a")
        for signum in signums(Action.LOG):
            daemon.signal(signum)
            daemon.log.containing(f"[WARNING] ignored SIG{to_name(signum)}")
        self.assertEqual(daemon.wire.pids("a"), pids)
        daemon.signal(signal.SIGTERM)
        log = daemon.ended()
        self.assertTrue(log[-1].endswith("stopped"), log)

    def test_those_that_change_nothing(self) -> None:
        daemon = self.daemon(SLEEP)
        daemon.wire.events.wait("start", 1)
        pids = daemon.wire.pids("a")
        silent = {"CHLD", "URG", "WINCH", "CONT"}
        for signum in [*signums(Action.IGNORE), *map(to_signum, silent)]:
            daemon.signal(signum)
        daemon.signal(signal.SIGUSR2)
        daemon.log.containing("ignored SIGUSR2")
        self.assertEqual(daemon.wire.pids("a"), pids)

    def test_those_that_end_it(self) -> None:
        for signum in signums(Action.STOP):
            daemon = self.daemon(SLEEP)
            daemon.wire.events.wait("start", 1)
            daemon.signal(signum)
            log = daemon.ended()
            self.assertIn(f"stopping (signal:{to_name(signum)})", "\n".join(log))

    def test_a_flood(self) -> None:
        daemon = self.daemon(SLEEP)
        daemon.wire.events.wait("start", 1)
        for _ in range(20):
            for signum in signums(Action.LOG):
                daemon.signal(signum)
            daemon.call("ping")
        daemon.signal(signal.SIGTERM)
        log = daemon.ended()
        self.assertLess(len(log), 4 * len(signums(Action.LOG)))
        self.assertNotIn("Traceback", "\n".join(log))

    def test_programs_get_none_of_it(self) -> None:
        # What is handled is the default again after exec; what is ignored would stay.
        script = "import signal; print(*[int(s) for s in signal.valid_signals() if"
        script += " signal.getsignal(s) is signal.SIG_IGN])"
        seen = f"{sys.executable} -I -S -c '{script}'"
        usual = subprocess.run(seen, shell=True, capture_output=True, text=True, check=True).stdout
        stream = "stdout_stream.filename = {DIR}/seen\nrespawn = False\n"
        daemon = self.daemon(f"[watcher:a]\ncmd = {seen}\n{stream}")
        daemon.wire.events.wait("stop", 1)
        written = daemon.folder / "seen"
        # Output is written by a thread of its own, which stopping does not wait for.
        self.assertTrue(eventually(lambda: written.exists() and written.read_text() == usual))


if __name__ == "__main__":
    unittest.main()
