"""HttpObserver against real servers: good ones, broken ones, slow ones, and none at all."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import unittest
from typing import Any
from unittest import mock

from cvec_circus.exc import OptionError
from cvec_circus.plugins import http_observer
from cvec_circus.plugins.http_observer import HttpObserver
from cvec_circus.runtime.catalogue import load_class
from tests.plugins.case import TIMEOUT
from tests.plugins.observing import ObserverCase
from tests.support.eventually import eventually

PREFIX = "circus.http_observer.watcher.http_stats."


class Server:
    """A web server whose answers the test chooses. Owned by the test's thread.

    Attributes:
        code: What it answers.
        seen: The headers that came, and the path as "path".
        held: Cleared, it holds back the second half of each answer.
    """

    def __init__(self, test: unittest.TestCase) -> None:
        self.code = 200
        self.seen: list[dict[str, str]] = []
        self.held = threading.Event()
        self.held.set()
        mine = self

        class Page(http.server.BaseHTTPRequestHandler):
            """Answers one request. Owned by a thread of the server."""

            def do_GET(self) -> None:
                mine.seen.append({**self.headers, "path": self.path})
                self.send_response(mine.code)
                if mine.code == 302:
                    self.send_header("Location", "/there")
                    mine.code = 200
                self.send_header("Content-Length", "200000")
                self.end_headers()
                self.wfile.write(b"x" * 100000)
                mine.held.wait(TIMEOUT)
                self.wfile.write(b"x" * 100000)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    pass  # the client did not want to wait

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        test.addCleanup(self.server.server_close)
        test.addCleanup(thread.join)
        test.addCleanup(self.server.shutdown)
        test.addCleanup(self.held.set)


class HttpCase(ObserverCase):
    """A server, and an observer that looks when it is told to."""

    def setUp(self) -> None:
        super().setUp()
        self.server = Server(self)

    def observe(self, url: str = "", **config: Any) -> HttpObserver:
        return self.observer(HttpObserver, check_url=url or self.server.url, **config)

    def seen(self, plugin: HttpObserver, count: int) -> list[str]:
        """Have it look, and return what it has sent."""
        self.look(plugin)
        return [line.replace(PREFIX, "", 1) for line in self.statsd.take(count)]


class TestAnswers(HttpCase):
    """What it says of answers."""

    def test_a_good_one(self) -> None:
        plugin = self.observe(self.server.url + "path?a=b#c")
        for _ in range(3):
            (line,) = self.seen(plugin, 1)
            self.assertRegex(line, r"^request_time:\d+\|ms$")
        self.assertEqual(self.server.seen[0]["path"], "/path?a=b")
        self.assertRegex(self.server.seen[0]["User-Agent"], "^cvec_circus/")
        self.assertNotIn("Authorization", self.server.seen[0])

    def test_codes(self) -> None:
        plugin = self.observe()
        for code in (500, 404, 304, 503):
            self.server.code = code
            with self.assertLogs("cvec_circus", "WARNING"):
                self.assertEqual(self.seen(plugin, 2), ["error:1|c", f"error.{code}:1|c"])

    def test_a_redirection_is_followed(self) -> None:
        self.server.code = 302
        (line,) = self.seen(self.observe(), 1)
        self.assertIn("request_time", line)
        self.assertEqual([one["path"] for one in self.server.seen], ["/", "/there"])

    def test_nobody_there(self) -> None:
        plugin = self.observe("http://127.0.0.1:1/")
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            for _ in range(3):
                self.assertEqual(self.seen(plugin, 2), ["error:1|c", "error.599:1|c"])
        self.assertEqual(len(logs.output), 1)
        self.assertRegex(logs.output[0], "http://127.0.0.1:1/: .*[Cc]onnection refused")

    def test_what_is_no_web_server(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                peer, _ = listener.accept()
                with peer:
                    peer.sendall(b"220 mail ready\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            plugin = self.observe(f"http://127.0.0.1:{listener.getsockname()[1]}/")
            self.assertEqual(self.seen(plugin, 2), ["error:1|c", "error.599:1|c"])
            thread.join()

    def test_a_slow_one(self) -> None:
        self.server.held.clear()
        plugin = self.observe(timeout="0.1")
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.assertEqual(self.seen(plugin, 2), ["error:1|c", "error.599:1|c"])
        self.assertIn("no answer within 0.1 s", logs.output[0])
        self.server.held.set()
        self.assertTrue(eventually(lambda: not plugin._fetching, TIMEOUT))
        plugin.timeout = TIMEOUT
        self.assertIn("request_time", self.seen(plugin, 1)[0])

    def test_one_that_never_ends_is_asked_but_once(self) -> None:
        released = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer() -> None:
                peer, _ = listener.accept()
                with peer, contextlib.suppress(ConnectionError):
                    peer.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                    while not released.wait(0.005):
                        peer.sendall(b"x")  # always in time, so no single wait is too long

            thread = threading.Thread(target=answer)
            thread.start()
            plugin = self.observe(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout="0.2")
            self.assertEqual(self.seen(plugin, 2), ["error:1|c", "error.599:1|c"])
            self.assertTrue(eventually(lambda: not plugin._fetching, TIMEOUT))
            released.set()
            thread.join()

    def test_a_request_that_hangs_counts_at_each_look(self) -> None:
        released, asked = threading.Event(), []

        def hang(*given: object) -> None:
            asked.append(given)
            released.wait(TIMEOUT)

        with mock.patch.object(http_observer, "fetch", hang):
            plugin = self.observe(timeout="0.05")
            for _ in range(3):
                self.assertEqual(self.seen(plugin, 2), ["error:1|c", "error.599:1|c"])
            self.assertEqual(len(asked), 1)
            released.set()
            self.assertTrue(eventually(lambda: not plugin._fetching, TIMEOUT))

    def test_events_are_not_kept_waiting(self) -> None:
        self.server.held.clear()
        plugin = self.observe()
        self.look(plugin)
        self.assertTrue(eventually(lambda: self.server.seen, TIMEOUT))
        plugin.loop.add_callback(plugin.statsd.increment, "meanwhile")
        self.assertIn("meanwhile", self.statsd.next())

    def test_name_and_password(self) -> None:
        url = self.server.url.replace("http://", "http://me:a%40b@")
        self.seen(self.observe(url), 1)
        self.assertEqual(self.server.seen[0]["Authorization"], "Basic bWU6YUBi")
        self.assertNotIn("me", self.server.seen[0]["Host"])


class TestRestarting(HttpCase):
    """What it does about it."""

    def test_errors(self) -> None:
        self.server.code = 500
        plugin = self.observe(restart_on_error="Web")
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            found = self.seen(plugin, 3)
        self.assertEqual(found[2], "restart_on_error:1|c")
        self.assert_restarted("web")
        self.assertIn("restarted: http", logs.output[-1])

    def test_from_one_time_to_the_next_it_waits_longer(self) -> None:
        self.server.code = 500
        plugin = self.observe(restart_on_error="web")

        def restarted(look: int) -> bool:
            self.seen(plugin, 2)
            plugin.loop.add_callback(plugin.statsd.increment, f"look{look}")
            return "restart" in self.statsd.up_to(f"circus.http_observer.watcher.look{look}:1|c")[0]

        self.assertEqual([look for look in range(12) if restarted(look)], [0, 2, 5, 10])
        self.server.code = 200
        self.seen(plugin, 1)
        self.server.code = 500
        self.assertEqual([look for look in range(4) if restarted(look)], [0, 2])

    def test_what_is_down_stays_down(self) -> None:
        self.states = {"web": "stopped"}
        plugin = self.observe("http://127.0.0.1:1/", restart_on_error="web")
        for _ in range(2):
            self.assertEqual(self.seen(plugin, 2), ["error:1|c", "error.599:1|c"])
        self.assertEqual(self.restarts(), [])

    def test_a_pattern(self) -> None:
        self.states = {"web-1": "active", "web-2": "stopped", "web-3": "active", "app": "active"}
        self.server.code = 500
        self.assertIn("restart", self.seen(self.observe(restart_on_error="web-*"), 3)[2])
        self.assert_restarted("web-1", "web-3")

    def test_a_pattern_fits_neither_plugins_nor_statistics(self) -> None:
        own = {"plugin:page": "active", "Plugin:mail": "active", "circusd-stats": "active"}
        self.states = {**own, "web": "active"}
        self.server.code = 500
        self.seen(self.observe(restart_on_error="*"), 3)
        self.assert_restarted("web")

    def test_a_plugin_by_its_name(self) -> None:
        self.states = {"plugin:hook": "active"}
        self.server.code = 500
        self.seen(self.observe(restart_on_error="plugin:hook"), 3)
        self.assert_restarted("plugin:hook")

    def test_no_such_watcher(self) -> None:
        self.server.code = 500
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            plugin = self.observe(restart_on_error="wbe")
            self.seen(plugin, 2)
            plugin.loop.add_callback(plugin.statsd.increment, "x")
            self.statsd.next()
        self.assertIn("no watcher of that name", logs.output[-1])


class TestOptions(HttpCase):
    """What can be configured."""

    def test_defaults_as_in_circus(self) -> None:
        plugin = self.make(HttpObserver)
        self.assertEqual((plugin.check_url, plugin.timeout), ("http://localhost/", 10))
        self.assertEqual((plugin.restart_on_error, plugin.loop_rate), (None, 60))
        self.assertEqual(plugin.prefix, "circus.http_observer.watcher")

    def test_values_that_cannot_be(self) -> None:
        for url in ("localhost", "ftp://x/", "http://", "http://x:y/", "http://[x/", "http://a b/"):
            with self.subTest(url), self.assertRaisesRegex(OptionError, "^check_url: "):
                self.make(HttpObserver, check_url=url)
        with self.assertRaisesRegex(OptionError, "^timeout: "):
            self.make(HttpObserver, timeout="0")

    def test_it_is_found_by_its_name(self) -> None:
        load_class("cvec_circus.plugins.http_observer.HttpObserver")


if __name__ == "__main__":
    unittest.main()
