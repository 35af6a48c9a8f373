"""The stream that follows its file."""

import os
import shutil

from cvec_circus.stream.watched import WatchedFileStream
from tests.stream.support import FileStreamTestCase


class WatchedTest(FileStreamTestCase):
    def test_a_file_that_was_moved_is_followed_at_once(self):
        stream = self.stream(cls=WatchedFileStream)
        for number in range(3):
            stream.write(b"before %d\n" % number, 1)
            os.rename(self.filename, self.path(f"log.{number}"))
            stream.write(b"after %d\n" % number, 1)
            os.rename(self.filename, self.path(f"new.{number}"))
        for number in range(3):
            self.assertEqual(self.text(f"log.{number}"), b"before %d\n" % number)
            self.assertEqual(self.text(f"new.{number}"), b"after %d\n" % number)
        self.assertEqual(self.said, [])

    def test_a_file_that_was_deleted_is_made_anew(self):
        stream = self.stream(cls=WatchedFileStream)
        stream.write(b"before\n", 1)
        os.unlink(self.filename)
        stream.write(b"after\n", 1)
        self.assertEqual(self.text(), b"after\n")

    def test_it_is_not_rotated_by_size(self):
        stream = self.stream(cls=WatchedFileStream, max_bytes=10, backup_count=2)
        stream.write(b"0123456789\n" * 3, 1)
        self.assertEqual(os.listdir(self.folder), ["log"])

    def test_lines_are_stamped(self):
        stream = self.stream(cls=WatchedFileStream, time_format="T")
        stream.write(b"a\nb\n", 7)
        self.assertEqual(self.text(), b"T [7] | a\nT [7] | b\n")

    def test_without_its_folder_it_writes_on_and_says_so_once_a_minute(self):
        folder = self.path("there")
        os.mkdir(folder)
        stream = self.stream(os.path.join(folder, "log"), cls=WatchedFileStream)
        stream.write(b"before\n", 1)
        kept = os.open(os.path.join(folder, "log"), os.O_RDONLY)
        self.addCleanup(os.close, kept)
        os.rename(folder, self.path("away"))
        stream.write(b"meanwhile\n", 1)
        stream.write(b"again\n", 1)
        self.assertEqual(os.read(kept, 100), b"before\nmeanwhile\nagain\n")
        self.assertEqual(len(self.said), 1)
        self.assertIn("cannot reopen", self.said[0])
        shutil.copytree(self.path("away"), folder, ignore=lambda *_: ["log"])
        self.clock.advance(2)
        stream.write(b"back\n", 1)
        self.assertEqual(self.text("there/log"), b"back\n")
        self.assertEqual(stream.lost, 0)
