"""Webhook: what a real web server gets to see, whatever it does itself."""

from __future__ import annotations

import threading
from typing import Any
from unittest import mock

from cvec_circus.exc import OptionError
from cvec_circus.plugins import outbox
from cvec_circus.plugins.webhook import Webhook
from tests.plugins.case import TIMEOUT, PluginCase
from tests.support.certificate import CERTIFICATE, server_context
from tests.support.eventually import eventually
from tests.support.webserver import HANG, HANG_UP, WebServer


class WebhookCase(PluginCase):
    """A web server, and a plugin that tries again soon."""

    def setUp(self) -> None:
        super().setUp()
        self.server = self.serve()

    def serve(self, **options: Any) -> WebServer:
        server = WebServer(**options)
        self.addCleanup(server.close)
        return server

    def webhook(self, **config: Any) -> tuple[Webhook, threading.Thread]:
        defaults = {"url": f"{self.server.url}hook", "retry_delay": "0.01", "name": "plugin:hook"}
        plugin: Webhook = self.make(Webhook, **{**defaults, **config})
        return plugin, self.run_plugin(plugin)

    def publish(self, *names: str, action: str = "spawn", **payload: Any) -> None:
        for name in names:
            self.daemon.publish(name, action, **payload)

    def posted(self, count: int) -> list[str]:
        """Wait until that much was posted, and return whom it was about."""
        self.assertTrue(eventually(lambda: len(self.server.requests) >= count, TIMEOUT))
        return [body["watcher"] for body in self.server.bodies]


class TestPosting(WebhookCase):
    """What is posted."""

    def test_all_that_the_event_tells(self) -> None:
        self.webhook(secret="Bearer s3cr3t", secret_header="Authorization")
        self.publish("My [Web]", action="reap", process_pid=7, exit_code=-9, time=12.5)
        self.posted(1)
        (request,) = self.server.requests
        self.assertEqual(request.path, "/hook")
        self.assertEqual(request.headers["Content-Type"], "application/json")
        self.assertEqual(request.headers["Authorization"], "Bearer s3cr3t")
        expected = {
            "time": 12.5,
            "watcher": "My [Web]",
            "action": "reap",
            "topic": "watcher.my_[web].reap",
            "seq": 1,
            "run": self.daemon.run,
            "cause": "test",
            "process_pid": 7,
            "exit_code": -9,
        }
        self.assertEqual(request.body, expected)

    def test_only_what_is_wanted(self) -> None:
        self.webhook(watchers="WEB*, !webmail", actions="reap, g*")
        self.publish("web1", "webmail", "api", action="reap")
        self.publish("web2", action="spawn")
        self.publish("web3", action="giveup")
        self.assertEqual(self.posted(2), ["web1", "web3"])

    def test_no_secret_is_no_header(self) -> None:
        self.webhook()
        self.publish("web")
        self.posted(1)
        self.assertNotIn("X-Circus-Secret", self.server.requests[0].headers)


class TestTrouble(WebhookCase):
    """A server that is not well."""

    def test_it_is_tried_again_until_it_is_taken(self) -> None:
        self.server.answers.extend([500, 429, HANG_UP, 204])
        with self.assertLogs("cvec_circus", "INFO") as logs:
            self.webhook()
            self.publish("a", "b")
            self.assertEqual(self.posted(5), ["a", "a", "a", "a", "b"])
            self.assertTrue(eventually(lambda: "again" in logs.output[-1], TIMEOUT))
        warnings = [line for line in logs.output if line.startswith("WARNING")]
        self.assertEqual(len(warnings), 1, warnings)
        self.assertIn("answers 500 Internal Server Error; next attempt in 0.01 s: ", warnings[0])
        self.assertIn("spawn of a", warnings[0])
        self.assertNotIn("/hook", "".join(logs.output))

    def test_not_for_ever(self) -> None:
        self.server.answers.extend([503] * 3)
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.webhook(retries=2)
            self.publish("a", "b")
            self.assertEqual(self.posted(4), ["a", "a", "a", "b"])
        self.assertIn("not delivered: http://localhost", logs.output[0])
        self.assertIn("503 Service Unavailable: spawn of a", logs.output[0])

    def test_what_is_refused_is_not_tried_again(self) -> None:
        self.server.answers.append(404)
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.webhook()
            self.publish("a", "b")
            self.assertEqual(self.posted(2), ["a", "b"])
        self.assertIn("answers 404 Not Found: spawn of a", logs.output[0])

    def test_nobody_is_followed_elsewhere(self) -> None:
        other = self.serve()
        self.server.location = other.url
        self.server.answers.extend([301, 302, 303, 307])
        with self.assertLogs("cvec_circus", "ERROR"):
            self.webhook(secret="s3cr3t")
            self.publish("a", "b", "c", "d", "e")
            self.assertEqual(self.posted(5), ["a", "b", "c", "d", "e"])
        self.assertEqual(other.requests, [])

    def test_a_server_that_hangs(self) -> None:
        self.server.answers.append(HANG)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.webhook(timeout=0.1)
            self.publish("a")
            self.assertEqual(self.posted(2)[:2], ["a", "a"])
        self.assertIn("timed out; next attempt in", logs.output[0])

    def test_nobody_there(self) -> None:
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.webhook(url="http://127.0.0.1:1/", retries=1)
            self.publish("a")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("Connection refused: spawn of a", logs.output[0])

    def test_too_many_wait(self) -> None:
        self.server.answers.append(HANG)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            plugin, _ = self.webhook(queue="2")
            self.publish("first")
            self.posted(1)
            self.publish("a", "b", "c", "d", "e")
            self.assertTrue(eventually(lambda: plugin.outbox.dropped == 3, TIMEOUT))
            self.server.release()
            self.assertEqual(self.posted(3), ["first", "d", "e"])
            self.assertTrue(eventually(lambda: len(logs.output) == 2, TIMEOUT))
        self.assertEqual([body.get("dropped") for body in self.server.bodies], [None, 3, 3])
        self.assertIn("2 deliveries are waiting", logs.output[0])
        self.assertIn("dropping the oldest ones, first spawn of a", logs.output[0])
        self.assertIn("3 were dropped meanwhile", logs.output[1])


class TestTheEnd(WebhookCase):
    """What is left when the plugin stops."""

    def test_it_is_delivered(self) -> None:
        self.server.answers.append(503)
        plugin, thread = self.webhook(retry_delay=3600)
        with self.assertLogs("cvec_circus", "WARNING"):
            self.publish("a", "b")
            self.posted(1)
            self.assertTrue(eventually(lambda: plugin.outbox._failing, TIMEOUT))
        self.end(plugin, thread)
        self.assertEqual(self.posted(3), ["a", "a", "b"])

    def test_what_is_under_way_is_not_posted_twice(self) -> None:
        self.server.answers.append(HANG)
        plugin, thread = self.webhook()
        self.publish("a", "b")
        self.posted(1)
        plugin.stop()
        self.assertTrue(eventually(lambda: plugin._life.is_over, TIMEOUT))
        self.server.release()
        self.end(plugin, thread)
        self.assertEqual(self.posted(2), ["a", "b"])

    def test_it_is_tried_once(self) -> None:
        self.server.answers.extend([503] * 9)
        plugin, thread = self.webhook(retry_delay=3600)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.publish("a", "b")
            self.assertTrue(eventually(lambda: plugin.outbox._failing, TIMEOUT))
            self.end(plugin, thread)
        self.assertEqual(self.posted(3), ["a", "a", "b"])
        lost = [line for line in logs.output if "not delivered: " in line]
        self.assertEqual([line[-1] for line in lost], ["a", "b"])

    def test_it_takes_no_longer_than_it_may(self) -> None:
        self.server.answers.append(HANG)
        plugin, thread = self.webhook()
        self.publish(*"abcdefghijklmn")
        self.posted(1)
        self.assertTrue(eventually(lambda: len(plugin.outbox._waiting) == 13, TIMEOUT))
        shorter = mock.patch.object(outbox.Outbox.finish, "__defaults__", (0.1,))
        with shorter, self.assertLogs("cvec_circus", "ERROR") as logs:
            self.end(plugin, thread)
        self.assertEqual(len(logs.output), outbox.LISTED + 1)
        self.assertIn("not delivered: no time is left: spawn of a", logs.output[0])
        self.assertIn("4 more were not delivered", logs.output[-1])
        self.server.release()


class TestTLS(WebhookCase):
    """Whom the plugin believes."""

    def setUp(self) -> None:
        super().setUp()
        self.server = self.serve(context=server_context())

    def test_a_certificate_that_is_known(self) -> None:
        self.webhook(ca_file=str(CERTIFICATE))
        self.publish("a")
        self.assertEqual(self.posted(1), ["a"])

    def test_one_that_is_not(self) -> None:
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.webhook(retries=0)
            self.publish("a")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("certificate verify failed", logs.output[0])
        self.assertEqual(self.server.requests, [])

    def test_one_of_another_name(self) -> None:
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            url = f"https://127.0.0.2:{self.server.port}/"
            self.webhook(url=url, retries=0, ca_file=str(CERTIFICATE))
            self.publish("a")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertEqual(self.server.requests, [])

    def test_nobody_looks_at_it(self) -> None:
        self.webhook(verify="no")
        self.publish("a")
        self.assertEqual(self.posted(1), ["a"])


class TestOptions(PluginCase):
    """What makes no sense is refused in a line that begins with the key."""

    def test_values_that_cannot_be(self) -> None:
        url = "https://example.com/"
        for given, said in (
            ({}, "url: missing"),
            ({"url": "ftp://example.com/"}, "url: not of the form"),
            ({"url": "example.com"}, "url: not of the form"),
            ({"url": "http:///x"}, "url: not of the form"),
            ({"url": "http://a b/"}, "url: not of the form"),
            ({"url": "http://a:x/"}, "url: not of the form"),
            ({"url": "http://a/caf\xe9"}, "url: has characters that a URL cannot have"),
            ({"url": "http://me:secret@a/"}, "url: a user and a password"),
            ({"url": url, "secret": "a\nb"}, "secret: has characters"),
            ({"url": url, "secret": "x", "secret_header": "a b"}, "secret_header: 'a b'"),
            (
                {"url": url, "actions": "raep"},
                "actions: 'raep' is not an action; did you mean reap?",
            ),
            ({"url": url, "ca_file": "/no/such"}, "ca_file: /no/such: No such file"),
            ({"url": url, "ca_file": __file__}, "ca_file: "),
            ({"url": url, "retries": "-1"}, "retries: "),
            ({"url": url, "retry_delay": "0"}, "retry_delay: "),
            ({"url": url, "queue": "0"}, "queue: "),
            ({"url": url, "timeout": "soon"}, "timeout: 'soon' is not a number"),
        ):
            with self.subTest(given), self.assertRaises(OptionError) as caught:
                self.make(Webhook, **given)
            self.assertTrue(str(caught.exception).startswith(said), caught.exception)
            self.assertNotIn("\n", str(caught.exception))
