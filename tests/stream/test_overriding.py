"""Classes of other people that go on from our streams, as they did from those of Circus."""

import io
import os
import unittest
from datetime import datetime

from cvec_circus import stream
from tests.stream.support import FileStreamTestCase

DATA = {"data": b"one\n\ntwo", "pid": 12, "name": "stdout", "timestamp": 86_400.0 * 365}


class FancyTest(unittest.TestCase):
    def written(self, kind, **options):
        made = kind(color="green", **options)
        made.out = io.StringIO()
        made(DATA)
        return made.out.getvalue()

    def test_as_it_is(self):
        year = datetime.fromtimestamp(DATA["timestamp"]).strftime("%Y")
        one, two = (f"\x1b[32m{year} [12] | {text}\x1b[0m\n" for text in ("one", "two"))
        self.assertEqual(self.written(stream.FancyStdoutStream, time_format="%Y"), one + two)

    def test_a_prefix(self):
        class Named(stream.FancyStdoutStream):
            def prefix(self, data):
                return f"{self.color_code} {data['name']} {data['pid']}: "

        expected = "2 stdout 12: one\x1b[0m\n2 stdout 12: two\x1b[0m\n"
        self.assertEqual(self.written(Named), expected)

    def test_another_clock(self):
        class Fixed(stream.FancyStdoutStream):
            def now(self):
                return datetime(1999, 1, 2)

        self.assertIn("02.01.99 [12] | two", self.written(Fixed, time_format="%d.%m.%y"))

        class Shifted(stream.FancyStdoutStream):
            def fromtimestamp(self, seconds):
                return datetime(2001, 1, 1)

        self.assertIn("2001 [12] | two", self.written(Shifted, time_format="%Y"))

    def test_other_colors_and_another_output(self):
        class Mine(stream.FancyStdoutStream):
            colors = ["red", "black", "green"]  # noqa: RUF012 - as people write it
            out = io.StringIO()

            def prefix(self, data):
                return f"{self.color_code} "

        Mine(color="green")(DATA)
        self.assertEqual(Mine.out.getvalue(), "3 one\x1b[0m\n3 two\x1b[0m\n")


class FileTest(FileStreamTestCase):
    def test_what_it_writes(self):
        class Loud(stream.FileStream):
            def write_data(self, data):
                super().write_data({**data, "data": data["data"].upper()})

        made = Loud(self.filename)
        made(DATA)
        made.close()
        self.assertEqual(self.text(), b"ONE\n\nTWO")

    def test_another_clock(self):
        class Fixed(stream.FileStream):
            def now(self):
                return datetime(1999, 1, 2)

        class Shifted(stream.WatchedFileStream):
            fromtimestamp = staticmethod(lambda seconds: datetime(2001, 1, 1))

        for kind, year in ((Fixed, b"1999"), (Shifted, b"2001")):
            made = kind(self.filename, time_format="%Y")
            made.open()
            made(DATA)
            made.close()
            expected = b"".join(b"%s [12] | %s\n" % (year, text) for text in (b"one", b"", b"two"))
            self.assertEqual(self.text(), expected)
            made.open()  # anew
            made.close()
            os.unlink(self.filename)

    def test_without_a_file(self):
        for kind, options in (
            (stream.FileStream, {}),
            (stream.WatchedFileStream, {}),
            (stream.TimedRotatingFileStream, {"rotate_when": "H"}),
        ):
            made = kind(**options)
            self.addCleanup(os.unlink, made.filename)
            made(DATA)
            made.close()
            with open(made.filename, "rb") as file:
                self.assertEqual(file.read(), DATA["data"])

    def test_the_time_that_a_program_says(self):
        made = stream.FileStream(self.filename, time_format="%Y")
        made({**DATA, "data": "text\n"})
        made.close()
        year = datetime.fromtimestamp(DATA["timestamp"]).strftime("%Y")
        self.assertEqual(self.text(), f"{year} [12] | text\n".encode())

    def test_one_written_as_that_of_circus(self):
        class Upper(stream.FileStream):
            def __call__(self, data):
                if self._should_rollover(data["data"]):
                    self._do_rollover()
                self.write_data({**data, "data": data["data"].upper()})

        made = Upper(self.filename, max_bytes=12, backup_count=2)
        made(DATA)
        made(DATA)
        made.close()
        self.assertEqual((self.text(), self.text("log.1")), (b"ONE\n\nTWO", b"ONE\n\nTWO"))
        self.assertEqual((made._filename, made._time_format), (self.filename, None))

    def test_the_file_itself(self):
        class Plain(stream.FileStream):
            def __call__(self, data):
                self._file.write(f"{data['pid']}: \xe9\udcff\n")
                self._file.flush()

        made = Plain(self.filename, backup_count=1)
        made(DATA)
        made(DATA)
        text = "12: \xe9\\udcff\n".encode()
        self.assertEqual(self.text(), 2 * text)
        file = made._file
        self.assertEqual(
            (file.name, file.closed, file.tell()), (self.filename, False, len(2 * text))
        )
        os.unlink(self.filename)
        file.close()
        self.assertTrue(file.closed)
        made._file = made._open()
        made(DATA)
        made._do_rollover()
        made(DATA)
        made.close()
        self.assertEqual((self.text(), self.text("log.1")), (text, text))
        nowhere = Plain(os.path.join(self.filename, "no", "such"))
        with self.assertRaisesRegex(OSError, "cannot write to .*such: Not a directory"):
            nowhere(DATA)

    def test_what_nobody_calls(self):
        said = "only your own program calls _should_rollover: override __call__ or write_data"
        with self.assertWarnsRegex(UserWarning, said):

            class Mine(stream.TimedRotatingFileStream):
                def _should_rollover(self, data):
                    raise AssertionError


if __name__ == "__main__":
    unittest.main()
