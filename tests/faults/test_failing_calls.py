"""System calls that fail once, or now and then: the daemon goes on, and loses no exit by it."""

from __future__ import annotations

import re
import signal
import unittest
from collections.abc import Iterator
from contextlib import AbstractContextManager

from tests.faults import injection
from tests.faults.drive import DrivenDaemon
from tests.faults.injection import Fault, Injection, injecting
from tests.support import installations
from tests.support.daemon import DaemonCase, folder
from tests.support.eventually import eventually
from tests.support.nightly import NIGHTLY, repetitions

QUICK = [
    Fault("epoll_ctl", "ENOMEM", "5"),
    Fault("poll", "ENOMEM", "5"),
    Fault("sendto", "ENOBUFS", "1+3"),
    Fault("pidfd_open", "EMFILE", "1..2"),
    Fault("openat", "EMFILE", "4..6"),
    Fault("pipe2", "EMFILE", "1..3"),
    Fault("vfork,fork,clone,clone3", "EAGAIN", "1..2"),
    Fault("accept4", "EMFILE", "1"),
    Fault("kill,pidfd_send_signal", "EPERM", "1"),
    Fault("write,writev", "EIO", "1..3", "{DIR}/log"),
]
"""Each of them is sure to be met, by a daemon that has done everything already."""
IN_A_NEW_ONE = Fault("mmap", "ENOMEM", "1..4")

WHENS = ["1", "2", "3", "5", "8", "13", "21", "34", "1..4", "2+7", "1+4"]
SWEEP = {
    "epoll_ctl": ["ENOMEM", "ENOSPC"],
    "epoll_wait,poll": ["EINTR"],
    "poll": ["ENOMEM"],
    "pidfd_open": ["EMFILE", "ENOMEM"],
    "openat": ["EMFILE", "ENFILE", "ENOMEM"],
    "mmap": ["ENOMEM"],
    "kill,pidfd_send_signal": ["EPERM"],
    "sendto,sendmsg": ["ENOBUFS", "EAGAIN"],
    "recvfrom": ["EAGAIN", "ENOMEM"],
    "dup,fcntl": ["EMFILE"],
    "getdents64": ["EIO", "ENOMEM"],
    "pipe2": ["EMFILE", "ENFILE"],
    "vfork,fork,clone,clone3": ["EAGAIN", "ENOMEM"],
    "accept4": ["EMFILE", "ENFILE", "ECONNABORTED"],
    "waitid,wait4": ["EINTR"],
}

NOT_AGAIN = ("getdents64", "openat", "kill,pidfd_send_signal")
"""A walk of /proc takes so many calls that each one would fail; and what may never be signalled is
left behind, as it should be."""

AT_THE_START = [
    Fault("prctl", "EPERM", "1+"),
    Fault("clone3,clone", "EAGAIN", "3"),
    Fault("epoll_create1", "EMFILE", "1"),
]
MORE_AT_THE_START = [
    Fault("pidfd_open", "EMFILE", "1"),
    *(Fault("clone3,clone", "EAGAIN", str(when)) for when in (1, 2, 4)),
    *(Fault("epoll_create1", "EMFILE", str(when)) for when in (2, 3)),
    *(Fault("epoll_ctl", "ENOMEM", str(when)) for when in (1, 2)),
    *(Fault("pipe2", "EMFILE", str(when)) for when in (1, 2)),
    *(Fault("socket", "EMFILE", str(when)) for when in (1, 2)),
    *(Fault("listen", "ENOMEM", str(when)) for when in (1, 2)),
    Fault("bind", "ENOMEM", "1"),
]


def faults() -> Iterator[Fault]:
    """Yield what a night has time for."""
    for call, errors in SWEEP.items():
        for error in errors:
            for when in WHENS:
                if "+" in when and call in NOT_AGAIN:
                    continue
                yield Fault(call, error, when)
    for error in ("EIO", "ENOSPC", "ENOMEM"):
        for when in WHENS:
            yield Fault("write,writev", error, when, "{DIR}/log")


@unittest.skipIf(injection.refusal(), injection.refusal())
class InjectionCase(DaemonCase):
    """Makes system calls of a daemon fail."""

    def check(self, daemon: DrivenDaemon, log: list[str]) -> None:
        """See to it that nothing was worse than a line in the log."""
        text = "\n".join([daemon.log_text(), *log])
        self.assertNotIn("Traceback", text)
        self.assertLess(daemon.slowest, 5.0, "it does not answer in time")

    def refused(self, daemon: DrivenDaemon, fault: Fault) -> AbstractContextManager[Injection]:
        """Refuse something to a daemon."""
        fault = fault._replace(path=fault.path.format(DIR=daemon.folder))
        return injecting(daemon.pid, fault, daemon.folder)

    def survive(self, fault: Fault) -> list[str]:
        """Drive a daemon with a fault; return the calls that have failed."""
        daemon = DrivenDaemon(self)
        with self.refused(daemon, fault) as injected:
            daemon.drive()
            daemon.check_exits()
            daemon.signal(signal.SIGTERM)
            log = daemon.ended()
        self.check(daemon, log)
        return injected.injected


class TestFailingCalls(InjectionCase):
    """What the system refuses to a daemon that is up."""

    def test_n1_once(self) -> None:
        """One after the other, the last of them in the end of the daemon, too."""
        daemon, log = DrivenDaemon(self), list[str]()
        for fault in QUICK:
            with self.subTest(str(fault)):
                with self.refused(daemon, fault) as injected:
                    daemon.drive()
                    daemon.check_exits()
                    if fault is QUICK[-1]:
                        daemon.signal(signal.SIGTERM)
                        log = daemon.ended()
                self.assertTrue(injected.injected, "nothing has failed")
        self.check(daemon, log)
        with self.subTest(str(IN_A_NEW_ONE)):
            self.assertTrue(self.survive(IN_A_NEW_ONE), "nothing has failed")
        repetitions(self, len(QUICK) + 1)

    def test_d6_a_trial_that_cannot_be_started(self) -> None:
        """It is no yes: the new program may not even have the package."""
        daemon = DrivenDaemon(self)
        bare = installations.python(folder(self), 'set -- -S -I "$@"')
        with self.refused(daemon, Fault("vfork,fork,clone,clone3", "EAGAIN", "1..2")):
            reason = daemon.wire.refused("upgrade", python=bare)
        self.assertIn("cannot be tried: cannot start a process: Resource", reason)
        with self.refused(daemon, Fault("memfd_create", "EMFILE")):
            reason = daemon.wire.refused("upgrade", python=bare)
        self.assertEqual(
            reason, "the state of the daemon cannot be handed over: Too many open files"
        )
        self.assertIn("No module named", daemon.wire.refused("upgrade", python=bare))

    @unittest.skipUnless(NIGHTLY, "takes ten minutes")
    def test_n1_sweep(self) -> None:
        for fault in faults():
            with self.subTest(str(fault)):
                self.survive(fault)
            self.doCleanups()
            repetitions(self, 1)

    def test_n1_in_a_child(self) -> None:
        # Each child counts for itself, so none becomes its program while the fault lasts.
        for call, error in [("dup2", "EMFILE"), ("setsid", "EPERM")][: 1 + NIGHTLY]:
            with self.subTest(call):
                daemon = DrivenDaemon(self)
                with injecting(daemon.pid, Fault(call, error), daemon.folder) as injected:
                    daemon.call("start", name="plain")
                    self.assertTrue(eventually(lambda: len(injected.injected) > 3))
                    daemon.ping()
                daemon.drive()
                daemon.check_exits()
                daemon.signal(signal.SIGTERM)
                self.check(daemon, daemon.ended())
            self.doCleanups()


class TestAtTheStart(InjectionCase):
    """What the system refuses to a daemon that begins: it says so in a line, or does without."""

    def begin(self, fault: Fault) -> None:
        trace = folder(self) / "trace"
        strace = ["strace", "-D", "-f", "-e", "signal=none", "-o", trace, *fault.options]
        daemon = DrivenDaemon(self, wrapper=strace, wait=False)
        self.live(daemon)
        self.assertIn("(INJECTED)", trace.read_text(errors="replace"), "nothing has failed")

    def live(self, daemon: DrivenDaemon) -> None:
        """Wait until it is up, and drive it; or until it has said why it cannot begin."""
        ended = eventually(lambda: daemon.is_up or daemon.process.poll() is not None, 20.0)
        self.assertTrue(ended, daemon.log_text())
        if daemon.is_up:
            daemon.connect()
            daemon.drive()
            daemon.check_exits()
            daemon.signal(signal.SIGTERM)
            self.check(daemon, daemon.ended())
            return
        log = daemon.ended(code=1)
        self.check(daemon, log)
        said = [line for line in log if re.search(r"^error: |\[ERROR\]", line)]
        self.assertTrue(said, "it does not say why it has ended")

    def test_n1_at_the_start(self) -> None:
        for fault in AT_THE_START + MORE_AT_THE_START * NIGHTLY:
            with self.subTest(str(fault)):
                self.begin(fault)
            self.doCleanups()


if __name__ == "__main__":
    unittest.main()
