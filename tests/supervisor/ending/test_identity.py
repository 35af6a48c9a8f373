"""Processes that run as another user."""

from __future__ import annotations

import grp
import os
import pwd
import unittest
from typing import Any
from unittest import mock

from cvec_circus.exc import ConfigError
from cvec_circus.system import accounts
from cvec_circus.system.launch import LaunchError, LaunchSpec, launch
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually

NOBODY = pwd.getpwnam("nobody")
DAEMON = pwd.getpwnam("daemon")
AS_ROOT = unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
SCRIPT = 'exec >"$0"; grep -E "^(Uid|Gid|Groups):" /proc/self/status; umask; pwd'

Ids = dict[str, "list[int]"]


class IdentityCase(EmbeddedCase):
    """Runs a shell that says who it is."""

    def setUp(self) -> None:
        super().setUp()
        known = mock.patch.dict(accounts._known, clear=True)
        known.start()
        self.addCleanup(known.stop)
        self.folder.chmod(0o711)

    def shell(self, **options: Any) -> dict[str, Any]:
        """The options of a watcher whose process says who it is, and ends."""
        path = self.fifo()
        os.chmod(path, 0o622)
        command = {"cmd": "/bin/sh", "args": ["-c", SCRIPT, path], "respawn": False}
        return {"name": "a", **command, **options}

    def told(self) -> Ids:
        """What the next process says."""
        ids: Ids = {}
        for _ in range(3):
            name, _, numbers = (self.lines.next() or "").partition(":")
            ids[name] = list(map(int, numbers.split()))
        self.umask, self.cwd = self.lines.next(), self.lines.next()
        return ids

    def ids(self, **options: Any) -> Ids:
        """Run it, and return what it says."""
        self.arbit(self.shell(**options))
        return self.told()


class TestRoot(IdentityCase):
    """What root can have."""

    @AS_ROOT
    def test_a_user_with_its_groups(self) -> None:
        others = [entry.gr_gid for entry in grp.getgrall()][3:5]
        groups = [NOBODY.pw_gid, *others]
        with mock.patch.object(accounts.os, "getgrouplist", return_value=groups):
            ids = self.ids(uid="nobody", umask="027", working_dir="/")
        self.assertEqual(ids["Uid"], [NOBODY.pw_uid] * 4)
        self.assertEqual(ids["Gid"], [NOBODY.pw_gid] * 4)
        self.assertEqual(sorted(ids["Groups"]), sorted(groups))
        self.assertEqual((self.umask, self.cwd), ("0027", "/"))
        (_, reaped) = self.events.next("spawn"), self.events.next("reap")
        self.assertEqual(reaped["exit_code"], 0)

    @AS_ROOT
    def test_a_user_and_a_group(self) -> None:
        ids = self.ids(uid=NOBODY.pw_uid, gid="daemon")
        self.assertEqual(ids["Uid"], [NOBODY.pw_uid] * 4)
        self.assertEqual(ids["Gid"], [DAEMON.pw_gid] * 4)
        expected = sorted(os.getgrouplist("nobody", DAEMON.pw_gid))
        self.assertEqual(sorted(ids["Groups"]), expected)
        shown = self.wire.call("get", name="a", keys=["uid", "gid"])["options"]
        self.assertEqual(shown, {"uid": NOBODY.pw_uid, "gid": "daemon"})

    @AS_ROOT
    def test_numbers_without_a_name(self) -> None:
        ids = self.ids(uid=54321987, gid=7654321, rlimit_nofile=100)
        expected = {"Uid": [54321987] * 4, "Gid": [7654321] * 4, "Groups": [7654321]}
        self.assertEqual(ids, expected)

    @AS_ROOT
    def test_a_group(self) -> None:
        ids = self.ids(gid=str(DAEMON.pw_gid))
        self.assertEqual(ids["Uid"], [os.getuid()] * 4)
        self.assertEqual(ids["Gid"], [DAEMON.pw_gid] * 4)
        self.assertEqual(sorted(ids["Groups"]), sorted(os.getgroups()))

    @AS_ROOT
    def test_it_can_be_signalled_and_stopped(self) -> None:
        self.arbit({"name": "a", "cmd": "sleep 1000", "uid": "nobody"})
        pid = self.events.next("spawn")["process_pid"]
        self.assertEqual(os.stat(f"/proc/{pid}").st_uid, NOBODY.pw_uid)
        self.wire.order("stop", name="a")
        self.assertEqual(self.wire.pids("a"), [])

    @AS_ROOT
    def test_it_opens_its_standard_output_by_name(self) -> None:
        path = self.folder / "out"
        script = "echo out > /dev/stdout; echo err > /dev/stderr"
        streams = {f"{name}_stream": {"filename": str(path)} for name in ("stdout", "stderr")}
        shell = {"name": "a", "cmd": "sh", "args": ["-c", script], "respawn": False}
        self.arbit({**shell, **streams, "uid": "nobody"})
        self.events.next("stop")
        self.assertTrue(eventually(lambda: sorted(path.read_text().split()) == ["err", "out"]))

    @AS_ROOT
    def test_set(self) -> None:
        ids = self.ids(uid="nobody")
        self.events.next("stop")  # else the end of its process overtakes the order
        refused = self.wire.refused("set", name="a", options={"uid": "no-such"})
        self.assertIn("uid: there is no user no-such", refused)
        self.wire.order("set", name="a", options={"uid": "daemon"})
        self.wire.call("start", name="a")
        ids = self.told()
        self.assertEqual((ids["Uid"][0], ids["Gid"][0]), (DAEMON.pw_uid, DAEMON.pw_gid))
        self.wire.call("set", name="a", options={"uid": None})
        self.wire.call("restart", name="a")
        self.assertEqual(self.told()["Uid"][0], os.getuid())

    @AS_ROOT
    def test_what_another_user_may_not_run(self) -> None:
        path = self.folder / "mine"
        path.write_text("#!/bin/sh\n")
        path.chmod(0o700)
        self.arbit({"name": "a", "cmd": str(path), "uid": "nobody", "max_retry": 1})
        self.events.next("giveup")
        expected = f"cannot run {path} as nobody: Permission denied (1 attempt)"
        self.assertEqual(self.wire.status("a")[1], expected)


class TestOthers(IdentityCase):
    """What every user can have."""

    def test_who_we_are(self) -> None:
        ids = self.ids(uid=pwd.getpwuid(os.getuid()).pw_name, gid=os.getgid())
        self.assertEqual(ids["Uid"], [os.getuid()] * 4)
        self.assertEqual(sorted(ids["Groups"]), sorted(os.getgroups()))

    def test_accounts_that_do_not_exist(self) -> None:
        for key, word in (("uid", "user"), ("gid", "group")):
            text = rf"\[watcher:a\] {key}: there is no {word} no-such"
            with self.assertRaisesRegex(ConfigError, text):
                self.arbit({"name": "a", "cmd": "true", key: "no-such"})
        self.arbit()
        for properties, text in (
            ({"uid": "no-such"}, "uid: there is no user no-such"),
            ({"gid": "no-such"}, "gid: there is no group no-such"),
            ({"uid": 54321987}, "uid: user 54321987 is not in passwd, .* set gid too"),
            ({"uid": 54321987, "gid": "no-such"}, "gid: there is no group no-such"),
        ):
            refused = self.wire.refused("add", name="a", cmd="true", options=properties)
            self.assertRegex(refused, text)

    def test_a_right_that_we_do_not_have(self) -> None:
        identity = accounts.Identity("nobody", 2**32 - 2, 2**32 - 2, (2**32 - 1,))
        for cwd in (None, "/"):
            with self.assertRaises(LaunchError) as caught:
                launch(LaunchSpec(["/bin/true"], identity=identity, cwd=cwd))
            self.assertRegex(str(caught.exception), "^cannot become nobody: ")


if __name__ == "__main__":
    unittest.main()
