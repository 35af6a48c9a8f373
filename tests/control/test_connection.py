"""Whose turn it is."""

from __future__ import annotations

import socket
import unittest
from unittest import mock

from cvec_circus.control.connection import FORGIVEN, LONG, Connection, Queue


class TestQueue(unittest.TestCase):
    def setUp(self) -> None:
        self.queue = Queue()
        self.now = 100.0
        self.waited = 0.0  # seconds in which other programs had the processor
        clock = mock.patch(
            "cvec_circus.control.connection.processor_time", lambda: self.now - self.waited
        )
        clock.start()
        self.addCleanup(clock.stop)

    def connection(self) -> Connection:
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        return Connection(ours, frozenset(), self.now)

    def step(self, seconds: float, again: bool = True, waited: float = 0.0) -> Connection:
        """Carry out the next message, which takes that long, and waits so much of it."""
        self.queue.begin(self.now)
        connection = self.queue.pop()
        self.now += seconds
        self.waited += waited
        self.queue.charge(connection, self.now)
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

    def test_what_other_programs_have_taken_is_nobodys(self) -> None:
        held_up, other = self.connection(), self.connection()
        self.queue.put(held_up, self.now)
        self.step(1.0, waited=0.9)
        self.queue.put(other, self.now)
        self.assertIs(self.step(0.2), other)
        self.assertIs(self.step(0.1), held_up)

    def test_what_is_short_is_charged_once(self) -> None:
        connection = self.connection()
        self.queue.put(connection, self.now)
        self.queue.begin(self.now)
        for seconds in (LONG / 2, LONG / 4, 1.0, LONG / 4):
            self.queue.pop()
            self.now += seconds
            self.queue.charge(connection, self.now)
            self.queue.put(connection, self.now)
        self.assertAlmostEqual(connection.used, 1.0 + LONG, places=9)

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
