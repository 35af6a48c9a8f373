"""How MailNotifier delivers: servers in trouble, logins, and the options for them."""

from __future__ import annotations

import threading
import unittest
from typing import Any
from unittest import mock

from cvec_circus.exc import OptionError
from cvec_circus.plugins import outbox
from cvec_circus.plugins.mail import MailNotifier
from tests.plugins.case import TIMEOUT
from tests.plugins.test_mail import HAS_SERVER, MailCase
from tests.support.certificate import CERTIFICATE
from tests.support.eventually import eventually

if HAS_SERVER:
    from tests.support.mailserver import HANG


class TestTrouble(MailCase):
    """A server that does not take everything."""

    def setUp(self) -> None:
        super().setUp()
        self.serve()

    def test_a_mail_that_is_refused_is_in_the_log(self) -> None:
        self.server.answers.append("554 no thanks")
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.notifier()
            self.died("a")
            self.died("b")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("says 554 no thanks: From: Circus", logs.output[0])
        self.assertIn("a: process 7 exited with 1", logs.output[0])

    def test_what_a_server_says_moves_no_cursor(self) -> None:
        self.server.answers.append("554 \x1b[2Jno")
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.notifier()
            self.died("a")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("says 554 ?[2Jno: From:", logs.output[0])

    def test_recipients_that_are_refused(self) -> None:
        self.server.refused = {"boss@example.com"}
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.notifier()
            self.died("a")
            self.mails(1)
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
            self.assertIn("boss@example.com: 550 nobody of that name", logs.output[0])
            self.server.refused = {"boss@example.com", "ops@example.com"}
            self.died("b")
            self.assertTrue(eventually(lambda: len(logs.output) == 2, TIMEOUT))
        self.assertIn("not delivered: the mail server localhost:", logs.output[1])

    def test_nobody_there(self) -> None:
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.notifier(port=1, retries=1)
            self.died("a")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("the mail server localhost:1: [Errno 111] Connection refused", logs.output[0])

    def test_the_end_sends_what_is_left(self) -> None:
        plugin, thread = self.notifier(interval=3600)
        self.died("a")
        self.mails(1)
        self.died("b")
        self.assertTrue(eventually(lambda: bool(plugin.next_mail), TIMEOUT))
        self.end(plugin, thread)
        self.assertEqual(self.subjects(2)[1], "[cvec_circus] b: process 7 exited with 1")

    def test_or_logs_it(self) -> None:
        self.server.answers.append(HANG)
        shorter = mock.patch.object(outbox.Outbox.finish, "__defaults__", (0.1,))
        plugin, thread = self.notifier()
        self.died("a")
        self.assertTrue(eventually(lambda: self.server.tries, TIMEOUT))
        with shorter, self.assertLogs("cvec_circus", "ERROR") as logs:
            self.end(plugin, thread)
        self.server.release()
        self.assertIn("not delivered: no time is left: From: Circus", logs.output[0])
        self.assertIn("a: process 7 exited with 1", logs.output[0])

    def test_a_dry_run(self) -> None:
        with self.assertLogs("cvec_circus", "INFO") as logs:
            self.notifier(dry_run="yes")
            self.died("ä")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        said = logs.output[0].splitlines()
        self.assertIn("dry run, not sent: From: Circus <circus@example.com>", said[0])
        self.assertEqual(said[1], "To: ops@example.com, The Boss <boss@example.com>")
        self.assertEqual(said[2], "Subject: [cvec_circus] ä: process 7 exited with 1")
        self.assertTrue(said[6].endswith("  ä: process 7 exited with 1"), said)
        self.assertEqual(self.server.tries, 0)


class TestLogin(MailCase):
    """TLS and login."""

    def secured(self, tls: str, **config: Any) -> tuple[MailNotifier, threading.Thread]:
        known = {"user": "circus", "password": "right", "ca_file": str(CERTIFICATE)}
        return self.notifier(tls=tls, **{**known, **config})

    def test_the_right_one(self) -> None:
        for tls in ("none", "starttls", "tls"):
            with self.subTest(tls):
                server = self.serve(tls=tls, login=True)
                self.secured(tls)
                self.died("a")
                self.mails(1)
                self.assertEqual(server.logins, [("circus", "right")])

    def test_a_wrong_one_is_not_tried_again(self) -> None:
        server = self.serve(tls="starttls", login=True)
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.secured("starttls", password="wrong")
            self.died("a")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("says 535 ", logs.output[0])
        self.assertNotIn("wrong", logs.output[0])
        self.assertEqual(set(server.logins), {("circus", "wrong")})

    def test_a_server_without_tls_does_not_get_the_password(self) -> None:
        server = self.serve(login=True)
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.secured("starttls")
            self.died("a")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("STARTTLS extension not supported", logs.output[0])
        self.assertEqual(server.logins, [])

    def test_a_certificate_that_is_not_known(self) -> None:
        for tls in ("starttls", "tls"):
            with self.subTest(tls), self.assertLogs("cvec_circus", "ERROR") as logs:
                server = self.serve(tls=tls)
                self.secured(tls, ca_file=None, retries=0)
                self.died("a")
                self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
                self.assertIn("certificate verify failed", logs.output[0])
                self.assertEqual(server.logins, [])
        self.secured("tls", ca_file=None, verify="no")
        self.died("a")
        self.mails(1)


class TestOptions(MailCase):
    """What makes no sense is refused in a line that begins with the key."""

    def test_values_that_cannot_be(self) -> None:
        for given, said in (
            ({"to": None}, "to: missing"),
            ({"to": ""}, "to: "),
            ({"to": "ops"}, "to: 'ops' is not the address of a mailbox"),
            ({"to": "a@b.c, d@"}, "to: 'd@' is not"),
            ({"to": ["a@b.c\nBcc: x@y.z"]}, "to: 'a@b.c\\nBcc: x@y.z' is not"),
            ({"sender": "me"}, "sender: 'me' is not"),
            ({"sender": "a@b.c, d@e.f"}, "sender: 'a@b.c, d@e.f' is not"),
            ({"user": "me"}, "password: missing; it goes with user"),
            ({"password": "x"}, "user: missing; it goes with password"),
            (
                {"user": "me", "password": "x", "host": "mail.example.com"},
                "tls: a password is sent",
            ),
            ({"user": "me", "password": "p\xe4"}, "password: has characters that SMTP"),
            ({"user": "m\xe9", "password": "p"}, "user: has characters that SMTP"),
            ({"tls": "ssl"}, "tls: 'ssl' is not one of none, starttls, tls"),
            ({"tls": "tls", "ca_file": "/no/such"}, "ca_file: /no/such: No such file"),
            ({"port": "70000"}, "port: "),
            ({"interval": "-1"}, "interval: "),
            ({"lines": "all"}, "lines: 'all' is not a whole number"),
            ({"dry_run": "maybe"}, "dry_run: 'maybe' is neither true nor false"),
            ({"actions": "died"}, "actions: 'died' is not an action"),
        ):
            with self.subTest(given), self.assertRaises(OptionError) as caught:
                self.make(MailNotifier, **self.config(**given))
            self.assertTrue(str(caught.exception).startswith(said), caught.exception)
            self.assertNotIn("\n", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
