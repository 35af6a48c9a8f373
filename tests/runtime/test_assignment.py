"""Which plugin to run, as a person and as the daemon says it."""

from __future__ import annotations

import os
import unittest
from unittest import mock

from cvec_circus import exc
from cvec_circus.runtime.assignment import VARIABLE, Assignment, read, read_config


def from_daemon(text: str) -> Assignment:
    """Read what a daemon passes."""
    with mock.patch.dict(os.environ, {VARIABLE: text}):
        return read([])


class TestAssignment(unittest.TestCase):
    def test_config(self) -> None:
        for text, config in (
            ("", {}),
            ("a:b", {"a": "b"}),
            ("a:b:::c:d", {"a": "b", "c": "d"}),
            (" a : b c ::: url:http://x:1/ :::", {"a": "b c", "url": "http://x:1/"}),
            ("a:", {"a": ""}),
        ):
            self.assertEqual(read_config(text), config)
        for text in ("a", ":b", "a:b:::c"):
            with self.assertRaises(exc.ArgumentError):
                read_config(text)

    def test_arguments(self) -> None:
        switches = "--endpoint tcp://1:1 --pubsub tcp://1:2 --config a:b --check-delay 2.5"
        given = read([*switches.split(), "--log-level", "DEBUG", "x.Y"])
        self.assertEqual((given.endpoint, given.pubsub_endpoint), ("tcp://1:1", "tcp://1:2"))
        self.assertEqual((given.use, given.config), ("x.Y", {"a": "b"}))
        self.assertEqual((given.check_delay, given.log_level), (2.5, "debug"))
        self.assertEqual((given.since, given.by_daemon), (None, False))

    def test_defaults(self) -> None:
        given = read(["x.Y"])
        self.assertEqual(given.endpoint, "tcp://127.0.0.1:5555")
        self.assertEqual(given.pubsub_endpoint, "tcp://127.0.0.1:5556")
        self.assertEqual((given.check_delay, given.config, given.log_level), (5.0, {}, "info"))

    def test_environment(self) -> None:
        given = from_daemon('{"use": "x.Y", "since": 3, "run": null, "future": 1}')
        self.assertEqual((given.use, given.since, given.run), ("x.Y", 3, None))
        self.assertEqual((given.log_level, given.by_daemon), ("info", True))
        with self.assertRaises(exc.ArgumentError):
            from_daemon('{"use": "x.Y", "config": {"ssh_server": "x"}}')
