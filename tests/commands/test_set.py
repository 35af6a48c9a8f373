"""The options that `add` and `set` get."""

from __future__ import annotations

import unittest

from cvec_circus.commands.set import convert_options
from cvec_circus.exc import OptionError


class TestOptions(unittest.TestCase):
    def test_no_command_is_refused(self) -> None:
        for nothing in (None, "", " "):
            with self.subTest(nothing), self.assertRaisesRegex(OptionError, "cmd: .* is empty"):
                convert_options({"cmd": nothing, "numprocesses": 2})

    def test_others_go_back_to_their_default(self) -> None:
        self.assertEqual(convert_options({"cmd": "id", "uid": ""}), {"cmd": "id", "uid": None})


if __name__ == "__main__":
    unittest.main()
