"""A listening socket is taken from a process, or opened anew when those that have it are gone."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import unittest
from typing import Any
from unittest import mock

from cvec_circus.core.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor import taking
from cvec_circus.supervisor.heritage import Confirmed
from cvec_circus.system import pidfd

DENIED = PermissionError(errno.EPERM, os.strerror(errno.EPERM))


class TestTaking(unittest.TestCase):
    """The case stands for the heritage: a process that has a socket."""

    def setUp(self) -> None:
        self.before = CircusSocket("web", "127.0.0.1", 0)
        self.before.open()
        self.address = self.before.host, self.before.port
        self.sockets = {"web": [dict(self.before.options()), *self.before.note()[1:]]}
        self.child = subprocess.Popen(["sleep", "100"], pass_fds=[self.before.fileno()])
        self.addCleanup(self.child.wait)
        self.addCleanup(self.child.kill)
        self.before.close()
        self.fd = os.pidfd_open(self.child.pid)
        self.addCleanup(os.close, self.fd)
        self.registry = SocketRegistry()
        self.addCleanup(self.registry.close_all)
        self.watcher = Watcher("server", WATCHER_OPTIONS.complete({"cmd": "sleep 100"}))

    def processes(self) -> Any:
        """See `Heritage`."""
        return [(self.watcher, Confirmed(self.child.pid, self.fd, 0, 0))]

    def take(self, **options: Any) -> tuple[CircusSocket, frozenset[str]]:
        """Take the sockets over."""
        managed = CircusSocket("web", **{"host": "127.0.0.1", "port": 0, **options})
        self.registry.add(managed)
        return managed, taking.take_sockets(self.registry, self)  # type: ignore[arg-type]

    def test_one_that_may_be_had(self) -> None:
        managed, renewed = self.take()
        self.assertEqual((managed.host, managed.port), self.address)
        self.assertEqual(renewed, frozenset())
        with socket.create_connection(self.address, 5):
            pass
        self.assertIsNone(self.child.poll())

    def test_one_that_may_not(self) -> None:
        with mock.patch.object(pidfd, "take_file", side_effect=DENIED):
            with self.assertLogs("cvec_circus") as log:
                managed, renewed = self.take()
        self.assertEqual((managed.fileno(), renewed), (-1, frozenset({"web"})))
        self.assertEqual(self.child.wait(5), -signal.SIGTERM)
        (text,) = log.output
        self.assertIn("server: socket web cannot be taken over: Operation not permitted", text)
        self.assertIn(f"stopping process {self.child.pid} (sleep), which has it, to open", text)
        again = CircusSocket("web", *self.address)
        again.open()
        again.close()

    def test_one_that_does_not_end(self) -> None:
        self.watcher.change({"graceful_timeout": 0.0})
        os.kill(self.child.pid, signal.SIGSTOP)
        with mock.patch.object(pidfd, "take_file", side_effect=DENIED):
            with mock.patch.object(taking, "_send", self.only_kill):
                with self.assertLogs("cvec_circus"):
                    self.take()
        self.assertEqual(self.child.wait(5), -signal.SIGKILL)

    def only_kill(self, fd: int, signum: int) -> None:
        """Stands for a program that ignores all but SIGKILL."""
        if signum == signal.SIGKILL:
            signal.pidfd_send_signal(fd, signum)

    def test_another_address(self) -> None:
        managed, renewed = self.take(host="127.0.0.2")
        self.assertEqual((managed.fileno(), renewed), (-1, frozenset({"web"})))
        self.assertIsNone(self.child.poll(), "a rollout replaces it")

    def test_it_stays_as_the_programs_have_it(self) -> None:
        """Whether it blocks is the same for all that share it, and they may have changed that."""
        managed, _ = self.take()
        os.set_blocking(managed.fileno(), True)  # as a program does
        managed.retune(managed.options())
        self.assertTrue(os.get_blocking(managed.fileno()))
        managed.close()
        self.registry = SocketRegistry()
        self.addCleanup(self.registry.close_all)
        managed, _ = self.take()
        self.assertTrue(os.get_blocking(managed.fileno()))
        managed.retune({**managed.options(), "blocking": True})
        managed.retune({**managed.options(), "blocking": False})
        self.assertFalse(os.get_blocking(managed.fileno()))

    def test_other_tuning(self) -> None:
        managed, renewed = self.take(backlog=7)
        self.assertEqual((managed.host, managed.port), self.address)
        self.assertEqual(renewed, frozenset())


if __name__ == "__main__":
    unittest.main()
