"""What clients may not do where the endpoint was given away."""

from __future__ import annotations

import os
import pwd
import unittest
from typing import Any
from unittest import mock

from cvec_circus.control import ownership
from cvec_circus.exc import MessageError
from cvec_circus.options.stream import STREAMS
from cvec_circus.options.table import Option
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.system import accounts

ENDPOINT = "ipc:///tmp/x"
UID = os.getuid()


class TestGuard(unittest.TestCase):
    """`guard` itself; a test of a daemon is in `tests.daemon.test_endpoints`."""

    def setUp(self) -> None:
        known = mock.patch.dict(accounts._known, clear=True)
        known.start()
        self.addCleanup(known.stop)
        look = ownership.guard(ENDPOINT, UID)
        assert look is not None
        self.look = look

    def refuses(self, reason: str, command: str, **props: Any) -> None:
        with self.assertRaises(MessageError) as caught:
            self.look(command, props)
        self.assertEqual(str(caught.exception), reason)

    def test_nobody_looks_where_nothing_was_given_away(self) -> None:
        self.assertIsNone(ownership.guard(ENDPOINT, None))
        self.assertIsNone(ownership.guard("tcp://127.0.0.1:5555", UID))

    def test_another_configuration(self) -> None:
        for dry_run in (True, False):
            path = "/home/me/my.ini"
            self.refuses(ownership.ANOTHER_FILE, "reloadconfig", path=path, dry_run=dry_run)
        self.refuses(ownership.ANOTHER_FILE, "reloadconfig", path="")
        self.look("reloadconfig", {"path": None, "dry_run": False})

    def test_another_python(self) -> None:
        self.refuses(ownership.ANOTHER_PROGRAM, "upgrade", python="/home/me/bin/python")
        self.look("upgrade", {"python": None})

    def test_files_that_the_daemon_would_write(self) -> None:
        for options in (
            {"stdout_stream.filename": "/etc/passwd"},
            {"stderr_stream.filename": "/etc/passwd"},
            {"stdout_stream": {"filename": "/etc/passwd"}},
            {"stderr_stream": {"class": "WatchedFileStream", "filename": "/etc/passwd"}},
            {"stdout_stream": {"class": "SyslogStream", "address": "/run/systemd/notify"}},
        ):
            with self.subTest(options=options):
                self.refuses(ownership.FILES, "add", options={"uid": UID, **options})
                self.refuses(ownership.FILES, "set", options=options)
        self.look("add", {"options": {"uid": UID, "stdout_stream": {"class": "StdoutStream"}}})
        self.look("add", {"options": {"uid": UID, "log_history": 1000}})

    def test_a_group_that_he_is_not_in(self) -> None:
        nobody = pwd.getpwnam("nobody")
        look = ownership.guard(ENDPOINT, "nobody")
        assert look is not None
        self.look = look
        for user, known in (("nobody", None), (nobody.pw_uid, None), (None, 0), (None, "root")):
            accounts.look_up(user, known)
        accounts.look_up(None, nobody.pw_gid)
        for group in (0, "0", "root", "no such group", [0]):
            with self.subTest(group=group):
                options = {"uid": "nobody", "gid": group}
                self.refuses(ownership.GROUP, "add", options=options)
        for his in (None, "", nobody.pw_gid, str(nobody.pw_gid)):
            look("add", {"options": {"uid": nobody.pw_uid, "gid": his}})

    def test_what_would_make_a_program_another_one(self) -> None:
        for key in (
            "umask",
            "copy_env",
            "stdin_socket",
            "virtualenv_py_ver",  # 3.11/../../../tmp/mine
            "stdout_stream.time_format",
            "stderr_stream.path",
            "my.key",  # as in cmd = serve --folder $(circus.my.key)
        ):
            with self.subTest(key=key):
                self.refuses(ownership.REFUSED, "set", options={key: "x"})
                if key != "stderr_stream.path":
                    self.look("add", {"options": {"uid": UID, key: "x"}})
        self.look("set", {"options": {"stdout_stream.max_bytes": 1, "numprocesses": 2}})

    def test_an_option_that_nobody_has_judged_is_protected(self) -> None:
        self.assertFalse(Option("of_tomorrow", "text", None).harmless)
        protected = {option.name for option in WATCHER_OPTIONS if not option.harmless}
        for name in protected - {f"{stream}.filename" for stream in STREAMS} | {"of_tomorrow"}:
            with self.subTest(name=name):
                self.refuses(ownership.REFUSED, "set", options={name: "x"})

    def test_no_kind_that_runs_or_opens_something_is_harmless(self) -> None:
        kinds = {option.kind for option in WATCHER_OPTIONS if option.harmless}
        named = {"command", "args", "environment", "account", "limit", "umask", "hook", "hooks"}
        named |= {"check", "checks", "live_check", "live_checks", "stream", "stream_class", "part"}
        self.assertEqual(kinds & named, set())


if __name__ == "__main__":
    unittest.main()
