"""What real children write is in the files: every byte, in order, no line torn."""

import fcntl
import os
import signal
import threading
from unittest import mock

from cvec_circus.stream import reader
from cvec_circus.stream.base import Stream
from cvec_circus.stream.output import LARGER_PIPE
from tests.stream.support import FLOOD, FLOOD_FOR_EVER, LAST_WORDS, PumpTestCase, rows
from tests.support.eventually import eventually

F_GETPIPE_SZ = 1032


class ReadingTest(PumpTestCase):
    def test_all_that_a_child_wrote_is_there_when_it_is_closed(self):
        for n in range(10):
            self.open()
            child = self.spawn(FLOOD, "row", 5000, 1000 + n)
            self.closed()
            self.assertEqual(child.wait(30), 0)
        self.assertEqual(self.text(), rows("row", 5000) * 10)

    def test_last_words_before_a_kill(self):
        for n in range(20):
            self.open("key", f"log{n}")
            child = self.spawn(LAST_WORDS)
            self.assertTrue(eventually(lambda n=n: self.text(f"log{n}") == b"first\n"))
            child.kill()
            self.closed()
            self.assertEqual(self.text(f"log{n}"), b"first\nlast words")

    def test_twenty_floods_at_once_into_files_of_their_own(self):
        for n in range(20):
            self.open(n, f"log{n}")
            self.spawn(FLOOD, f"f{n}", 100_000, 4096, key=n)
        for n in range(20):
            self.closed(n)
            self.assertEqual(self.text(f"log{n}"), rows(f"f{n}", 100_000))
        self.assertEqual(self.said, [])

    def test_twenty_floods_at_once_into_one_file(self):
        for stamp in (None, "%S"):
            with self.subTest(stamp=stamp):
                self.open("key", f"log{stamp}", time_format=stamp)
                for n in range(20):
                    self.spawn(FLOOD, f"f{n}", 20_000, 5000)
                self.closed()
                got = {}
                for line in self.text(f"log{stamp}").splitlines(keepends=True):
                    line = line.rpartition(b"| ")[2]
                    got.setdefault(line.split()[0], []).append(line)
                self.assertEqual(len(got), 20)
                for name, lines in got.items():
                    self.assertEqual(b"".join(lines), rows(name.decode(), 20_000))

    def test_rotation_under_flood_loses_nothing(self):
        self.open(max_bytes=100_000, backup_count=1000)
        for n in range(4):
            self.spawn(FLOOD, f"f{n}", 100_000, 65_536)
        self.closed()
        names = sorted(os.listdir(self.folder), key=lambda name: -int(name[4:] or 0))
        self.assertGreater(len(names), 30)
        self.assertTrue(all(os.path.getsize(self.path(name)) < 100_000 for name in names))
        lines = b"".join(map(self.text, names)).splitlines(keepends=True)
        for n in range(4):
            mine = b"".join(line for line in lines if line.startswith(b"f%d " % n))
            self.assertEqual(mine, rows(f"f{n}", 100_000))

    def test_a_line_of_many_megabytes(self):
        code = "import os\nfor n in range(64): os.write(1, b'x' * 262144)\nos.write(1, b'\\n')"
        for stamp in (None, "%%"):
            with self.subTest(stamp=stamp):
                self.open("key", f"log{stamp}", time_format=stamp)
                child = self.spawn(code)
                self.closed()
                text = b"x" * 262144 * 64 + b"\n"
                expected = text if stamp is None else b"%% [%d] | %s" % (child.pid, text)
                self.assertTrue(self.text(f"log{stamp}") == expected)

    def test_a_flood_does_not_keep_others_waiting(self):
        self.pump.open("flood", {"filename": "/dev/null"})
        for _ in range(3):
            self.spawn(FLOOD_FOR_EVER, key="flood")
        self.open()
        self.spawn(FLOOD, "quiet", 1, 100)
        self.assert_shows(b"quiet 0\n")

    def test_a_full_disk_blocks_no_child(self):
        self.pump.open("key", {"filename": "/dev/full"})
        child = self.spawn(FLOOD, "row", 100_000, 65_536)
        self.assertEqual(child.wait(60), 0)
        size = len(rows("row", 100_000))
        self.assertTrue(eventually(lambda: self.lost() == {"key": size}))
        self.closed()
        self.assertEqual(self.lost(), {})
        self.assertEqual(len(self.said), 2)
        self.assertIn("cannot write to /dev/full: No space left on device;", self.said[0])
        counts = [int(line.split(";")[1].split()[0]) for line in self.said]
        self.assertEqual(sum(counts), size)

    def test_a_stream_that_raises_costs_only_its_own_output(self):
        class Faulty(Stream):
            def _fail(self, *args):
                raise ValueError("no")

            write = finish = look = reopen = close = _fail

        self.open()
        self.done()
        with self.assertLogs("cvec_circus", "ERROR"):
            with mock.patch("cvec_circus.stream.reader.make", return_value=Faulty(self.context)):
                self.pump.open("faulty", {})
                self.done()
            faulty, writer = self.pipe("faulty"), self.pipe()
            faulty.write(b"12345\n")
            self.assertTrue(eventually(lambda: self.lost().get("faulty") == 6))
            writer.write(b"one\n")
            self.assert_shows(b"one\n")
            self.closed("faulty", 0)
        self.assertIn("its stream for stdout raised ValueError('no')", self.said[0])

    def test_a_child_that_closes_its_output_goes_on_unwatched(self):
        self.open()
        child = self.spawn("import os; os.write(1, b'bye'); os.close(1); os.read(0, 1)")
        self.assert_shows(b"bye")
        self.assertIsNone(child.poll())

    def test_a_pipe_that_was_full_becomes_larger(self):
        self.open()
        writer = self.pipe()
        before = fcntl.fcntl(writer, F_GETPIPE_SZ)
        writer.write(b"x\n")
        self.assert_shows(b"x\n")
        self.assertEqual(fcntl.fcntl(writer, F_GETPIPE_SZ), before)
        for _ in range(64):
            writer.write(b"x" * 65_535 + b"\n")
        self.assertTrue(eventually(lambda: fcntl.fcntl(writer, F_GETPIPE_SZ) == LARGER_PIPE))


class SignalTest(PumpTestCase):
    def test_a_stopped_writer_holds_up_nobody(self):
        self.open()
        self.open("other", "other")
        child = self.spawn(FLOOD_FOR_EVER)
        child.send_signal(signal.SIGSTOP)
        self.spawn(FLOOD, "other", 10_000, 4096, key="other")
        self.closed("other")
        self.assertEqual(self.text("other"), rows("other", 10_000))

    def test_who_waits_for_the_rest_is_told_though_there_is_no_memory_for_it(self):
        self.open()
        writer, told = self.pipe(pid=7), threading.Event()
        lacking = mock.patch.object(reader.PipeReader, "_drain", side_effect=MemoryError)
        with lacking, self.assertLogs("cvec_circus", "ERROR") as logs:
            self.pump.do(self.pump.reader.catch_up, "key", [7], told.set)
            self.assertTrue(told.wait(30))
            self.done()
        (line,) = logs.output
        self.assertTrue(line.endswith("pump: catch_up could not continue: no memory"), line)
        writer.write(b"more\n")
        self.assert_shows(b"more\n")
