"""Command lines are taken apart as `shlex` does it, and quickly."""

from __future__ import annotations

import random
import shlex
import time
import unittest

from cvec_circus.options import kinds, words


def outcome(split: object, text: str) -> object:
    """What comes of a text: its words, or what it is refused with."""
    try:
        return split(text)  # type: ignore[operator]
    except ValueError as error:
        return str(error)


class TestSplit(unittest.TestCase):
    def test_as_shlex_does_it(self) -> None:
        for text in (
            "",
            " ",
            "a b",
            "''",
            'a""b',
            "'a b'c",
            '"a\\"b\\c\\\\"',
            "a\\ b",
            "a\\\nb",
            '"a\\\nb"',
            "it's",
            '"a',
            "a\\",
            '"a\\',
            "'\\' \\",
            "a#b #c",
            "a\x0bb\xa0c\u2003d",
            "(a);b|c",
        ):
            with self.subTest(text):
                expected = outcome(shlex.split, text)
                if isinstance(expected, str):  # which of two faults is named may differ
                    self.assertIsInstance(outcome(words.split, text), str, text)
                else:
                    self.assertEqual(outcome(words.split, text), expected)

    def test_random_texts(self) -> None:
        chance = random.Random(7)
        for _ in range(20_000):
            text = "".join(chance.choices("ab\\\\''\"\" \t\n\r#é$", k=chance.randrange(14)))
            expected = outcome(shlex.split, text)
            if isinstance(expected, str):  # which of two faults is named may differ
                self.assertIsInstance(outcome(words.split, text), str, text)
            else:
                self.assertEqual(outcome(words.split, text), expected, text)

    def test_the_longest_takes_no_time(self) -> None:
        for unit in ("a ", "ab", "'' ", '"a\\"" ', "\\a", "'", '"', '\\"'):
            text = (unit * words.LONGEST)[: words.LONGEST]
            before = time.process_time()
            outcome(words.split, text)
            self.assertLess(time.process_time() - before, 1.0, unit)

    def test_what_is_longer_is_refused(self) -> None:
        text = "x" * (words.LONGEST + 1)
        for kind in (words.split, kinds.to_command, kinds.to_args):
            with self.assertRaisesRegex(ValueError, r"^131073 characters .* \(131072\)$"):
                kind(text)  # type: ignore[operator]
        with self.assertRaisesRegex(ValueError, "131072"):
            kinds.to_command(["x", text])
        self.assertEqual(kinds.to_command(text[1:]), text[1:])


if __name__ == "__main__":
    unittest.main()
