"""The pid file: whose it is, and whose it is not any more."""

import os
import stat
import tempfile

from cvec_circus import exc
from cvec_circus.system.pidfile import Pidfile
from tests.support.children import Child
from tests.support.leaks import LeakCheckedTestCase


class PidfileTest(LeakCheckedTestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "daemon.pid")
        self.pidfile = Pidfile(self.path)

    def text(self):
        with open(self.path) as file:
            return file.read()

    def write(self, text):
        with open(self.path, "wb") as file:
            file.write(text)

    def test_create_read_unlink(self):
        self.assertIsNone(self.pidfile.read())
        self.pidfile.create()
        self.assertEqual(self.text(), f"{os.getpid()}\n")
        self.assertEqual(self.pidfile.read(), os.getpid())
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o644)
        self.assertEqual(os.listdir(self.folder), ["daemon.pid"])
        self.pidfile.unlink()
        self.assertEqual(os.listdir(self.folder), [])
        self.pidfile.unlink()

    def test_somebody_else_s_pid_may_be_given(self):
        self.pidfile.create(1)
        self.assertEqual(self.pidfile.read(), 1)
        self.pidfile.unlink()
        self.assertFalse(os.path.exists(self.path))

    def test_a_daemon_that_runs_keeps_it(self):
        child = Child(self, "wait")
        self.write(b"%d\n" % child.pid)
        with self.assertRaisesRegex(
            exc.PidfileError, f"already running with pid {child.pid}, as {self.path} says"
        ):
            self.pidfile.create()
        self.pidfile.unlink()
        self.assertEqual(self.pidfile.read(), child.pid)

    def test_one_that_has_ended_does_not(self):
        child = Child(self, "wait")
        child.end()
        self.write(b"%d\n" % child.pid)
        self.pidfile.create()
        self.assertEqual(self.pidfile.read(), os.getpid())

    def test_nor_one_whose_number_somebody_has_got_since(self):
        child = Child(self, "wait")
        self.write(b"%d\n" % child.pid)
        os.utime(self.path, (1e9, 1e9))
        self.pidfile.create()
        self.assertEqual(self.pidfile.read(), os.getpid())

    def test_our_own_number_left_by_an_earlier_life(self):
        self.write(b"%d\n" % os.getpid())
        self.pidfile.create()
        self.assertEqual(self.pidfile.read(), os.getpid())

    def test_what_is_no_pid_is_replaced(self):
        for text in (b"", b"garbage", b"\0\xff", b"-1", b"0", b"12 13", b"9" * 400):
            with self.subTest(text=text):
                self.write(text)
                self.assertIsNone(Pidfile(self.path).read())
                self.pidfile.create()
                self.assertEqual(self.pidfile.read(), os.getpid())

    def test_unlink_leaves_what_another_daemon_has_written(self):
        self.pidfile.create()
        self.write(b"1\n")
        self.pidfile.unlink()
        self.assertEqual(self.text(), "1\n")

    def test_survives_a_change_of_directory(self):
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        pidfile = Pidfile("here.pid")
        pidfile.create()
        os.chdir("/")
        pidfile.unlink()
        self.assertEqual(os.listdir(self.folder), [])

    def test_where_it_cannot_be_written(self):
        path = os.path.join(self.folder, "nowhere", "daemon.pid")
        with self.assertRaises(exc.PidfileError) as caught:
            Pidfile(path).create()
        self.assertEqual(
            str(caught.exception), f"cannot write the pid file {path}: No such file or directory"
        )
        with self.assertRaisesRegex(exc.PidfileError, "Is a directory"):
            Pidfile(self.folder).create()
