"""Where a file is cut, and what its backups become."""

import os
import tempfile
import unittest

from cvec_circus.stream.rotation import cut, shift


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
