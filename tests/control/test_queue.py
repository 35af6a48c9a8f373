"""Whose turn it is."""

from __future__ import annotations

import socket
import unittest

from cvec_circus.control.connection import Connection
from cvec_circus.control.queue import FORGIVEN, Queue


class TestQueue(unittest.TestCase):
    def setUp(self) -> None:
        self.queue = Queue()
        self.now = 100.0

    def connection(self) -> Connection:
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        return Connection(ours, frozenset(), self.now)

    def step(self, seconds: float, again: bool = True) -> Connection:
        """Carry out the next message, which takes that long."""
        connection = self.queue.pop()
        self.now += seconds
        self.queue.charge(connection, seconds, self.now)
        if again:
            self.queue.put(connection, self.now)
        return connection

    def test_the_one_that_has_had_least_is_next(self) -> None:
        slow, quick = self.connection(), self.connection()
        self.queue.put(slow, self.now)
        self.queue.put(quick, self.now)
        self.assertIs(self.step(1.0), slow)
        for _ in range(9):
            self.assertIs(self.step(0.1), quick)

    def test_silence_saves_up_no_time(self) -> None:
        busy, silent = self.connection(), self.connection()
        self.queue.put(busy, self.now)
        for _ in range(10):
            self.step(1.0)
        self.queue.put(silent, self.now)
        turns = [self.step(1.0) for _ in range(10)]
        self.assertEqual(turns.count(silent), 5)

    def test_little_is_forgiven_and_much_is_not(self) -> None:
        peers = [self.connection() for _ in range(50)]
        for peer in peers:
            self.queue.put(peer, self.now)
        for number in range(len(peers)):
            self.step(0.02 + number / 1e6)  # no two take the same time
        light, heavy = self.connection(), self.connection()
        self.now += 10.0
        for _ in range(20):  # it takes half of what is forgiven
            self.queue.put(light, self.now)
            self.assertIs(self.step(FORGIVEN / 2 * 0.01, again=False), light)
            for _ in range(5):
                self.assertIn(self.step(0.002), peers)
        self.queue.put(heavy, self.now)
        self.assertIs(self.step(0.02, again=False), heavy)
        self.queue.put(heavy, self.now)
        self.assertIsNot(self.step(0.02), heavy)


if __name__ == "__main__":
    unittest.main()
