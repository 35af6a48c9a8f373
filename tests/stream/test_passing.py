"""Captured output that goes on to where the daemon's own goes."""

from __future__ import annotations

import errno
import os
import pty
import threading
import unittest
from unittest import mock

from cvec_circus.base.clock import SYSTEM
from cvec_circus.stream import passing
from cvec_circus.stream.base import Context, Source
from cvec_circus.stream.passing import Outlet, Outlets, PassedStream
from tests.support.eventually import eventually
from tests.support.hurry import hurry
from tests.support.leaks import LeakCheckedTestCase

BLOCK = 64 * 1024


class PassingCase(LeakCheckedTestCase):
    """Streams that share an outlet, and the pipe behind it."""

    def setUp(self) -> None:
        super().setUp()
        self.said: list[str] = []
        self.context = Context(SYSTEM, self.said.append)
        self.reader, self.writer = os.pipe()
        self.addCleanup(os.close, self.reader)
        self.addCleanup(lambda: self.writer < 0 or os.close(self.writer))
        self.outlet = self.make(self.writer)

    def make(self, fd: int, has_prefix: bool = True) -> Outlet:
        outlet = Outlet(fd, "the daemon's standard output", self.context, has_prefix)
        self.addCleanup(outlet.join, 30)
        self.addCleanup(outlet.end)
        return outlet

    def stream(self, name: str, *pids: int, outlet: Outlet | None = None) -> PassedStream:
        stream = PassedStream(
            outlet or self.outlet, self.context._replace(source=Source(name, "stdout"))
        )
        for wid, pid in enumerate(pids, 1):
            stream.begin(pid, Source(name, "stdout", "", wid, len(pids) > 1))
        return stream

    def text(self, outlet: Outlet | None = None) -> str:
        """End the outlet; return what came out of it."""
        outlet = outlet or self.outlet
        outlet.end()
        self.assertEqual(outlet.join(30), 0)
        os.close(self.writer)
        self.writer = -1
        with open(os.dup(self.reader), "rb") as file:
            return file.read().decode()


class TestPassing(PassingCase):
    def test_whole_lines_with_the_name_of_their_watcher(self) -> None:
        web, db = self.stream("web", 7, 8), self.stream("db", 9)
        web.write(b"one\ntw", 7)
        web.write(b"other\n", 8)
        db.write(b"ready\n", 9)
        web.write(b"o\n\n", 7)
        db.write(b"last words", 9)
        db.finish(9)
        self.assertEqual(
            self.text(),
            "web.1 | one\nweb.2 | other\ndb | ready\nweb.1 | two\nweb.1 | \ndb | last words\n",
        )

    def test_a_line_without_an_end(self) -> None:
        web, db = self.stream("web", 7), self.stream("db", 9)
        web.write(b"prompt> ", 7)
        self.assertTrue(web.waiting)
        web.look()
        web.look()
        web.write(b"yes\nnext> ", 7)
        web.look()
        web.look()
        db.write(b"ready\n", 9)
        web.write(b"no\n", 7)
        self.assertEqual(self.text(), "web | prompt> yes\nweb | next> \ndb | ready\nweb |+ no\n")

    def test_a_line_that_is_too_long(self) -> None:
        web, db = self.stream("web", 7), self.stream("db", 9)
        web.write(b"x" * BLOCK, 7)
        self.assertTrue(web.waiting)
        web.write(b"x" * BLOCK, 7)
        self.assertFalse(web.waiting)
        db.write(b"ready\n", 9)
        self.drain_to_the_end()
        self.assertEqual(self.drained.decode(), f"web | {'x' * 2 * BLOCK}\ndb | ready\n")

    def test_without_a_prefix_nothing_is_changed(self) -> None:
        outlet = self.make(self.writer, has_prefix=False)
        web, db = self.stream("web", 7, outlet=outlet), self.stream("db", 9, outlet=outlet)
        web.write(b"one\n\xff\n", 7)
        web.write(b"> ", 7)
        web.look()
        web.look()
        db.write(b"ready\n", 9)
        web.write(b"no\n", 7)
        outlet.end()
        self.assertEqual(outlet.join(30), 0)
        self.assertEqual(os.read(self.reader, 100), b"one\n\xff\n> \nready\nno\n")

    def test_a_reader_that_stops(self) -> None:
        hurry(self, {"stream.passing.PATIENCE": 0.05})
        web = self.stream("web", 7)
        for _ in range(200):
            web.write(b"x" * 1023 + b"\n" + b"y" * (BLOCK - 1025) + b"\n", 7)
        self.assertGreater(web.lost, 100 * BLOCK)
        [said] = self.said
        self.assertRegex(said, r"^web: the daemon's standard output takes nothing; \d+ bytes")
        self.assertLess(self.outlet.join(0), passing.ROOM + BLOCK)
        self.drain_to_the_end()
        lines = self.drained.decode().split("\n")
        self.assertEqual({line[6:7] for line in lines[:-1]}, {"x", "y"})
        self.assertEqual({len(line) - 6 for line in lines[:-1]}, {1023, BLOCK - 1025})

    drained = b""

    def drain_to_the_end(self, thread: threading.Thread | None = None) -> None:
        """Read on a thread, for there may be more than a pipe holds, until the outlet has ended."""
        if thread is None:
            thread = threading.Thread(target=self.drain)
            thread.start()
        self.outlet.end()
        self.assertEqual(self.outlet.join(30), 0)
        os.close(self.writer)
        self.writer = -1
        thread.join(30)

    def drain(self) -> None:
        while block := os.read(self.reader, BLOCK):
            self.drained += block

    def test_it_goes_on_when_the_reader_does(self) -> None:
        hurry(self, {"stream.passing.PATIENCE": 0.05})
        web = self.stream("web", 7)
        while not web.lost:
            web.write(b"x" * (BLOCK - 1) + b"\n", 7)
        lost = web.lost
        while os.read(self.reader, BLOCK).count(b"\n") == 0:
            pass  # until a whole line has come, so there is room for one
        done = threading.Thread(target=self.drain)
        done.start()
        self.assertTrue(eventually(lambda: self.outlet.put(b"after\n")))
        self.assertEqual(web.lost, lost)
        self.drain_to_the_end(done)
        self.assertTrue(self.drained.endswith(b"after\n"))

    def test_a_reader_that_is_gone(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        outlet = self.make(writer)
        self.stream("web", 7, outlet=outlet).write(b"one\n", 7)
        outlet.end()
        self.assertEqual(outlet.join(30), 0)
        self.assertEqual(
            self.said,
            [
                "cannot write to the daemon's standard output: "
                f"{os.strerror(errno.EPIPE)}; 10 bytes of output lost"
            ],
        )

    def test_no_thread(self) -> None:
        web = self.stream("web", 7)
        with mock.patch.object(passing.Thread, "start", side_effect=RuntimeError):
            web.write(b"one\n", 7)
        self.assertEqual(web.lost, 10)
        web.write(b"two\n", 7)
        self.assertEqual(self.text(), "\nweb | two\n")

    def test_pieces_end_with_lines(self) -> None:
        data = b"".join(b"%d\n" % number for number in range(5000)) + b"x" * 10_000 + b"\ny\n"
        pieces = list(map(bytes, passing.pieces(data)))
        self.assertEqual(b"".join(pieces), data)
        self.assertTrue(all(len(piece) <= passing.TOGETHER for piece in pieces))
        self.assertEqual([p[-1:] for p in pieces if b"x" not in p], [b"\n"] * len(pieces[:-3]))


class TestTerminal(PassingCase):
    def test_colours_and_width(self) -> None:
        for variables, expected in (
            ({"TERM": "xterm"}, "\x1b[36mweb |\x1b[0m a\r\n\x1b[33mserver |\x1b[0m b\r\n"),
            ({"TERM": "xterm", "NO_COLOR": "1"}, "web | a\r\nserver | b\r\n"),
        ):
            with self.subTest(variables), mock.patch.dict(os.environ, variables, clear=True):
                master, slave = pty.openpty()
                outlet = self.make(slave, has_prefix=False)
                web = self.stream("web", 7, outlet=outlet)
                web.write(b"a\n", 7)
                server = self.stream("server", 8, outlet=outlet)
                server.write(b"b\n", 8)
                web.write(b"c\n", 7)
                outlet.end()
                self.assertEqual(outlet.join(30), 0)
                text = ""
                while not text.endswith("c\r\n"):
                    text += os.read(master, 1000).decode()
                self.assertTrue(text.startswith(expected), text)
                self.assertIn("web    |", text)
                os.close(slave)
                os.close(master)

    def test_one_outlet_for_one_file(self) -> None:
        for same, one in ((True, True), (False, False)):
            outlets = Outlets(self.context, True)
            with mock.patch.object(passing, "is_same", return_value=same):
                self.assertEqual(outlets.to("stdout") is outlets.to("stderr"), one)
        self.assertFalse(passing.is_same(self.reader, -1))


if __name__ == "__main__":
    unittest.main()
