"""Users and groups, as the system knows them."""

from __future__ import annotations

import grp
import os
import pwd
import unittest
from unittest import mock

from cvec_circus.system import accounts
from cvec_circus.system.accounts import Identity, identity, look_up

NOBODY = pwd.getpwnam("nobody")
GROUP = grp.getgrgid(NOBODY.pw_gid).gr_name
DAEMON = grp.getgrnam("daemon")


class TestLookUp(unittest.TestCase):
    """Who is meant."""

    def setUp(self) -> None:
        known = mock.patch.dict(accounts._known, clear=True)
        known.start()
        self.addCleanup(known.stop)

    def test_a_user(self) -> None:
        groups = tuple(os.getgrouplist("nobody", NOBODY.pw_gid))
        expected = Identity("nobody", NOBODY.pw_uid, NOBODY.pw_gid, groups)
        self.assertEqual(look_up("nobody", None), expected)
        self.assertEqual(look_up(NOBODY.pw_uid, None), expected)

    def test_a_user_and_a_group(self) -> None:
        found = look_up("nobody", "daemon")
        assert found is not None
        self.assertEqual(found.name, "nobody:daemon")
        self.assertEqual((found.uid, found.gid), (NOBODY.pw_uid, DAEMON.gr_gid))
        self.assertEqual(found.groups, tuple(os.getgrouplist("nobody", DAEMON.gr_gid)))
        self.assertEqual(look_up("nobody", DAEMON.gr_gid), found)

    def test_a_group(self) -> None:
        expected = Identity(f"group {GROUP}", None, NOBODY.pw_gid, None)
        self.assertEqual(look_up(None, GROUP), expected)

    def test_who_we_are(self) -> None:
        ours = pwd.getpwuid(os.getuid())
        self.assertIsNone(look_up(None, None))
        self.assertIsNone(look_up(None, os.getgid()))
        self.assertIsNone(look_up(ours.pw_uid, os.getgid()))
        self.assertIsNone(look_up(ours.pw_name, os.getgid()))

    def test_nobody_like_that(self) -> None:
        for uid, gid, text in (
            ("no-such", None, "there is no user no-such"),
            (54321987, None, "user 54321987 is not in passwd, which .* group; set gid too"),
            (10**15, None, "there is no user"),
            ("nobody", "no-such", "there is no group no-such"),
            (10**15, 5, "there is no user"),
            (2**32 - 1, 5, "there is no user"),
            (54321987, "no-such", "there is no group no-such"),
            (None, 10**15, "there is no group"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                look_up(uid, gid)

    def test_numbers_without_a_name(self) -> None:
        expected = Identity("54321987:daemon", 54321987, DAEMON.gr_gid, (DAEMON.gr_gid,))
        self.assertEqual(look_up(54321987, "daemon"), expected)
        expected = Identity("54321987:7654321", 54321987, 7654321, (7654321,))
        self.assertEqual(look_up(54321987, 7654321), expected)
        self.assertEqual(identity(54321987, 7654321), expected)
        expected = Identity("group 7654321", None, 7654321, None)
        self.assertEqual(look_up(None, 7654321), expected)

    def test_what_was_looked_up_is_remembered(self) -> None:
        with self.assertRaisesRegex(ValueError, "user nobody was not found when it was looked up"):
            identity("nobody", None)
        with mock.patch.object(accounts.os, "getgrouplist", return_value=[7]) as asked:
            look_up("nobody", None)
            for _ in range(3):
                found = identity("nobody", None)
        assert found is not None
        self.assertEqual((found.groups, asked.call_count), ((7,), 1))
        self.assertNotEqual(look_up("nobody", None), found)
        self.assertEqual(identity("nobody", None), look_up("nobody", None))


if __name__ == "__main__":
    unittest.main()
