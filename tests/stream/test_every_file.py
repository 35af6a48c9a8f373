"""What every class of streams that writes files does when the file makes trouble."""

import errno
import glob
import gzip
import os
import resource
import shutil
import unittest
from unittest import mock

from cvec_circus.stream.file import FileStream, WatchedFileStream
from cvec_circus.stream.timed import TimedRotatingFileStream
from tests.stream.support import FileStreamTestCase

SIZES = {"max_bytes": 1000, "backup_count": 2}
EVERY = {
    "plain": (FileStream, {}),
    "stamped": (FileStream, {"time_format": "%H:%M:%S"}),
    "json": (FileStream, {"json": True}),
    "rotating": (FileStream, SIZES),
    "packed": (FileStream, {**SIZES, "compress": True}),
    "watched": (WatchedFileStream, {"time_format": "%H:%M:%S"}),
    "timed": (TimedRotatingFileStream, {"rotate_when": "H"}),
    "timed, packed": (TimedRotatingFileStream, {"rotate_when": "S", "compress": True}),
}
LINE = b"a line of text\n"


class EveryClassTest(FileStreamTestCase):
    def each(self):
        """Yield a stream of each class, in a folder of its own."""
        for name, (cls, options) in EVERY.items():
            with self.subTest(name):
                self.said.clear()
                self.place = self.path(name)
                os.mkdir(self.place)
                self.filename = os.path.join(self.place, "log")
                yield self.stream(cls=cls, **options)

    def written(self):
        """Return what is in all the files."""
        found = b""
        for path in sorted(glob.glob(f"{self.filename}*")):
            opener = gzip.open if path.endswith(".gz") else open
            with opener(path, "rb") as file:
                found += file.read()
        return found

    def suffer(self, stream):
        """Write for two minutes and a half; all of it is lost, and said once a minute."""
        before, self.said[:] = stream.lost, []
        for _ in range(150):
            stream.write(LINE, 1)
            stream.look()
            self.clock.advance(1)
        self.assertGreaterEqual(stream.lost - before, 150 * len(LINE))
        said = [text for text in self.said if "bytes of output lost" in text]
        self.assertIn(len(said), (2, 3))
        self.assertLessEqual(len(self.said), 3)

    def recover(self, stream):
        """What is written next is there."""
        before = stream.lost
        self.clock.advance(1)
        stream.write(b"it goes on\n", 1)
        self.assertEqual(stream.lost, before)
        self.assertIn(b"it goes on", self.written())

    def test_a_full_disk(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, (soft, hard))
        for stream in self.each():
            stream.write(LINE, 1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
            self.suffer(stream)
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            self.recover(stream)

    def test_dev_full(self):
        for name, (cls, options) in EVERY.items():
            with self.subTest(name):
                self.suffer(self.stream("/dev/full", cls=cls, **options))

    def test_a_folder_that_is_removed_and_comes_back(self):
        for stream in self.each():
            stream.write(LINE, 1)
            shutil.rmtree(self.place)
            self.clock.advance(1)
            self.suffer(stream)
            os.mkdir(self.place)
            self.recover(stream)

    def test_no_permission(self):
        denied = PermissionError(errno.EACCES, "Permission denied")
        for name, (cls, options) in EVERY.items():
            with self.subTest(name):
                self.said.clear()
                self.place = self.path(name)
                os.mkdir(self.place)
                self.filename = os.path.join(self.place, "log")
                with mock.patch("os.open", side_effect=denied):
                    stream = self.stream(cls=cls, **options)
                    self.assertIn("Permission denied", self.said[0])
                    self.clock.advance(60)
                    self.suffer(stream)
                self.recover(stream)

    def test_a_file_that_was_moved_is_opened_anew(self):
        for stream in self.each():
            stream.write(LINE, 1)
            os.rename(self.filename, f"{self.filename}.moved")
            stream.reopen()
            stream.write(b"it goes on\n", 1)
            with open(self.filename, "rb") as file:
                self.assertIn(b"it goes on", file.read())
            self.assertEqual(stream.lost, 0)

    def test_the_number_of_files_stays(self):
        for stream in self.each():
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(200):
                stream.write(LINE * 10, 1)
                self.clock.advance(1)
                stream.reopen()
            self.assertEqual(len(os.listdir("/proc/self/fd")), before)


if __name__ == "__main__":
    unittest.main()
