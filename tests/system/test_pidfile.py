"""The pid file: whose it is, and whose it is not any more."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from cvec_circus import exc
from cvec_circus.system.pidfile import Pidfile
from tests.support.children import Child
from tests.support.leaks import LeakCheckedTestCase
from tests.support.logs import silent

ROOT = str(Path(__file__).resolve().parents[2])


class PidfileTest(LeakCheckedTestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "daemon.pid")
        self.pidfile = Pidfile(self.path)
        self.addCleanup(self.pidfile.unlink)

    def text(self):
        with open(self.path) as file:
            return file.read()

    def write(self, text):
        with open(self.path, "wb") as file:
            file.write(text)

    def test_under_the_names_of_circus(self):
        """A program's own use: written, checked, moved, removed."""
        pidfile = Pidfile(self.path)
        self.assertEqual((pidfile.fname, pidfile.validate()), (pidfile.path, None))
        pidfile.create(os.getpid())
        self.assertEqual(pidfile.validate(), os.getpid())
        self.assertEqual(os.stat(pidfile.fname).st_mode & 0o777, pidfile.perm_mode)
        pidfile.rename(f"{self.path}.other")
        self.assertFalse(os.path.exists(self.path))
        self.assertEqual((pidfile.pid, pidfile.validate()), (os.getpid(), os.getpid()))
        pidfile.unlink()
        self.assertFalse(os.path.exists(f"{self.path}.other"))

    def test_removed_by_another_object(self):
        self.pidfile.create(os.getpid())
        Pidfile(self.path).unlink()
        self.assertFalse(os.path.exists(self.path))
        self.write(b"1\n")
        Pidfile(self.path).unlink()
        self.assertTrue(os.path.exists(self.path))

    def test_without_a_name(self):
        pidfile = Pidfile(fname=None)
        self.assertEqual((pidfile.fname, pidfile.validate()), ("", None))
        pidfile.create()
        self.addCleanup(pidfile.unlink)
        self.assertEqual(pidfile.validate(), os.getpid())
        self.assertTrue(os.path.isfile(pidfile.fname))

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

    def test_it_is_made_again(self):
        self.assertEqual(self.pidfile.file, "")
        self.pidfile.create()
        self.assertEqual(self.pidfile.file, self.path)
        self.assertIsNone(self.pidfile.look_after())
        os.unlink(self.path)
        found = self.pidfile.look_after()
        self.assertEqual(found.text, f"pid file: {self.path} was deleted, and was made again")
        self.assertEqual(self.text(), f"{os.getpid()}\n")
        self.assertTrue(self.is_locked())
        self.pidfile.unlink()
        self.assertEqual(os.listdir(self.folder), [])

    def is_locked(self):
        with open(self.path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def test_it_cannot_be_made_again_yet(self):
        self.pidfile.create()
        os.unlink(self.path)
        os.rmdir(self.folder)
        found = self.pidfile.look_after()
        os.mkdir(self.folder)
        self.assertIn("was deleted, and cannot be restored: ", found.text)
        self.assertFalse(found.is_over)
        self.assertTrue(self.pidfile.look_after().is_over)
        self.assertEqual(self.text(), f"{os.getpid()}\n")

    def test_another_one_s_is_left_alone(self):
        self.pidfile.create()
        os.unlink(self.path)
        self.write(b"1\n")
        found = self.pidfile.look_after()
        self.assertIn("another process has put its own file", found.text)
        self.assertEqual(self.text(), "1\n")

    def test_a_daemon_that_runs_keeps_it(self):
        holder = self.hold()
        with self.assertRaises(exc.PidfileError) as caught:
            self.pidfile.create()
        self.assertEqual(
            str(caught.exception), f"already running with pid {holder.pid}, as {self.path} says"
        )
        self.assertIsInstance(caught.exception, RuntimeError)
        self.pidfile.unlink()
        self.assertEqual(self.pidfile.read(), holder.pid)

    def test_one_that_holds_another_file(self):
        """Somebody has written its pid there: it is a daemon of ours all the same."""
        child = Child(self, "wait")
        self.write(b"%d\n" % child.pid)
        with mock.patch("cvec_circus.system.pidfile.OURS", ("wait.py",)):
            with self.assertRaisesRegex(exc.PidfileError, f"running with pid {child.pid},"):
                self.pidfile.create()

    def test_one_that_has_not_written_its_pid_yet(self):
        with open(self.path, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with self.assertRaisesRegex(
                exc.PidfileError, "running, or just starting: .* is locked"
            ):
                self.pidfile.create()

    def test_what_another_program_has_left_or_taken(self):
        gone, foreign, later = (Child(self, "wait") for _ in range(3))
        gone.end()
        for pid, old, says in (
            (gone.pid, False, f"names process {gone.pid}, which is gone; overwriting it"),
            (
                foreign.pid,
                False,
                f"names process {foreign.pid}, which is not a cvec_circusd; overwriting it",
            ),
            (later.pid, True, f"names process {later.pid}, which is gone; overwriting it"),
        ):
            self.write(b"%d\n" % pid)
            if old:
                os.utime(self.path, (1e9, 1e9))
            self.warns(f"{self.path} {says}")

    def test_one_that_was_killed(self):
        holder = self.hold()
        holder.kill()
        holder.wait()
        self.assertEqual(self.pidfile.read(), holder.pid)
        self.warns(f"{self.path} names process {holder.pid}, which is gone; overwriting it")

    def test_our_own_number_left_by_an_earlier_life(self):
        self.write(b"%d\n" % os.getpid())
        with silent(self):
            self.pidfile.create()
            self.pidfile.create()
            again = Pidfile(self.path)
            again.create()
        self.assertEqual(self.pidfile.read(), os.getpid())
        again.unlink()
        self.assertFalse(os.path.exists(self.path))

    def test_what_is_no_pid_is_replaced(self):
        for text in (b"garbage", b"\0\xff", b"-1", b"0", b"12 13", b"9" * 400, b"x\n" * 5000):
            with self.subTest(text=text[:20]):
                self.write(text)
                self.assertIsNone(Pidfile(self.path).read())
                self.warns(f"{self.path} contains no pid; overwriting it")
        self.write(b"")
        with silent(self):
            self.pidfile.create()

    def test_what_can_be_written_and_is_no_file(self):
        before = os.stat(os.devnull)
        with silent(self):
            pidfile = Pidfile(os.devnull)
            pidfile.create()
            pidfile.unlink()
        self.assertEqual(os.stat(os.devnull).st_mode, before.st_mode)

    def test_without_locks(self):
        error = OSError(errno.ENOLCK, "No locks available")
        child = Child(self, "wait")
        with mock.patch("fcntl.flock", side_effect=error):
            self.write(b"%d\n" % child.pid)
            with self.assertRaisesRegex(exc.PidfileError, f"running with pid {child.pid},"):
                self.pidfile.create()
            os.utime(self.path, (1e9, 1e9))
            self.warns(f"{self.path} names process {child.pid}, which is gone; overwriting it")

    def test_one_that_is_removed_meanwhile(self):
        self.write(b"1\n")
        taken = []

        def flock(fd, operation):
            if not taken:
                os.unlink(self.path)  # its owner ends
            taken.append(fd)

        with mock.patch("fcntl.flock", side_effect=flock), silent(self):
            self.pidfile.create()
        self.assertEqual(len(taken), 2)
        self.assertEqual(self.pidfile.read(), os.getpid())

    def test_of_many_that_start_at_once_one_gets_it(self):
        for _ in range(5):
            self.write(b"12345678\n")
            start, go = os.pipe()
            holders = [self.program("sys.stdin.read(1)", start) for _ in range(6)]
            os.close(start)
            os.close(go)
            told = [holder.stdout.readline() for holder in holders]
            (winner,) = [h for h, line in zip(holders, told) if line == "held\n"]
            self.assertEqual(self.pidfile.read(), winner.pid, told)
            for holder in holders:
                holder.kill()
                holder.wait()

    def hold(self):
        """Start a process that has the file."""
        holder = self.program("", subprocess.DEVNULL)
        self.assertEqual(holder.stdout.readline(), "held\n")
        return holder

    def program(self, before, stdin):
        text = (
            f"import os, select, sys\nsys.path.insert(0, {ROOT!r})\n"
            f"from cvec_circus.pidfile import Pidfile\n{before}\n"
            f"Pidfile({self.path!r}).create(os.getpid())\n"
            "print('held', flush=True)\nselect.select([], [], [])"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", text],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def warns(self, text):
        """Take the file, with that warning, and give it back."""
        with self.assertLogs("cvec_circus", "WARNING") as caught:
            self.pidfile.create()
        self.assertEqual(caught.output, [f"WARNING:cvec_circus:{text}"])
        self.assertEqual(self.text(), f"{os.getpid()}\n")
        self.pidfile.unlink()

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
