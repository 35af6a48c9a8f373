"""A configuration file as mappings, and the objects that a program makes of them."""

from __future__ import annotations

import os
import signal
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus import exc, get_arbiter
from cvec_circus.arbiter import Arbiter, ThreadedArbiter
from cvec_circus.config import get_config, rlimit_value, watcher_defaults
from cvec_circus.sockets import CircusSocket, CircusSockets
from cvec_circus.watcher import Watcher
from tests.embedding.arbiter_case import ArbiterCase

TEXT = """\
[circus]
endpoint = ipc://{DIR}/control
pubsub_endpoint = ipc://{DIR}/events
pidfile = {DIR}/pid
umask = 027
warmup_delay = 0

[socket:web]
path = {DIR}/web.sock

[env]
COMMON = all

[env:first]
OWN = $(circus.env.GIVEN)

[watcher:first]
cmd = sleep $(circus.env.LONG)
numprocesses = 2
stop_signal = QUIT
copy_env = True
rlimit_nofile = 500
hooks.before_start = os.path.isdir, True
stdout_stream.class = FileStream
stdout_stream.filename = {DIR}/first.log
ready.it = log:never
depends_on = second:started
free.form = text
priority = 3

[watcher:second]
cmd = sleep 1000
use_sockets = True
autostart = False

[watcher:wrong]
cmd = sleep 1000
numprocesses = many
"""


class ConfigCase(ArbiterCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = str(Path(self.folder) / "circus.ini")
        Path(self.file).write_text(TEXT.replace("{DIR}", str(self.folder)))
        self.addCleanup(os.unlink, self.file)
        patched = mock.patch.dict(os.environ, {"LONG": "1000", "GIVEN": "g"})
        patched.start()
        self.addCleanup(patched.stop)

    def read(self) -> dict[str, Any]:
        """Read the file; the watcher that is wrong is left out with a warning."""
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            config = get_config(self.file)
        self.assertEqual(len(logs.output), 1)
        self.assertIn(f"wrong is left out: {self.file}:", logs.output[0])
        return config


class TestConfig(ConfigCase):
    def test_the_mappings(self) -> None:
        config = self.read()
        self.assertEqual(config["endpoint"], f"ipc://{self.folder}/control")
        self.assertEqual((config["check_delay"], config["umask"]), (5.0, 0o27))
        self.assertEqual((config["loglevel"], config["logoutput"]), (None, None))
        self.assertEqual([one["name"] for one in config["watchers"]], ["first", "second"])
        first, second = config["watchers"]
        self.assertEqual(first["cmd"], "sleep 1000")
        self.assertEqual((first["numprocesses"], first["stop_signal"]), (2, signal.SIGQUIT))
        self.assertEqual(first["env"], {"COMMON": "all", "OWN": "g"})
        self.assertEqual(first["rlimits"], {"nofile": 500})
        self.assertEqual(first["hooks"], {"before_start": ["os.path.isdir", True]})
        self.assertEqual(first["stdout_stream"]["filename"], f"{self.folder}/first.log")
        self.assertEqual((first["ready"], first["free.form"]), ({"it": "log:never"}, "text"))
        self.assertEqual((second["autostart"], second["max_retry"]), (False, 5))
        self.assertEqual(second.keys(), watcher_defaults().keys() | {"env"})
        self.assertEqual(config["sockets"][0]["path"], f"{self.folder}/web.sock")

    def test_what_programs_make_of_them(self) -> None:
        config = self.read()
        for one in config["watchers"]:
            watcher = Watcher.load_from_config(one)
            self.assertEqual(watcher.cmd, "sleep 1000")
        self.assertEqual(Watcher(**config["watchers"][0]).rlimits, {"nofile": 500})
        sockets = CircusSockets(map(CircusSocket.load_from_config, config["sockets"]))
        self.assertTrue(sockets["web"].is_unix)
        arbiter = get_arbiter(
            config["watchers"], config["endpoint"], config["pubsub_endpoint"], background=True
        )
        self.assertEqual(arbiter.get_watcher("first").options("free.form"), [("free.form", "text")])

    def test_a_limit(self) -> None:
        self.assertEqual([rlimit_value(text) for text in ("", None, "5")], [-1, -1, 5])

    def test_a_file_that_cannot_be_used(self) -> None:
        with self.assertRaisesRegex(exc.ConfigError, "no-such-file"):
            get_config(f"{self.folder}/no-such-file")
        for kind in (OSError, ValueError):  # as programs for Circus catch them
            with self.assertRaises(kind):
                get_config(f"{self.folder}/no-such-file")
        Path(self.file).write_text("[circus]\ncheck_delay = x\n[watcher:a]\ncmd = sleep 1\n")
        with self.assertRaises(ValueError) as caught:
            get_config(self.file)
        self.assertNotIsInstance(caught.exception, OSError)

    def test_users_of_another_machine(self) -> None:
        text = "[watcher:a]\ncmd = sleep 1\nuid = no-such-user\ngid = no-such-group\n"
        text += "[socket:s]\npath = /s\nowner = no-such-user\n"
        Path(self.file).write_text(text)
        config = get_config(self.file)
        one = config["watchers"][0]
        self.assertEqual((one["uid"], one["gid"]), ("no-such-user", "no-such-group"))
        self.assertEqual(config["sockets"][0]["owner"], "no-such-user")


class TestLoaded(ConfigCase):
    """An arbiter of a file, as Circus' own daemon makes it."""

    def load(self, kind: type[Arbiter] = Arbiter) -> Any:
        with self.assertLogs("cvec_circus", "WARNING"):
            return kind.load_from_config(self.file)

    def test_before_the_start(self) -> None:
        arbiter = self.load()
        self.assertEqual(arbiter.config_file, self.file)
        self.assertEqual(arbiter.pidfile, f"{self.folder}/pid")
        self.assertEqual(arbiter.umask, 0o27)
        for key in ("loglevel", "logoutput", "loggerconfig", "endpoint_owner", "ssh_server"):
            self.assertIsNone(getattr(arbiter, key), key)
        self.assertIs(arbiter.statsd, False)
        self.assertIs(arbiter.debug, False)
        self.assertIs(arbiter.debug_gc, False)
        self.assertEqual(arbiter.warmup_delay, 0)
        self.assertEqual(arbiter.proc_name, "cvec_circusd")
        self.assertIsNone(arbiter.multicast_endpoint)
        self.assertEqual(arbiter.pid, os.getpid())
        self.assertEqual(arbiter.iter_watchers()[0].name, "first")
        self.assertEqual(arbiter.statuses(), {"first": "stopped", "second": "stopped"})
        self.assertEqual(arbiter.sockets["web"].path, f"{self.folder}/web.sock")
        self.assertIsNone(arbiter.get_socket("none"))
        with self.assertRaises(AttributeError):
            arbiter.no_such_name  # noqa: B018
        with self.assertRaises(TypeError):
            Arbiter.load_from_config(self.file, loop=object())  # type: ignore[arg-type]

    def test_it_runs(self) -> None:
        text = Path(self.file).read_text()
        unready = "ready.it = log:never\n"
        text = text.replace(unready, "").replace("os.path.isdir", "os.getcwd")
        text = text.replace("depends_on = second:started\n", "").replace("many", "1")
        Path(self.file).write_text(text)
        arbiter = ThreadedArbiter.load_from_config(self.file)
        self.assertIsInstance(arbiter, ThreadedArbiter)
        arbiter.start()
        self.addCleanup(arbiter.stop)
        arbiter.get_watcher("second").start().result()
        self.assertEqual(arbiter.statuses()["second"], "active")
        self.assertEqual(arbiter.get_socket("WEB").path, f"{self.folder}/web.sock")
        self.assertGreater(arbiter.sockets["web"].fileno(), 0)
        Path(self.file).write_text(text.replace("[watcher:second]", "[env:gone]"))
        arbiter.reload_from_config().result()
        self.assertEqual(set(arbiter.statuses()), {"first", "wrong"})


if __name__ == "__main__":
    unittest.main()
