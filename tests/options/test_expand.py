"""Names in values."""

from __future__ import annotations

import unittest

from cvec_circus.options.expand import env_values, expand, expand_words, watcher_values
from cvec_circus.options.words import split


class TestExpand(unittest.TestCase):
    def setUp(self) -> None:
        self.values = {"wid": "3", "env.path": "/bin", "sockets.my web": "7", "env.b-c.d": "x"}

    def test_known(self) -> None:
        for text, meant in (
            ("$(circus.wid)", "3"),
            ("((circus.wid))", "3"),
            ("-$(CIRCUS.Wid)-((Circus.env.PATH))-", "-3-/bin-"),
            ("fd://$(circus.sockets.My Web)", "fd://7"),
            ("$(circus.env.B-C.D)", "x"),
        ):
            self.assertEqual(expand(text, self.values), meant)

    def test_everything_else_stays(self) -> None:
        for text in (
            "$(circus.nope)",
            "((circus.env.nope))",
            "$(circus.)",
            "$(circus)",
            "$WID ${WID} $(wid)",
            "(circus.wid)",
            "((circus.wid)",
            "$((circus.wid)",
            "%(circus.wid)s",
        ):
            self.assertEqual(expand(text, self.values), text)

    def test_once(self) -> None:
        self.assertEqual(expand("$(circus.a)", {"a": "$(circus.b)", "b": "x"}), "$(circus.b)")

    def test_long_text_takes_no_time(self) -> None:
        text = "$(circus." * 20_000
        self.assertEqual(expand(text, self.values), text)


HARD = (
    "plain",
    'a"b',
    "it's",
    "back\\slash\\",
    "$(circus.wid)",
    "((circus.wid))",
    "$(circus.env.p)",
    "$",
    "(",
    "$(",
    "(circus.wid)",
    "circus.wid)",
    "\"'\\$(circus.wid)'\"",
    "$HOME `id` ; * \n",
)
"""What a password may be."""


class TestCommandLines(unittest.TestCase):
    """What variables stand for, in a command line."""

    def words(self, text: str, value: str) -> list[str]:
        """Expand as a file does, then as a start does, and split."""
        once = expand_words(text, {"env.p": value})
        return split(expand_words(once, {"wid": "3", "env.p": "again", "env.q": "q"}))

    def test_one_word_in_quotes(self) -> None:
        for value in (*HARD, "", " a  b ", "a\nb"):
            for text in ('x "$(circus.env.P)" y', "x '$(circus.env.p)' y", 'x ""$(circus.env.P)'):
                with self.subTest(text, value=value):
                    if text.endswith(")"):
                        continue
                    self.assertEqual(self.words(text, value), ["x", value, "y"])

    def test_words_are_split_at_blanks_and_nowhere_else(self) -> None:
        for value in (*HARD, "", " a  b ", 'a b"c d', "a\nb"):
            with self.subTest(value):
                self.assertEqual(
                    self.words("x $(circus.env.P) y", value), ["x", *value.split(), "y"]
                )

    def test_inside_of_words(self) -> None:
        for value in HARD[:-1]:
            for before, after in (
                ("amqp://", "@h"),
                ("$", "(circus.wid)"),
                ("(", "(circus.wid))"),
                ("$(", ""),
                ("(", "circus.wid))"),
                ("", "(circus.wid)"),
            ):
                for quote in ("", "'", '"'):
                    text = f"{quote}{before}$(circus.env.P){after}{quote}"
                    with self.subTest(text, value=value):
                        self.assertEqual(self.words(text, value), [f"{before}{value}{after}"])

    def test_what_else_counts(self) -> None:
        for text, words in (
            ("x $(circus.wid)", ["x", "3"]),
            ("x '$(circus.wid)' \"((circus.wid))\"", ["x", "3", "3"]),
            ("\\' $(circus.env.P)", ["'", 'a"b']),
            ('"\\"$(circus.env.P)"', ['"a"b']),
            ("'\\' $(circus.env.P)", ["\\", 'a"b']),
            ("$(circus.env.nope)", ["$(circus.env.nope)"]),
            ("$(circus.env.q)", ["q"]),
        ):
            with self.subTest(text):
                self.assertEqual(self.words(text, 'a"b'), words)

    def test_whole_values(self) -> None:
        """In a check, a name is replaced within its word; what a file has replaced stays."""
        for value in (*HARD, "", " a  b "):
            once = expand_words("x '$(circus.env.p)' $(circus.mine)", {"env.p": value})
            for given in ("$(circus.mine)", "-$(circus.mine)-", "'$(circus.mine)'"):
                text = expand_words(f"{once} {given}", {"mine": value, "wid": "3"}, whole=True)
                last = given.strip("'").replace("$(circus.mine)", value)
                with self.subTest(text):
                    self.assertEqual(split(text), ["x", value, value, last])

    def test_options_are_taken_as_they_are(self) -> None:
        text = expand_words("x $(circus.opts)", {"opts": '--name "a b"'})
        self.assertEqual(split(text), ["x", "--name", "a b"])

    def test_plain_values_change_nothing(self) -> None:
        text = "x $(circus.env.P) \"$(circus.env.P)\" '((circus.env.p))'"
        for value in ("/usr/bin:/bin", "a b", "$HOME", "a(b)$", "100%")[:3]:
            expected = expand(text, {"env.p": value})
            self.assertEqual(expand_words(text, {"env.p": value}), expected)

    def test_long_text_takes_no_time(self) -> None:
        for piece in ("$(circus.", "\\$(circus.", "'\"", "((circus.env.p)"):
            expand_words(piece * 20_000, {"env.p": "x"})


class TestValues(unittest.TestCase):
    def test_env(self) -> None:
        self.assertEqual(env_values({"Path": "x"}), {"env.path": "x"})

    def test_watcher(self) -> None:
        values = watcher_values(
            {"numprocesses": 2, "flapping.Max": "5", "wid": "not this"},
            {"HOME": "/root"},
            {"Web": 7},
            name="worker",
            wid=4,
        )
        text = (
            "$(circus.numprocesses) $(circus.flapping.max) $(circus.env.home) "
            "$(circus.sockets.web) $(circus.name) $(circus.wid)"
        )
        self.assertEqual(expand(text, values), "2 5 /root 7 worker 4")


if __name__ == "__main__":
    unittest.main()
