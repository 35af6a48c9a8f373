"""D9: the supervisor thread hangs: the log says where, and the service manager hears no more."""

from __future__ import annotations

import signal
import socket
import unittest

from cvec_circus import exc
from tests.faults import injection
from tests.faults.injection import Fault
from tests.support.daemon import DaemonCase, folder
from tests.support.hurry import hurried
from tests.support.nightly import NIGHTLY

SLEEP = "[watcher:a]\ncmd = sleep 1000\nautostart = False\n"
FIRST = "the supervisor thread has been stuck for "


class Hang(Fault):
    """A system call that takes long. Immutable; `error` is the number of microseconds."""

    @property
    def options(self) -> list[str]:
        inject = f"inject={self.call}:delay_enter={self.error}:when={self.when}"
        return ["-e", f"trace={self.call}", "-e", inject]


@unittest.skipIf(injection.refusal(), injection.refusal())
class TestWatchdog(DaemonCase):
    def test_d9_the_stacks_once_and_no_word_to_the_service_manager(self) -> None:
        look, seconds = (5.0, 22.0) if NIGHTLY else (0.2, 1.5)
        address = str(folder(self) / "notify")
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address)
        env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000"}
        daemon = self.daemon(SLEEP, wrapper=hurried({"daemon.watchdog.LOOK": look}), env=env)
        fault = Hang("pipe2", str(int(seconds * 1e6)))
        with injection.injecting(daemon.pid, fault, daemon.folder):
            daemon.wire.client.cast("start", name="a")
            daemon.log.containing(f"[CRITICAL] {FIRST}{2 * look:g} s")
            manager.setblocking(False)
            with self.assertRaises(BlockingIOError):
                while True:
                    self.assertIn(b"=", manager.recv(100))
            told = ""
            while "runs again" not in told:
                told += f"{daemon.log.next()}\n"
                self.assertNotIn(FIRST, told)
        for expected in ("thread supervisor:", "thread log:", "in _spawn"):
            self.assertIn(expected, told)
        self.assertNotIn("thread watchdog:", told)
        manager.settimeout(20)
        self.assertEqual(manager.recv(100), b"WATCHDOG=1")
        daemon.wire.events.wait("start", 1)
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_d9_a_daemon_that_is_stopped_does_not_hang(self) -> None:
        look = 1.0  # a turn that imports may take half a second where the machine is busy
        daemon = self.daemon(SLEEP, wrapper=hurried({"daemon.watchdog.LOOK": look}))
        daemon.signal(signal.SIGSTOP)
        with self.assertRaises(exc.CallError):
            daemon.wire.client.exchange({"command": "ping", "id": "1"}, 3.5 * look)
        daemon.signal(signal.SIGCONT)
        daemon.signal(signal.SIGTERM)
        self.assertNotIn(FIRST, "\n".join(daemon.ended()))


if __name__ == "__main__":
    unittest.main()
