"""What may be a secret, and how it is hidden."""

from __future__ import annotations

import unittest

from cvec_circus.options.secrets import (
    CONCEALED,
    Variables,
    conceal,
    conceal_output,
    conceal_text,
    is_secret,
    parts_of,
)


class TestNames(unittest.TestCase):
    def test_names(self) -> None:
        for name in "password DB_PASSWD API_KEY auth_token CLIENT_SECRET redis_url key".split():
            self.assertTrue(is_secret(name), name)
        for name in "cmd KEYBOARD stdout_stream.filename working_dir MONKEY".split():
            self.assertFalse(is_secret(name), name)
        for name in (
            "PASS DB_PASS DB_PWD env.DB_PWD PASSPHRASE REDIS_AUTH AUTH credentials SENTRY_DSN"
            " APIKEY privatekey env.JWT erlang_cookie AZURE_CONNECTION_STRING --pass api-keys pwd"
        ).split():
            self.assertTrue(is_secret(name), name)
        for name in (
            "PWD OLDPWD env.PWD AUTHOR author COMPASS bypass passive_mode SSH_AUTH_SOCK hotkeys"
            " KEYS_PER_PAGE salted XAUTHORITY"
        ).split():
            self.assertFalse(is_secret(name), name)

    def test_values(self) -> None:
        given = {
            "env": {"API_KEY": "abc", "LANG": "C", "EMPTY_TOKEN": ""},
            "cmd": "serve --port 80 --password abc",
            "args": ["--token", "abc", "x", "--key=abc", "--keyfile", "y"],
            "numprocesses": 2,
            "auth_token": None,
            "plugin.secret": 17,
        }
        shown = {
            "env": {"API_KEY": CONCEALED, "LANG": "C", "EMPTY_TOKEN": ""},
            "cmd": "serve --port 80 --password ***",
            "args": ["--token", CONCEALED, "x", "--key=***", "--keyfile", "y"],
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
            ("amqp://u:pa@ss@h/x", "amqp://u:***@h/x"),
            ("amqp://u:p/w@h/x", "amqp://u:***@h/x"),
            ("amqp://u:p@h1,amqp://u:q@h2", "amqp://u:***@h1,amqp://u:***@h2"),
            ("'amqp://user:hunter2...'", "'amqp://user:***...'"),
            ("https://ghp_0123456789abcdef0123@h/x", "https://***@h/x"),
            ('curl -H "Authorization: Bearer abc" h', 'curl -H "Authorization: Bearer ***" h'),
            ('-H "Authorization: Basic abc=" -X', '-H "Authorization: Basic ***" -X'),
            ("Bearer abcdefgh1234", "Bearer ***"),
            ("X-Api-Key: abc def", "X-Api-Key: ***"),
            ("curl -u me:secret h", "curl -u me:*** h"),
            ("mysql -u root -phunter2 db", "mysql -u root -p*** db"),
            ("redis-cli -a hunter2 ping", "redis-cli -a *** ping"),
            ("sshpass -p hunter2 ssh x", "sshpass -p *** ssh x"),
            ("PWD=/x DB_PWD=abc DB_PASS=abc AUTH=abc", "PWD=/x DB_PWD=*** DB_PASS=*** AUTH=***"),
            ("--auth x --author y --passphrase z", "--auth *** --author y --passphrase ***"),
            ("password: hunter2", "password: ***"),
            ("db_password: 'swordfish' is odd", "db_password: *** is odd"),
            ("password = swordfish", "password = ***"),
            ('{"password": "a b", "x": 1}', '{"password": ***, "x": 1}'),
            ("x; it wrote last: password: swordfish", "x; it wrote last: password: ***"),
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
            "[watcher:web] db_password: unknown option (kept for hooks and plugins)",
            "unexpected token: foo",
            "http://h:80/path?mail=a@b",
            "mysql -P 3306 -u root",
            "ssh -p 22 host",
            "SSH_AUTH_SOCK=/x",
            "Basic authentication",
        ):
            self.assertEqual(conceal_text(text), text)

    def test_output(self) -> None:
        for line, shown in (
            ("web | Password: swordfish", "web | Password: ***"),
            ("Authorization: Token abc", "Authorization: Token ***"),
            ("GET / HTTP/1.1 200", "GET / HTTP/1.1 200"),
        ):
            self.assertEqual(conceal_output(line), shown)

    def test_long_text_takes_no_time(self) -> None:
        for piece in ("a-", "password", "key_", "://a:", "--token", "'"):
            conceal_text(piece * 100_000)


class TestVariables(unittest.TestCase):
    def test_names_stand_for_values(self) -> None:
        variables = Variables()
        variables.add("hunter", "$(circus.env.A)")
        variables.add("hunter2", "$(circus.env.B)")
        variables.add("circus.env", "$(circus.env.C)")
        said = variables.conceal("cannot run hunter2: hunter is not there")
        self.assertEqual(said, "cannot run $(circus.env.B): $(circus.env.A) is not there")
        self.assertEqual(variables.conceal(said), said)
        variables.adopt(Variables())
        self.assertEqual(variables.conceal("hunter2"), "hunter2")

    def test_in_everything_but_keys(self) -> None:
        variables = Variables()
        variables.add("hunter2", "NAME")
        given = {"hunter2": ["hunter2", 1, None, {"a": ("x hunter2",)}]}
        said = {"hunter2": ["NAME", 1, None, {"a": ["x NAME"]}]}
        self.assertEqual(variables.conceal_all(given), said)

    def test_parts_are_words(self) -> None:
        variables = Variables()
        variables.add("/srv/run a", "NAME", parts_of("/srv/run a", "NAME"))
        for text, said in (
            ("cannot run /srv/run: no", "cannot run NAME: no"),
            ("/srv is there", "NAME/.. is there"),
            (
                "/srv/running /srv/runs /opt/srv/run x/srv",
                "/srv/running /srv/runs /opt/srv/run x/srv",
            ),
            ("/srv/run a.", "NAME."),
        ):
            self.assertEqual(variables.conceal(text), said)

    def test_what_may_be_shown(self) -> None:
        variables = Variables()
        for value in ("web", "hunter2", "it", "web-api"):
            variables.add(value, "NAME")
        variables.show(["web-1", "x"])
        self.assertEqual(variables.conceal("web-1: hunter2 it web-api"), "web-1: NAME it NAME")


if __name__ == "__main__":
    unittest.main()
