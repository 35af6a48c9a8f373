"""Blocks into lines: nothing lost, nothing torn, stamped or not."""

import json
import random
import re
import unittest
from unittest import mock

from cvec_circus import exc
from cvec_circus.stream import lines
from cvec_circus.stream.base import Context, Source
from cvec_circus.stream.lines import LONGEST_HELD, Lines, StampedLines
from tests.stream.support import FileStreamTestCase
from tests.support.clock import FakeClock

STAMPED = re.compile(rb"([^\[]*)\[(\d+)\] \|([ +]) ?(.*)", re.DOTALL)


class Written:
    """What a stream would have in its file."""

    def __init__(self, lines):
        self.lines = lines
        self.file = bytearray()

    def feed(self, block, pid=1):
        return self._take(self.lines.feed(block, pid))

    def finish(self, pid=1):
        return self._take(self.lines.finish(pid))

    def overdue(self):
        return self._take(self.lines.overdue())

    def rest(self):
        return self._take(self.lines.rest())

    def _take(self, buffers):
        new = b"".join(buffers)
        self.file += new
        return new


class LinesTest(unittest.TestCase):
    def setUp(self):
        self.written = Written(Lines())

    def test_whole_lines_go_through_as_they_are(self):
        self.assertEqual(self.written.feed(b"one\n\r\n\0\xff\n"), b"one\n\r\n\0\xff\n")
        self.assertFalse(self.written.lines.waiting)

    def test_a_part_waits_for_its_end(self):
        self.assertEqual(self.written.feed(b"one\ntw"), b"one\n")
        self.assertEqual(self.written.feed(b""), b"")
        self.assertEqual(self.written.feed(b"o"), b"")
        self.assertTrue(self.written.lines.waiting)
        self.assertEqual(self.written.feed(b"\nthree"), b"two\n")
        self.assertEqual(self.written.finish(), b"three")
        self.assertFalse(self.written.lines.waiting)

    def test_a_part_lets_the_lines_of_others_go_first(self):
        self.written.feed(b"on", 1)
        self.assertEqual(self.written.feed(b"two\n", 2), b"two\n")
        self.assertEqual(self.written.feed(b"e\n", 1), b"one\n")

    def test_a_long_line_goes_out_in_parts(self):
        self.assertEqual(self.written.feed(b"x" * LONGEST_HELD), b"")
        self.assertEqual(self.written.feed(b"x"), b"x" * (LONGEST_HELD + 1))
        self.assertFalse(self.written.lines.waiting)
        self.assertEqual(self.written.feed(b"x\n"), b"x\n")

    def test_a_part_is_overdue_when_it_was_there_at_the_last_look(self):
        self.written.feed(b"name? ", 1)
        self.assertEqual(self.written.overdue(), b"")
        self.written.feed(b"one\ntw", 2)
        self.assertEqual(self.written.overdue(), b"name? ")
        self.written.feed(b"o\nthr", 2)
        self.assertEqual(self.written.overdue(), b"")
        self.assertEqual(self.written.overdue(), b"thr")
        self.assertFalse(self.written.lines.waiting)

    def test_one_that_ended_is_not_overdue(self):
        self.written.feed(b"a" * 10, 1)
        self.written.feed(b"b" * LONGEST_HELD, 2)
        self.written.overdue()
        self.written.finish(1)
        self.written.feed(b"b", 2)
        self.assertEqual(self.written.overdue(), b"")

    def test_the_rest_is_what_all_have_left(self):
        self.written.feed(b"a", 1)
        self.written.feed(b"b", 2)
        self.assertEqual(self.written.rest(), b"ab")
        self.assertEqual(self.written.rest(), b"")

    def test_random_blocks_lose_and_tear_nothing(self):
        for seed in range(50):
            with self.subTest(seed=seed):
                sent, written = run_random(random.Random(seed), Lines())
                got = bytes(written).splitlines(keepends=True)
                for pid, text in sent.items():
                    mark = b"<%d:" % pid
                    mine = b"".join(line for line in got if line.startswith(mark))
                    self.assertEqual(mine, text)


class StampedLinesTest(unittest.TestCase):
    def setUp(self):
        self.clock = FakeClock()
        self.written = Written(StampedLines("%s", self.clock))

    def test_each_line_is_stamped(self):
        self.assertEqual(
            self.written.feed(b"one\n\ntwo\nthr", 7),
            b"1700000000 [7] | one\n1700000000 [7] | \n1700000000 [7] | two\n",
        )
        self.assertEqual(self.written.feed(b"ee\n", 7), b"1700000000 [7] | three\n")

    def test_the_time_is_that_of_the_end_of_the_line(self):
        self.written.feed(b"one", 7)
        self.clock.advance(1)
        self.assertEqual(self.written.feed(b"\n", 7), b"1700000001 [7] | one\n")

    def test_processes_do_not_mix(self):
        self.written.feed(b"a1", 1)
        self.written.feed(b"b1", 2)
        self.written.feed(b" a1\na2", 1)
        self.written.feed(b" b1\n", 2)
        self.written.finish(1)
        self.assertEqual(
            self.written.file.replace(b"1700000000 ", b""),
            b"[1] | a1 a1\n[2] | b1 b1\n[1] | a2\n",
        )

    def test_an_unfinished_line_goes_on_where_it_is(self):
        self.written.feed(b"load", 1)
        self.written.overdue()
        self.assertEqual(self.written.overdue(), b"1700000000 [1] | load")
        self.written.feed(b".", 1)
        self.written.overdue()
        self.assertEqual(self.written.overdue(), b".")
        self.assertEqual(self.written.feed(b" done\nnext\n", 1), b" done\n1700000000 [1] | next\n")

    def test_an_unfinished_line_that_another_breaks_off_is_marked(self):
        self.written.feed(b"x" * (LONGEST_HELD + 1), 1)
        self.assertEqual(self.written.feed(b"two\n", 2), b"\n1700000000 [2] | two\n")
        self.assertEqual(
            self.written.feed(b"end\none\n", 1), b"1700000000 [1] |+ end\n1700000000 [1] | one\n"
        )

    def test_the_end_of_a_process_ends_its_line(self):
        self.written.feed(b"last words", 1)
        self.assertEqual(self.written.finish(1), b"1700000000 [1] | last words\n")
        self.assertEqual(self.written.finish(1), b"")
        self.written.feed(b"x" * (LONGEST_HELD + 1), 2)
        self.assertEqual(self.written.finish(2), b"\n")
        self.written.feed(b"x" * (LONGEST_HELD + 1), 3)
        self.written.feed(b"y" * (LONGEST_HELD + 1), 4)
        self.assertEqual(self.written.finish(3), b"")
        self.assertEqual(self.written.feed(b"z\n", 3), b"\n1700000000 [3] | z\n")

    def test_others_go_on_with_what_is_given_up(self):
        self.written.feed(b"x" * (LONGEST_HELD + 1), 1)  # broken off by the next one
        self.written.feed(b"y" * (LONGEST_HELD + 1), 2)
        self.written.feed(b"held", 2)
        self.written.feed(b"held, too", 3)
        other = StampedLines("%s", self.clock)
        for pid in (1, 2, 3, 4):
            other.go_on(pid, self.written.lines.give_up(pid))
        self.assertEqual(self.written.rest(), b"")
        self.written.lines = other
        self.assertEqual(self.written.feed(b"!\n", 2), b"held!\n")
        self.assertEqual(self.written.feed(b"!\n", 1), b"1700000000 [1] |+ !\n")
        self.assertEqual(self.written.feed(b"!\n", 3), b"1700000000 [3] | held, too!\n")

    def test_after_a_failed_write_a_line_that_was_open_begins_anew(self):
        self.assertFalse(self.written.lines.interrupt())
        self.written.feed(b"x" * (LONGEST_HELD + 1), 1)
        self.assertTrue(self.written.lines.interrupt())
        self.assertEqual(self.written.feed(b"end\n", 1), b"1700000000 [1] |+ end\n")

    def test_the_time_is_formatted_once_a_second(self):
        with mock.patch.object(lines, "datetime", wraps=lines.datetime) as calls:
            for _ in range(1000):
                self.written.feed(b"one\n")
            self.assertEqual(calls.fromtimestamp.call_count, 0)
            self.clock.advance(1)
            for _ in range(1000):
                self.written.feed(b"one\n")
            self.assertEqual(calls.fromtimestamp.call_count, 1)

    def test_microseconds_are_those_of_the_block(self):
        self.written.lines = StampedLines("%f", self.clock)
        self.clock.advance(0.5)
        self.assertEqual(self.written.feed(b"one\n"), b"500000 [1] | one\n")
        self.clock.advance(0.25)
        self.assertEqual(self.written.feed(b"two\n"), b"750000 [1] | two\n")

    def test_a_format_need_not_be_ascii(self):
        self.written.lines = StampedLines("%Y \u00fcber", self.clock)
        self.assertEqual(self.written.feed(b"x\n"), "2023 \u00fcber [1] | x\n".encode())

    def test_random_blocks_lose_and_tear_nothing(self):
        for seed in range(50):
            with self.subTest(seed=seed):
                sent, written = run_random(random.Random(seed), StampedLines("%H", self.clock))
                got = {pid: bytearray() for pid in sent}
                for line in bytes(written).splitlines(keepends=True):
                    _, pid, mark, text = STAMPED.fullmatch(line).groups()
                    if mark == b"+":
                        del got[int(pid)][-1:]  # the newline that broke it off
                    got[int(pid)] += text
                for pid, text in sent.items():
                    self.assertEqual(got[pid], text)


def run_random(rng, lines):
    """Feed the random output of five processes, cut anywhere."""
    written = Written(lines)
    longest = rng.choice([10, 300, 3 * LONGEST_HELD])
    # Unstamped lines that are long, or looked at, may mix: there is nothing to mark them with.
    is_raw = type(lines) is Lines
    sent = {}
    for pid in range(1, 6):
        longest_of_all = 300 if is_raw else longest
        rows = [
            b"<%d:%d>" % (pid, n) + b"x" * rng.randrange(longest_of_all) + b"\n"
            for n in range(rng.randrange(30))
        ]
        sent[pid] = b"".join(rows)
    left = {pid: memoryview(text) for pid, text in sent.items() if text}
    while left:
        pid = rng.choice(list(left))
        size = rng.choice([1, 7, 4096, 65536])
        written.feed(bytes(left[pid][:size]), pid)
        left[pid] = left[pid][size:]
        if not left[pid]:
            del left[pid]
            written.finish(pid)
        if not is_raw and rng.random() < 0.1:
            written.overdue()
    written.rest()
    return sent, written.file


class JsonTest(FileStreamTestCase):
    def rows(self):
        return [json.loads(line) for line in self.text().splitlines()]

    def test_each_line_is_an_object(self):
        stream = self.stream(
            json="True", context=Context(self.clock, source=Source("web", "stderr"))
        )
        stream.write(b'say "hi"\n\ncaf\xc3\xa9 \xff\nand', 7)
        stream.write(b" on\n", 7)
        row = {"time": self.clock.time(), "watcher": "web", "stream": "stderr", "pid": 7}
        texts = ['say "hi"', "", "caf\u00e9 \\xff", "and on"]
        self.assertEqual(self.rows(), [{**row, "text": text} for text in texts])

    def test_the_time_as_it_is_wanted(self):
        self.stream(json=True, time_format="T").write(b"x\n", 1)
        self.assertEqual(self.rows()[0]["time"], "T")

    def test_a_part_of_a_line(self):
        stream = self.stream(json=True)
        stream.write(b"name? ", 1)
        stream.look()
        stream.look()
        stream.write(b"me\n", 1)
        stream.write(b"end", 1)
        stream.finish(1)
        found = [(row["text"], row.get("partial")) for row in self.rows()]
        self.assertEqual(found, [("name? ", True), ("me", None), ("end", True)])

    def test_objects_stay_whole_when_a_file_is_full(self):
        stream = self.stream(json=True, max_bytes=300, backup_count=3)
        for number in range(8):
            stream.write(b"%d\n" % number, 1)
        text, sizes = self.texts()
        self.assertEqual([json.loads(line)["text"] for line in text.splitlines()], [*"01234567"])
        self.assertGreater(len(sizes), 1)

    def test_what_is_refused(self):
        with self.assertRaises(exc.OptionError):
            self.stream(json="perhaps")
