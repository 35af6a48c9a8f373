"""What may be a secret, and how it is hidden."""

from __future__ import annotations

import unittest

from cvec_circus.options.secrets import (
    CONCEALED,
    conceal,
    conceal_command,
    conceal_output,
    conceal_text,
    is_secret,
)
from cvec_circus.options.variables import Variables, parts_of


class TestNames(unittest.TestCase):
    def test_names(self) -> None:
        for (
            name
        ) in "password DB_PASSWD API_KEY auth_token CLIENT_SECRET SLACK_WEBHOOK_URL key".split():
            self.assertTrue(is_secret(name), name)
        for name in "cmd KEYBOARD stdout_stream.filename working_dir MONKEY".split():
            self.assertFalse(is_secret(name), name)
        for name in (
            "PASS DB_PASS DB_PWD env.DB_PWD PASSPHRASE REDIS_AUTH AUTH credentials SENTRY_DSN"
            " APIKEY privatekey env.JWT erlang_cookie AZURE_CONNECTION_STRING --pass api-keys pwd"
            " DBPASS DBPWD DB_PW env.MYSQLPASS smtpPass API_TOKENS PASSWORD_FILE_KEY GITHUB_PAT"
        ).split():
            self.assertTrue(is_secret(name), name)
        for name in (
            "PWD OLDPWD env.PWD AUTHOR author COMPASS bypass passive_mode SSH_AUTH_SOCK hotkeys"
            " KEYS_PER_PAGE salted XAUTHORITY bypass ENCOMPASS overpass TOKENIZERS_PARALLELISM"
            " tokenizer MAX_TOKENS max_output_tokens PASSWORD_FILE --key-file token.file keyfile"
            " SECRETS_DIR KEY_PATH PASSWORD_MIN_LENGTH AUTH_URL TOKEN_URI url --curl"
            " PAT file_pat PATH"
        ).split():
            self.assertFalse(is_secret(name), name)

    def test_names_with_values(self) -> None:
        for name, value in (
            ("redis_url", "redis://:abc@h"),
            ("URI", "me:abc@h/x"),
            ("env.REPOSITORY_URL", "https://ghp_0123456789abcdef0123@h/x"),
            ("CALLBACK_URL", "http://h/x?token=abc"),
            ("tokens", "abc,def"),
            ("pwd", "hunter2"),
        ):
            self.assertTrue(is_secret(name, value), name)
        for name, value in (
            ("redis_url", "redis://h:6379/0"),
            ("url", "http://h/x"),
            ("tokens", 5),
            ("pwd", "/home/bob"),
            ("use_auth", True),
            ("AUTH", "disabled"),
            ("passwd", "files"),
        ):
            self.assertFalse(is_secret(name, value), name)

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

    def test_whole_words_of_commands(self) -> None:
        for text, shown in (
            (
                """"amqp://b:"'a"b'"@h" "amqp://b:p w@h" "--password=p w" --password 'a"b' 'c d'""",
                "amqp://b:***@h amqp://b:***@h --password=*** --password *** 'c d'",
            ),
            (r""""amqp://b:a\"b@h" --token 'a'"'"'b' y""", "amqp://b:***@h --token *** y"),
            ("sh -c 'x token=abc; y' z", "sh -c 'x token=***; y' z"),
            ("sh -c \"x --password 'a b' && y\"", 'sh -c "x --password *** && y"'),
            ("sh -c 'PASS=abc; export PASS; y'", "sh -c 'PASS=***; export PASS; y'"),
            ("sh -c 'DB_PW=abc exec y'", "sh -c 'DB_PW=*** exec y'"),
            ("bash -ec '(mysql -pabc&&y)|z'", "bash -ec '(mysql -p***&&y)|z'"),
            ("sh -c 'x --token abc; exit 0'", "sh -c 'x --token ***; exit 0'"),
            ("sh -c 'x --token; exit 0'", "sh -c 'x --token; exit 0'"),
            ("sh -c 'x amqp://u:a;b@h'", "sh -c 'x amqp://u:***@h'"),
            ("sh -c 'no \" end; token=abc; y'", "sh -c 'no \" end; token=***; y'"),
            ("x -c PASSWORD='a b' y", "x -c PASSWORD=*** y"),
            ("mysql -pmysecret production; y", "mysql -p*** production; y"),
            ("curl -u 'me:p w' h", "curl -u me:*** h"),
            ("mysql -p'a b' db", "mysql -p*** db"),
            (r'-H "Authorization: Basic p\"w" h', '-H "Authorization: Basic ***" h'),
            ("x \"\" '$y' --password=a,b", "x \"\" '$y' --password=***"),
            (
                "x --tokens 5 --key-file /a --token-file=/b",
                "x --tokens 5 --key-file /a --token-file=/b",
            ),
            ("no end ' password=abc", "no end ' password=***"),
        ):
            with self.subTest(text):
                self.assertEqual(conceal("cmd", text), shown)
                self.assertEqual(conceal("cmd", shown), shown)
        words = ["--tokens", "5", "amqp://u:p w@h", "--password", "a b", "curl", "-u", "a:b c", ""]
        shown = ["--tokens", "5", "amqp://u:***@h", "--password", "***", "curl", "-u", "a:***", ""]
        self.assertEqual(conceal("args", words), shown)
        self.assertEqual(conceal("args", ["x", 5, "--token", 6]), ["x", 5, "--token", CONCEALED])


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
            ("mysql -phunter2; sshpass -p a; x", "mysql -p***; sshpass -p ***; x"),
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
            "x --tokens 5 --key-file y TOKENIZERS_PARALLELISM=false",
        ):
            self.assertEqual(conceal_text(text), text)

    def test_output(self) -> None:
        for line, shown in (
            ("web | Password: swordfish", "web | Password: ***"),
            ("Authorization: Token abc", "Authorization: Token ***"),
            ("{'api_key': 'x'}", "{'api_key': ***}"),
            ('{"token": 5}', '{"token": ***}'),
            (r'{"token": "a\"b", "x": 1}', '{"token": ***, "x": 1}'),
            ("{token: abc}", "{token: ***}"),
            ("auth: abc", "auth: ***"),
        ):
            self.assertEqual(conceal_output(line), shown)
        for line in (
            "GET / HTTP/1.1 200",
            "unexpected token: }",
            "SyntaxError: Unexpected token: foo",
            "auth: ok",
            "pwd: /home/bob",
            "passwd: files systemd",
            "tokenizer: bpe MAX_TOKENS=4096 tokens: 12",
        ):
            self.assertEqual(conceal_output(line), line)

    def test_long_text_takes_no_time(self) -> None:
        for piece in ("a-", "password", "key_", "://a:", "--token", "'", "keyfile=", "key: "):
            conceal_text(piece * 100_000)
            conceal_output(piece * 20_000)
            conceal_command(piece * 20_000)
            conceal_command(f'sh -c "{piece};( "' * 5000)


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
        url = "tcp://host-1:pw2/x?user3"
        variables.add(url, "NAME", parts_of(url, "NAME"))
        for text in ("tcp://host-1", "host-1:pw2/x", "pw2/x", "user3"):
            self.assertEqual(variables.conceal(f"no {text}: write tcp://"), "no NAME: write tcp://")

    def test_names_in_a_value(self) -> None:
        variables = Variables()
        variables.add("$(circus.env.NOPE)", "$(circus.env.A)")
        value = "amqp://$(circus.env.NOPE):hunter2@host"
        variables.add(value, "$(circus.env.B)", parts_of(value, "$(circus.env.B)"))
        for text in ("$(circus.env.NOPE) is not there", "$(circus.wdi) means nothing"):
            self.assertEqual(variables.conceal(text), text)
        self.assertEqual(variables.conceal("no hunter2"), "no $(circus.env.B)")

    def test_what_may_be_shown(self) -> None:
        variables = Variables()
        for value in ("web", "hunter2", "it", "web-api"):
            variables.add(value, "NAME")
        variables.show(["web-1", "x"])
        self.assertEqual(variables.conceal("web-1: hunter2 it web-api"), "web-1: NAME it NAME")
        for value in ("/home/me", "/etc/pw", "local"):  # errors show the PATH
            variables.add(value, "NAME")
        path = "/home/me/bin:/usr/local/bin:/x/etc/pw"
        variables.show([], path)
        self.assertEqual(variables.conceal(path), "/home/me/bin:/usr/NAME/bin:/xNAME")


if __name__ == "__main__":
    unittest.main()
