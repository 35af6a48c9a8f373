"""The same question thousands of times at once: all are answered soon, and others do not wait."""

from __future__ import annotations

import unittest
from typing import Any

import zmq

from cvec_circus.base.clock import SYSTEM
from cvec_circus.wire import messages
from tests.support.daemon import DaemonCase

COUNT = 3000
TEXT = "[watcher:a]\ncmd = sleep 1000\nnumprocesses = 20\n"


class TestManyQuestions(DaemonCase):
    def asked(self, endpoint: str) -> Any:
        """A socket on which the question has been asked that many times."""
        context: zmq.Context[Any] = zmq.Context()
        self.addCleanup(context.term)
        socket = context.socket(zmq.DEALER)
        self.addCleanup(socket.close, 0)
        socket.sndhwm = socket.rcvhwm = 0
        socket.connect(endpoint)
        for _ in range(COUNT):
            socket.send(messages.encode(messages.call("stats", {})))
        return socket

    def test_statistics(self) -> None:
        daemon = self.daemon(TEXT)
        daemon.wire.events.wait("spawn", 20)
        socket = self.asked(daemon.endpoint)
        slowest = 0.0
        with self.within(30.0):
            for _ in range(20):
                began = SYSTEM.monotonic()
                daemon.call("ping")
                slowest = max(slowest, SYSTEM.monotonic() - began)
            self.assertEqual(len(daemon.call("stats")["infos"]["a"]), 20)
            for _ in range(COUNT):
                self.assertTrue(socket.poll(20_000))
                socket.recv()
        self.assertLess(slowest, 2.0)


if __name__ == "__main__":
    unittest.main()
