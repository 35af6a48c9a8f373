"""The conversions of `cvec_circus.util`."""

from __future__ import annotations

import grp
import logging
import os
import pwd
import re
import signal
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus import util


class TestText(unittest.TestCase):
    def test_booleans(self) -> None:
        for text in ("Yes", " true ", "on", "1", True):
            self.assertIs(util.to_bool(text), True)
        for text in ("no", "False", "OFF", "0", False, None):
            self.assertIs(util.to_bool(text), False)
        with self.assertRaises(ValueError):
            util.to_bool("perhaps")
        for word in util.TRUTHY_STRINGS:
            self.assertTrue(util.to_bool(word))
        for word in util.FALSY_STRINGS:
            self.assertFalse(util.to_bool(word))

    def test_text_and_bytes(self) -> None:
        self.assertEqual(util.to_str("é".encode()), "é")
        self.assertEqual(util.to_str(b"\xff"), "\N{REPLACEMENT CHARACTER}")
        self.assertEqual(util.to_str(5), "5")
        self.assertEqual(util.to_bytes("é"), "é".encode())
        self.assertEqual(util.to_bytes(b"\xff"), b"\xff")
        self.assertEqual(util.to_bytes(5), b"5")

    def test_sizes(self) -> None:
        self.assertEqual(util.bytes2human(1519616), "1.45M")
        self.assertEqual(util.bytes2human(100), "100B")
        self.assertEqual(util.human2bytes("1M"), 1024**2)
        self.assertEqual(util.human2bytes(util.bytes2human(3 * 1024**3)), 3 * 1024**3)
        with self.assertRaises(TypeError):
            util.bytes2human("1")  # type: ignore[arg-type]

    def test_signals(self) -> None:
        for given in (15, "15", "TERM", "sigterm", signal.SIGTERM):
            self.assertEqual(util.to_signum(given), signal.SIGTERM)
        self.assertEqual(util.to_signum("SIGRTMIN+1"), signal.SIGRTMIN + 1)
        with self.assertRaises(ValueError):
            util.to_signum("NOTHING")

    def test_options_as_text(self) -> None:
        self.assertEqual(util.convert_opt("env", {"B": 2, "A": 1}), "A=1,B=2")
        self.assertEqual(util.convert_opt("uid", None), "")
        self.assertEqual(util.convert_opt("numprocesses", 3), "3")


class TestAccounts(unittest.TestCase):
    def test_users(self) -> None:
        root = pwd.getpwuid(0)
        for given in ("root", 0, "0"):
            self.assertEqual(util.to_uid(given), 0)
        self.assertEqual(util.get_username_from_uid(0), root.pw_name)
        self.assertEqual(util.get_username_from_uid("somebody"), "somebody")
        self.assertEqual(util.get_default_gid("root"), root.pw_gid)
        self.assertEqual(util.get_default_gid(0), root.pw_gid)
        for wrong in ("no-such-user", 2**31 - 7, 2**70):
            with self.assertRaises(ValueError):
                util.to_uid(wrong)
        with self.assertRaises(TypeError):
            util.to_uid(None)  # type: ignore[arg-type]

    def test_groups(self) -> None:
        name = grp.getgrgid(0).gr_name
        for given in (name, 0, "0"):
            self.assertEqual(util.to_gid(given), 0)
        with self.assertRaises(ValueError):
            util.to_gid("no-such-group")


class TestEnvironment(unittest.TestCase):
    def test_variables(self) -> None:
        with mock.patch.dict(os.environ, {"HERE": "/h"}):
            os.environ.pop("GONE", None)
            found = util.parse_env_str("A=1, B = $HERE/x,C=$GONE.")
            self.assertEqual(found, {"A": "1", "B": "/h/x", "C": "."})
            self.assertEqual(util.parse_env_dict({" A ": " $HERE "}), {"A": "/h"})
            matched = re.match(r"\$(\w+)", "$HERE")
            assert matched is not None
            self.assertEqual(util.replace_env(matched), "/h")
        self.assertEqual(util.env_to_str({"B": "2", "A": "1"}), "A=1,B=2")
        self.assertEqual(util.env_to_str({}), "")
        with self.assertRaises(ValueError):
            util.parse_env_str("A")

    def test_names(self) -> None:
        text = "$(circus.wid) ((Circus.Env.Home)) $(circus.none) $(wid)"
        found = util.replace_gnu_args(text, wid=3, env={"HOME": "/h"})
        self.assertEqual(found, "3 /h $(circus.none) $(wid)")
        self.assertEqual(
            util.replace_gnu_args("$(wid) ((WID)) $(x)", prefix=None, wid=3), "3 3 $(x)"
        )
        text = "$(test.wid) ((test.env.a)) $(circus.wid)"
        found = util.replace_gnu_args(text, prefix="test", wid=3, env={"A": 1})
        self.assertEqual(found, "3 1 $(circus.wid)")

    def test_working_dir(self) -> None:
        self.addCleanup(os.chdir, os.getcwd())
        with tempfile.TemporaryDirectory() as folder:
            link = f"{folder}/link"
            os.symlink(".", link)
            os.chdir(link)
            with mock.patch.dict(os.environ, {"PWD": link}):
                self.assertEqual(util.get_working_dir(), link)
            for elsewhere in ("/", "/nowhere", ""):
                with mock.patch.dict(os.environ, {"PWD": elsewhere}):
                    self.assertEqual(util.get_working_dir(), os.getcwd())
            os.chdir("/")


class TestConstants(unittest.TestCase):
    def test_values(self) -> None:
        self.assertEqual(util.DEFAULT_ENDPOINT_DEALER, "tcp://127.0.0.1:5555")
        self.assertEqual(util.DEFAULT_ENDPOINT_SUB, "tcp://127.0.0.1:5556")
        self.assertEqual(util.DEFAULT_ENDPOINT_STATS, "tcp://127.0.0.1:5557")
        self.assertTrue(util.DEFAULT_ENDPOINT_MULTICAST.startswith("udp://"))
        self.assertTrue(Path(util.REDIRECT_TO).exists())
        self.assertGreater(util.MAXFD, 255)
        self.assertFalse(util.IS_WINDOWS)

    def test_logging(self) -> None:
        handler = logging.Formatter(util.LOG_FMT, util.LOG_DATE_FMT)
        level = util.LOG_LEVELS["warning"]
        record = logging.LogRecord("circus", level, "f", 1, "said", None, None)
        shown = r"\d{4}-\d\d-\d\d [\d:]{8} circus\[\d+\] \[WARNING\] said"
        self.assertRegex(handler.format(record), shown)
        dated = logging.Formatter("%(asctime)s", util.LOG_DATE_SYSLOG_FMT).format(record)
        self.assertRegex(dated, r"^\w{3} \d\d [\d:]{8}$")


if __name__ == "__main__":
    unittest.main()
