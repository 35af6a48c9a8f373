"""The options that `add` and `set` get."""

from __future__ import annotations

import unittest

from cvec_circus.commands.set import convert_options
from cvec_circus.exc import MessageError, OptionError


class TestOptions(unittest.TestCase):
    def test_no_command_is_refused(self) -> None:
        for nothing in (None, "", " "):
            with self.subTest(nothing), self.assertRaisesRegex(OptionError, "cmd: .* is empty"):
                convert_options({"cmd": nothing, "numprocesses": 2})

    def test_all_that_is_wrong_is_named(self) -> None:
        given = {"cmd": "", "numproceses": 2, "uid": " ", "graceful_timeout": "30q", "shell": "yo"}
        with self.assertRaises(MessageError) as caught:
            convert_options(given)
        self.assertEqual(
            str(caught.exception),
            "cmd: the command is empty; unknown key 'numproceses'; did you mean numprocesses?; "
            "uid: ' ' is not the name of a user or group; graceful_timeout: '30q' is not a time: "
            "write 30, 30s, 5m or 1h; shell: 'yo' is neither true nor false",
        )

    def test_others_go_back_to_their_default(self) -> None:
        self.assertEqual(convert_options({"cmd": "id", "uid": ""}), {"cmd": "id", "uid": None})


if __name__ == "__main__":
    unittest.main()
