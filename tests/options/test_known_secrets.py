"""Values that are known to be secrets, in whatever stands around them."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.options.known_secrets import KnownSecrets, secrets_in


class TestWhatIsKnown(unittest.TestCase):
    def test_what_is_hidden_in_options(self) -> None:
        for options, values in (
            ({"cmd": "x --password hunter2 -v"}, {"hunter2"}),
            ({"cmd": ["x", "--password=hunter2", "-v"]}, {"hunter2"}),
            ({"cmd": "sh -c 'mysql -pmysecret; exit 0'"}, {"mysecret"}),
            ({"cmd": "sh -c 'PW=hunter2; exec x'"}, {"hunter2"}),
            ({"cmd": "sh -c \"mysql -p'a;b'; x\""}, {"a;b"}),
            ({"env": {"DB_PASSWORD": "a b", "LANG": "C"}}, {"a b"}),
            ({"env": {"BROKER_URL": "amqp://me:a%20b@h"}}, {"amqp://me:a%20b@h", "a b"}),
            ({"broker": "amqp://me:hunter2@h/"}, {"hunter2"}),
            ({"api_key": "k", "numprocesses": 3, "use_auth": True, "ready": {}}, {"k"}),
            ({"api_key": None, "cmd": None}, set()),
        ):
            self.assertEqual(set(secrets_in("", options)), values, options)

    def test_a_long_text_takes_no_time(self) -> None:
        self.assertEqual(list(secrets_in("x", "token=a " * 5000)), [])


class TestAnswers(unittest.TestCase):
    def assert_hidden(self, value: str, text: str, shown: str) -> None:
        self.assertEqual(KnownSecrets([value]).conceal(text), shown)

    def test_forms(self) -> None:
        for text in ("pw hunter2!'\\ ok", "pw hunter2%21%27%5C ok"):
            self.assert_hidden("hunter2!'\\", text, "pw *** ok")
        self.assert_hidden("hunter\t2", "'hunter\\t2'", "'***'")
        self.assert_hidden("first line\nsecond line\n", "> second line", "> ***")
        self.assert_hidden("abcdefgh", "xabcdefghx", "x***x")
        self.assert_hidden("abcd", "abcde abcd, xabcd abcd_", "abcde ***, xabcd ***_")
        self.assertEqual(KnownSecrets(["secret", "secret key"]).conceal("secret key"), "***")

    def test_what_stays(self) -> None:
        for value in ("abc", "5432", "12345", "-----BEGIN PRIVATE KEY-----", "  ", ""):
            self.assert_hidden(value, f"x {value} x", f"x {value} x")
        self.assertEqual(KnownSecrets(["queue"], ["my queue"]).conceal("queue"), "queue")

    def test_any_answer(self) -> None:
        known = KnownSecrets(["12345678", "hunter2"])
        answer: dict[str, Any] = {"next": "a:12345678", "pid": 12345678, "hunter2": None}
        self.assertEqual(known.conceal(answer), answer)
        self.assertEqual(
            known.conceal({"lines": [{"text": "hunter2"}]}), {"lines": [{"text": "***"}]}
        )
