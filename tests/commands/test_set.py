"""The options that `add` and `set` get."""

from __future__ import annotations

import unittest

from cvec_circus.commands.set import LOCATING, convert_options, has_hooks, uses_of
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


class TestHooks(unittest.TestCase):
    def test_where_they_are_found(self) -> None:
        current = {**dict.fromkeys(LOCATING), "env": {"PYTHONPATH": "old"}, "working_dir": "/w"}
        hooks = {"hooks": {"after_stop": "a.b"}, "hooks.before_start": "exec:run", "priority": 1}
        self.assertTrue(has_hooks(hooks))
        for more, found in (
            ({}, ("old", "", "/w")),
            ({"env": {"PATH": "/p"}, "working_dir": "/v"}, ("", "/p", "/v")),
        ):
            self.assertEqual(
                [
                    (one.moment, str(one.hook), *one[2:])
                    for one in uses_of({**hooks, **more}, current)
                ],
                [("after_stop", "a.b", *found), ("before_start", "exec:run", *found)],
            )

    def test_those_that_are_not_looked_for(self) -> None:
        nothing = dict.fromkeys(LOCATING)
        for options in (
            {"hooks.before_start": ""},
            {"hooks.before_start": "nonsense"},
            {"hooks.before_start": "a.b", "env": 5},
            {"hooks.before_start": "a.b", "virtualenv": "/v"},
            {"hooks.before_start": print},
        ):
            with self.subTest(options):
                self.assertEqual(uses_of(options, nothing), [])
        self.assertFalse(has_hooks({"priority": 1}))


if __name__ == "__main__":
    unittest.main()
