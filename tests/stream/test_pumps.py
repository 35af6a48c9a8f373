"""Which thread reads what."""

import contextlib
import fcntl
import os
import re
import sys
import termios
import threading
from unittest import mock

from cvec_circus.stream import pumps, stdout
from cvec_circus.stream.appendfile import AppendFile
from cvec_circus.stream.base import Source
from cvec_circus.stream.history import History
from cvec_circus.stream.pumps import Pumps
from cvec_circus.system import mounts
from cvec_circus.system.mounts import Mount
from tests.stream.support import FLOOD_FOR_EVER, PumpTestCase, never
from tests.support.eventually import eventually


def threads():
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("pump"))


def filled(fd):
    """Return how many bytes are in a pipe."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


class PumpsTestCase(PumpTestCase):
    """Pumps, and two folders that are said to be file systems of their own."""

    def setUp(self):
        super().setUp()
        points = {"/": "0:1"}
        for number, name in enumerate("xy"):
            os.mkdir(self.path(name))
            points[self.path(name)] = f"0:{number + 2}"
        self.mounted = {at: Mount(device, at, "ext4") for at, device in points.items()}
        self.mounts = mock.patch.object(mounts, "read", side_effect=lambda: self.mounted).start()
        self.addCleanup(mock.patch.stopall)
        self.addCleanup(self.join)
        self.pump = Pumps(self.context, never)

    def flush(self):
        """Wait until all that was ordered is carried out."""
        self.done()
        for pump in self.pump._all():
            event = threading.Event()
            if pump.is_needed and pump.do(event.set):
                self.assertTrue(event.wait(30), pump.name)


class PumpsTest(PumpsTestCase):
    def test_files_of_a_file_system_share_a_thread(self):
        self.open("a", "a")
        self.open("b", "b", **{"class": "WatchedFileStream"})
        self.pipe("a").write(b"to a\n")
        self.pipe("b").write(b"to b\n")
        self.assert_shows(b"to a\n", "a")
        self.assert_shows(b"to b\n", "b")
        self.assertEqual(threads(), ["pump", "pump:/"])

    def test_each_file_system_has_a_thread(self):
        os.symlink("../y/linked", self.path("x/link"))
        for name in ("x/log", "y/log", "x/link"):
            self.open(name, name)
            self.pipe(name).write(b"here\n")
        for name in ("x/log", "y/log", "y/linked"):
            self.assert_shows(b"here\n", name)
        self.assertEqual(threads(), ["pump", f"pump:{self.path('x')}", f"pump:{self.path('y')}"])
        self.open("x/log", "x/log")
        self.assertEqual(self.lost(), {"x/log": 0, "y/log": 0, "x/link": 0})

    def test_without_a_list_of_what_is_mounted(self):
        self.mounts.side_effect = OSError
        self.open("x", "x/log")
        self.pipe("x").write(b"here\n")
        self.assert_shows(b"here\n", "x/log")
        self.assertEqual(threads(), ["pump", "pump:files"])

    def test_the_last_list_counts_when_it_cannot_be_read_again(self):
        with mock.patch.object(pumps, "TABLE_LIFETIME", 0.0):
            self.open("a", "a")
            self.flush()
            self.mounts.side_effect = OSError
            self.open("b", "b")
            self.flush()
        self.assertEqual(list(self.pump._lanes), ["0:1"])

    def test_one_that_hangs_holds_up_nobody_else(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.open("x", "x/log")
        self.open("y", "y/log")
        self.flush()
        self.pump._lanes["0:2"].do(gate.wait, 60)
        writer = self.pipe("x", 1)
        writer.write(b"late\n")
        self.pipe("y", 2).write(b"in time\n")
        self.assert_shows(b"in time\n", "y/log")
        self.open("new", "y/new")
        self.pipe("new", 3).write(b"new\n")
        self.assert_shows(b"new\n", "y/new")
        self.assertEqual(self.text("x/log"), b"")
        self.pump.stop(0)
        self.assertFalse(self.pump.join(0.2))
        lost = "not written: 5 bytes of stdout of x"
        self.assertEqual(self.pump.hanging, [f"pump:{self.path('x')} (files; {lost})"])
        gate.set()
        self.assertTrue(self.pump.join(30))
        self.assertEqual(self.text("x/log"), b"late\n")

    def test_what_comes_for_one_that_hangs_too_long_is_lost_and_counted(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.open("x", "x/log")
        self.flush()
        for name, value in (("BEHIND_DELAY", -1.0), ("MOST_ORDERS", 3)):
            patch = mock.patch(f"cvec_circus.stream.pump.{name}", value)
            patch.start()
            self.addCleanup(patch.stop)
        inside = threading.Event()
        self.pump._lanes["0:2"].do(lambda: (inside.set(), gate.wait(60)))
        self.assertTrue(inside.wait(30))
        writers = [self.pipe("x", pid) for pid in range(1, 6)]
        for writer in writers:
            writer.write(b"12345\n")
        self.assertTrue(eventually(lambda: self.lost() == {"x": 6}))
        writers[4].write(b"x" * 1_000_000)
        said = "x hangs, and too much waits for it already; its output is lost"
        self.assertIn(said, self.said[0])
        gate.set()
        self.assertTrue(eventually(lambda: self.text("x/log") == b"12345\n" * 4))
        self.open("x", "y/log")
        self.flush()
        writers[4].write(b"12345\n")
        self.assertTrue(eventually(lambda: self.text("y/log").endswith(b"12345\n")))

    def test_standard_output_that_nobody_reads_holds_up_nobody_else(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        write_out, blocked = stdout._write_out, threading.Event()

        def write(data):
            if filled(reader) + len(data) > 65536:
                blocked.set()
            return write_out(data)

        patch = mock.patch.object(stdout, "_write_out", write)
        with open(writer, "w") as out, mock.patch("sys.stdout", out), patch:
            self.pump.open("out", {"class": "StdoutStream"})
            self.open("file")
            self.spawn(FLOOD_FOR_EVER, key="out")
            self.pipe("file").write(b"written\n")
            self.assert_shows(b"written\n")
            self.assertTrue(blocked.wait(30))
            self.assertEqual(threads(), ["pump", "pump:/", "pump:stdout"])
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
            self.flush()
            pipe.write(b"second\n")
            self.assertEqual(os.read(reader, 100), b"second\n")
            self.open("key")
            self.flush()
            pipe.write(b"third\n")
            self.assert_shows(b"first\nthird\n")
            self.assertEqual(self.lost(), {"key": 0})
            self.closed("key", 0)
            self.join()

    def test_reopen_follows_a_file_to_another_file_system(self):
        os.symlink("x/log", self.path("link"))
        self.open("key", "link")
        pipe = self.pipe("key")
        pipe.write(b"first\n")
        self.assert_shows(b"first\n", "x/log")
        os.unlink(self.path("link"))
        os.symlink("y/log", self.path("link"))
        self.pump.reopen()
        self.flush()
        pipe.write(b"second\n")
        self.assert_shows(b"second\n", "y/log")
        self.assertIn(f"pump:{self.path('y')}", threads())

    def slow_writes(self, seconds):
        """Let each write to a file take a while, as on a disk that others keep busy."""
        append, device = AppendFile.append, threading.Event()

        def slow(file, buffers, size):
            device.wait(seconds)
            return append(file, buffers, size)

        patch = mock.patch.object(AppendFile, "append", slow)
        patch.start()
        self.addCleanup(patch.stop)

    def fill(self, count):
        """Give that many pipes, each with a line, to a thread that is held; return what lets go."""
        self.open("x", "x/log")
        self.flush()
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.pump._lanes["0:2"].do(gate.wait, 60)
        for pid in range(1, count + 1):
            with self.pipe("x", pid) as writer:
                writer.write(b"last words\n")
        self.pump.stop()
        return gate

    def test_the_end_waits_while_something_is_written(self):
        self.slow_writes(0.1)
        self.fill(25).set()
        self.assertTrue(self.pump.join(1.0, 60))
        self.assertEqual(self.text("x/log"), b"last words\n" * 25)

    def test_the_end_waits_so_long_in_all(self):
        self.slow_writes(0.05)
        self.fill(100).set()
        self.assertFalse(self.pump.join(30, 0.5))
        (said,) = self.pump.hanging
        found = re.fullmatch(r".* \(files; not written: (\d+) bytes of stdout of x\)", said)
        self.assertIn(int(found[1]), range(1, 1100))

    def test_the_outputs_that_lose_most_are_named(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        for name in "abcdefgh":
            self.open(name, f"x/{name}")
        self.flush()
        self.pump._lanes["0:2"].do(gate.wait, 60)
        for number, name in enumerate("abcdefgh", 1):
            self.pipe(name, number).write(b"x" * number)
        self.pump.stop(0)
        self.assertFalse(self.pump.join(0.1))
        (said,) = self.pump.hanging
        most = zip((8, 7, 6, 5, 4), "hgfed")
        named = ", ".join(f"{n} bytes of stdout of {name}" for n, name in most)
        self.assertIn(f"; not written: {named}, 6 bytes of 3 others)", said)

    def test_after_the_end(self):
        self.open("key")
        self.pump.stop()
        self.assertTrue(self.pump.join(30))
        self.assertTrue(eventually(lambda: not threads()))
        self.assertFalse(self.open("key"))
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        self.assertFalse(self.pump.add("key", reader, 1))


class MemoryTest(PumpsTestCase):
    """Output that is only kept in memory, and output that goes nowhere."""

    def test_a_history_needs_no_other_thread(self):
        history = History(1000, self.clock)
        self.pump.open("key", {}, history=history)
        self.pipe().write(b"kept\n")
        self.assertTrue(eventually(lambda: history.end == 5))
        self.assertEqual(threads(), ["pump"])

    def test_what_is_written_after_a_close_is_read_and_dropped(self):
        self.open("key", "x/log")
        writer = self.pipe()
        writer.write(b"kept\n")
        self.closed("key", 0)
        for _ in range(64):
            writer.write(b"x" * 65536)
        self.assertEqual(self.text("x/log"), b"kept\n")

    def test_a_stream_that_comes_back_gets_its_pipes_back(self):
        history = History(1000, self.clock)
        self.pump.open("key", {}, history=history)
        writer = self.pipe()
        writer.write(b"one\n")
        self.closed("key", 0)
        self.assertEqual(history.end, 4)
        writer.write(b"dropped\n" * 100_000)
        self.open("key", "x/log")
        self.flush()
        writer.write(b"two\n")
        self.assertTrue(eventually(lambda: self.text("x/log").endswith(b"two\n")))

    def test_a_pipe_without_a_stream_is_read_and_dropped(self):
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.pump.add("key", *self.ends(77), Source("web", "stderr"))
            self.writer.write(b"x" * 1_000_000)
        said = "web: no stream is open for the stderr of process 77; what it writes is lost"
        self.assertIn(said, logs.output[0])

    def ends(self, pid):
        """Make a pipe with a writer of our own; return the other end and the process."""
        reader, writer = os.pipe()
        self.writer = open(writer, "wb", buffering=0)
        self.addCleanup(self.writer.close)
        return reader, pid


class StraysTest(PumpsTestCase):
    """Pipes that are still open when nothing is left of their processes."""

    def setUp(self):
        super().setUp()
        for name, value in (("STRAY_DELAY", 0.0), ("MOST_STRAYS", 3)):
            patch = mock.patch(f"cvec_circus.stream.reader.{name}", value)
            patch.start()
            self.addCleanup(patch.stop)
        self.source = Source("web", "stdout")

    def leave(self, pid):
        """Have a process end whose pipe something still holds."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        self.pump.add("key", reader, pid, self.source)
        os.write(writer, b"%d\n" % pid)
        self.assertTrue(eventually(lambda: self.text("x/log").endswith(b"%d\n" % pid)))
        self.pump.release("key", pid)
        self.flush()
        self.flush()
        return reader, writer

    def discarded(self):
        """Return the processes whose output is dropped."""
        found = set()

        def look():
            pipes = self.pump._main.reader._discarded.pipes
            found.update(pipe.pid for pipe in pipes.values())

        self.pump._main.do(look)
        self.done()
        return found

    def test_they_are_read_and_dropped(self):
        self.pump.open("key", {"filename": self.path("x/log")}, self.source)
        _, writer = self.leave(1)
        self.assertTrue(eventually(lambda: self.discarded() == {1}))
        os.write(writer, b"x" * 60_000)
        os.write(writer, b"x" * 60_000)
        self.assertEqual(self.text("x/log"), b"1\n")

    def test_so_many_and_then_the_oldest_is_closed(self):
        self.pump.open("key", {"filename": self.path("x/log")}, self.source)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            left = [self.leave(pid) for pid in range(1, 6)]
            self.assertTrue(eventually(lambda: self.discarded() == {3, 4, 5}))
        said = "web: closing the stdout that process 1 has left to its strays"
        self.assertIn(said, logs.output[0])
        self.assertEqual(len(logs.output), 2)
        with self.assertRaises(BrokenPipeError):
            os.write(left[0][1], b"x")
        os.write(left[4][1], b"x")

    def test_one_that_ends_is_closed(self):
        self.pump.open("key", {"filename": self.path("x/log")}, self.source)
        reader, writer = os.pipe()
        self.pump.add("key", reader, 9, self.source)
        self.pump.release("key", 9)
        self.assertTrue(eventually(lambda: self.discarded() == {9}))
        os.close(writer)
        self.assertTrue(eventually(lambda: not self.discarded()))

    def test_of_a_process_that_outlived_its_stream(self):
        self.open("key", "x/log")
        writers = [self.pipe("key", pid) for pid in range(1, 6)]
        self.closed("key", 0)
        self.flush()
        self.assertEqual(self.discarded(), {1, 2, 3, 4, 5})
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            for pid in range(1, 6):
                self.pump.release("key", pid)
            self.assertTrue(eventually(lambda: self.discarded() == {3, 4, 5}))
        self.assertEqual(len(logs.output), 2)
        writers[4].write(b"x")

    def test_a_stream_that_comes_back_does_not_get_them_back(self):
        self.pump.open("key", {"filename": self.path("x/log")}, self.source)
        _, writer = self.leave(1)
        self.assertTrue(eventually(lambda: self.discarded() == {1}))
        self.pump.open("key", {"filename": self.path("y/log")}, self.source)
        self.flush()
        os.write(writer, b"x\n")
        self.assertTrue(eventually(lambda: not filled(writer)))
        self.assertEqual(self.text("y/log"), b"")
