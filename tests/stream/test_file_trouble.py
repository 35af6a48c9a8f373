"""All that can become of a file while a stream writes to it."""

import errno
import os
import resource
import stat
import threading
from unittest import mock

from tests.stream.support import FileStreamTestCase


class SpecialFilesTest(FileStreamTestCase):
    def test_a_device_is_never_rotated(self):
        stream = self.stream("/dev/null", max_bytes=10, backup_count=1)
        for _ in range(10):
            stream.write(b"12345\n", 1)
        self.assertEqual((stream.lost, self.said), (0, []))
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))

    def test_a_pipe_by_its_name_such_as_dev_stdout(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        self.stream(f"/proc/self/fd/{writer}", max_bytes=10, backup_count=1).write(b"one\n", 1)
        self.assertEqual(os.read(reader, 100), b"one\n")

    def test_a_fifo_that_nobody_reads_blocks_nothing(self):
        os.mkfifo(self.filename)
        stream = self.stream()
        stream.write(b"lost\n", 1)
        self.assertEqual(stream.lost, 5)
        self.assertIn("No such device or address; its output is lost", self.said[0])
        reader = os.open(self.filename, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.clock.advance(1)
        stream.write(b"there\n", 1)
        self.assertEqual(os.read(reader, 100), b"there\n")

    def test_a_slow_reader_of_a_fifo_gets_everything(self):
        os.mkfifo(self.filename)
        reader = os.open(self.filename, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(reader, True)
        stream = self.stream()
        got = bytearray()

        def read():
            while block := os.read(reader, 4096):
                got.extend(block)
            os.close(reader)

        thread = threading.Thread(target=read)
        # This is about order, not about time: nobody is late on a loaded machine.
        with mock.patch("cvec_circus.stream.appendfile.READER_TIMEOUT", 60):
            thread.start()
            for n in range(100):
                stream.write(b"%04d" % n * 4000 + b"\n", 1)
        stream.close()
        thread.join(30)
        self.assertEqual(got, b"".join(b"%04d" % n * 4000 + b"\n" for n in range(100)))

    def test_a_reader_that_stands_still_is_not_waited_for_again(self):
        os.mkfifo(self.filename)
        reader = os.open(self.filename, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        stream = self.stream()
        row = b"x" * 1023 + b"\n"
        with mock.patch("cvec_circus.stream.appendfile.READER_TIMEOUT", 0.01):
            for _ in range(100):
                stream.write(row, 1)
        self.assertEqual(stream.lost, 100 * 1024 - 65536)
        self.assertEqual(len(os.read(reader, 100_000)), 65536)
        stream.write(row, 1)
        self.assertEqual(os.read(reader, 100_000), row)


class TroubleTest(FileStreamTestCase):
    def test_a_full_disk_is_counted_and_said_once_a_minute(self):
        stream = self.stream("/dev/full")
        for _ in range(150):
            stream.write(b"12345\n", 1)
            stream.look()
            self.clock.advance(1)
        self.assertEqual(stream.lost, 900)
        full = "cannot write to /dev/full: No space left on device"
        self.assertEqual(
            self.said,
            [
                f"{full}; 6 bytes of output lost",
                f"{full}; 360 bytes of output lost",
                f"{full}; 360 bytes of output lost",
            ],
        )
        self.assertTrue(stream.waiting)
        stream.close()
        self.assertEqual(self.said[3:], [f"{full}; 174 bytes of output lost"])

    def test_a_file_whose_server_is_gone_when_it_is_open(self):
        stale = OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        files = len(os.listdir("/proc/self/fd"))
        with mock.patch("cvec_circus.stream.appendfile.os.fstat", side_effect=stale):
            stream = self.stream()
            stream.write(b"lost\n", 1)
        self.assertEqual(stream.lost, 5)
        self.assertIn("Stale file handle", self.said[0])
        self.assertEqual(len(os.listdir("/proc/self/fd")), files)
        self.clock.advance(2)
        stream.write(b"here\n", 1)
        stream.close()
        self.assertEqual(self.text(), b"here\n")

    def test_a_write_that_is_cut_short_does_not_tear_the_next_line(self):
        stream = self.stream()
        stream.write(b"one\n", 1)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6, hard))
        try:
            stream.write(b"two\nthree\n", 1)
            stream.write(b"four\n", 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        stream.write(b"five\n", 1)
        self.assertEqual(self.text(), b"one\ntw\nfive\n")
        self.assertEqual(stream.lost, 8 + 6)

    def test_a_directory_that_is_missing_may_come(self):
        stream = self.stream(self.path("missing", "log"))
        stream.write(b"lost\n", 1)
        os.mkdir(self.path("missing"))
        stream.write(b"lost\n", 1)
        self.clock.advance(1)
        stream.write(b"found\n", 1)
        self.assertEqual(self.text("missing/log"), b"found\n")
        self.assertEqual(stream.lost, 10)
        self.clock.advance(59)
        stream.look()
        name = self.path("missing", "log")
        self.assertEqual(
            self.said,
            [
                f"cannot open {name}: No such file or directory; "
                "its output is lost until this is fixed",
                f"cannot write to {name}: No such file or directory; 10 bytes of output lost",
            ],
        )

    def test_opening_is_tried_once_a_second(self):
        stream = self.stream(self.path("missing", "log"))
        with mock.patch("os.open", side_effect=FileNotFoundError(2, "No")) as calls:
            for _ in range(1000):
                stream.write(b"x\n", 1)
            self.assertLessEqual(calls.call_count, 1)
            self.clock.advance(1)
            for _ in range(1000):
                stream.write(b"x\n", 1)
            self.assertLessEqual(calls.call_count, 2)
        self.assertEqual(stream.lost, 4000)

    def test_a_name_that_is_a_directory(self):
        os.mkdir(self.filename)
        stream = self.stream()
        stream.write(b"lost\n", 1)
        self.assertIn("Is a directory", self.said[0])
        os.rmdir(self.filename)
        self.clock.advance(1)
        stream.write(b"found\n", 1)
        self.assertEqual(self.text(), b"found\n")

    def test_permission_denied(self):
        denied = PermissionError(errno.EACCES, "Permission denied")
        with mock.patch("os.open", side_effect=denied):
            stream = self.stream()
            stream.write(b"lost\n", 1)
        self.assertIn("Permission denied", self.said[0])
        self.clock.advance(1)
        stream.write(b"found\n", 1)
        self.assertEqual((self.text(), stream.lost), (b"found\n", 5))

    def test_a_file_that_was_deleted_is_made_anew(self):
        stream = self.stream()
        stream.write(b"one\n", 1)
        self.clock.advance(1)
        stream.write(b"two\n", 1)
        os.unlink(self.filename)
        stream.write(b"lost\n", 1)
        self.clock.advance(1)
        stream.write(b"three\n", 1)
        self.assertEqual(self.text(), b"three\n")
        # What went in after the last look may have been lost: these are counted, too many rather
        # than too few.
        self.assertEqual(stream.lost, 9)
        self.assertIn("the file was deleted; 9 bytes", self.said[0])

    def test_a_directory_that_was_removed_may_come_back(self):
        os.mkdir(self.path("sub"))
        stream = self.stream(self.path("sub", "log"))
        stream.write(b"one\n", 1)
        os.unlink(self.path("sub", "log"))
        os.rmdir(self.path("sub"))
        self.clock.advance(1)
        stream.write(b"lost\n", 1)
        os.mkdir(self.path("sub"))
        self.clock.advance(1)
        stream.write(b"found\n", 1)
        self.assertEqual(self.text("sub/log"), b"found\n")

    def test_after_an_io_error_the_file_is_opened_again(self):
        stream = self.stream()
        broken = OSError(errno.EIO, "Input/output error")
        with (
            mock.patch("os.writev", side_effect=broken),
            mock.patch("os.write", side_effect=broken),
        ):
            stream.write(b"lost\n", 1)
            stream.write(b"lost\n", 1)
        self.assertIn("Input/output error; 5 bytes", self.said[0])
        self.clock.advance(1)
        stream.write(b"found\n", 1)
        self.assertEqual((self.text(), stream.lost), (b"found\n", 10))


class ReopenTest(FileStreamTestCase):
    def test_reopen_follows_the_name(self):
        stream = self.stream()
        stream.write(b"one\ntw", 1)
        os.rename(self.filename, self.path("log.old"))
        stream.write(b"o\n", 1)
        stream.reopen()
        stream.write(b"three\n", 1)
        self.assertEqual((self.text("log.old"), self.text()), (b"one\ntwo\n", b"three\n"))

    def test_a_file_that_cannot_be_reopened_is_written_on(self):
        stream = self.stream()
        os.rename(self.filename, self.path("log.old"))
        os.mkdir(self.filename)
        stream.reopen()
        stream.write(b"one\n", 1)
        self.assertEqual((self.text("log.old"), stream.lost), (b"one\n", 0))
        self.assertEqual(
            self.said,
            [
                f"cannot reopen {self.filename}: Is a directory; "
                "its output goes to the file opened before until this is fixed"
            ],
        )
        os.rmdir(self.filename)
        self.clock.advance(1)
        stream.write(b"two\n", 1)
        self.assertEqual((self.text("log.old"), self.text()), (b"one\n", b"two\n"))
