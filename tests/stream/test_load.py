"""From a configuration to a stream."""

import unittest

from cvec_circus import exc
from cvec_circus.options.kinds import STREAM_CLASSES
from cvec_circus.stream.file import FileStream
from cvec_circus.stream.load import MODULES, make


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
        self.assertEqual(list(MODULES), list(STREAM_CLASSES))
        for name in MODULES:
            with self.subTest(name):
                stream = make({"class": name, "filename": "/log", "rotate_when": "H"})
                shown = "OwnStream" if name == "QueueStream" else name
                self.assertEqual(type(stream).__name__, shown)

    def test_what_is_not_there_is_refused_in_a_line(self):
        for conf, text in (
            (
                {"class": "NoStream"},
                f"class: 'NoStream' is not available in this version; {', '.join(MODULES)} are",
            ),
            ({"class": "FileStream"}, "filename: is missing"),
        ):
            with self.subTest(conf=conf), self.assertRaises(exc.OptionError) as caught:
                make(conf)
            self.assertEqual(str(caught.exception), text)
