"""The configurations that the page of the built-in plugins shows, run by a daemon."""

from __future__ import annotations

import importlib.util
import json
import unittest
from typing import Any

from tests.support.certificate import CERTIFICATE
from tests.support.daemon import Daemon, DaemonCase, child
from tests.support.eventually import eventually
from tests.support.hurry import hurried
from tests.support.webserver import WebServer
from tests.support.wire import TIMEOUT
from tests.test_docs import DOCS

WORKER = "python3 -m myproject.worker"
FAILS = "/bin/sh -c 'echo the database is gone; exit 3'"


class TestOptions(DaemonCase):
    """What a plugin refuses is a line that begins with the key, and the plugin is given up."""

    def test_all_at_once(self) -> None:
        configured = {
            "logger": "filename = /tmp/x\nactions = raep",
            "mail": "to = ops\nsender = a@example.com",
            "webhook": "url = http://localhost/\nca_file = /no/such",
            "autoscaler": "watcher = a\nby = cpu\nmax = 3\nup = 10\ndown = 20",
        }
        said = {
            "logger": "actions: 'raep' is not an action; did you mean reap?",
            "mail": "to: 'ops' is not the address of a mailbox",
            "webhook": "ca_file: /no/such: No such file or directory",
            "autoscaler": "down: 20 is not below up, which is 10",
        }
        sections = [f"[plugin:{one}]\nuse = {one}\n{configured[one]}\n" for one in configured]
        daemon = self.daemon("".join(sections))
        for one, line in said.items():
            daemon.wire.events.wait(f"watcher.plugin:{one}.stop", 1)
            self.assertEqual(daemon.wire.status(f"plugin:{one}"), ("stopped", line))


ANNOUNCING = hurried({"core.spawning.ANNOUNCED_BACKOFF": 0.2})


class TestExamples(DaemonCase):
    """With times that are shorter, and servers that are here."""

    def run_example(self, name: str, changes: dict[str, str], **options: Any) -> Daemon:
        """Start a daemon with an example; each text to change must be in it."""
        text = (DOCS / "examples" / f"{name}.ini").read_text(encoding="utf-8")
        for old, new in {WORKER: child("wait"), **changes}.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        return self.daemon(text, **options)

    def test_logger(self) -> None:
        daemon = self.run_example("logger", {"/var/log/myproject": "{DIR}"})
        file = daemon.folder / "events.log"

        def actions() -> list[str]:
            lines = file.read_text().splitlines() if file.exists() else []
            return [json.loads(line)["action"] for line in lines]

        self.assertTrue(eventually(lambda: "start" in actions(), TIMEOUT))
        daemon.order("quit")
        daemon.ended()
        told = [one for one in actions() if one != "ready"]  # which it is after a second
        self.assertEqual(told, ["add", "spawn", "start", "kill", "reap", "stop"])

    def test_webhook(self) -> None:
        server = WebServer()
        self.addCleanup(server.close)
        url = {"https://hooks.example.com/circus": f"{server.url}circus", WORKER: FAILS}
        self.run_example("webhook", url, env={"HOOK_TOKEN": "t0ken"}, wrapper=ANNOUNCING)
        self.assertTrue(eventually(lambda: server.requests, TIMEOUT))
        first = server.requests[0]
        self.assertEqual(first.headers["Authorization"], "Bearer t0ken")
        self.assertEqual((first.body["action"], first.body["exit_code"]), ("reap", 3))
        self.assertTrue(
            eventually(lambda: "backoff" in [b["action"] for b in server.bodies], TIMEOUT)
        )

    @unittest.skipUnless(importlib.util.find_spec("aiosmtpd"), "aiosmtpd is not installed")
    def test_mail(self) -> None:
        from tests.support.mailserver import MailServer

        server = MailServer("starttls", login=True)
        self.addCleanup(server.close)
        changes = {
            "mail.example.com": f"localhost\nport = {server.port}\nca_file = {CERTIFICATE}",
            WORKER: FAILS,
        }
        daemon = self.run_example("mail", changes, env={"MAIL_PASSWORD": "right"})
        self.assertTrue(eventually(lambda: server.mails, TIMEOUT))
        self.assertEqual(server.logins, [("circus", "right")])
        (mail,) = server.messages()
        self.assertRegex(mail["Subject"], r"^\[cvec_circus\] worker: (\d+ incidents|process .*)$")
        self.assertEqual(mail["To"], "ops@example.com, oncall@example.com")
        self.assertRegex(mail.get_content(), r"worker: process \d+ exited with 3\n")
        self.assertRegex(mail.get_content(), r"\[\d+\] \| the database is gone\n$")
        daemon.wire.events.wait("watcher.worker.backoff", 1)
        daemon.order("quit")
        daemon.ended()
        self.assertLessEqual(len(server.mails), 2)  # a second one holds all that came later
        told = "".join(one.get_content() for one in server.messages())
        self.assertIn("flapping: slot 1 has died", told)

    @unittest.skipUnless(importlib.util.find_spec("aiosmtpd"), "aiosmtpd is not installed")
    def test_the_mail_that_says_that_it_is_down_for_good(self) -> None:
        from tests.support.mailserver import MailServer

        server = MailServer()
        self.addCleanup(server.close)
        mail = "to = ops@example.com\nsender = circus@example.com\nactions = giveup\ninterval = 0"
        daemon = self.daemon(
            f"[watcher:web]\ncmd = {FAILS}\nlog_history = 65536\n"
            f"[watcher:migrate]\ncmd = {FAILS}\nrespawn = False\nautostart = False\n"
            "[plugin:flapping]\nuse = flapping\nretry_in = 0.1\nmax_retry = 1\n"
            f"[plugin:mail]\nuse = mail\n{mail}\nhost = localhost\nport = {server.port}\n"
        )
        self.assertTrue(eventually(lambda: server.mails, TIMEOUT))
        daemon.order("start", name="migrate")
        self.assertTrue(eventually(lambda: len(server.mails) == 2, TIMEOUT))
        messages = server.messages()
        subjects = [" ".join(message["Subject"].split()) for message in messages]
        text = messages[0].get_content()
        pattern = r"web is down for good: 4 deaths in \d+ s, after 1 retry; start it with "
        self.assertRegex(subjects[0], pattern + "cvec_circusctl start web$")
        self.assertRegex(text, r"\n    Last death: .*  process \d+ exited with 3\n")
        self.assertRegex(text, r"\[\d+\] \| the database is gone\n$")
        self.assertRegex(subjects[1], r"migrate is down for good: process \d+ exited with 3$")

    def test_autoscaler(self) -> None:
        changes = {
            "redis-cli llen jobs": "cat {DIR}/jobs",
            "cooldown = 30": "cooldown = 0.1",
            "interval = 5": "interval = 0.05",
        }
        daemon = self.run_example("autoscaler", changes)
        daemon.log.containing("worker: not scaled: exits with 1: cat: ")
        jobs = daemon.folder / "jobs"
        jobs.write_text("1000\n")
        updates = daemon.wire.events.wait("watcher.worker.updated", 5)
        jobs.write_text("0\n")
        self.assertEqual([update["numprocesses"] for update in updates], [3, 5, 7, 9, 10])
        said = "plugin:scale: command is 1000 per process, above 20"
        self.assertEqual(updates[0]["reason"], said)
        updates = daemon.wire.events.wait("watcher.worker.updated", 10)
        self.assertEqual([update["numprocesses"] for update in updates[5:]], [8, 6, 4, 2, 1])
        daemon.order("quit")
        daemon.ended()
