"""Losses are counted at once and said once a minute; from a configuration to a stream."""

import unittest

from cvec_circus import exc
from cvec_circus.options.stream_classes import STREAM_CLASSES
from cvec_circus.stream.base import Context, Losses, make
from cvec_circus.stream.file import FileStream
from tests.support.clock import FakeClock


class MakeTest(unittest.TestCase):
    def test_a_file_stream_by_its_class_or_its_filename(self):
        for conf in (
            {"filename": "/log"},
            {"class": "FileStream", "filename": "/log"},
            {"filename": "/log", "max_bytes": "10", "backup_count": 1, "time_format": None},
        ):
            with self.subTest(conf=conf):
                given = dict(conf)
                stream = make(conf)
                self.assertIsInstance(stream, FileStream)
                self.assertEqual(stream.filename, "/log")
                self.assertEqual(conf, given)

    def test_each_class_of_the_options(self):
        for name in STREAM_CLASSES:
            with self.subTest(name):
                stream = make({"class": name, "filename": "/log", "rotate_when": "H"})
                shown = "OwnStream" if name == "QueueStream" else name
                self.assertEqual(type(stream).__name__, shown)

    def test_what_is_not_there_is_refused_in_a_line(self):
        for conf, text in (
            (
                {"class": "NoStream"},
                f"class: 'NoStream' is not a stream class; there are {', '.join(STREAM_CLASSES)}",
            ),
            ({"class": "FileStream"}, "filename: is missing"),
        ):
            with self.subTest(conf=conf), self.assertRaises(exc.OptionError) as caught:
                make(conf, Context())
            self.assertEqual(str(caught.exception), text)


class LossesTest(unittest.TestCase):
    def setUp(self):
        self.clock = FakeClock()
        self.said = []
        self.losses = Losses(Context(self.clock, self.said.append))

    def test_the_first_loss_is_said_at_once(self):
        self.losses.count(10, "full")
        self.assertEqual(self.said, ["full; 10 bytes of output lost"])
        self.assertFalse(self.losses.waiting)

    def test_the_next_ones_once_a_minute(self):
        for _ in range(600):
            self.losses.count(10, "full")
            self.clock.advance(0.25)
            self.losses.look()
        self.assertEqual(
            self.said,
            [
                "full; 10 bytes of output lost",
                "full; 2390 bytes of output lost",
                "full; 2400 bytes of output lost",
            ],
        )
        self.assertEqual(self.losses.total, 6000)

    def test_what_is_unsaid_is_said_later(self):
        self.losses.count(1, "full")
        self.losses.count(2, "full")
        self.assertTrue(self.losses.waiting)
        self.clock.advance(59)
        self.losses.look()
        self.assertEqual(len(self.said), 1)
        self.clock.advance(1)
        self.losses.look()
        self.assertEqual(self.said[1:], ["full; 2 bytes of output lost"])
        self.assertFalse(self.losses.waiting)

    def test_what_is_unsaid_at_the_end_is_said_there(self):
        self.losses.count(1, "full")
        self.losses.count(2, "full")
        self.losses.settle()
        self.losses.settle()
        self.assertEqual(self.said[1:], ["full; 2 bytes of output lost"])

    def test_a_note_takes_the_minute_too(self):
        self.losses.note("cannot open it")
        self.losses.note("cannot open it")
        self.losses.count(5, "not there")
        self.assertEqual(self.said, ["cannot open it"])
        self.clock.advance(60)
        self.losses.look()
        self.assertEqual(self.said[1:], ["not there; 5 bytes of output lost"])
