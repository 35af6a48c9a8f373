"""The line grammar: a case for each of its rules, measured against Circus 0.19."""

from __future__ import annotations

import configparser
import random
import unittest

from cvec_circus.config.readers.ini import MOST_COMPLAINTS, parse
from cvec_circus.config.section import Findings
from cvec_circus.exc import ConfigError

Pairs = list[tuple[str, str]]


def keys(text: str) -> Pairs:
    """Return the keys and values of a text that has nothing wrong in it."""
    findings = Findings()
    entries = parse(text, "x.ini", findings)
    findings.raise_problems()
    return [(entry.key, entry.value) for entry in entries if entry.key is not None]


def headers(text: str) -> list[str]:
    findings = Findings()
    entries = parse(text, "x.ini", findings)
    findings.raise_problems()
    return [entry.section for entry in entries if entry.key is None]


class TestGrammar(unittest.TestCase):
    """Each row of the table of the grammar."""

    def test_comments_at_the_beginning_of_a_line(self) -> None:
        text = "# a = 1\n[s]\n; b = 1\n#c\nrem d = 1\nREM e = 1\nrem\nremx = 1\nf = 2\n"
        self.assertEqual(keys(text), [("remx", "1"), ("f", "2")])

    def test_the_first_separator_splits(self) -> None:
        for line, pair in (
            ("key = value", ("key", "value")),
            ("key: value", ("key", "value")),
            ("key: a=b", ("key", "a=b")),
            ("key = a:b", ("key", "a:b")),
            ("key == 1", ("key", "= 1")),
            ("key\t=\ta\tb", ("key", "a\tb")),
            ("a key = 1", ("a key", "1")),
            ("key=", ("key", "")),
            ("Key.With-Case = 1", ("Key.With-Case", "1")),
        ):
            self.assertEqual(keys(f"[s]\n{line}\n"), [pair])

    def test_an_indented_line_continues(self) -> None:
        for text, value in (
            ("key = a\n  b\n\tc\n", "a\nb\nc"),
            ("key =\n  a\n  b\n", "\na\nb"),
            ("key = a\n  # b\n  ; c\n", "a\n# b\n; c"),
            ("key = a\n  b ; c\n", "a\nb ; c"),
            ("key = a ; x\n  b\n", "a\nb"),
            ("key = a\n  other = b\n", "a\nother = b"),
            ("key = a\n  [t]\n", "a\n[t]"),
            ("key = a\n\n  b\n", "a\nb"),
            ("key = a\n# note\n  b\n", "a\nb"),
            ("key = a\n   \n", "a"),
            ('key = ""\n  b\n', "\nb"),
            ("key = a\n\u00a0b\n", "a\nb"),
        ):
            with self.subTest(text):
                self.assertEqual(keys(f"[s]\n{text}"), [("key", value)])

    def test_an_indented_line_with_nothing_to_continue(self) -> None:
        self.assertEqual(keys("[s]\n  a = 1\nb = 2\n"), [("a", "1"), ("b", "2")])
        self.assertEqual(keys("[s]\n  # note\n  ; note\na = 1\n"), [("a", "1")])
        self.assertEqual(headers("  [s]\n  [t]\n"), ["s", "t"])

    def test_notes_after_a_value(self) -> None:
        for line, value in (
            ("key = 1 ; note", "1"),
            ("key = 1 ;", "1"),
            ("key = 1\t;note", "1"),
            ("key = a ;b;c", "a"),
            ("key = 1; note", "1; note"),
            ("key = a;b ;c", "a;b ;c"),
            ("key = ;note", ";note"),
            ("key = ; note", "; note"),
            ("key = sh -c 'a; b' ; c", "sh -c 'a; b' ; c"),
            ("key = sh -c 'a ; b'", "sh -c 'a"),
            ("a;key = 1 ; note", "1"),
        ):
            with self.subTest(line):
                self.assertEqual(keys(f"[s]\n{line}\n")[0][1], value)

    def test_a_hash_stays(self) -> None:
        for value in ("p#ss", "a # b", "#fff", "http://x/#y"):
            self.assertEqual(keys(f"[s]\nkey = {value}\n"), [("key", value)])

    def test_verbatim(self) -> None:
        for value in ("a, b,c", '"a b"', "''", "%(x)s %d", "'a", "$HOME", "[x]", "é ☃", "\\n"):
            self.assertEqual(keys(f"[s]\nkey = {value}\n"), [("key", value)])
        self.assertEqual(keys('[s]\nkey = ""\n'), [("key", "")])

    def test_what_follows_a_header(self) -> None:
        for line, name in (
            ("[x] ; note", "x"),
            ("[x] note", "x"),
            ("[x]note", "x"),
            ("[x] ; see [y]", "x"),
            ("[x] # see [y]", "x"),
            ("[env:web[0-9]]", "env:web[0-9]"),
            ("[env:web[0-9]] ; [y]", "env:web[0-9]"),
            ("[x ; y]", "x ; y"),
            ("[ a b ]", "a b"),
        ):
            with self.subTest(line):
                self.assertEqual(headers(f"{line}\n"), [name])

    def test_line_ends_and_trailing_blanks(self) -> None:
        for end in ("\n", "\r\n", "\r", "  \n", "\t\r\n"):
            self.assertEqual(
                keys(end.join(["[s]", "a = 1", "b = 2", ""])), [("a", "1"), ("b", "2")]
            )

    def test_only_line_ends_end_a_line(self) -> None:
        value = "1\x0b2\x1c3\u20284\x855"
        self.assertEqual(keys(f"[s]\nkey = {value}\n"), [("key", value)])

    def test_everything_is_given_in_order_with_its_line(self) -> None:
        entries = parse("[s]\na = 1\n  2\n\n[s]\na = 3\n", "x.ini", Findings())
        self.assertEqual(
            [entry[:4] for entry in entries],
            [("s", None, "", 1), ("s", "a", "1\n2", 2), ("s", None, "", 5), ("s", "a", "3", 6)],
        )


class TestComplaints(unittest.TestCase):
    def problems(self, text: str) -> list[str]:
        findings = Findings()
        parse(text, "x.ini", findings)
        with self.assertRaises(ConfigError) as caught:
            findings.raise_problems()
        return caught.exception.problems

    def test_neither_key_nor_header(self) -> None:
        said = "this is neither KEY = VALUE nor a section header"
        self.assertEqual(
            self.problems("[s]\nkey\n= x\na = 1\n: y\n"),
            [f"x.ini:2: {said}", f"x.ini:3: {said}", f"x.ini:5: {said}"],
        )

    def test_before_the_first_section(self) -> None:
        self.assertEqual(
            self.problems("a = 1\nb = 2\n[s]\nc = 3\n"),
            ["x.ini:1: not an INI file: line 1 is outside any [section]"],
        )

    def test_broken_headers(self) -> None:
        said = "this is not a section header; write"
        expected = [f"x.ini:1: {said} [NAME]", f"x.ini:2: {said} [NAME]", f"x.ini:3: {said} [a:b]"]
        self.assertEqual(self.problems("[]\n[ ]\n[a:b\nb = 1\n"), expected)

    def test_not_a_screen_full_of_them(self) -> None:
        problems = self.problems("[s]\n" + "x\n" * 1000)
        self.assertEqual(len(problems), MOST_COMPLAINTS + 1)
        self.assertEqual(
            problems[-1], f"x.ini:1001: and {1000 - MOST_COMPLAINTS} more lines like these"
        )

    def test_long_lines_take_no_time(self) -> None:
        for line in ("[" * 10**6, " ;" * 10**6, "a" + " " * 10**6 + "b", "a = " + " ;" * 10**6):
            parse(f"[s]\n{line}\n", "x.ini", Findings())


class TestAgainstPython(unittest.TestCase):
    """Where Python's own parser knows the same rules, it reads the same."""

    def test_random_files(self) -> None:
        chance = random.Random(7)
        words = ["a", "b c", "x=y", "p:q", '"q"', "'", "%(a)s", "#x", "é", "[z]", "1, 2", "$x"]
        for _ in range(300):
            lines = []
            for section in range(chance.randint(1, 4)):
                lines.append(f"[s{section}]{chance.choice(['', '  ', chr(9)])}")
                for key in range(chance.randint(0, 4)):
                    separator = chance.choice(["=", " = ", ":", " : ", "\t=  "])
                    value = " ".join(chance.choices(words, k=chance.randint(0, 3)))
                    lines.append(f"key{key}{separator}{value}{chance.choice(['', ' '])}")
                    if value:
                        more = chance.choices(words, k=chance.randint(0, 2))
                        lines += [f"{chance.choice([' ', chr(9)])}{word}" for word in more]
            text = "\n".join(lines) + "\n"
            python = configparser.RawConfigParser(
                delimiters=("=", ":"), comment_prefixes=(), empty_lines_in_values=False
            )
            python.optionxform = str  # type: ignore[assignment,method-assign]
            python.read_string(text)
            theirs = [
                (section, *pair) for section in python.sections() for pair in python.items(section)
            ]
            ours = [
                entry[:3] for entry in parse(text, "x.ini", Findings()) if entry.key is not None
            ]
            self.assertEqual(ours, theirs, text)


if __name__ == "__main__":
    unittest.main()
