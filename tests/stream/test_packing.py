"""Rotated files that are compressed."""

import functools
import gzip
import os
import threading
from unittest import mock

from cvec_circus.stream.base import Context
from cvec_circus.stream.timed import TimedRotatingFileStream
from tests.stream.support import FileStreamTestCase


class PackingTest(FileStreamTestCase):
    def unpacked(self, name):
        with gzip.open(self.path(name)) as file:
            return file.read()

    def names(self):
        return sorted(os.listdir(self.folder))

    def test_every_backup_is_compressed(self):
        stream = self.stream(max_bytes=10, backup_count=3, compress="True")
        for number in range(6):
            stream.write(b"line %d\n" % number, 1)
        self.assertEqual(self.names(), ["log", "log.1.gz", "log.2.gz", "log.3.gz"])
        for number in (1, 2, 3):
            self.assertEqual(self.unpacked(f"log.{number}.gz"), b"line %d\n" % (5 - number))

    def test_files_that_are_rotated_on_meanwhile(self):
        jobs = []
        stream = self.stream(
            max_bytes=10,
            backup_count=3,
            compress=True,
            context=Context(self.clock, do=lambda *job: jobs.append(functools.partial(*job))),
        )
        for number in range(4):
            stream.write(b"line %d\n" % number, 1)
        self.assertEqual(self.names(), ["log", "log.1", "log.2", "log.3"])
        compress = stream._packing._compress

        def rotate_first(*args):
            with mock.patch.object(stream._packing, "_compress", compress):
                if self.text() == b"line 3\n":
                    stream.write(b"line 4\n", 1)
            compress(*args)

        with mock.patch.object(stream._packing, "_compress", rotate_first):
            jobs[0]()
        self.assertEqual(self.names(), ["log", "log.1.gz", "log.2.gz", "log.3.gz"])
        for number in (1, 2, 3):
            self.assertEqual(self.unpacked(f"log.{number}.gz"), b"line %d\n" % (4 - number))

    def test_by_time(self):
        stream = self.stream(
            cls=TimedRotatingFileStream,
            rotate_when="S",
            utc=True,
            backup_count=2,
            compress=True,
        )
        for number in range(5):
            stream.write(b"line %d\n" % number, 1)
            self.clock.advance(1)
        packed = [name for name in self.names() if name != "log"]
        self.assertEqual([self.unpacked(name) for name in packed], [b"line 2\n", b"line 3\n"])

    def test_a_full_disk_leaves_the_file_as_it_is(self):
        stream = self.stream(max_bytes=10, backup_count=2, compress=True)
        error = OSError(28, "No space left on device")
        with mock.patch("shutil.copyfileobj", side_effect=error):
            with self.assertLogs("cvec_circus", "WARNING"):
                for number in range(2):
                    stream.write(b"line %d\n" % number, 1)
        self.assertEqual(self.names(), ["log", "log.1"])
        self.assertEqual(self.text("log.1"), b"line 0\n")

    def test_one_that_hangs_holds_up_no_other_file(self):
        hanging = self.stream(self.path("hanging"), max_bytes=10, backup_count=3, compress=True)
        stream = self.stream(max_bytes=10, backup_count=3, compress=True)
        gate, inside = threading.Event(), threading.Event()
        self.addCleanup(gate.set)
        shift = threading.Thread(target=self.hold, args=[hanging, inside, gate])
        shift.start()
        self.assertTrue(inside.wait(30))
        for number in range(2):
            stream.write(b"line %d\n" % number, 1)
        self.assertEqual(self.unpacked("log.1.gz"), b"line 0\n")
        gate.set()
        shift.join(30)

    def hold(self, stream, inside, gate):
        """Be in the middle of a rotation."""
        with stream._renaming():
            inside.set()
            gate.wait(30)
