"""The file a stream writes to: what goes in, and when it is rotated."""

import errno
import os
import shutil
import stat
import tempfile
import unittest
from unittest import mock

from cvec_circus import exc
from cvec_circus.stream.base import UNKNOWN
from cvec_circus.stream.file import FileStream, WatchedFileStream, cut, shift
from tests.stream.support import FileStreamTestCase


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

    def test_a_line_that_a_killed_daemon_has_begun_is_ended(self):
        for options, text in (({"time_format": ""}, b"half\n [12] | one\n"), ({}, b"halfone\n")):
            with open(self.filename, "wb") as file:
                file.write(b"half")
            self.stream(**options).write(b"one\n", 12)
            self.assertEqual(self.text(), text)

    def test_a_line_that_another_stream_has_begun_goes_on(self):
        before = self.stream(time_format="")
        before.write(b"ha", 12)
        before.look()
        before.look()
        before.write(b"lf", 12)
        line = before.give_up(12)
        before.close()
        stream = self.stream(time_format="")
        stream.begin(12, UNKNOWN)
        stream.go_on(12, line)
        stream.write(b" a line\n", 12)
        self.assertEqual(self.text(), b" [12] | half a line\n")

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

    def test_a_link_stays_and_its_target_is_rotated(self):
        os.mkdir(self.path("there"))
        os.symlink("there/file", self.filename)
        stream = self.stream(max_bytes=100, backup_count=2)
        for _ in range(30):
            stream.write(b"123456789\n", 1)
        self.assertTrue(os.path.islink(self.filename))
        self.assertEqual(sorted(os.listdir(self.path("there"))), ["file", "file.1", "file.2"])

    def test_what_another_descriptor_leads_to_is_never_renamed(self):
        for number in range(3):
            target = self.path(f"out{number}")
            with open(target, "wb") as out:
                name = f"/proc/self/fd/{out.fileno()}"
                if number:
                    os.symlink(name, self.path(f"link{number}"))
                    name = self.path(f"link{number}")
                if number == 2:
                    os.symlink("link2", self.path("link3"))
                    name = self.path("link3")
                self.filename = name
                stream = self.stream(max_bytes=100, backup_count=2)
                for _ in range(30):
                    stream.write(b"123456789\n", 1)
                stream.close()
            self.assertEqual(os.path.getsize(target), 300)
        self.assertEqual(
            sorted(os.listdir(self.folder)), ["link1", "link2", "link3", "out0", "out1", "out2"]
        )

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
        self.assertEqual(
            self.said,
            [f"cannot rotate {self.filename}: Is a directory; it grows until this is fixed"],
        )
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


class CutTest(unittest.TestCase):
    def test_all_that_fits(self):
        self.assertEqual(cut(b"one\ntwo", 0, 7, empty=False), 7)
        self.assertEqual(cut(b"one\ntwo", 4, 3, empty=False), 7)

    def test_the_last_line_that_fits(self):
        self.assertEqual(cut(b"one\ntwo\n", 0, 7, empty=False), 4)
        self.assertEqual(cut(b"one\ntwo\nthree\n", 4, 6, empty=True), 8)

    def test_nothing_when_no_line_fits(self):
        self.assertEqual(cut(b"one\ntwo\n", 4, 3, empty=False), 4)
        self.assertEqual(cut(b"one\n", 0, 0, empty=False), 0)
        self.assertEqual(cut(b"one\n", 0, -5, empty=False), 0)

    def test_a_line_too_long_for_an_empty_file_is_cut_anywhere(self):
        self.assertEqual(cut(b"onetwothree", 3, 4, empty=True), 7)
        self.assertEqual(cut(b"one", 0, 0, empty=True), 1)


class ShiftTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.filename = os.path.join(folder.name, "log")

    def put(self, **files):
        for name, text in files.items():
            with open(os.path.join(self.folder, name.replace("_", ".")), "w") as file:
                file.write(text)

    def files(self):
        found = {}
        for name in os.listdir(self.folder):
            with open(os.path.join(self.folder, name)) as file:
                found[name] = file.read()
        return found

    def test_backups_move_up_and_the_last_one_goes(self):
        self.put(log="new")
        shift(self.filename, 2)
        self.assertEqual(self.files(), {"log.1": "new"})
        self.put(log="newer")
        shift(self.filename, 2)
        self.assertEqual(self.files(), {"log.1": "newer", "log.2": "new"})
        self.put(log="newest")
        shift(self.filename, 2)
        self.assertEqual(self.files(), {"log.1": "newest", "log.2": "newer"})

    def test_one_backup(self):
        self.put(log="new", log_1="old")
        shift(self.filename, 1)
        self.assertEqual(self.files(), {"log.1": "new"})

    def test_a_gap_and_files_beyond_the_count_are_left_alone(self):
        self.put(log="new", log_2="old", log_9="other")
        shift(self.filename, 3)
        self.assertEqual(self.files(), {"log.1": "new", "log.3": "old", "log.9": "other"})

    def test_a_backup_that_cannot_be_replaced_is_an_error(self):
        self.put(log="new")
        os.makedirs(f"{self.filename}.1/full")
        with self.assertRaises(OSError):
            shift(self.filename, 1)
        self.assertTrue(os.path.exists(self.filename))


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
