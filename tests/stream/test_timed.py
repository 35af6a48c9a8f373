"""The stream that begins a new file when it is time to."""

import os
import time
from unittest import mock

from cvec_circus import exc
from cvec_circus.stream.timed import TimedRotatingFileStream
from tests.stream.support import FileStreamTestCase

AT = 1_700_000_000.0  # Tuesday, 2023-11-14 22:13:20 UTC


class TimedTest(FileStreamTestCase):
    def timed(self, when, **options):
        return self.stream(
            cls=TimedRotatingFileStream, rotate_when=when, **{"utc": True, **options}
        )

    def names(self):
        return sorted(os.listdir(self.folder))

    def after(self, stream, seconds):
        self.clock.advance(seconds)
        stream.write(b"x\n", 1)
        return [name for name in self.names() if name != "log"]

    def test_each_length_and_name(self):
        for when, length, suffix in (
            ("S", 1, "20231114221320"),
            ("m", 60, "202311142213"),
            ("H", 3600, "2023111422"),
            ("d", 86400, "20231114"),
            ("MIDNIGHT", 6400, "20231114"),
            ("w2", 6400, "20231108"),
            ("W1", 6400 + 6 * 86400, "20231114"),
            ("W0", 6400 + 5 * 86400, "20231113"),
        ):
            with self.subTest(when):
                self.clock.wall = AT
                stream = self.timed(when)
                stream.write(b"first\n", 1)
                self.assertEqual(self.after(stream, length - 1), [])
                self.assertEqual(self.after(stream, 1), [f"log.{suffix}"])
                self.assertEqual(self.text(f"log.{suffix}"), b"first\nx\n")
                stream.close()
                for name in self.names():
                    os.unlink(self.path(name))

    def test_an_interval(self):
        stream = self.timed("M", rotate_interval="5")
        stream.write(b"first\n", 1)
        self.assertEqual(self.after(stream, 299), [])
        self.assertEqual(self.after(stream, 1), ["log.202311142213"])

    def test_a_local_day_of_23_hours(self):
        self.addCleanup(time.tzset)
        patch = mock.patch.dict(os.environ, {"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"})
        patch.start()
        self.addCleanup(patch.stop)
        time.tzset()
        self.clock.wall = time.mktime((2024, 3, 31, 0, 30, 0, 0, 0, -1))
        stream = self.timed("midnight", utc=False)
        stream.write(b"first\n", 1)
        self.assertEqual(self.after(stream, 22.5 * 3600 - 1), [])
        self.assertEqual(self.after(stream, 1), ["log.20240331"])

    def test_only_so_many_are_kept(self):
        with open(self.path("log.other"), "wb"):
            pass
        stream = self.timed("S", backup_count="2")
        stream.write(b"first\n", 1)
        for _ in range(4):
            self.after(stream, 1)
        kept = ["log", "log.20231114221322", "log.20231114221323", "log.other"]
        self.assertEqual(self.names(), kept)

    def test_all_are_kept_without_a_number_and_none_is_overwritten(self):
        stream = self.timed("H")
        stream.write(b"first\n", 1)
        for _ in range(2):
            stream._ends_at = AT + 3600
            self.clock.wall = AT + 3600
            stream.write(b"x\n", 1)
        self.assertEqual(self.names(), ["log", "log.2023111422", "log.2023111422.1"])

    def test_a_file_that_was_there_counts_from_its_last_change(self):
        with open(self.filename, "wb") as file:
            file.write(b"old\n")
        os.utime(self.filename, (AT - 7200, AT - 7200))
        stream = self.timed("H")
        stream.write(b"new\n", 1)
        self.assertEqual(self.names(), ["log", "log.2023111420"])
        self.assertEqual(self.text(), b"new\n")

    def test_two_streams_on_one_file(self):
        streams = [self.timed("S"), self.timed("S")]
        for stream in streams:
            stream.write(b"first\n", 1)
        self.clock.advance(1)
        for stream in streams:
            stream.write(b"second\n", 1)
        self.assertEqual(self.names(), ["log", "log.20231114221320"])
        self.assertEqual(self.text(), b"second\nsecond\n")

    def test_a_rotation_that_fails_loses_nothing(self):
        stream = self.timed("S")
        stream.write(b"first\n", 1)
        with mock.patch("os.rename", side_effect=PermissionError(1, "Not allowed")):
            self.assertEqual(self.after(stream, 1), [])
            stream.write(b"more\n", 1)
        self.assertEqual(self.text(), b"first\nx\nmore\n")
        self.assertEqual(
            self.said, [f"cannot rotate {self.filename}: Not allowed; it grows until this is fixed"]
        )
        self.assertEqual(len(self.after(stream, 1)), 1)

    def test_a_clock_that_is_set_back_ten_years(self):
        stream = self.timed("H", backup_count=2)
        for _ in range(3):
            self.after(stream, 3600)
        kept = ["log.2023111423", "log.2023111500"]
        self.assertEqual(self.after(stream, 1), kept)
        self.clock.wall = back = AT - 10 * 365.25 * 86400
        with mock.patch("os.rename", side_effect=AssertionError):
            for _ in range(1000):
                self.after(stream, 3.599)
        self.assertEqual(self.after(stream, 0), kept)
        self.clock.wall = back + 3610
        self.assertEqual(self.after(stream, 0), ["log.2013111410", "log.2023111500"])
        self.assertEqual(self.after(stream, 3600), ["log.2013111410", "log.2013111411"])
        self.assertEqual(self.after(stream, 3600), ["log.2013111411", "log.2013111412"])
        self.assertEqual(self.text(), b"x\n")
        self.assertEqual(self.said, [])

    def test_a_link_stays(self):
        os.mkdir(self.path("there"))
        os.symlink("there/file", self.filename)
        stream = self.timed("H")
        stream.write(b"first\n", 1)
        self.after(stream, 3600)
        self.assertTrue(os.path.islink(self.filename))
        self.assertEqual(sorted(os.listdir(self.path("there"))), ["file", "file.2023111422"])
        self.assertEqual(self.text(), b"x\n")

    def test_what_another_descriptor_leads_to_is_never_renamed(self):
        with open(self.path("out"), "wb") as out:
            os.symlink(f"/proc/self/fd/{out.fileno()}", self.filename)
            stream = self.timed("H")
            stream.write(b"first\n", 1)
            self.after(stream, 3600)
        self.assertEqual(self.text("out"), b"first\nx\n")

    def test_stamps(self):
        stream = self.timed("H", time_format="T")
        stream.write(b"a\n", 7)
        self.assertEqual(self.text(), b"T [7] | a\n")

    def test_what_is_refused(self):
        for options, text in (
            ({"when": None}, "rotate_when: null is not one of S, M"),
            ({"when": "W7"}, "rotate_when: 'W7' is not one of S, M"),
            ({"when": "H", "rotate_interval": 0}, "rotate_interval: 0 is less than 1"),
            ({"when": "H", "utc": "x"}, "utc: 'x' is neither true nor false"),
        ):
            with self.subTest(options), self.assertRaises(exc.OptionError) as caught:
                self.timed(**options)
            self.assertIn(text, str(caught.exception))
