"""Counting connections on real sockets, without taking any."""

from __future__ import annotations

import os
import socket
import threading

from cvec_circus.base.loop import Loop
from cvec_circus.stats import reads
from cvec_circus.stats.payloads import Socket
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase


class TestReads(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.fd = os.dup(self.listener.fileno())
        self.loop = Loop(name="reads")
        self.reads = reads.SocketReads(self.loop, {"web": self.fd, "gone": 9999})
        self.thread = threading.Thread(target=self.loop.run)
        self.thread.start()
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.loop.stop()
        self.thread.join()
        self.reads.close()
        self.loop.close()

    def connect(self) -> None:
        connection = socket.create_connection(self.listener.getsockname())
        self.addCleanup(connection.close)

    def test_connections_count(self) -> None:
        total = 0

        def counted() -> int:
            nonlocal total
            total += self.loop.ask(self.reads.take).get(self.fd, 0)
            return total

        for count in (1, 2, 3):
            self.connect()
            self.assertTrue(eventually(lambda count=count: counted() >= count), total)
        self.assertEqual(total, 3)
        self.assertEqual(self.loop.ask(self.reads.take), {})
        accepted, _ = self.listener.accept()  # all are there still
        accepted.close()

    def test_only_those_that_were_inherited_are_seen(self) -> None:
        web, other = Socket("web", self.fd, "x"), Socket("other", 5, "y")
        self.assertEqual(self.reads.seen([web, other]), [web])
        self.assertEqual(self.reads.seen([web._replace(fd=self.fd + 1)]), [])

    def test_what_the_daemon_has_closed_is_closed(self) -> None:
        self.loop.ask(self.reads.keep, [Socket("web", self.fd, "x")])
        os.fstat(self.fd)
        self.loop.ask(self.reads.keep, [])
        with self.assertRaises(OSError):
            os.fstat(self.fd)
        self.connect()
        self.assertEqual(self.loop.ask(self.reads.take), {})
