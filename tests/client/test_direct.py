"""One request over a plain socket, to a ROUTER of libzmq and to what is none."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from cvec_circus import exc
from cvec_circus.client import direct
from cvec_circus.wire import messages, zmtp
from tests.support.client_case import ClientCase

TIMEOUT = 10.0


class TestAnswers(ClientCase):
    """What a daemon on libzmq answers, as that of Circus is."""

    def ask(self, command: str, **properties: Any) -> Any:
        return direct.exchange(self.daemon.endpoint, messages.call(command, properties), TIMEOUT)

    def test_an_answer(self) -> None:
        reply = self.ask("ping")
        self.assertEqual(reply["status"], "ok")

    def test_over_tcp(self) -> None:
        context = zmq.Context()
        self.addCleanup(context.term)
        router = context.socket(zmq.ROUTER)
        self.addCleanup(router.close, 0)
        port = router.bind_to_random_port("tcp://127.0.0.1")

        def answer() -> None:
            peer, text = router.recv_multipart()
            asked = messages.decode(text)
            other = messages.encode({"status": "ok", "id": "another"})
            router.send_multipart([peer, other])
            text = messages.encode({"status": "ok", "id": asked["id"], "much": "x" * 3_000_000})
            router.send_multipart([peer, b"", text])

        thread = threading.Thread(target=answer)
        thread.start()
        reply = direct.exchange(f"tcp://localhost:{port}", messages.call("x"), TIMEOUT)
        thread.join()
        assert reply is not None
        self.assertEqual(len(reply["much"]), 3_000_000)

    def test_what_cannot_be_sent(self) -> None:
        with self.assertRaisesRegex(exc.CallError, "This cannot be sent"):
            self.ask("ping", much="x" * messages.MAX_FRAME)


class TestOthers(unittest.TestCase):
    """What listens and is no daemon, or does not listen at all."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "s")
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(str(self.path))
        self.listener.listen()

    def ask(self, timeout: float = TIMEOUT) -> Any:
        return direct.exchange(f"ipc://{self.path}", messages.call("ping"), timeout)

    def serve(self, serve: Callable[[socket.socket], object]) -> None:
        """Serve one connection on a thread, then close it."""

        def run() -> None:
            accepted, _ = self.listener.accept()
            with accepted:
                serve(accepted)

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)

    def greet(self, accepted: socket.socket) -> None:
        """Greet as a ROUTER does, and read greeting, READY and the request."""
        accepted.sendall(zmtp.opening(b"ROUTER"))
        read = b""
        while b"ping" not in read:
            read += accepted.recv(65536)

    def test_what_closes_the_connection_before_it_answers(self) -> None:
        self.serve(self.greet)
        with self.assertRaisesRegex(exc.CallError, "gone: the connection was closed"):
            self.ask()

    def test_what_does_not_answer(self) -> None:
        done = threading.Event()
        self.serve(lambda accepted: (self.greet(accepted), done.wait(TIMEOUT)))
        with self.assertRaisesRegex(exc.CallError, "^Timed out.$"):
            self.ask(0.2)
        done.set()

    def test_what_does_not_greet(self) -> None:
        with self.assertRaisesRegex(exc.CallError, "^Timed out.$"):
            self.ask(0.05)

    def test_another_protocol_is_left_to_libzmq(self) -> None:
        said = b"HTTP/1.1 400 Bad Request\r\n\r\n".ljust(64)
        self.serve(lambda accepted: (accepted.sendall(said), accepted.recv(65536)))
        self.assertIsNone(self.ask())
        self.serve(lambda accepted: (accepted.sendall(said), accepted.recv(65536)))
        self.assertFalse(direct.publishes(f"ipc://{self.path}", TIMEOUT))

    def test_what_publishes_is_known_at_once(self) -> None:
        """The endpoint of events in place of that of commands, as `listen` of Circus takes it."""
        said = zmtp.opening(b"XPUB")
        self.serve(lambda accepted: (accepted.sendall(said), accepted.recv(65536)))
        with self.assertRaisesRegex(exc.CallError, "listens there publishes, and takes no comm"):
            self.ask()
        self.serve(lambda accepted: (accepted.sendall(said), accepted.recv(65536)))
        self.assertTrue(direct.publishes(f"ipc://{self.path}", TIMEOUT))

    def test_nothing_is_sent_where_nothing_listens(self) -> None:
        self.listener.close()
        self.assertIsNone(self.ask())
        os.unlink(self.path)
        self.assertIsNone(self.ask())

    def test_what_only_libzmq_can_reach(self) -> None:
        for endpoint in ("ipc://@abstract", "tcp://no-number.example:5555", "inproc://x", "5555"):
            self.assertIsNone(direct.exchange(endpoint, messages.call("ping"), TIMEOUT), endpoint)


if __name__ == "__main__":
    unittest.main()
