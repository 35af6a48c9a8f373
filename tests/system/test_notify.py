"""sd_notify: datagrams to a real socket."""

from __future__ import annotations

import os
import socket
import unittest

from cvec_circus.system import notify
from cvec_circus.system.notify import Notifier
from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase


class TestNotify(LeakCheckedTestCase):
    def listen(self, address: str) -> socket.socket:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.settimeout(20)
        self.addCleanup(server.close)
        server.bind(address)
        return server

    def test_a_path(self) -> None:
        path = str(folder(self) / "notify")
        server = self.listen(path)
        self.assertTrue(Notifier(path).notify("READY=1\nSTATUS=ü"))
        self.assertEqual(server.recv(4096).decode(), "READY=1\nSTATUS=ü")

    def test_an_abstract_address(self) -> None:
        name = f"cvec_circus-test-{os.getpid()}"
        server = self.listen("\0" + name)
        self.assertTrue(Notifier(f"@{name}").notify("READY=1"))
        self.assertEqual(server.recv(4096), b"READY=1")

    def test_nobody_who_listens(self) -> None:
        for address in (
            "/no/such/socket",
            "@nobody-is-here",
            "vsock:2:1234",
            "",
            "x" * 500,
            "a\0b",
        ):
            with self.subTest(address):
                self.assertIs(Notifier(address).notify("READY=1"), False)

    def test_one_who_does_not_read(self) -> None:
        path = str(folder(self) / "notify")
        self.listen(path)
        notifier = Notifier(path)
        sent = 0
        while notifier.notify("STATUS=" + "x" * 1000):
            sent += 1
        self.assertGreater(sent, 0)

    def test_taken_out_of_the_environment(self) -> None:
        environ = {"NOTIFY_SOCKET": "@x", "A": "1"}
        notifier = notify.take(environ)
        assert notifier is not None
        self.assertEqual((notifier.address, notifier.watchdog), ("@x", None))
        self.assertEqual(environ, {"A": "1"})
        self.assertIsNone(notify.take(environ))

    def test_a_watchdog(self) -> None:
        for usec, pid, seconds in (
            ("3000000", "", 3.0),
            ("500000", str(os.getpid()), 0.5),
            ("500000", "1", None),
            ("0", "", None),
            ("often", "", None),
        ):
            with self.subTest(usec=usec, pid=pid):
                environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
                notifier = notify.take(environ)
                assert notifier is not None
                self.assertEqual(notifier.watchdog, seconds)
                self.assertEqual(environ, {})
        self.assertIsNone(notify.take({"WATCHDOG_USEC": "1"}))


if __name__ == "__main__":
    unittest.main()
