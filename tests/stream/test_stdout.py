"""The streams that write where the daemon writes."""

import contextlib
import io
import os
import random
import unittest
from unittest import mock

from cvec_circus.stream.base import Context
from cvec_circus.stream.stdout import COLORS, FancyStdoutStream, StdoutStream
from tests.support.clock import FakeClock


class StdoutTestCase(unittest.TestCase):
    def setUp(self):
        self.clock = FakeClock()
        self.said = []
        reader, writer = os.pipe()
        self.reader = open(reader, "rb", buffering=0)
        self.addCleanup(self.reader.close)
        self.out = open(writer, "w")
        self.addCleanup(self.out.close)
        patch = mock.patch("sys.stdout", self.out)
        patch.start()
        self.addCleanup(patch.stop)

    def stream(self, cls=StdoutStream, **options):
        return cls(**options, context=Context(self.clock, self.said.append))

    def written(self):
        return self.reader.read(100_000)


class PlainTest(StdoutTestCase):
    def test_bytes_stay_as_they_are(self):
        self.stream().write(b"\xff one\ntwo\n", 1)
        self.assertEqual(self.written(), b"\xff one\ntwo\n")

    def test_lines_of_two_processes_stay_whole(self):
        stream = self.stream()
        stream.write(b"a1\na", 1)
        stream.write(b"b1\n", 2)
        stream.write(b"2\n", 1)
        self.assertEqual(self.written(), b"a1\nb1\na2\n")

    def test_a_prompt_shows_and_the_end_too(self):
        stream = self.stream()
        stream.write(b"name? ", 1)
        self.assertTrue(stream.waiting)
        stream.look()
        stream.look()
        self.assertEqual(self.written(), b"name? ")
        stream.write(b"end", 1)
        stream.finish(1)
        self.assertEqual(self.written(), b"end")
        stream.write(b"rest", 2)
        stream.close()
        self.assertEqual(self.written(), b"rest")

    def test_a_program_calls_it_and_redirects_it(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.stream()({"data": b"caf\xc3\xa9 \xff", "pid": 3})
        self.assertEqual(out.getvalue(), "caf\u00e9 \\xff")

    def test_what_cannot_be_written_is_counted_and_said_once_a_minute(self):
        stream = self.stream()
        self.reader.close()
        stream.write(b"12345\n", 1)
        stream.write(b"12345\n", 1)
        self.assertEqual(stream.lost, 12)
        text = "cannot write to standard output: Broken pipe; {} bytes of output lost"
        self.assertEqual(self.said, [text.format(6)])
        self.clock.advance(61)
        stream.look()
        self.assertEqual(self.said[1:], [text.format(6)])

    def test_without_standard_output(self):
        for out in (None, self.closed()):
            with mock.patch("sys.stdout", out):
                stream = self.stream()
                stream.write(b"1\n", 1)
                self.assertEqual(stream.lost, 2)

    def closed(self):
        file = io.StringIO()
        file.close()
        return file

    def test_a_full_disk(self):
        with open("/dev/full", "w") as full, mock.patch("sys.stdout", full):
            stream = self.stream()
            stream.write(b"1\n", 1)
        self.assertEqual(stream.lost, 2)
        self.assertIn("No space left on device", self.said[0])

    def test_other_options_are_not_used(self):
        self.stream(filename="/x", max_bytes=5)


class FancyTest(StdoutTestCase):
    def test_as_in_circus(self):
        stream = self.stream(FancyStdoutStream, color="green", time_format="T")
        stream.write(b"one\n\ntwo\n", 7)
        lines = [b"\x1b[32mT [7] | %s\x1b[0m\n" % text for text in (b"one", b"two")]
        self.assertEqual(self.written(), b"".join(lines))

    def test_every_color(self):
        for number, color in enumerate(COLORS, 1):
            self.stream(FancyStdoutStream, color=color).write(b"x\n", 7)
            self.assertTrue(self.written().startswith(b"\x1b[3%dm20" % number))

    def test_any_color(self):
        with mock.patch.object(random, "choice", return_value="cyan") as choice:
            for color in (None, "pink"):
                self.stream(FancyStdoutStream, color=color).write(b"x\n", 7)
                self.assertTrue(self.written().startswith(b"\x1b[36m"))
        self.assertEqual(choice.call_count, 2)

    def test_a_part_of_a_line_has_its_colour_end(self):
        stream = self.stream(FancyStdoutStream, color="red", time_format="T")
        stream.write(b"a\nname? ", 1)
        stream.look()
        stream.look()
        stream.write(b"b\n\n", 1)
        parts = (b"a", b"name? ", b"b")
        lines = [b"\x1b[31mT [1] | %s\x1b[0m\n" % text for text in parts]
        self.assertEqual(self.written(), b"".join(lines))
        stream.write(b"\n\n", 1)
        stream.close()
