"""The same question thousands of times at once: all are answered soon, and others do not wait."""

from __future__ import annotations

import unittest
from typing import Any

import zmq

from cvec_circus.base.clock import SYSTEM
from cvec_circus.wire import messages
from tests.support.daemon import DaemonCase

TEXT = "[watcher:a]\ncmd = sleep 1000\nnumprocesses = 20\n"


class TestManyQuestions(DaemonCase):
    def ask(self, endpoint: str, message: dict[str, Any], count: int) -> Any:
        """Ask the same question that many times, and return the socket on which it is answered."""
        context: zmq.Context[Any] = zmq.Context()
        self.addCleanup(context.term)
        socket = context.socket(zmq.DEALER)
        self.addCleanup(socket.close, 0)
        socket.sndhwm = socket.rcvhwm = 0
        socket.connect(endpoint)
        for _ in range(count):
            socket.send(messages.encode(message))
        return socket

    def test_statistics(self) -> None:
        daemon = self.daemon(TEXT)
        daemon.wire.events.wait("spawn", 20)
        self.ask(daemon.endpoint, messages.cast("stats", {}), 3000)
        slowest = 0.0
        with self.within(20.0):
            for _ in range(20):
                began = SYSTEM.monotonic()
                daemon.call("ping")
                slowest = max(slowest, SYSTEM.monotonic() - began)
            self.assertEqual(len(daemon.call("stats")["infos"]["a"]), 20)
        self.assertLess(slowest, 2.0)

    def test_every_one_is_answered(self) -> None:
        daemon = self.daemon(TEXT)
        daemon.wire.events.wait("spawn", 20)
        count = 500  # fewer than a daemon keeps for a client that does not read
        socket = self.ask(daemon.endpoint, messages.call("stats", {}), count)
        for _ in range(count):
            self.assertTrue(socket.poll(20_000))
            answer = messages.decode(socket.recv())
            self.assertEqual(len(answer["infos"]["a"]), 20)


if __name__ == "__main__":
    unittest.main()
