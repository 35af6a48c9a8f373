"""The folder of what survives the daemon: whose it is, and its lock."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import unittest
from unittest import mock

from cvec_circus import exc
from cvec_circus.system.statedir import StateDir, default_path, judge
from tests.support.daemon import folder

HOLD = """
import sys
from cvec_circus.system.statedir import StateDir
held = StateDir(sys.argv[1])
held.hold()
print("held", flush=True)
sys.stdin.readline()
"""


class TestStateDir(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = folder(self)
        self.path = self.folder / "deep" / "state"
        self.made = StateDir(str(self.path))
        self.addCleanup(self.made.close)

    def test_it_is_ours_alone(self) -> None:
        self.made.hold()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((self.path / "lock").stat().st_mode), 0o600)
        self.assertEqual((self.path / "lock").read_text(), f"{os.getpid()}\n")
        self.made.close()
        self.assertFalse(self.path.exists())

    def test_what_is_in_it_stays(self) -> None:
        self.made.hold()
        (self.path / "ledger").write_text("")
        self.made.put_aside("ledger")
        self.made.close()
        self.assertEqual([one.name for one in self.path.iterdir()], ["ledger.aside"])

    def test_a_second_one_names_the_holder(self) -> None:
        other = subprocess.Popen(
            [sys.executable, "-c", HOLD, self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with other:
            other.stdout.readline()
            with self.assertRaises(exc.PidfileError) as caught:
                self.made.hold()
            text = str(caught.exception)
            self.assertIn(f"already running with pid {other.pid}, which holds {self.path}/", text)
            self.assertIn("give that one a [circus] name of its own", text)
            other.kill()
        self.made.hold()  # the kernel has released it

    def test_one_that_is_just_going(self) -> None:
        """The lock was opened before its owner has removed it, and taken after that."""
        first = StateDir(str(self.path))
        first.hold()
        lockf = "cvec_circus.system.statedir.fcntl.lockf"
        # Locks of one process never conflict, so what happens between the two calls decides.
        with mock.patch(lockf, side_effect=[first.close(), None]) as locked:
            self.path.mkdir()
            (self.path / "lock").write_text("")
            gone = iter([False])
            there = "cvec_circus.system.statedir._is_there"
            with mock.patch(there, side_effect=lambda *args: next(gone, True)):
                self.made.hold()
        self.assertEqual(locked.call_count, 2)

    def test_a_full_disk(self) -> None:
        """The lock is held all the same, and names no other daemon."""
        self.path.mkdir(parents=True, mode=0o700)
        (self.path / "lock").write_text("123456\n")
        (self.path / "lock").chmod(0o600)
        full = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch("cvec_circus.system.statedir.os.pwrite", side_effect=full):
            self.made.hold()
        self.assertEqual((self.path / "lock").read_text(), "")

    def assert_refused(self, text: str) -> None:
        """It cannot be used, for that reason."""
        with self.assertRaises(OSError) as caught:
            self.made.hold()
        self.assertIn(text, str(caught.exception))

    def test_a_symbolic_link(self) -> None:
        self.path.parent.mkdir()
        (self.folder / "other").mkdir(mode=0o700)
        self.path.symlink_to(self.folder / "other")
        self.assert_refused("it is a symbolic link")

    def test_a_lock_that_is_a_link(self) -> None:
        self.path.mkdir(parents=True, mode=0o700)
        (self.path / "lock").symlink_to(self.folder / "precious")
        self.assert_refused("it is a symbolic link")
        self.assertFalse((self.folder / "precious").exists())

    def test_others_may_write_to_it(self) -> None:
        self.path.mkdir(parents=True)
        self.path.chmod(0o770)
        self.assert_refused("others may write to it (mode 770)")

    def test_no_folder(self) -> None:
        self.path.parent.mkdir()
        self.path.write_text("")
        self.assert_refused("it is not a folder")

    def test_another_users(self) -> None:
        found = os.stat_result((0o40700, 1, 1, 1, os.geteuid() + 1, 0, 0, 0, 0, 0))
        with self.assertRaisesRegex(OSError, f"it belongs to uid {os.geteuid() + 1}"):
            judge(found, "x")


class TestDefaultPath(unittest.TestCase):
    def test_of_root(self) -> None:
        with mock.patch("os.geteuid", return_value=0):
            self.assertEqual(default_path("web", "/x.ini", {}), "/run/cvec_circus/web")
            derived = default_path(None, "/etc/my circus.ini", {})
            self.assertRegex(derived, r"^/run/cvec_circus/my_circus-[0-9a-f]{8}$")
            self.assertNotEqual(derived, default_path(None, "/etc/x/my circus.ini", {}))

    def test_of_a_user(self) -> None:
        with mock.patch("os.geteuid", return_value=7):
            given = {"XDG_STATE_HOME": "/state"}
            self.assertEqual(default_path("web", "/x.ini", given), "/state/cvec_circus/web")
            with mock.patch.dict(os.environ, HOME="/home/me"):
                found = default_path("web", "/x.ini", {"XDG_STATE_HOME": "relative"})
                self.assertEqual(found, "/home/me/.local/state/cvec_circus/web")
            with mock.patch("os.path.expanduser", return_value="~"):  # no passwd entry
                found = default_path("web", "/x.ini", {})
            self.assertEqual(found, "/tmp/cvec_circus-7-web")


if __name__ == "__main__":
    unittest.main()
