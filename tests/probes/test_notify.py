"""Datagrams of sd_notify, as they come from a process, and as they come from a fool."""

from __future__ import annotations

import os
import socket
import tempfile
import unittest

from cvec_circus.probes.notify import NotifySocket, microseconds, one_line, parse, variables
from tests.support.leaks import LeakCheckedTestCase


class SocketTest(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = f"{folder.name}/web.1"
        self.notify = NotifySocket(self.path, None, None)
        self.addCleanup(self.notify.close)
        self.sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.sender.close)
        self.sender.connect(self.path)

    def receive(self) -> list[tuple[int, dict[str, str]]]:
        return [tuple(one) for one in self.notify.receive(10)]  # type: ignore[misc]

    def test_what_is_said_and_by_whom(self) -> None:
        self.sender.send(b"READY=1\nSTATUS=a = b")
        self.assertEqual(self.receive(), [(os.getpid(), {"READY": "1", "STATUS": "a = b"})])
        self.assertEqual(self.receive(), [])

    def test_as_many_as_wanted(self) -> None:
        for _ in range(3):
            self.sender.send(b"WATCHDOG=1")
        self.assertEqual(len(list(self.notify.receive(2))), 2)
        self.assertEqual(len(list(self.notify.receive(2))), 1)

    def test_the_end_of_a_barrier(self) -> None:
        ours, theirs = os.pipe()
        socket.send_fds(self.sender, [b"BARRIER=1"], [theirs])
        os.close(theirs)
        os.set_blocking(ours, False)
        self.assertRaises(BlockingIOError, os.read, ours, 1)
        self.assertEqual(self.receive()[0][1], {"BARRIER": "1"})
        self.assertEqual(os.read(ours, 1), b"")
        os.close(ours)

    def test_no_file_is_kept(self) -> None:
        before = set(os.listdir("/proc/self/fd"))
        with open(os.devnull) as file:
            for count in (1, 4, 253):
                fds = [file.fileno()] * count
                socket.send_fds(self.sender, [b"FDSTORE=1"], fds)
        self.assertEqual(len(self.receive()), 3)
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)

    def test_one_that_is_too_long_says_nothing(self) -> None:
        self.sender.send(b"READY=1\n" + b"x" * 5000)
        self.sender.send(b"")
        self.sender.send(b"\xff\x00\n=1\nREADY")
        self.assertEqual([fields for _, fields in self.receive()], [{}, {}, {}])

    def test_its_file(self) -> None:
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        again = NotifySocket(self.path, os.getuid(), None)  # over what a dead daemon has left
        again.close()
        self.assertFalse(os.path.exists(self.path))

    @unittest.skipIf(os.getuid(), "only root gives files away")
    def test_it_belongs_to_the_user_of_the_process(self) -> None:
        given = NotifySocket(self.path, 65534, 65533)
        self.addCleanup(given.close)
        found = os.stat(self.path)
        self.assertEqual((found.st_uid, found.st_gid), (65534, 65533))

    def test_where_it_cannot_be(self) -> None:
        with self.assertRaises(OSError):
            NotifySocket("/no/such/folder/s", None, None)


class TextTest(unittest.TestCase):
    def test_the_last_of_a_name_counts(self) -> None:
        self.assertEqual(parse(b"A=1\nA=2\n\nB="), {"A": "2", "B": ""})

    def test_times(self) -> None:
        for text, seconds in (("1500000", 1.5), ("0", 0.0), ("9" * 20, 60.0)):
            self.assertEqual(microseconds(text, 60.0), seconds)
        for text in ("", "-1", "1.5", "x", "9" * 21, "\u0661"):
            self.assertIsNone(microseconds(text, 60.0))

    def test_one_line(self) -> None:
        self.assertEqual(one_line(" a\tb\x1b[31m\r\n c "), "a b [31m c")
        self.assertEqual(one_line("x" * 300), "x" * 200 + "...")

    def test_variables(self) -> None:
        self.assertEqual(variables("/s", None), {"NOTIFY_SOCKET": "/s"})
        self.assertEqual(variables("/s", 0.5)["WATCHDOG_USEC"], "500000")
