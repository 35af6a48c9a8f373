"""The pump with real pipes and real writers."""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from unittest import mock

from cvec_circus import exc
from cvec_circus.base.clock import SYSTEM
from cvec_circus.stream.pump import Pump
from cvec_circus.stream.reader import LARGER_PIPE
from tests.support.clock import FakeClock
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase

F_GETPIPE_SZ = 1032
PYTHON = [sys.executable, "-I", "-S", "-c"]

# Writes rows "<name> <number>" in blocks that end anywhere.
FLOOD = """
import os, sys
name, rows, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
text = memoryview(b"".join(b"%s %d\\n" % (name.encode(), n) for n in range(rows)))
while text:
    text = text[os.write(1, text[:size]):]
"""

FLOOD_FOR_EVER = """
import os, signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
while True:
    os.write(1, b"flood\\n" * 1000)
"""

# Leaves a grandchild that holds the pipe open until its standard input ends, and dies.
LEAVE_GRANDCHILD = """
import os, sys
if os.fork() == 0:
    os.write(1, b"grandchild\\n")
    os.read(0, 1)
    os._exit(0)
os.write(1, b"child\\n")
os._exit(0)
"""

# Says something without a newline and waits to be killed.
LAST_WORDS = """
import os
os.write(1, b"first\\nlast words")
os.read(0, 1)
"""


def rows(name, count):
    return b"".join(b"%s %d\n" % (name.encode(), n) for n in range(count))


class PumpTestCase(LeakCheckedTestCase):
    clock = SYSTEM

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.filename = self.path("log")
        self.said = []
        self.pump = Pump(clock=self.clock, on_loss=self.said.append, on_crash=self.crashed)
        self.addCleanup(self.join)

    def crashed(self, error, description):
        self.said.append(f"{description}: {error!r}")

    def join(self):
        self.pump.stop(0)
        self.assertTrue(self.pump.join(30))

    def path(self, name):
        return os.path.join(self.folder, name)

    def text(self, name="log"):
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    def open(self, key="key", name="log", **options):
        return self.pump.open(key, {"filename": self.path(name), **options})

    def spawn(self, code, *args, key="key"):
        """Start a child whose standard output goes to the pump."""
        reader, writer = os.pipe()
        command = [*PYTHON, code, *map(str, args)]
        child = subprocess.Popen(command, stdout=writer, stdin=subprocess.PIPE)
        os.close(writer)
        self.addCleanup(self.end, child)
        self.assertTrue(self.pump.add(key, reader, child.pid))
        return child

    def end(self, child):
        child.kill()
        child.wait(30)
        child.stdin.close()

    def pipe(self, key="key", pid=1):
        """Return a writer of our own."""
        reader, writer = os.pipe()
        self.assertTrue(self.pump.add(key, reader, pid))
        stack = contextlib.ExitStack()
        file = stack.enter_context(open(writer, "wb", buffering=0))
        self.addCleanup(stack.close)
        return file

    def done(self):
        """Wait until the orders given so far are carried out."""
        self.closed("none")

    def closed(self, key="key", drain_timeout=60.0):
        """Close a stream and wait for that."""
        event = threading.Event()
        self.pump.close(key, drain_timeout, event.set)
        self.assertTrue(event.wait(60))

    def assert_shows(self, text, name="log"):
        self.assertTrue(
            eventually(lambda: self.text(name) == text),
            f"{self.text(name)!r} is not {text!r}",
        )


class OrdersTest(PumpTestCase):
    def test_no_thread_without_streams(self):
        self.assertFalse(self.pump.stop())
        self.assertTrue(self.pump.join(0))
        self.assertEqual(self.pump.lost, {})
        self.assertFalse(self.open())

    def test_a_thread_with_the_first_stream(self):
        self.assertTrue(self.open())
        (thread,) = (thread for thread in threading.enumerate() if thread.name == "pump")
        self.assertTrue(thread.daemon)

    def test_a_bad_configuration_is_refused_at_once(self):
        with self.assertRaises(exc.OptionError):
            self.pump.open("key", {"class": "NoStream"})

    def test_the_file_is_there_once_it_is_open(self):
        self.open()
        self.done()
        self.assertTrue(os.path.exists(self.filename))

    def test_the_same_configuration_again_changes_nothing(self):
        self.open()
        writer = self.pipe()
        writer.write(b"one\n")
        self.assert_shows(b"one\n")
        os.rename(self.filename, self.path("old"))
        self.open()
        writer.write(b"two\n")
        self.assert_shows(b"one\ntwo\n", "old")

    def test_another_configuration_replaces_the_stream(self):
        self.open()
        writer = self.pipe()
        writer.write(b"one\nheld")
        self.assert_shows(b"one\n")
        self.open(name="other", time_format="%%")
        self.done()
        self.assertEqual(self.text(), b"one\nheld")
        writer.write(b"two\n")
        self.assert_shows(b"% [1] | two\n", "other")

    def test_reopen_follows_the_names(self):
        self.open()
        self.open("other", "other")
        writers = [self.pipe(), self.pipe("other")]
        self.done()
        for name in ("log", "other"):
            os.rename(self.path(name), self.path(f"{name}.old"))
        self.pump.reopen("key")
        self.done()
        self.assertEqual(sorted(os.listdir(self.folder)), ["log", "log.old", "other.old"])
        self.pump.reopen()
        self.done()
        for writer in writers:
            writer.write(b"new\n")
        self.assert_shows(b"new\n")
        self.assert_shows(b"new\n", "other")
        self.assertEqual(self.text("log.old") + self.text("other.old"), b"")

    def test_close_calls_back_on_the_pump_thread(self):
        names = []
        ended = threading.Event()
        for key in ("key", "never opened"):
            self.open()
            self.pump.close(key, then=lambda: names.append(threading.current_thread().name))
        self.pump.close("key", then=ended.set)
        self.assertTrue(ended.wait(30))
        self.assertEqual(names, ["pump", "pump"])

    def test_a_call_back_that_raises_harms_nobody(self):
        self.open()
        with self.assertLogs("cvec_circus", "ERROR"):
            self.pump.close("key", then=lambda: 1 // 0)
            self.pump.close("none", then=lambda: 1 // 0)
            self.done()
        self.assertTrue(self.open())

    def test_a_pipe_without_a_stream_is_closed(self):
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            writer = self.pipe("unknown", 77)
            self.done()
        self.assertIn("no stream is open for 'unknown' of process 77", logs.output[0])
        with self.assertRaises(BrokenPipeError):
            writer.write(b"x")

    def test_what_cannot_be_polled_is_closed(self):
        self.open()
        with self.assertLogs("cvec_circus", "ERROR"):
            self.pump.add("key", os.open(self.folder, os.O_RDONLY), 1)
            self.done()

    def test_after_the_end_every_order_is_refused(self):
        self.open()
        self.pump.stop()
        self.assertTrue(self.pump.join(30))
        reader, writer = os.pipe()
        self.assertEqual(
            [
                self.open(),
                self.pump.add("key", reader, 1),
                self.pump.reopen(),
                self.pump.close("key"),
                self.pump.stop(),
            ],
            [False] * 5,
        )
        with self.assertRaises(BrokenPipeError):
            os.write(writer, b"x")
        os.close(writer)

    def test_orders_from_many_threads(self):
        def work(number):
            for turn in range(20):
                key = (number, turn)
                self.open(key, f"log{number}")
                with self.pipe(key) as writer:
                    writer.write(b"%d\n" % turn)
                self.closed(key)

        threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for n in range(8):
            self.assertEqual(self.text(f"log{n}"), b"".join(b"%d\n" % turn for turn in range(20)))


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
        self.assertTrue(eventually(lambda: self.pump.lost == {"key": size}))
        self.closed()
        self.assertEqual(self.pump.lost, {})
        self.assertEqual(len(self.said), 2)
        self.assertIn("cannot write to /dev/full: No space left on device;", self.said[0])
        counts = [int(line.split(";")[1].split()[0]) for line in self.said]
        self.assertEqual(sum(counts), size)

    def test_a_stream_that_raises_costs_only_its_own_output(self):
        class Faulty:
            lost = 0
            waiting = False

            def _fail(self, *args):
                raise ValueError("no")

            write = finish = look = reopen = close = _fail

        self.open()
        with self.assertLogs("cvec_circus", "ERROR"):
            with mock.patch("cvec_circus.stream.pump.make", return_value=Faulty()):
                self.pump.open("faulty", {})
            faulty, writer = self.pipe("faulty"), self.pipe()
            faulty.write(b"12345\n")
            self.assertTrue(eventually(lambda: self.pump.lost.get("faulty") == 6))
            writer.write(b"one\n")
            self.assert_shows(b"one\n")
            self.closed("faulty", 0)
        self.assertIn("the stream of 'faulty' has raised ValueError('no')", self.said[0])

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


class ClosingTest(PumpTestCase):
    def test_a_grandchild_that_holds_the_pipe_keeps_nobody_waiting(self):
        self.open()
        child = self.spawn(LEAVE_GRANDCHILD)
        self.assertEqual(child.wait(30), 0)
        self.assertTrue(eventually(lambda: len(self.text().splitlines()) == 2))
        self.closed(drain_timeout=0.05)
        self.assertEqual(sorted(self.text().splitlines()), [b"child", b"grandchild"])

    def test_what_is_in_the_pipe_at_the_deadline_is_read(self):
        self.open()
        writer = self.pipe()
        os.set_blocking(writer.fileno(), False)
        written = 0
        with contextlib.suppress(BlockingIOError):
            while written < 60_000:
                written += writer.write(b"x" * 1000) or 0
        self.closed(drain_timeout=0)
        self.assertEqual(len(self.text()), written)

    def test_it_waits_for_the_last_of_its_pipes(self):
        self.open()
        first, second = self.pipe(pid=1), self.pipe(pid=2)
        ended = threading.Event()
        self.pump.close("key", 60, ended.set)
        first.write(b"one\n")
        first.close()
        self.done()
        self.assertFalse(ended.is_set())
        second.write(b"two")
        second.close()
        self.assertTrue(ended.wait(30))
        self.assertEqual(self.text(), b"one\ntwo")

    def test_a_second_close_shortens_the_wait(self):
        self.open()
        self.pipe()
        ended = []
        self.pump.close("key", 60, lambda: ended.append("first"))
        self.pump.close("key", 3600, lambda: ended.append("second"))
        self.done()
        self.assertEqual(ended, [])
        self.closed(drain_timeout=0)
        self.assertEqual(ended, ["first", "second"])

    def test_opened_again_while_it_is_being_closed(self):
        self.open()
        old = self.pipe(pid=1)
        ended = threading.Event()
        self.pump.close("key", 60, ended.set)
        self.open()
        new = self.pipe(pid=2)
        new.write(b"new\n")
        self.assert_shows(b"new\n")
        old.write(b"old\n")
        old.close()
        self.assertTrue(ended.wait(30))
        new.write(b"newer\n")
        self.assert_shows(b"new\nold\nnewer\n")

    def test_stop_reads_to_the_end(self):
        for n in range(5):
            self.open(n, f"log{n}")
            self.spawn(FLOOD, f"f{n}", 20_000, 4096, key=n)
        self.pump.stop(60)
        self.assertTrue(self.pump.join(60))
        for n in range(5):
            self.assertEqual(self.text(f"log{n}"), rows(f"f{n}", 20_000))

    def test_stop_does_not_wait_for_what_never_ends(self):
        self.open()
        child = self.spawn(LEAVE_GRANDCHILD)
        self.spawn(FLOOD_FOR_EVER)
        self.assertEqual(child.wait(30), 0)
        ended = threading.Event()
        self.pump.close("key", 60, ended.set)
        self.pump.stop(0.05)
        self.pump.open("late", {"filename": self.path("late")})
        self.assertTrue(self.pump.join(30) or self.pump.stop(0))
        self.assertTrue(self.pump.join(30))
        self.assertTrue(ended.is_set())

    def test_a_crash_is_told_and_ends_it_in_order(self):
        self.open()
        writer = self.pipe()
        writer.write(b"one\ntwo")
        self.assert_shows(b"one\n")
        with mock.patch.object(self.pump._reader, "turn", side_effect=RuntimeError("no")):
            self.pump.reopen()
            self.assertTrue(self.pump.join(30))
        self.assertEqual(self.said, ["the pump: RuntimeError('no')"])
        self.assertEqual(self.text(), b"one\ntwo")
        self.assertFalse(self.open())


class TimeTest(PumpTestCase):
    def setUp(self):
        self.clock = FakeClock()
        super().setUp()

    def test_a_prompt_shows_after_two_looks(self):
        self.open()
        writer = self.pipe()
        writer.write(b"hello\nname? ")
        self.assert_shows(b"hello\n")
        for expected in (b"hello\n", b"hello\nname? "):
            self.clock.advance(1)
            self.done()
            self.assert_shows(expected)

    def test_an_idle_pump_sleeps(self):
        self.open()
        writer = self.pipe()
        writer.write(b"one\n")
        self.assert_shows(b"one\n")
        (thread,) = (thread for thread in threading.enumerate() if thread.name == "pump")

        def sleeps():
            before = self.switches(thread.native_id)
            select.select([], [], [], 0.3)  # for so long nothing may wake it
            return before == self.switches(thread.native_id)

        self.assertTrue(eventually(sleeps))
        self.assertIsNone(self.pump._reader._timeout())

    def switches(self, thread_id):
        """Return how often a thread has gone to sleep."""
        with open(f"/proc/self/task/{thread_id}/status") as file:
            return [line for line in file if "voluntary_ctxt" in line]


class SignalTest(PumpTestCase):
    def test_a_stopped_writer_holds_up_nobody(self):
        self.open()
        self.open("other", "other")
        child = self.spawn(FLOOD_FOR_EVER)
        child.send_signal(signal.SIGSTOP)
        self.spawn(FLOOD, "other", 10_000, 4096, key="other")
        self.closed("other")
        self.assertEqual(self.text("other"), rows("other", 10_000))
