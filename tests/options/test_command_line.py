"""What is said of a command line that is wrong, in all programs."""

from __future__ import annotations

import unittest

from cvec_circus.client.program import seconds
from cvec_circus.exc import ArgumentError
from cvec_circus.options.command_line import CommandLine


class TestCommandLine(unittest.TestCase):
    def setUp(self) -> None:
        self.parser = CommandLine(prog="p")
        self.parser.add_argument("use", metavar="CLASS")
        self.parser.add_argument("--sort", choices=("name", "cpu"))
        self.parser.add_argument("--delay", type=seconds(0.0))
        modes = self.parser.add_mutually_exclusive_group()
        modes.add_argument("--check", action="store_true")
        modes.add_argument("--demo", action="store_true")

    def refused(self, *words: str) -> str:
        with self.assertRaises(ArgumentError) as caught:
            self.parser.parse_args(words)
        return str(caught.exception)

    def test_in_our_words(self) -> None:
        for words, said in (
            ("", "CLASS is missing"),
            ("x y z", "too many arguments: y z"),
            ("x --chekc", "unknown option --chekc; did you mean --check?"),
            ("x --nope=1 2", "unknown option --nope"),
            ("x --sort", "--sort needs a value"),
            ("x --sort pid", "--sort: 'pid' is not one of name, cpu"),
            ("x --delay soon", "--delay: 'soon' is not a time: write 30, 30s, 5m or 1h"),
            ("x --check=1", "--check takes no value"),
            ("x --check --demo", "--demo and --check do not go together"),
        ):
            with self.subTest(words):
                self.assertEqual(self.refused(*words.split()), said)


if __name__ == "__main__":
    unittest.main()
