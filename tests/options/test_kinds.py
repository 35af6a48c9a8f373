"""The kinds: each takes text and typed values, and refuses the rest with one short sentence."""

from __future__ import annotations

import signal
import socket
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.options import kinds
from cvec_circus.options.checks import Check
from cvec_circus.options.hooks import Hook

TAKEN: dict[str, list[tuple[Any, Any]]] = {
    "boolean": [
        *[(word, True) for word in (True, "true", "YES", " On ", "1", 1)],
        *[(word, False) for word in (False, "false", "No", "OFF", "0", 0)],
    ],
    "integer": [(5, 5), ("5", 5), (" -1 ", -1), ("+3", 3), (2.0, 2), ("007", 7)],
    "number": [(0, 0), ("3", 3), (3.0, 3), ("0.5", 0.5), (1.25, 1.25), ("2m", 120)],
    "protocol": [("tcp", 6), (" MPTCP", 262), ("17", 17), (0, 0)],
    "seconds": [
        *[(1, 1.0), ("2.5", 2.5), (".5", 0.5), ("1e2", 100.0), ("3.", 3.0), ("30s", 30.0)],
        *[("1.5 h", 5400.0), ("5m", 300.0), ("5min", 300.0), ("250ms", 0.25), ("1d", 86400.0)],
    ],
    "size": [
        *[(0, 0), ("65536", 65536), ("64k", 65536), ("64 KB", 65536), ("10MB", 10485760)],
        *[("1GiB", 2**30), ("1.5K", 1536), ("7B", 7)],
    ],
    "signal": [(15, 15), ("9", 9), ("quit", 3), ("SIGHUP", 1), (signal.SIGTERM, 15)],
    "text": [("", ""), ("a b\nc", "a b\nc"), (Path("/srv"), "/srv")],
    "endpoint": [("tcp://127.0.0.1:5555",) * 2, ("ipc:///run/x",) * 2],
    "command": [("sleep 1", "sleep 1"), (["a b", "c"], "'a b' c"), (("x", 3), "x 3")],
    "args": [("-p 80", "-p 80"), (["-p", 80], ["-p", "80"]), ("", "")],
    "words": [(("a", 1.5), ["a", "1.5"])],
    "environment": [
        ({"A": "x", "N": 1}, {"A": "x", "N": "1"}),
        ("A=1, B=2=3", {"A": "1", "B": "2=3"}),
        ("", {}),
    ],
    "log": [(one, one) for one in ("-", "a.log", "syslog:///dev/log?x", "syslog://h:1?user")],
    "logging": [("log.ini", "log.ini"), ({"version": 1}, {"version": 1})],
    "mapping": [({"a": [1]}, {"a": [1]})],
    "hook": [
        ("a.b", Hook("a.b")),
        ("a.b,True", Hook("a.b", True)),
        (["a.b", 1], Hook("a.b", True)),
    ],
    "hooks": [({"before_start": "a.b"}, {"before_start": Hook("a.b")}), ({}, {})],
    "stream": [({"filename": "x"}, {"filename": "x"}), (None, {})],
    "stream_class": [("FileStream", "FileStream"), ("a.b_1.C", "a.b_1.C")],
    "stream_object": [(len, len)],
    "part": [("5", "5"), (5, 5)],
    "adoption": [("True", True), ("no", False), (" STOP ", "stop"), ("stop", "stop"), (1, True)],
    "state_name": [("web", "web"), ("web-2.de_x", "web-2.de_x")],
    "limit": [("5", 5), ("", -1), ("-1", -1), ("Infinity", -1), ("unlimited", -1), (0, 0)],
    "umask": [("022", 0o22), ("0o77", 0o77), (18, 18), ("0", 0)],
    "account": [("nobody", "nobody"), ("33", 33), (0, 0)],
    "check": [
        (" notify ", Check("notify")),
        ("fd:3", Check("fd", "3")),
        ("log:listening on: x", Check("log", "listening on: x")),
        ("tcp://127.0.0.1:80$(circus.wid)", Check("tcp", "127.0.0.1:80$(circus.wid)")),
        ("tcp://[::1]:80", Check("tcp", "[::1]:80")),
        ("unix:///run/a.sock", Check("unix", "/run/a.sock")),
        ("HTTP://localhost/health", Check("http", "localhost/health")),
        ("exec:pg_isready -q", Check("exec", "pg_isready -q")),
        (None, None),
        ("", None),
    ],
    "checks": [({"a": "notify"}, {"a": Check("notify")}), ({}, {}), (None, {})],
    "live_check": [("notify", Check("notify")), ("https://h:1/", Check("https", "h:1/"))],
    "live_checks": [({"a": "exec:true"}, {"a": Check("exec", "true")})],
    "dependencies": [
        ("db, migrate:succeeded,a:b", {"db": "", "migrate": "succeeded", "a:b": ""}),
        ("cache:process_healthy", {"cache": "ready"}),
        (["db", "x:Started"], {"db": "", "x": "started"}),
        ({"db": "", "x": "completed", "y": None}, {"db": "", "x": "completed", "y": ""}),
        ("", {}),
    ],
    "watcher_names": [("db, db,cache", ["db", "cache"]), (["a b"], ["a b"]), ("", []), (None, [])],
    "schedule": [("*/5  * * * *", "*/5 * * * *"), ("0 3 * * MON", "0 3 * * MON")],
    "cgroup": [("off", "off"), ("AUTO", "auto"), (False, "off"), ("yes", "auto"), ("/a/", "/a")],
    "processors": [("0.5", 0.5), (2, 2.0), ("150 %", 1.5), ("1%", 0.01)],
    "share": [(0, 0), ("2", 2), ("25 %", "25%"), ("100%", "100%")],
}

REFUSED: dict[str, list[Any]] = {
    "boolean": ["maybe", "", None, 2, 1.0, [], "truee"],
    "integer": ["", "two", "1.5", 1.5, None, True, "1_0", "٣", "9" * 5000, 10**400, float("nan")],
    "number": ["", "x", None, True, "nan", "inf"],
    "protocol": ["tpc", "", -1, 65536, None, True, 1.5],
    "size": ["", "1.5", "10X", "-1k", "k", None, 1.5, True],
    "seconds": [
        "nan",
        "-inf",
        "1_0",
        "",
        "5q",
        "s",
        "-5s",
        "1e2s",
        None,
        False,
        float("inf"),
        10**400,
        1e10,
        "1e99",
    ],
    "signal": ["usr9", 0, 999, -1, "", None, True, 1.0, []],
    "text": [5, None, True, b"x", "a\0b", []],
    "endpoint": ["", "127.0.0.1:5555", "http://x", "tcp://", "tcp://a b", None],
    "command": ["", "  ", None, [], ["a", None], 5, "a\0"],
    "args": [None, 5, {"a": 1}, ["a", None], [["a"]], [True]],
    "words": ["a b", None],
    "environment": ["A", "A=1,B", {"": "x"}, {"A=": "x"}, {1: "x"}, {"A": None}, {"A": "\0"}, 5],
    "log": ["syslog:", "syslog://?daemon", "syslog://h:port", None, 5],
    "logging": [5, None, {1: 2}, []],
    "mapping": ["x", None, {1: 2}, []],
    "hook": ["ab", "a b", "exec:", "exec:'", 5, [], ["a.b", "maybe"], "a.b,maybe"],
    "hooks": ["x", 5, [], {"before_strat": "a.b"}, {"before_start": "ab"}],
    "stream": ["FileStream", [], 5, {1: 2}],
    "stream_class": ["NoStream", "", None, "a.", ".b", "a b.c", "1.2", "a..b"],
    "stream_object": ["text", None, 5, {}],
    "part": [],
    "adoption": ["perhaps", 2, None, [], ""],
    "state_name": ["", ".", "..", "a/b", ".x", "a b", "ä", "x" * 65, None],
    "limit": ["x", -2, True, 1.5, [], "5M"],
    "umask": ["9", "", "1000", 512, -1, None, True, "rwx"],
    "account": [
        *(-1, 2**32 - 1, "99999999999", None, 1.5),
        *("a\0b", "", " ", "a b", "a\n; b", "\x1b[m", "x" * 300),
    ],
    "check": [
        *("notify:x", "fd:2", "fd:10", "fd", "log:", "tcp:127.0.0.1:5", "tcp://host", "unix://x"),
        *("http:///x", "https:x", "exec:", "exec:'", "ping", "udp://a:1", 5, True, "\0", []),
    ],
    "checks": ["notify", 5, [], {"a": "x"}, {1: "notify"}],
    "live_check": ["fd:3", "log:x", "x", 5],
    "live_checks": [{"a": "log:x"}, "x"],
    "dependencies": ["a,,b", "a:succeded", 5, {"a": "x"}, ["a", 5], [""]],
    "watcher_names": [5, ["a", None], "a,,b", ["a", ""]],
    "schedule": ["* * * *", "61 * * * *", "0 0 30 2 *", "", None, 5],
    "cgroup": ["", "aut", "a/b", 5, None, [], "/a\0"],
    "processors": ["", "x", "0", "0.5%", -1, None, True, "1e9", "%", "nan", []],
    "share": ["", "x", -1, "101%", "1.5", None, True, "%"],
}


class TestKinds(unittest.TestCase):
    def test_every_kind_is_tested(self) -> None:
        tested = {*TAKEN, "choice"}
        self.assertEqual(tested, set(kinds.KINDS))
        self.assertEqual(tested, {*REFUSED, "choice"})

    def test_taken(self) -> None:
        for kind, pairs in TAKEN.items():
            for given, meant in pairs:
                with self.subTest(kind=kind, given=given):
                    result = kinds.KINDS[kind](given)
                    self.assertEqual(result, meant)
                    self.assertIs(type(result), type(meant))

    def test_refused_in_one_short_line(self) -> None:
        for kind, values in REFUSED.items():
            for value in values:
                with self.subTest(kind=kind, value=str(type(value))):
                    with self.assertRaises(ValueError) as caught:
                        kinds.KINDS[kind](value)
                    text = str(caught.exception)
                    self.assertTrue(text)
                    self.assertNotIn("\n", text)
                    self.assertLess(len(text), 200)

    def test_bounds(self) -> None:
        for kind in (kinds.to_integer, kinds.to_number, kinds.to_seconds):
            self.assertEqual(kind("1", low=1, high=5), 1)
            self.assertEqual(kind("5", low=1, high=5), 5)
            with self.assertRaisesRegex(ValueError, "is less than 1"):
                kind("0", low=1, high=5)
            with self.assertRaisesRegex(ValueError, "is more than 5"):
                kind("6", low=1, high=5)
            with self.assertRaisesRegex(ValueError, "is more than 1000000$"):
                kind("1000001", high=1e6)
            for digits in (16, 23, 300):
                with self.assertRaisesRegex(ValueError, "is more than 5"):
                    kind("9" * digits, high=5)
        with self.assertRaisesRegex(ValueError, "is more than 5"):
            kinds.to_seconds("9" * 300 + "d", high=5)

    def test_choice(self) -> None:
        self.assertEqual(kinds.to_choice(" DEBUG ", "debug", "info"), "debug")
        self.assertEqual(kinds.to_choice(socket.AF_INET6, "AF_INET", "AF_INET6"), "AF_INET6")
        for value in ("", "x", None, 5, []):
            with self.assertRaisesRegex(ValueError, "is not one of debug, info"):
                kinds.to_choice(value, "debug", "info")

    def test_what_is_given_is_not_changed(self) -> None:
        given = {"A": 1}
        self.assertIsNot(kinds.to_environment(given), given)
        self.assertEqual(given, {"A": 1})


class TestShown(unittest.TestCase):
    def test_short_and_on_one_line(self) -> None:
        self.assertEqual(kinds.shown("a\nb"), "'a\\nb'")
        self.assertEqual(kinds.shown(None), "null")
        self.assertEqual(kinds.shown(True), "true")
        self.assertEqual(kinds.shown({"a": 1}), "a mapping")
        self.assertEqual(kinds.shown([1]), "a list")
        self.assertEqual(kinds.shown(10**5000), "a huge number")
        self.assertEqual(len(kinds.shown("x" * 10_000)), 60)


class TestHuman2bytes(unittest.TestCase):
    """Sizes as people write them."""

    def test_sizes(self) -> None:
        for text, size in (
            ("0 B", 0),
            ("9", 9),
            ("1K", 1024),
            ("1 k", 1024),
            ("1.45M", 1520435),
            (".5Gi", 1 << 29),
            ("2 tebi", 2 << 40),
            ("10kilo", 10240),
            ("1.Y", 1 << 80),
        ):
            with self.subTest(text):
                self.assertEqual(kinds.human2bytes(text), size)

    def test_what_is_none(self) -> None:
        for text in ("", "K", "1 x", "1 kk", "-1K", "1,5K", "nan", "1e3", "1 K B"):
            with (
                self.subTest(text),
                self.assertRaisesRegex(ValueError, "is not a size such as 1.5M"),
            ):
                kinds.human2bytes(text)


if __name__ == "__main__":
    unittest.main()
