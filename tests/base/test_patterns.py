"""Regular expressions that wait for their first use."""

from __future__ import annotations

import re
import unittest
from unittest import mock

from cvec_circus.base.patterns import regex


class TestPatterns(unittest.TestCase):
    def test_it_is_compiled_at_its_first_use(self) -> None:
        with mock.patch("re.compile", wraps=re.compile) as compiled:
            word = regex(r"(a+)(b)", re.IGNORECASE)
            self.assertEqual(word.pattern, r"(a+)(b)")
            compiled.assert_not_called()
            self.assertTrue(word.match("xAAB") is None and word.search("xAAB"))
            self.assertTrue(word.search("xAAB"))
            self.assertEqual(word.sub(r"\2\1", "aab"), "baa")
        self.assertEqual(compiled.call_count, 3)

    def test_bytes(self) -> None:
        self.assertTrue(regex(rb"a").fullmatch(b"a"))
