"""What may be a secret, and how it is hidden."""

from __future__ import annotations

import unittest

from cvec_circus.options.secrets import CONCEALED, Variables, conceal, conceal_text, is_secret


class TestNames(unittest.TestCase):
    def test_names(self) -> None:
        for name in "password DB_PASSWD API_KEY auth_token CLIENT_SECRET redis_url key".split():
            self.assertTrue(is_secret(name), name)
        for name in "cmd KEYBOARD stdout_stream.filename working_dir MONKEY".split():
            self.assertFalse(is_secret(name), name)

    def test_values(self) -> None:
        given = {
            "env": {"API_KEY": "abc", "LANG": "C", "EMPTY_TOKEN": ""},
            "cmd": "serve --port 80 --password abc",
            "args": ["--token", "abc"],
            "numprocesses": 2,
            "auth_token": None,
            "plugin.secret": 17,
        }
        shown = {
            "env": {"API_KEY": CONCEALED, "LANG": "C", "EMPTY_TOKEN": ""},
            "cmd": "serve --port 80 --password ***",
            "args": ["--token", "abc"],  # hidden when it is a text
            "numprocesses": 2,
            "auth_token": None,
            "plugin.secret": CONCEALED,
        }
        self.assertEqual(conceal("", given), shown)
        self.assertEqual(given["plugin.secret"], 17)


class TestTexts(unittest.TestCase):
    def test_secrets(self) -> None:
        for text, shown in (
            ("x --password=abc y", "x --password=*** y"),
            ("x --api-key 'a b' y", "x --api-key *** y"),
            ("A=1,DB_PASSWORD=abc,B=2", "A=1,DB_PASSWORD=***,B=2"),
            ("AWS_SECRET_ACCESS_KEY=a/b+c=", "AWS_SECRET_ACCESS_KEY=***"),
            ("amqp://user:a,b:c@host:5672/x", "amqp://user:***@host:5672/x"),
            ("redis://:abc@h", "redis://:***@h"),
            ('token="a b c"', "token=***"),
            ("/a?x=1&access_token=abc&y=2", "/a?x=1&access_token=***&y=2"),
        ):
            with self.subTest(text):
                self.assertEqual(conceal_text(text), shown)
                self.assertEqual(conceal_text(shown), shown)

    def test_everything_else_stays(self) -> None:
        for text in (
            "web: process 4711 exited with 3",
            "http://127.0.0.1:8000/health",
            "tcp://[::1]:80 mail user@host",
            "the password is wrong",
            "KEYBOARD=de MONKEY=1",
            "--port 80",
        ):
            self.assertEqual(conceal_text(text), text)

    def test_long_text_takes_no_time(self) -> None:
        for piece in ("a-", "password", "key_", "://a:", "--token", "'"):
            conceal_text(piece * 100_000)


class TestVariables(unittest.TestCase):
    def test_names_stand_for_values(self) -> None:
        variables = Variables({"hunter": "$(circus.env.A)", "hunter2": "$(circus.env.B)"})
        said = variables.conceal("cannot run hunter2: hunter is not there")
        self.assertEqual(said, "cannot run $(circus.env.B): $(circus.env.A) is not there")
        variables.adopt({})
        self.assertEqual(variables.conceal("hunter2"), "hunter2")


if __name__ == "__main__":
    unittest.main()
