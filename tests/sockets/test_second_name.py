"""The second name of a unix socket: from it a path that was deleted is made again."""

from __future__ import annotations

import os
import socket
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus.exc import SocketError
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.system.own_file import Finding
from tests.sockets.test_unix import UnixCase


class TestSecondName(UnixCase):
    @property
    def spare(self) -> Path:
        return self.path.parent / ".web.sock.spare"

    def look(self, managed: CircusSocket) -> Finding:
        found = managed.look_after()
        assert found is not None
        return found

    def connects(self) -> bool:
        """Whether a socket listens at the path."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.path))
            return True

    def test_all_is_well(self) -> None:
        managed = self.bound()
        self.assertEqual(os.stat(self.path).st_ino, os.stat(self.spare).st_ino)
        self.assertIsNone(managed.look_after())
        managed.close()
        self.assertEqual(os.listdir(self.path.parent), [])
        self.assertIsNone(managed.look_after())

    def test_the_path_is_deleted(self) -> None:
        managed = self.bound(umask=0o177)
        inode = os.stat(self.path).st_ino
        self.path.unlink()
        found = self.look(managed)
        self.assertEqual((found.is_over, found.renew), (True, None))
        self.assertEqual(found.text, f"socket web: {self.path} was deleted, and was made again")
        self.assertEqual(os.stat(self.path).st_ino, inode)
        self.assertTrue(self.connects())
        self.assertEqual(self.mode(), 0o600)

    def test_the_second_name_is_deleted(self) -> None:
        managed = self.bound()
        self.spare.unlink()
        self.assertIsNone(managed.look_after())
        self.assertTrue(self.spare.exists())

    def test_both_are_deleted(self) -> None:
        managed = self.bound(umask=0o117)
        number, held = managed.fileno(), os.dup(managed.fileno())
        self.addCleanup(os.close, held)  # as a process has it
        self.path.unlink()
        self.spare.unlink()
        found = self.look(managed)
        assert found.renew is not None
        found.renew()
        self.assertTrue(found.is_over)
        self.assertEqual(managed.fileno(), number)
        self.assertFalse(os.get_inheritable(number))
        self.assertTrue(self.connects())
        self.assertEqual(self.mode(), 0o660)
        self.assertIsNone(managed.look_after())
        managed.close()
        self.assertEqual(os.listdir(self.path.parent), [])

    def test_it_is_closed_before_the_new_one_is_taken(self) -> None:
        managed = self.bound()
        self.path.unlink()
        self.spare.unlink()
        found = self.look(managed)
        managed.close()
        assert found.renew is not None
        found.renew()
        self.assertEqual(managed.fileno(), -1)
        self.assertEqual(os.listdir(self.path.parent), [])

    def test_another_file_is_left_alone(self) -> None:
        managed = self.bound()
        self.path.unlink()
        self.path.write_text("mine")
        found = self.look(managed)
        self.assertFalse(found.is_over)
        self.assertIn(f"another process has put its own file at {self.path}", found.text)
        managed.close()
        self.assertEqual(self.path.read_text(), "mine")
        self.assertFalse(self.spare.exists())

    def test_the_folder_is_deleted(self) -> None:
        managed = self.bound()
        for path in (self.path, self.spare):
            path.unlink()
        self.path.parent.rmdir()
        found = self.look(managed)
        self.path.parent.mkdir()
        self.assertFalse(found.is_over)
        reason = f"cannot be restored: there is no folder {self.path.parent}; make it first"
        self.assertEqual(found.text, f"socket web: {self.path} was deleted, and {reason}")

    def test_one_of_a_predecessor_that_was_killed(self) -> None:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(self.spare))
        self.bound()
        self.assertEqual(os.stat(self.path).st_ino, os.stat(self.spare).st_ino)

    def test_one_that_another_program_serves_stays(self) -> None:
        for is_relative in (False, True):
            with self.subTest(is_relative=is_relative), socket.socket(socket.AF_UNIX) as alive:
                before = os.getcwd()
                os.chdir(self.path.parent)
                self.addCleanup(os.chdir, before)
                alive.bind(self.spare.name if is_relative else str(self.spare))
                alive.listen()
                inode = os.stat(self.spare).st_ino
                managed = self.bound()
                self.assertIsNone(managed.look_after())
                self.assertEqual(os.stat(self.spare).st_ino, inode)
                self.assertTrue(self.connects())
                managed.close()
                self.assertEqual(os.stat(self.spare).st_ino, inode)
                self.spare.unlink()

    def test_one_of_a_predecessor_whose_processes_go_on(self) -> None:
        before = self.bound()
        held = socket.socket(fileno=os.dup(before.fileno()))
        self.addCleanup(held.close)
        self.path.unlink()
        self.assertNotEqual(os.stat(self.bound().file).st_ino, os.fstat(held.fileno()).st_ino)
        self.assertEqual(os.stat(self.path).st_ino, os.stat(self.spare).st_ino)

    def test_what_stands_where_it_would_be_moved_stays(self) -> None:
        aside = Path(f"{self.path}.old")
        managed = self.bound()
        aside.write_text("mine")
        with self.assertRaisesRegex(
            SocketError, "cannot move its path to .*: the file there is no"
        ):
            managed.move_aside()
        self.assertEqual(aside.read_text(), "mine")
        aside.unlink()
        with socket.socket(socket.AF_UNIX) as alive:
            alive.bind(str(aside))
            alive.listen()
            with self.assertRaisesRegex(SocketError, "serves the socket there"):
                managed.move_aside()
        managed.move_aside()  # of one that nobody serves any more
        self.assertFalse(self.path.exists())

    def test_a_file_that_is_no_socket_stays_at_its_place(self) -> None:
        self.spare.write_text("mine")
        managed = self.bound()
        self.path.unlink()
        found = self.look(managed)
        assert found.renew is not None  # as without a second name
        found.renew()
        self.assertTrue(self.connects())
        self.assertEqual(self.spare.read_text(), "mine")

    def test_a_file_system_without_links(self) -> None:
        with mock.patch.object(os, "link", side_effect=PermissionError(1, "not here")):
            managed = self.bound()
            self.assertFalse(self.spare.exists())
            self.assertIsNone(managed.look_after())

    def test_it_moves_with_the_path(self) -> None:
        managed = self.bound()
        managed.move_aside()
        there = sorted(os.listdir(self.path.parent))
        self.assertEqual(there, [".web.sock.old.spare", "web.sock.old"])
        managed.move_back()
        there = sorted(os.listdir(self.path.parent))
        self.assertEqual(there, [".web.sock.spare", "web.sock"])


if __name__ == "__main__":
    unittest.main()
