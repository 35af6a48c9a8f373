"""MailNotifier: what a real mail server gets to see."""

from __future__ import annotations

import importlib.util
import threading
import unittest
from email.message import EmailMessage
from typing import Any
from unittest import mock

from cvec_circus.plugins import mail
from cvec_circus.plugins.mail import MailNotifier
from tests.plugins.case import TIMEOUT, PluginCase
from tests.support.eventually import eventually

HAS_SERVER = importlib.util.find_spec("aiosmtpd") is not None
if HAS_SERVER:
    from tests.support.mailserver import MailServer

LINE = {"time": 3.0, "pid": 7, "text": "cannot open the database"}


@unittest.skipUnless(HAS_SERVER, "aiosmtpd is not installed")
class MailCase(PluginCase):
    """A mail server, and a plugin that does not wait long."""

    def setUp(self) -> None:
        super().setUp()
        shorter = mock.patch.object(mail, "GATHER_DELAY", 0.01)
        shorter.start()
        self.addCleanup(shorter.stop)
        self.daemon.answers["logs"] = lambda properties: {"lines": []}

    def serve(self, **options: Any) -> MailServer:
        self.server = MailServer(**options)
        self.addCleanup(self.server.close)
        return self.server

    def config(self, **config: Any) -> dict[str, Any]:
        return {
            "to": "ops@example.com, The Boss <boss@example.com>",
            "sender": "Circus <circus@example.com>",
            "interval": "0",
            "retry_delay": "0.01",
            "name": "plugin:mail",
            **config,
        }

    def notifier(self, **config: Any) -> tuple[MailNotifier, threading.Thread]:
        given = {"host": "localhost", "port": str(self.server.port), **config}
        plugin: MailNotifier = self.make(MailNotifier, **self.config(**given))
        return plugin, self.run_plugin(plugin)

    def died(self, *names: str, exit_code: int = 1, cause: str = "exit", pid: int = 7) -> None:
        for name in names:
            self.daemon.publish(name, "reap", cause=cause, exit_code=exit_code, process_pid=pid)

    def mails(self, count: int) -> list[EmailMessage]:
        """Wait until that many have come in, and return them."""
        self.assertTrue(eventually(lambda: len(self.server.mails) >= count, TIMEOUT))
        messages = self.server.messages()
        for message in messages:
            self.assertEqual(message.defects, [])
        return messages

    def subjects(self, count: int) -> list[str]:
        return [message["Subject"] for message in self.mails(count)]


class TestMessages(MailCase):
    """What a mail says."""

    def setUp(self) -> None:
        super().setUp()
        self.serve()

    def test_of_one_incident(self) -> None:
        def logs(properties: dict[str, Any]) -> dict[str, Any]:
            early = {**LINE, "time": 1.0, "text": "welcome"}
            return {"lines": [LINE] if properties["stream"] == "stderr" else [early]}

        self.daemon.answers["logs"] = logs
        self.notifier(lines=5)
        self.died("web")
        (message,) = self.mails(1)
        self.assertEqual(message["From"], "Circus <circus@example.com>")
        self.assertEqual(message["To"], "ops@example.com, The Boss <boss@example.com>")
        self.assertEqual(message["Subject"], "[cvec_circus] web: process 7 exited with 1")
        self.assertEqual(message["Auto-Submitted"], "auto-generated")
        self.assertEqual(message.get_content_type(), "text/plain")
        self.assertIsNotNone(message["Date"].datetime)
        self.assertRegex(message["Message-ID"], r"^<\S+@\S+>$")
        text = message.get_content()
        self.assertRegex(text, r"(?m)^\d{4}-\d\d-\d\d \S+ \S+  web: process 7 exited with 1$")
        self.assertIn("The last lines of web:\n\n    ", text)
        self.assertRegex(text, r"\[7\] \| welcome\n.*\[7\] \| cannot open the database\n$")
        asked = [each["properties"] for each in self.daemon.commands("logs")]
        self.assertEqual([(each["name"], each["lines"]) for each in asked], [("web", 5)] * 2)
        people = ["ops@example.com", "boss@example.com"]
        self.assertEqual(self.server.envelopes, [("circus@example.com", people)])

    def test_what_is_an_incident(self) -> None:
        self.notifier(lines=0, prefix="")
        self.died("a", exit_code=0)
        self.died("b", cause="command:stop", exit_code=-15)
        self.daemon.publish("c", "stop")
        self.died("d", exit_code=-11)
        self.assertEqual(self.subjects(1), ["d: process 7 was killed by SIGSEGV"])
        self.daemon.publish("e", "giveup", reason="no such file: /bin/nothing")
        self.assertEqual(self.subjects(2)[1], "e is down for good: no such file: /bin/nothing")
        self.daemon.publish("f", "backoff", wid=2, deaths=9, delay=1.5)
        said = "f: flapping: slot 2 has died 9 times in a row; next start in 1.5 s"
        self.assertEqual(self.subjects(3)[2], said)
        killed = {"process_pid": 7, "exit_code": -9, "cause": "exit", "oom": True}
        self.daemon.publish("g", "reap", **killed)
        said = "g: process 7 was killed by the kernel for lack of memory"
        self.assertEqual(self.subjects(4)[3], said)
        self.daemon.publish("h", "backoff", cause="live", wid=2, deaths=3, delay=1.5)
        said = "h: flapping: slot 2 was not alive 3 times in a row; next start in 1.5 s"
        self.assertEqual(self.subjects(5)[4].strip(), said)  # a header this long is folded
        self.assertEqual(self.daemon.commands("logs"), [])

    def test_only_of_whom_it_is_wanted(self) -> None:
        self.notifier(watchers="web*", actions="reap")
        self.died("mail")
        self.daemon.publish("web", "giveup", reason="no")
        self.died("web2")
        self.assertEqual(self.subjects(1), ["[cvec_circus] web2: process 7 exited with 1"])

    def test_names_bring_nothing_into_the_headers(self) -> None:
        name = "web\r\nBcc: victim@example.com\r\n\r\nHello \x1b[31m\x00 wörld"
        self.notifier()
        self.died(name)
        (message,) = self.mails(1)
        self.assertIsNone(message["Bcc"])
        allowed = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"}
        added = {"X-Peer", "X-MailFrom", "X-RcptTo"}  # by the server
        content = {"Content-Type", "Content-Transfer-Encoding"}
        self.assertLessEqual(set(message.keys()), allowed | content | added)
        said = "web Bcc: victim@example.com Hello ?[31m? wörld: process 7 exited with 1"
        self.assertNotIn("\n", message["Subject"])
        self.assertIn(said, " ".join(message["Subject"].split()))
        self.assertIn(said, " ".join(message.get_content().split()))
        self.assertEqual(len(self.server.envelopes[0][1]), 2)

    def test_a_long_name_and_long_lines(self) -> None:
        long = {**LINE, "text": "x" * 5000}
        self.daemon.answers["logs"] = lambda properties: {"lines": [long]}
        self.notifier(lines=3)
        self.died("w" * 500)
        (message,) = self.mails(1)
        self.assertTrue(message["Subject"].endswith("..."))
        self.assertLessEqual(max(map(len, self.server.mails[0].splitlines())), 998)
        self.assertIn("x" * 1900, message.get_content())

    def test_a_dot_alone_does_not_end_a_mail(self) -> None:
        self.daemon.answers["logs"] = lambda properties: {"lines": [LINE]}
        self.notifier()
        self.daemon.publish("web", "giveup", reason="because\n.\nof that \ud800")
        self.assertIn("cannot open the database", self.mails(1)[0].get_content())

    def test_why_there_are_no_lines(self) -> None:
        plugin, _ = self.notifier()
        self.died("web")
        self.assertTrue(self.mails(1)[0].get_content().endswith("    (none)\n"))
        del self.daemon.answers["logs"]
        self.died("web")
        text = self.mails(2)[1].get_content()
        self.assertTrue(text.endswith("    (not known: unknown command: 'logs')\n"), text)
        plugin.call_timeout = 0.01
        self.daemon.muted.add("logs")
        self.died("web")
        self.assertTrue(self.mails(3)[2].get_content().endswith("    (not known: Timed out.)\n"))

    def test_the_lines_of_twenty_watchers_are_enough(self) -> None:
        with mock.patch.object(mail, "GATHER_DELAY", 1):
            plugin, thread = self.notifier()
            self.died(*map(str, range(25)), "24")
            self.assertTrue(eventually(lambda: plugin.next_mail.watchers["24"] == 2, TIMEOUT))
            self.end(plugin, thread)
        text = self.mails(1)[0].get_content()
        self.assertEqual(text.count("The last lines of "), 20)
        self.assertIn("The last lines of 24:", text)


class TestDownForGood(MailCase):
    """The mail that says that nothing will happen any more without a person."""

    def setUp(self) -> None:
        super().setUp()
        self.serve()

    def test_it_has_the_reason_and_the_last_death(self) -> None:
        self.notifier(lines=0, actions="giveup")
        self.died("web", exit_code=-9, pid=77)
        why = "gave up after 5 retries: 12 deaths in 2 m; start it with cvec_circusctl start web"
        self.daemon.publish("web", "giveup", cause="command:stop", reason=why)
        self.daemon.publish("web", "stop", cause="command:stop", why=why)
        (message,) = self.mails(1)
        subject = " ".join(message["Subject"].split())
        self.assertEqual(subject, f"[cvec_circus] web is down for good: {why}")
        text = message.get_content()
        self.assertIn(f"\nweb is down for good: {why}\n    Since:      ", text)
        self.assertEqual(text.count("down for good"), 1)
        self.assertRegex(text, r"Last death: \d{4}-\S+ \S+ \S+  process 77 was killed by SIGKILL\n")

    def test_one_that_never_ran(self) -> None:
        self.notifier(lines=0)
        self.daemon.publish("web", "giveup", reason="no such file: /bin/nothing")
        self.assertIn("Last death: none is known\n", self.mails(1)[0].get_content())

    def test_what_runs_once_and_has_failed(self) -> None:
        self.notifier(lines=0, prefix="", actions="giveup")
        self.daemon.publish("good", "stop", cause="exit")
        self.died("migrate", exit_code=3)
        self.daemon.publish("migrate", "stop", cause="exit", why="process 7 exited with 3")
        said = "migrate is down for good: process 7 exited with 3"
        self.assertEqual(self.subjects(1), [said])

    def test_it_stands_before_other_incidents(self) -> None:
        with mock.patch.object(mail, "GATHER_DELAY", 0.5):
            self.notifier(lines=0)
            self.died("db", "web", "web")
            self.daemon.publish("web", "giveup", reason="x" * 200)
            (message,) = self.mails(1)
        subject = " ".join(message["Subject"].split())
        self.assertTrue(subject.startswith("[cvec_circus] web is down for good: xxx"), subject)
        self.assertTrue(subject.endswith("... (and 3 more incidents)"), subject)
        self.assertLessEqual(len(subject), 150)

    def test_several_and_one_that_is_up_again(self) -> None:
        with mock.patch.object(mail, "GATHER_DELAY", 0.5):
            self.notifier(lines=0, actions="giveup, ready")
            for name in "abc":
                self.daemon.publish(name, "giveup", reason="no")
            self.daemon.publish("b", "ready")
            (message,) = self.mails(1)
        self.assertEqual(message["Subject"], "[cvec_circus] 2 watchers are down for good: a, c")
        self.assertIn("  b: ready now\n", message.get_content())


class TestReadiness(MailCase):
    """Rollouts that fail, and processes that are not ready."""

    def setUp(self) -> None:
        super().setUp()
        self.serve()

    def test_a_rollout_that_failed(self) -> None:
        self.notifier(lines=0, prefix="")
        why = "process 9 exited with code 1 after 0.2 s, before it was ready; the old were kept"
        self.daemon.publish("web", "rollback", reason=why, kept=[7])
        self.assertEqual(self.subjects(1), [f"web: rollout failed: {why}"])

    def test_that_it_is_not_ready_is_told_only_if_that_is_wanted(self) -> None:
        self.notifier(lines=0, prefix="")
        self.daemon.publish("web", "unready", reason="process 7: no answer")
        self.daemon.publish("web", "ready")
        self.died("last")
        self.assertEqual(self.subjects(1), ["last: process 7 exited with 1"])

    def test_that_it_is_ready_again_is_told_once(self) -> None:
        self.notifier(lines=0, prefix="", actions="unready, ready")
        self.daemon.publish("web", "ready")  # as at every start
        self.daemon.publish("web", "unready", reason="process 7: no answer")
        self.assertEqual(self.subjects(1), ["web: not ready: process 7: no answer"])
        self.daemon.publish("web", "ready")
        self.daemon.publish("web", "ready")
        self.assertEqual(self.subjects(2)[1], "web: ready now")
        self.daemon.publish("web", "unready", reason="again")
        self.assertEqual(self.subjects(3)[2], "web: not ready: again")
        self.daemon.publish("web", "remove")
        self.daemon.publish("web", "ready")  # of another one of that name
        self.daemon.publish("other", "unready", reason="no")
        self.assertEqual(self.subjects(4)[3:], ["other: not ready: no"])


class TestRate(MailCase):
    """How many mails there are."""

    def setUp(self) -> None:
        super().setUp()
        self.serve()

    def test_one_at_once_and_the_others_together(self) -> None:
        plugin, _ = self.notifier(interval=1)
        self.died("a")
        self.mails(1)
        self.died("a", "b", "c", "a")
        subjects = self.subjects(2)
        self.assertEqual(subjects[1], "[cvec_circus] 4 incidents of 3 watchers: a, b, c")
        text = self.mails(2)[1].get_content()
        self.assertEqual(text.count("process 7 exited with 1"), 4)
        for name in "abc":
            self.assertEqual(text.count(f"The last lines of {name}:"), 1)
        self.assertIsNone(plugin.timer)

    def test_a_flood(self) -> None:
        plugin, thread = self.notifier(interval=3600, lines=0)
        self.died("a")
        self.mails(1)
        for pid in range(450):
            self.died("a", pid=pid)
        self.assertTrue(eventually(lambda: plugin.next_mail.watchers["a"] == 450, TIMEOUT))
        self.end(plugin, thread)
        text = self.mails(2)[1].get_content()
        self.assertIn("(250 earlier incidents left out)", text)
        self.assertEqual(text.count("exited with"), 200)
        self.assertIn("process 449 exited with 1", text)
        self.assertEqual(self.subjects(2)[1], "[cvec_circus] a: 450 incidents")

    def test_what_follows_at_once_is_in_the_same_mail(self) -> None:
        with mock.patch.object(mail, "GATHER_DELAY", 0.5):
            self.notifier()
            self.died("a")
            self.daemon.publish("a", "giveup", reason="no")
            said = "[cvec_circus] a is down for good: no (and 1 more incident)"
            self.assertEqual(self.subjects(1), [said])

    def test_what_happens_while_a_mail_cannot_be_sent(self) -> None:
        self.server.answers.extend(["451 later"] * 2)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.notifier(retry_delay=0.3)
            self.died("a")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
            self.died("b", "c")
            subjects = self.subjects(2)
        self.assertEqual(subjects[0], "[cvec_circus] a: process 7 exited with 1")
        self.assertEqual(subjects[1], "[cvec_circus] 2 incidents of 2 watchers: b, c")
        self.assertEqual(self.server.tries, 4)
        self.assertIn("says 451 later; next attempt in 0.3 s: [cvec_circus] a:", logs.output[0])
