"""Which thread reads what."""

import contextlib
import fcntl
import os
import sys
import termios
import threading
from unittest import mock

from cvec_circus.stream.pumps import Pumps
from cvec_circus.stream.source import Source
from tests.stream.support import FLOOD_FOR_EVER, PumpTestCase
from tests.support.eventually import eventually


def threads():
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("pump"))


def filled(fd):
    """Return how many bytes are in a pipe."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


class PumpsTest(PumpTestCase):
    def setUp(self):
        super().setUp()
        self.pump = Pumps(on_loss=self.said.append, on_crash=self.crashed)

    def test_files_share_a_thread(self):
        self.open("a", "a")
        self.open("b", "b", **{"class": "WatchedFileStream"})
        self.pipe("a").write(b"to a\n")
        self.pipe("b").write(b"to b\n")
        self.assert_shows(b"to a\n", "a")
        self.assert_shows(b"to b\n", "b")
        self.assertEqual(threads(), ["pump"])

    def test_standard_output_that_nobody_reads_holds_up_nobody_else(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        with open(writer, "w") as out, mock.patch("sys.stdout", out):
            self.pump.open("out", {"class": "StdoutStream"})
            self.open("file")
            self.assertEqual(threads(), ["pump", "pump:stdout"])
            self.spawn(FLOOD_FOR_EVER, key="out")
            self.pipe("file").write(b"written\n")
            self.assert_shows(b"written\n")
            self.assertTrue(eventually(lambda: filled(reader) > 60_000))
            self.pump.stop(0)
            self.assertFalse(self.pump.join(0.1))
            os.set_blocking(reader, False)
            while not self.pump.join(0.001):
                with contextlib.suppress(BlockingIOError):
                    os.read(reader, 1 << 20)

    def test_a_stream_moves_to_another_thread_with_its_pipes(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        with open(writer, "w") as out, mock.patch("sys.stdout", out):
            self.open("key")
            pipe = self.pipe("key")
            pipe.write(b"first\n")
            self.assert_shows(b"first\n")
            self.pump.open("key", {"class": "StdoutStream"}, Source("w"))
            self.done()
            pipe.write(b"second\n")
            self.assertEqual(os.read(reader, 100), b"second\n")
            self.open("key")
            moved = threading.Event()
            self.pump._shared["stdout"].close("none", 0, moved.set)
            self.assertTrue(moved.wait(30))
            pipe.write(b"third\n")
            self.assert_shows(b"first\nthird\n")
            self.assertEqual(self.pump.lost, {"key": 0})
            self.closed("key", 0)
            self.join()

    def test_after_the_end(self):
        self.open("key")
        self.pump.stop()
        self.assertTrue(self.pump.join(30))
        self.assertTrue(eventually(lambda: not threads()))
        self.assertFalse(self.open("key"))
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        self.assertFalse(self.pump.add("key", reader, 1))
