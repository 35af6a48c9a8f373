from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import zmq

from cvec_circus.control.endpoints import bind
from cvec_circus.exc import SocketError
from tests.support.leaks import LeakCheckedTestCase


class TestBind(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.context = zmq.Context()
        self.addCleanup(self.context.term)

    def bind(self, endpoint: str) -> str:
        server = self.context.socket(zmq.ROUTER)
        self.addCleanup(server.close)
        return bind(server, "endpoint", endpoint)

    def assert_refused(self, endpoint: str, reason: str) -> None:
        with self.assertRaises(SocketError) as caught:
            self.bind(endpoint)
        self.assertEqual(str(caught.exception), f"endpoint {endpoint}: cannot listen: {reason}")

    def test_a_free_port_is_told(self) -> None:
        self.assertRegex(self.bind("tcp://127.0.0.1:*"), r"^tcp://127\.0\.0\.1:[1-9]\d*$")
        self.assertRegex(self.bind("tcp://127.0.0.1:0"), r"^tcp://127\.0\.0\.1:[1-9]\d*$")

    def test_what_is_taken(self) -> None:
        for endpoint in ("tcp://127.0.0.1:*", f"ipc://{self.folder}/sock"):
            self.assert_refused(self.bind(endpoint), "Address already in use")

    def test_what_is_no_endpoint(self) -> None:
        for endpoint in ("", "web", "tcp://127.0.0.1", "smtp://x:1", "tcp://127.0.0.1:99999"):
            self.assert_refused(endpoint, "this is no endpoint")

    def test_what_cannot_be(self) -> None:
        self.assert_refused("tcp://no.such.host.invalid:1", "no such host or interface")
        self.assert_refused(f"ipc://{self.folder}/no/sock", "No such file or directory")
        self.assert_refused(f"ipc://{self.folder}/{'x' * 108}", "File name too long")

    def test_a_file_is_not_deleted(self) -> None:
        path = self.folder / "notes"
        path.write_text("mine")
        self.assert_refused(f"ipc://{path}", "File exists")
        self.assertEqual(path.read_text(), "mine")

    def test_what_a_dead_daemon_left_is_replaced(self) -> None:
        path = self.folder / "sock"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        self.assertEqual(self.bind(f"ipc://{path}"), f"ipc://{path}")
