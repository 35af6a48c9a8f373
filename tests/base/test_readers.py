"""Many files that are one to a loop."""

from __future__ import annotations

import os

from cvec_circus.base.readers import Readers
from tests.support.loops import LoopTestCase


class ReadersTest(LoopTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.readers = Readers(self.loop)
        self.addCleanup(self.readers.close)

    def test_each_is_read_until_it_is_removed(self) -> None:
        pipes = [self.pipe() for _ in range(3)]
        for number, (read_fd, write_fd) in enumerate(pipes):
            self.readers.add(
                read_fd, lambda n=number, fd=read_fd: self.got.put((n, os.read(fd, 9)))
            )
            os.write(write_fd, b"%d" % number)
        self.run_loop()
        found = {self.next() for _ in pipes}
        self.assertEqual(found, {(0, b"0"), (1, b"1"), (2, b"2")})
        for _ in range(2):
            self.loop.ask(self.readers.remove, pipes[0][0])
        os.write(pipes[0][1], b"x")
        os.write(pipes[1][1], b"y")
        self.assertEqual(self.next(), (1, b"y"))
        self.loop.ask(bool)
        self.assertTrue(self.got.empty())

    def test_one_that_raises_stops_no_other(self) -> None:
        def fail() -> None:
            self.readers.remove(bad)
            raise ValueError("broken")

        (bad, bad_end), (good, good_end) = self.pipe(), self.pipe()
        self.readers.add(bad, fail)
        self.readers.add(good, lambda: self.got.put(os.read(good, 9)))
        os.write(bad_end, b"x")
        os.write(good_end, b"y")
        self.run_loop()
        self.assertEqual(self.next(), b"y")
        self.assertEqual(
            [str(error) for error, _ in self.loop.ask(lambda: self.errors)], ["broken"]
        )

    def test_one_that_another_removes_is_not_read(self) -> None:
        (one, one_end), (two, two_end) = self.pipe(), self.pipe()

        def first(own: int, other: int) -> None:
            self.readers.remove(own)
            self.readers.remove(other)
            self.got.put(own)

        self.readers.add(one, lambda: first(one, two))
        self.readers.add(two, lambda: first(two, one))
        os.write(one_end, b"x")
        os.write(two_end, b"x")
        self.run_loop()
        self.next()
        self.loop.ask(bool)
        self.assertTrue(self.got.empty())
