"""The pump's orders, and how streams are closed."""

import contextlib
import os
import select
import threading

from cvec_circus.stream.base import Source
from tests.stream.support import FLOOD, FLOOD_FOR_EVER, LEAVE_GRANDCHILD, PumpTestCase, rows
from tests.support.clock import FakeClock
from tests.support.eventually import eventually


class OrdersTest(PumpTestCase):
    def test_no_thread_without_streams(self):
        self.assertFalse(self.pump.stop())
        self.assertTrue(self.pump.join(0))
        self.assertEqual(self.lost(), {})
        self.assertFalse(self.open())

    def test_a_thread_with_the_first_stream(self):
        self.assertTrue(self.open())
        self.done()
        (thread,) = (thread for thread in threading.enumerate() if thread.name == "pump")
        self.assertTrue(thread.daemon)

    def test_what_cannot_be_made_is_lost_and_counted(self):
        self.pump.open("key", {"class": "NoStream"}, Source("web", "stderr"))
        self.pipe().write(b"12345\n")
        self.assertTrue(eventually(lambda: self.lost() == {"key": 6}))
        self.closed(drain_timeout=0)
        self.assertIn("web: the stream of stderr cannot be made: class: 'NoStream'", self.said[0])
        self.assertIn("6 bytes of output lost", self.said[-1])

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
        self.assertIn("unknown: no stream is open for the stdout of process 77", logs.output[0])
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

    def test_a_pause_before_the_first_thread(self):
        self.pump.pause()
        self.open()
        writer = self.pipe()
        writer.write(b"one\n")
        reached = threading.Event()
        self.pump.do(reached.set)
        self.assertEqual([t.name for t in threading.enumerate() if t.name == "pump"], [])
        self.pump.resume()
        self.assertTrue(reached.wait(30))
        self.assert_shows(b"one\n")

    def test_the_end_of_a_pause_by_stop(self):
        self.pump.pause()
        self.open()
        writer = self.pipe()
        writer.write(b"one\n")
        writer.close()
        self.pump.stop()
        self.assertTrue(self.pump.join(30))
        self.assert_shows(b"one\n")

    def test_orders_from_many_threads(self):
        def work(number):
            for turn in range(20):
                key = (number, turn)
                self.open(key, f"log{number}")
                with self.pipe(key) as writer:
                    writer.write(b"%d\n" % turn)
                self.closed(key)
            ended.append(number)

        ended = []
        threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(sorted(ended), list(range(8)))
        for n in range(8):
            self.assertEqual(self.text(f"log{n}"), b"".join(b"%d\n" % turn for turn in range(20)))


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


class TimeTest(PumpTestCase):
    def setUp(self):
        self.clock = FakeClock()
        super().setUp()

    def test_a_prompt_shows_after_two_looks(self):
        self.open()
        writer = self.pipe()
        writer.write(b"hello\nname? ")
        self.assert_shows(b"hello\n")
        self.done()  # it knows by now when to look
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
        self.assertIsNone(self.pump.reader._timeout())

    def switches(self, thread_id):
        """Return how often a thread has gone to sleep."""
        with open(f"/proc/self/task/{thread_id}/status") as file:
            return [line for line in file if "voluntary_ctxt" in line]
