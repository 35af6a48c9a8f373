"""The errors of processes, as programs catch them."""

from __future__ import annotations

import errno
import sys
import unittest
from unittest import mock

import psutil

from cvec_circus.exc import MessageError, SocketError
from cvec_circus.process import Process
from cvec_circus.sockets import CircusSocket
from cvec_circus.util import get_info
from tests.embedding.arbiter_case import ArbiterCase
from tests.support.eventually import eventually
from tests.support.wire import TIMEOUT

NOBODY = 2**22 + 1
"""No process has this pid: it is beyond the greatest one."""


class TestErrors(ArbiterCase):
    def test_a_wait(self) -> None:
        with Process("w", "sleep 1000") as process:
            for kind in (TimeoutError, psutil.TimeoutExpired, psutil.Error, OSError):
                with self.assertRaises(kind) as caught:
                    process.wait(0.01)
            self.assertEqual((caught.exception.pid, caught.exception.seconds), (process.pid, 0.01))
            self.assertIn("has not ended within 0.01 s", str(caught.exception))

    def test_what_is_not_there(self) -> None:
        with Process("w", "sleep 1000") as process:
            for kind in (ProcessLookupError, psutil.NoSuchProcess):
                with self.assertRaisesRegex(kind, "is not a child of") as caught:
                    process.send_signal_child(NOBODY, 15)
                self.assertEqual(caught.exception.pid, NOBODY)
                with self.assertRaisesRegex(kind, f"there is no process {NOBODY}"):
                    get_info(NOBODY)

    def test_a_start(self) -> None:
        for argv, kind in (("/no/such/program", FileNotFoundError), ("/etc", PermissionError)):
            with self.assertRaises(kind) as caught:
                Process("w", argv)
            self.assertIn(f"cannot run {argv}: ", str(caught.exception))

    def test_an_address_that_is_taken(self) -> None:
        with CircusSocket("a", host="127.0.0.1", port=0) as first:
            first.bind_and_listen()
            with self.assertRaises(SocketError) as caught:
                CircusSocket("b", host="127.0.0.1", port=first.port).bind_and_listen()
        self.assertEqual(caught.exception.errno, errno.EADDRINUSE)
        self.assertIn("socket b: cannot listen on", str(caught.exception))

    def test_of_a_watcher(self) -> None:
        arbiter = self.started({"name": "a", "cmd": "sleep 1000", "respawn": False})
        watcher = arbiter.get_watcher("a")
        self.assertTrue(eventually(lambda: watcher.pids, TIMEOUT))
        [process] = watcher.get_active_processes()
        with self.assertRaises(MessageError) as caught:
            process.send_signal("NOPE")
        self.assertNotIsInstance(caught.exception, OSError)
        process.send_signal(9)
        self.assertTrue(eventually(lambda: not process.is_alive(), TIMEOUT))
        for kind in (MessageError, ProcessLookupError, psutil.NoSuchProcess):
            with self.assertRaises(kind):
                process.send_signal(15)
            with self.assertRaises(kind):
                process.send_signal_children(15)

    def test_without_psutil(self) -> None:
        with mock.patch.dict(sys.modules):
            del sys.modules["psutil"]
            with self.assertRaises(ProcessLookupError) as caught:
                get_info(NOBODY)
        self.assertIs(type(caught.exception), ProcessLookupError)


if __name__ == "__main__":
    unittest.main()
