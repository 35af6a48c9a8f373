"""Patterns for names: none is searched for long."""

from __future__ import annotations

import unittest

from cvec_circus.base.clock import SYSTEM
from cvec_circus.exc import MessageError
from cvec_circus.supervisor.names import compile_pattern


class TestPatterns(unittest.TestCase):
    def refused(self, pattern: str, reason: str, match: str = "regex") -> None:
        with self.assertRaises(MessageError) as caught:
            compile_pattern(pattern, match)
        self.assertIn(reason, str(caught.exception), pattern)

    def test_what_is_usual(self) -> None:
        for pattern in (
            "web-.*",
            "web-(?:a|b)-[0-9]+",
            r"^web\d{1,3}$",
            "(?P<x>we)b.*?",
            "[]*+?]*",
        ):
            compile_pattern(pattern, "regex")
        self.assertTrue(compile_pattern("WEB-*", "glob").match("web-1"))
        self.assertTrue(compile_pattern("w.b$", "regex").match("WEB"))

    def test_repeats_are_bounded(self) -> None:
        for pattern in ("(a+)+$", "(a|a)*$", "(?:a?){30}", "a?a?a?a?aaaa", ".*.*.*.*x", r"(\w+)+"):
            self.refused(pattern, "forever")

    def test_what_is_allowed_takes_no_time(self) -> None:
        for pattern in (".*.*.*x", "a+a+a+x", "(a*)?(a*)x", "a{0,200}a{0,200}a{0,200}x"):
            began = SYSTEM.monotonic()
            compile_pattern(pattern, "regex").match("a" * 200)
            self.assertLess(SYSTEM.monotonic() - began, 2.0, pattern)
        glob = compile_pattern("*a" * 100 + "x", "glob")
        began = SYSTEM.monotonic()
        glob.match("a" * 200)
        self.assertLess(SYSTEM.monotonic() - began, 2.0)

    def test_what_is_none(self) -> None:
        self.refused("(", "not a regular expression")
        self.refused("a{99999999999}", "not a regular expression")
        self.refused("a" * 2000, "longer than", "glob")


if __name__ == "__main__":
    unittest.main()
