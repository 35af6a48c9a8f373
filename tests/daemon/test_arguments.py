"""The switches of the scripts: each is there, and means something."""

from __future__ import annotations

import contextlib
import io
import unittest
from typing import Any

from cvec_circus.daemon import arguments
from cvec_circus.runtime.assignment import read

DAEMON: dict[str, tuple[list[str], Any]] = {
    "config": (["a.ini"], "a.ini"),
    "log_level": (["a.ini", "--log-level", "WARNING"], "warning"),
    "log_output": (["a.ini", "--log-output", "-"], "-"),
    "logger_config": (["a.ini", "--logger-config", "log.json"], "log.json"),
    "daemon": (["--daemon", "a.ini"], True),
    "prefix": (["a.ini", "--prefix"], True),
    "pidfile": (["a.ini", "--pidfile", "p"], "p"),
    "allow_remote": (["a.ini", "--allow-remote"], True),
    "demo": (["--demo"], True),
    "check": (["--check", "a.ini", "b.ini"], ["a.ini", "b.ini"]),
    "elsewhere": (["--check", "a.ini", "--elsewhere"], True),
    "print_config": (["--print-config", "a.ini"], "a.ini"),
    "show_secrets": (["--print-config", "a.ini", "--show-secrets"], True),
    "doctor": (["--doctor"], True),
    "json": (["--doctor", "--json"], True),
}
"""What each argument is given as, and comes to."""

PLUGIN: dict[str, tuple[list[str], Any]] = {
    "use": (["a.B"], "a.B"),
    "endpoint": (["a.B", "--endpoint", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1"),
    "pubsub_endpoint": (["a.B", "--pubsub", "tcp://127.0.0.1:2"], "tcp://127.0.0.1:2"),
    "config": (["--config", "x:1:::y:a:b", "a.B"], {"x": "1", "y": "a:b"}),
    "check_delay": (["--check-delay", "0.5", "a.B"], 0.5),
    "log_level": (["--log-level", "Debug", "a.B"], "debug"),
    "log_output": (["--log-output", "log", "a.B"], "log"),
}


class TestArguments(unittest.TestCase):
    def test_every_argument_of_the_daemon(self) -> None:
        known = {action.dest for action in arguments.parser()._actions}
        self.assertEqual(known - {"help", "version"}, set(DAEMON))
        for name, (words, meant) in DAEMON.items():
            with self.subTest(name):
                self.assertEqual(getattr(arguments.parse(words), name), meant)

    def test_every_argument_of_a_plugin(self) -> None:
        for name, (words, meant) in PLUGIN.items():
            with self.subTest(name):
                self.assertEqual(getattr(read(words), name), meant)

    def test_files_may_stand_anywhere(self) -> None:
        for words in (
            ["--check", "a.ini", "b.ini", "--elsewhere"],
            ["--check", "--elsewhere", "a.ini", "b.ini"],
            ["--elsewhere", "--check", "a.ini", "b.ini"],
            ["a.ini", "b.ini", "--check", "--elsewhere"],
        ):
            with self.subTest(words):
                read_words = arguments.parse(words)
                self.assertEqual(read_words.check, ["a.ini", "b.ini"])
                self.assertEqual((read_words.config, read_words.print_config), (None, None))
        shown = arguments.parse(["--print-config", "--show-secrets", "a.ini"])
        self.assertEqual((shown.print_config, shown.config, shown.check), ("a.ini", None, []))

    def test_what_makes_no_sense(self) -> None:
        for words in (
            [],
            ["--daemon"],
            ["--demo", "--daemon"],
            ["--demo", "a.ini"],
            ["a.ini", "b.ini"],
            ["a.ini", "--log-level", "loud"],
            ["--check"],
            ["--check", "a.ini", "--demo"],
            ["--check", "--print-config", "a.ini"],
            ["--print-config", "a.ini", "b.ini"],
            ["--print-config"],
            ["--doctor", "a.ini"],
            ["a.ini", "--elsewhere"],
        ):
            with self.subTest(words), contextlib.redirect_stderr(io.StringIO()):
                with self.assertRaises(SystemExit) as caught:
                    arguments.parse(words)
                self.assertEqual(caught.exception.code, 2)


if __name__ == "__main__":
    unittest.main()
