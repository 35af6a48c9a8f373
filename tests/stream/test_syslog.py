"""The stream that sends lines to a syslog: real datagrams."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import unittest

from cvec_circus import exc
from cvec_circus.stream.base import Source
from cvec_circus.stream.pumps import Pumps
from cvec_circus.stream.syslog import SyslogStream
from tests.stream.support import PumpTestCase, never
from tests.support.eventually import eventually
from tests.support.hurry import hurry

TIMEOUT = 20.0
STAMP = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"


class SyslogCase(PumpTestCase):
    def setUp(self):
        super().setUp()
        self.pump = Pumps(self.context, never)
        self.socket = self.path("dev")

    def listen(self, family=socket.AF_UNIX, address=None):
        """Be a syslog."""
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.settimeout(TIMEOUT)
        self.addCleanup(server.close)
        server.bind(address or self.socket)
        return server

    def stream(self, key="key", **options):
        conf = {"class": "SyslogStream", "address": self.socket, **options}
        return self.pump.open(key, conf, Source("web", "stderr"))


class LinesTest(SyslogCase):
    def test_a_line_is_a_message(self):
        server = self.listen()
        self.stream()
        self.pipe(pid=77).write(b"one\ntwo\n\nthree\xff\n")
        for text in (b"one", b"two", b"three\xff"):
            message = server.recv(65536)
            self.assertRegex(message, b"^<14>" + STAMP.encode() + rb" web\[77\]: " + text + b"$")

    def test_options(self):
        server = self.listen(socket.AF_INET, ("127.0.0.1", 0))
        where = f"localhost:{server.getsockname()[1]}"
        self.stream(address=where, facility="LOCAL3", level="err", ident="my service")
        self.pipe(pid=5).write(b"x\n")
        host = re.escape(socket.gethostname())
        self.assertRegex(server.recv(99).decode(), rf"^<155>{STAMP} {host} my service\[5\]: x$")

    def test_a_long_line_is_several_messages(self):
        server = self.listen()
        self.stream()
        writer = self.pipe()
        text = os.urandom(10_000).replace(b"\n", b".") * 2
        with contextlib.closing(writer):
            writer.write(text)
        found = b""
        while len(found) < len(text):
            message = server.recv(65536)
            self.assertLessEqual(len(message), 8000)
            found += message.partition(b"]: ")[2]
        self.assertEqual(found, text)

    def test_the_last_line_needs_no_end(self):
        server = self.listen()
        self.stream()
        self.pipe().write(b"last words")
        self.closed(drain_timeout=0)
        self.assertTrue(server.recv(99).endswith(b": last words"))

    def test_what_will_not_do(self):
        for options, says in (
            ({"address": "what:ever:port"}, "address: 'what:ever:port' is neither /PATH"),
            ({"address": "host:port"}, "address: 'host:port' is neither"),
            ({"address": ""}, "address: '' is neither"),
            ({"facility": "none"}, "facility: 'none' is not one of kern, "),
            ({"level": "loud"}, "level: 'loud' is not one of emerg, "),
        ):
            with self.subTest(options), self.assertRaisesRegex(exc.OptionError, re.escape(says)):
                SyslogStream(**options)
        for address in ("/dev/log", "host", "host:5140", "[::1]", "[::1]:5140", "10.0.0.1:514"):
            SyslogStream(address).close()


class TroubleTest(SyslogCase):
    def setUp(self):
        super().setUp()
        hurry(self, {"stream.syslog.RETRY_DELAY": 0.1, "stream.syslog.BUSY_TIMEOUT": 0.2})

    def test_nobody_there_and_then_somebody(self):
        self.stream()
        writer = self.pipe()
        writer.write(b"lost\n")
        self.assertTrue(eventually(lambda: self.lost() == {"key": 4}, TIMEOUT))
        text = f"web: cannot send to syslog {self.socket}: No such file or directory"
        self.assertEqual(self.said, [text])
        server = self.listen()
        server.setblocking(False)
        self.assertTrue(eventually(lambda: self.gets_through(writer, server), TIMEOUT))
        self.closed(drain_timeout=0)
        self.assertIn("bytes of output lost", self.said[-1])

    def gets_through(self, writer, server):
        writer.write(b"here\n")
        try:
            return server.recv(99).endswith(b": here")
        except BlockingIOError:
            return False

    def test_one_that_is_started_again(self):
        server = self.listen()
        self.stream()
        writer = self.pipe()
        writer.write(b"one\n")
        self.assertTrue(server.recv(99).endswith(b": one"))
        server.close()
        os.unlink(self.socket)
        server = self.listen()
        writer.write(b"two\n")
        self.assertTrue(server.recv(99).endswith(b": two"))
        self.assertEqual(sum(self.lost().values()), 0)

    def test_one_that_does_not_read_holds_up_nobody_else(self):
        server = self.listen()
        self.stream()
        self.open("file")
        flood = self.pipe()
        os.set_blocking(flood.fileno(), False)
        self.assertTrue(
            eventually(lambda: self.floods(flood) and any(self.lost().values()), TIMEOUT)
        )
        self.pipe("file").write(b"written\n")
        self.assert_shows(b"written\n")
        self.assertIn("temporarily unavailable", self.said[0])
        self.assertTrue(server.recv(99).endswith(b": flood"))

    def floods(self, writer):
        with contextlib.suppress(BlockingIOError):
            writer.write(b"flood\n" * 100)
        return True

    def test_reopen_connects_anew(self):
        first = self.listen()
        self.stream()
        writer = self.pipe()
        writer.write(b"one\n")
        self.assertTrue(first.recv(99).endswith(b": one"))
        os.rename(self.socket, self.socket + ".old")
        second = self.listen()
        second.setblocking(False)
        self.pump.reopen()
        self.assertTrue(eventually(lambda: self.gets_through(writer, second), TIMEOUT))


if __name__ == "__main__":
    unittest.main()
