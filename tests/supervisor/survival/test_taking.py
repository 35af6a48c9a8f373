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

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry
from cvec_circus.supervisor.departures import Departures
from cvec_circus.supervisor.survival import taking
from cvec_circus.supervisor.survival.heritage import Confirmed, Left
from cvec_circus.system import pidfd
from cvec_circus.wire.cause import NONE

ANOTHER = "socket web is another one"

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
        self.begin_anew()
        options = {"cmd": "sleep $(circus.sockets.web)", "use_sockets": True}
        self.watcher = Watcher("server", WATCHER_OPTIONS.complete(options))
        self.process = ManagedProcess("server", 1, NONE)
        self.process.pid = self.child.pid
        self.watcher.places.slots[1] = self.process
        self.watcher.places.fresh[self.process] = None
        self.had: dict[int, dict[str, list[Any]]] = {}

    def begin_anew(self) -> None:
        """Have no socket, as a daemon that starts."""
        if hasattr(self, "registry"):
            self.registry.close_all()
        self.registry = SocketRegistry()
        self.addCleanup(self.registry.close_all)

    def processes(self) -> Any:
        """See `Heritage`."""
        return [(self.watcher, Confirmed(self.child.pid, self.fd, 0, 0))]

    @property
    def watchers(self) -> Any:
        """See `Heritage`."""
        confirmed = {1: Confirmed(self.child.pid, self.fd, 0, 0)}
        return [Left(self.watcher, confirmed, 0, self.had)]

    def take(self, **options: Any) -> tuple[CircusSocket, str]:
        """Take the sockets over, and say why the process is to be replaced."""
        name = options.pop("name", "web")
        managed = CircusSocket(name, **{"host": "127.0.0.1", "port": 0, **options})
        self.registry.add(managed)
        departures = Departures(self.registry)
        taking.take_sockets(departures, self)  # type: ignore[arg-type]
        return managed, departures.why_replaced(self.watcher, name, managed)

    def test_one_that_may_be_had(self) -> None:
        managed, renewed = self.take()
        self.assertEqual((managed.host, managed.port), self.address)
        self.assertEqual(renewed, "")
        with socket.create_connection(self.address, 5):
            pass
        self.assertIsNone(self.child.poll())

    def test_one_that_may_not(self) -> None:
        with mock.patch.object(pidfd, "take_file", side_effect=DENIED):
            with self.assertLogs("cvec_circus") as log:
                managed, renewed = self.take()
        self.assertEqual((managed.fileno(), renewed), (-1, ANOTHER))
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
        self.assertEqual((managed.fileno(), renewed), (-1, ANOTHER))
        self.assertIsNone(self.child.poll(), "a rollout replaces it")
        [leaving] = self.registry.leaving
        self.assertEqual((leaving.host, leaving.port), self.address)

    def test_another_address_that_takes_in_the_old_one(self) -> None:
        managed, renewed = self.take(host="0.0.0.0", port=self.address[1])
        self.assertEqual(renewed, ANOTHER)
        self.registry.bind_all()
        self.assertEqual(managed.port, self.address[1])

    def test_what_an_earlier_change_has_left_to_it(self) -> None:
        """The process was kept with another socket than that of now, which nobody has."""
        note = self.sockets["web"]
        later = CircusSocket("web", "127.0.0.2", 0)
        later.open()
        self.sockets = {"web": later.note()}
        self.had = {1: {"web": ["web", note, ""]}}
        later.close()
        managed, renewed = self.take(host="127.0.0.2")
        self.assertEqual((managed.fileno(), renewed), (-1, ANOTHER))
        self.assertEqual([one.port for one in self.registry.leaving], [self.address[1]])
        self.begin_anew()
        managed, renewed = self.take()
        self.assertEqual((managed.port, renewed), (self.address[1], ""), "it is taken back")

    def test_another_name(self) -> None:
        managed, _ = self.take(name="other")
        self.assertEqual((managed.host, managed.port), self.address)

    def test_a_setting_that_only_new_processes_get(self) -> None:
        _, renewed = self.take(blocking=True)
        self.assertEqual(renewed, "blocking of socket web changes")
        self.begin_anew()
        self.had = {1: {"web": ["web", self.sockets["web"], "backlog of socket web changes"]}}
        _, renewed = self.take()
        self.assertEqual(renewed, "backlog of socket web changes")

    def test_it_stays_as_the_programs_have_it(self) -> None:
        """Whether it blocks is the same for all that share it, and they may have changed that."""
        managed, _ = self.take()
        os.set_blocking(managed.fileno(), True)  # as a program does
        managed.retune(managed.options())
        self.assertTrue(os.get_blocking(managed.fileno()))
        self.begin_anew()
        managed, _ = self.take()
        self.assertTrue(os.get_blocking(managed.fileno()))
        managed.retune({**managed.options(), "blocking": True})
        managed.retune({**managed.options(), "blocking": False})
        self.assertFalse(os.get_blocking(managed.fileno()))

    def test_other_tuning(self) -> None:
        managed, renewed = self.take(backlog=7)
        self.assertEqual((managed.host, managed.port), self.address)
        self.assertEqual(renewed, "")


if __name__ == "__main__":
    unittest.main()
