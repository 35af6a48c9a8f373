"""The file a stream writes to, and all that can become of it."""

import errno
import os
import resource
import stat
import tempfile
import threading
from unittest import mock

from cvec_circus import exc
from cvec_circus.stream.file import FileStream
from tests.support.clock import FakeClock
from tests.support.leaks import LeakCheckedTestCase


class FileStreamTestCase(LeakCheckedTestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.filename = self.path("log")
        self.clock = FakeClock()
        self.said = []

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def stream(self, filename=None, **options):
        stream = FileStream(
            filename or self.filename, **options, clock=self.clock, on_loss=self.said.append
        )
        self.addCleanup(stream.close)
        stream.reopen()
        return stream

    def text(self, name="log"):
        with open(self.path(name), "rb") as file:
            return file.read()

    def texts(self):
        """Return the files, the oldest first, joined, and their sizes."""
        names = sorted(os.listdir(self.folder), key=lambda name: -int(name.partition(".")[2] or 0))
        texts = [self.text(name) for name in names]
        return b"".join(texts), [len(text) for text in texts]


class WritingTest(FileStreamTestCase):
    def test_appends_to_what_is_there(self):
        with open(self.filename, "w") as file:
            file.write("old\n")
        self.stream().write(b"new\n", 1)
        self.assertEqual(self.text(), b"old\nnew\n")

    def test_the_file_is_there_before_the_first_output(self):
        self.addCleanup(os.umask, os.umask(0o027))
        self.stream()
        self.assertEqual(stat.S_IMODE(os.stat(self.filename).st_mode), 0o640)

    def test_nobody_inherits_it(self):
        self.stream()
        for fd in os.listdir("/proc/self/fd"):
            if os.path.exists(f"/proc/self/fd/{fd}"):
                if os.readlink(f"/proc/self/fd/{fd}") == self.filename:
                    self.assertFalse(os.get_inheritable(int(fd)))
                    return
        self.fail("it is not open")

    def test_bytes_are_not_changed(self):
        block = bytes(range(256)) * 256
        stream = self.stream()
        stream.write(block, 1)
        stream.finish(1)
        self.assertEqual(self.text(), block)

    def test_stamps_are_in_local_time(self):
        stream = self.stream(time_format="%Y [%%]")
        stream.write(b"one\ntwo\n", 12)
        self.assertEqual(self.text(), b"2023 [%] [12] | one\n2023 [%] [12] | two\n")

    def test_an_empty_format_stamps_the_pid_alone_as_in_circus(self):
        self.stream(time_format="").write(b"one\n", 12)
        self.assertEqual(self.text(), b" [12] | one\n")

    def test_a_prompt_is_written_when_nothing_follows_it(self):
        stream = self.stream()
        stream.write(b"name? ", 1)
        self.assertTrue(stream.waiting)
        stream.look()
        self.assertEqual(self.text(), b"")
        stream.look()
        self.assertEqual(self.text(), b"name? ")
        self.assertFalse(stream.waiting)

    def test_close_writes_what_is_held_back(self):
        stream = self.stream()
        stream.write(b"one", 1)
        stream.close()
        stream.close()
        self.assertEqual(self.text(), b"one")

    def test_a_relative_name_stays_what_it_was(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        stream = self.stream("relative")
        os.chdir("/")
        stream.reopen()
        stream.write(b"one\n", 1)
        self.assertEqual(self.text("relative"), b"one\n")

    def test_bad_options_are_refused_by_their_name(self):
        for options, text in (
            ({"filename": ""}, "filename: is missing"),
            ({"filename": "a\0b"}, "filename: 'a\\x00b' has a NUL in it"),
            ({"max_bytes": "10M"}, "max_bytes: '10M' is not a whole number"),
            ({"max_bytes": -1}, "max_bytes: -1 is less than 0"),
            ({"backup_count": "x"}, "backup_count: 'x' is not a whole number"),
            ({"time_format": 5}, "time_format: 5 is not text"),
        ):
            with self.subTest(options=options), self.assertRaises(exc.OptionError) as caught:
                FileStream(**{"filename": self.filename, **options})
            self.assertEqual(str(caught.exception), text)


class RotationTest(FileStreamTestCase):
    def test_a_file_stays_below_max_bytes_as_in_circus(self):
        stream = self.stream(max_bytes=100, backup_count=9)
        for _ in range(30):
            stream.write(b"123456789\n", 1)
        self.assertEqual(self.texts()[1], [90, 90, 90, 30])

    def test_a_large_block_is_cut_at_line_ends(self):
        rows = b"".join(b"row %d\n" % n for n in range(2000))
        stream = self.stream(max_bytes="1000", backup_count="100")
        stream.write(rows, 1)
        text, sizes = self.texts()
        self.assertEqual(text, rows)
        self.assertGreater(min(sizes[:-1]), 990)
        self.assertLess(max(sizes), 1000)
        for name in os.listdir(self.folder):
            self.assertEqual(self.text(name)[-1:], b"\n")

    def test_a_line_that_no_file_can_hold_is_cut_anywhere(self):
        row = b"x" * 950 + b"\n"
        stream = self.stream(max_bytes=101, backup_count=20)
        stream.write(b"first\n", 1)
        stream.write(row, 1)
        text, sizes = self.texts()
        self.assertEqual(text, b"first\n" + row)
        self.assertEqual(sizes, [6] + 9 * [100] + [51])

    def test_the_smallest_files_come_to_an_end(self):
        stream = self.stream(max_bytes=1, backup_count=20)
        stream.write(b"12345\n", 1)
        self.assertEqual(self.texts(), (b"12345\n", [1] * 6))

    def test_only_so_many_backups_are_kept(self):
        stream = self.stream(max_bytes=4, backup_count=2)
        for n in range(6):
            stream.write(b"%d\n" % n, 1)
        self.assertEqual(sorted(os.listdir(self.folder)), ["log", "log.1", "log.2"])
        self.assertEqual(self.texts()[0], b"3\n4\n5\n")

    def test_no_backups_no_rotation(self):
        stream = self.stream(max_bytes=10)
        for _ in range(10):
            stream.write(b"12345\n", 1)
        self.assertEqual(self.texts(), (b"12345\n" * 10, [60]))

    def test_what_is_there_counts(self):
        with open(self.filename, "w") as file:
            file.write("12345678\n")
        self.stream(max_bytes=10, backup_count=1).write(b"1\n", 1)
        self.assertEqual(self.texts()[1], [9, 2])

    def test_a_file_that_was_cut_off_counts_anew(self):
        stream = self.stream(max_bytes=100, backup_count=9)
        stream.write(b"x" * 89 + b"\n", 1)
        os.truncate(self.filename, 0)
        stream.write(b"x" * 49 + b"\n", 1)
        self.assertEqual(self.texts()[1], [50])

    def test_stamps_count(self):
        stream = self.stream(max_bytes=30, backup_count=9, time_format="%Y")
        stream.write(b"one\ntwo\n", 1)
        self.assertEqual(self.texts()[1], [15, 15])

    def test_two_streams_on_one_file_lose_nothing(self):
        for stamp in (None, "%S"):
            with self.subTest(stamp=stamp):
                options = {"max_bytes": 1000, "backup_count": 200, "time_format": stamp}
                streams = [self.stream(self.path("log"), **options) for _ in range(2)]
                for n in range(1000):
                    streams[n % 2].write(b"<%d %d>\n" % (n % 2, n), 1)
                rows = self.texts()[0].splitlines()
                numbers = [
                    [int(row.split()[-1][:-1]) for row in rows if b"<%d" % side in row]
                    for side in range(2)
                ]
                self.assertEqual(numbers, [list(range(0, 1000, 2)), list(range(1, 1000, 2))])
            for name in os.listdir(self.folder):
                os.unlink(self.path(name))
            self.clock.advance(2)

    def test_where_it_cannot_rotate_the_file_grows_on(self):
        os.makedirs(self.path("log.1", "full"))
        stream = self.stream(max_bytes=10, backup_count=1)
        for _ in range(10):
            stream.write(b"12345\n", 1)
        self.assertEqual(self.text(), b"12345\n" * 10)
        self.assertEqual(self.said, [f"cannot rotate {self.filename}: Is a directory; it grows on"])
        os.rmdir(self.path("log.1", "full"))
        os.rmdir(self.path("log.1"))
        self.clock.advance(1)
        stream.write(b"12345\n", 1)
        self.assertEqual(self.texts()[1], [60, 6])
        self.assertEqual(stream.lost, 0)

    def test_where_the_new_file_cannot_be_opened_the_old_one_is_written_on(self):
        stream = self.stream(max_bytes=10, backup_count=1)
        stream.write(b"12345\n", 1)
        too_many = OSError(errno.EMFILE, "Too many open files")
        with mock.patch("os.open", side_effect=too_many):
            stream.write(b"23456\n", 1)
            stream.write(b"34567\n", 1)
        self.assertEqual(os.listdir(self.folder), ["log.1"])
        self.clock.advance(1)
        stream.write(b"45678\n", 1)
        self.assertEqual(self.texts(), (b"12345\n23456\n34567\n45678\n", [18, 6]))
        self.assertEqual(stream.lost, 0)


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
        self.assertIn("No such device or address; output is lost", self.said[0])
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
                f"{full}; 6 bytes of output are lost",
                f"{full}; 360 bytes of output are lost",
                f"{full}; 360 bytes of output are lost",
            ],
        )
        self.assertTrue(stream.waiting)
        stream.close()
        self.assertEqual(self.said[3:], [f"{full}; 174 bytes of output are lost"])

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
                "output is lost until that is mended",
                f"cannot write to {name}: No such file or directory; 10 bytes of output are lost",
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
        self.assertIn("somebody deleted the file; 9 bytes", self.said[0])

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
                "the file that was opened before is written on"
            ],
        )
