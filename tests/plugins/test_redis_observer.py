"""RedisObserver against a real redis-server."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.plugins.redis_observer import MISSING, RedisObserver
from cvec_circus.runtime.catalogue import load_class
from tests.plugins.case import TIMEOUT
from tests.plugins.observing import ObserverCase
from tests.runtime.process import ProcessCase
from tests.support.daemon import DaemonCase, folder
from tests.support.eventually import eventually

PREFIX = "circus.redis_observer.watcher.redis_stats."
SERVER = shutil.which("redis-server")

needs_redis = unittest.skipUnless(
    SERVER and importlib.util.find_spec("redis"), "redis-server or redis-py is not installed"
)


class RedisServer:
    """A redis-server that listens at a unix socket. Owned by the test.

    Attributes:
        url: Where it is.
        process: The server.
    """

    def __init__(self, test: unittest.TestCase, *arguments: str) -> None:
        self._test = test
        self._arguments = arguments
        place = folder(test)
        self.path = place / "redis.sock"
        self.url = f"unix://{self.path}"
        self._argv = [
            str(SERVER),
            *("--port", "0", "--unixsocket", str(self.path), "--dir", str(place)),
            *("--save", "", "--daemonize", "no", "--logfile", str(place / "log")),
            *arguments,
        ]
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process = subprocess.Popen(self._argv, stdin=subprocess.DEVNULL)
        self._test.addCleanup(self.end)
        self._test.assertTrue(eventually(self._listens, TIMEOUT), "redis-server does not start")

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.path))
                probe.sendall(b"PING\r\n")
                return bool(probe.recv(100))
            except OSError:
                return False

    def end(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(TIMEOUT)


@needs_redis
class TestFigures(ObserverCase):
    """What it tells of a server."""

    def observe(self, server: RedisServer, **config: Any) -> RedisObserver:
        return self.observer(RedisObserver, redis_url=server.url, **config)

    def seen(self, plugin: RedisObserver, last: str) -> dict[str, str]:
        """Have it look, and return all numbers up to one."""
        self.look(plugin)
        found = self.statsd.up_to(PREFIX + last)
        pairs = (line.replace(PREFIX, "", 1).split(":") for line in found)
        return dict(pairs)

    def test_they_are_sent(self) -> None:
        plugin = self.observe(RedisServer(self))
        for _ in range(3):
            found = self.seen(plugin, "keyspace_hits")
        # What redis does not tell any more is left out, where Circus fails at it.
        gone = {"client_biggest_input_buf", "client_longest_output_list"}
        self.assertLessEqual(set(RedisObserver.OBSERVE) - gone, set(found))
        self.assertEqual(found["connected_slaves"], "0|g")
        for value in found.values():
            self.assertRegex(value, r"^\d+(\.\d+)?\|g$")
        self.assertGreater(float(found["used_memory"].partition("|")[0]), 100_000)
        # One connection serves all looks.
        self.assertEqual(found["connected_clients"], "1|g")

    def test_it_is_gone_and_comes_back(self) -> None:
        server = RedisServer(self)
        plugin = self.observe(server)
        self.seen(plugin, "keyspace_hits")
        server.end()
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            for _ in range(3):
                self.assertEqual(self.seen(plugin, "error"), {"error": "1|c"})
        self.assertEqual(len(logs.output), 1)
        self.assertIn("redis does not answer: ", logs.output[0])
        server.start()
        self.seen(plugin, "keyspace_hits")

    def test_it_is_restarted(self) -> None:
        server = RedisServer(self)
        plugin = self.observe(server, restart_on_timeout="web")
        server.end()
        self.assertEqual(set(self.seen(plugin, "restart_on_error")), {"error", "restart_on_error"})
        self.assert_restarted("web")

    def test_it_is_restarted_when_it_hangs(self) -> None:
        server = RedisServer(self)
        plugin = self.observe(server, restart_on_timeout="web", timeout="0.2")
        os.kill(server.process.pid, signal.SIGSTOP)
        self.seen(plugin, "restart_on_error")
        self.assert_restarted("web")

    def test_what_is_down_stays_down(self) -> None:
        server = RedisServer(self)
        self.states["web"] = "stopped"
        plugin = self.observe(server, restart_on_timeout="web")
        server.end()
        for _ in range(2):
            self.assertEqual(self.seen(plugin, "error"), {"error": "1|c"})
        self.assertEqual(self.restarts(), [])

    def test_a_wrong_password_is_an_answer(self) -> None:
        server = RedisServer(self, "--requirepass", "secret")
        plugin = self.observe(server, restart_on_timeout="web")
        self.assertEqual(self.seen(plugin, "error"), {"error": "1|c"})
        self.assertEqual(self.seen(plugin, "error"), {"error": "1|c"})
        self.assertEqual(self.restarts(), [])
        self.observer(RedisObserver, redis_url=f"unix://:secret@{server.path}", loop_rate=0.05)
        self.statsd.up_to(PREFIX + "keyspace_hits")

    def test_events_are_not_kept_waiting(self) -> None:
        server = RedisServer(self)
        plugin = self.observe(server, timeout="5")
        os.kill(server.process.pid, signal.SIGSTOP)
        self.look(plugin, 3)
        plugin.loop.add_callback(plugin.statsd.increment, "meanwhile")
        self.assertIn("meanwhile", self.statsd.next())
        os.kill(server.process.pid, signal.SIGCONT)
        self.statsd.up_to(PREFIX + "keyspace_hits")
        plugin.loop.add_callback(plugin.statsd.increment, "after")
        self.assertIn("after", self.statsd.next())  # three looks, one question


@needs_redis
class TestOptions(ObserverCase):
    """What can be configured."""

    def test_defaults_as_in_circus(self) -> None:
        plugin = self.make(RedisObserver)
        given = plugin.config
        self.assertEqual(given["redis_url"], "redis://localhost:6379/0")
        self.assertEqual((given["timeout"], given["restart_on_timeout"]), (5, None))
        settings = plugin.redis.connection_pool.connection_kwargs
        self.assertEqual((settings["socket_timeout"], settings["db"]), (5, 0))

    def test_values_that_cannot_be(self) -> None:
        for key, value in (("redis_url", "localhost"), ("timeout", "0"), ("timeout", "soon")):
            with self.subTest(key), self.assertRaisesRegex(OptionError, f"^{key}: "):
                self.make(RedisObserver, **{key: value})

    def test_options_in_the_url(self) -> None:
        for options in ("foo=1", "socket_timeout=soon", "ssl_cert_reqs=maybe", "db=x"):
            with self.subTest(options), self.assertRaisesRegex(OptionError, "^redis_url: "):
                self.make(RedisObserver, redis_url=f"rediss://localhost?{options}")
        self.make(RedisObserver, redis_url="redis://localhost?socket_timeout=2").redis.close()

    def test_a_password_is_not_told(self) -> None:
        for url in ("redis://me:sec/ret@host/0", "redis://:sec#ret@host/0", "redi://:secret@host"):
            with self.subTest(url), self.assertRaisesRegex(OptionError, "^redis_url: ") as caught:
                self.make(RedisObserver, redis_url=url)
            self.assertNotIn("sec", str(caught.exception))


class TestWithoutTheLibrary(ProcessCase):
    """redis-py is an extra, so it may be missing."""

    def test_it_is_found_by_its_name(self) -> None:
        load_class("cvec_circus.plugins.redis_observer.RedisObserver")

    def test_one_clear_line(self) -> None:
        place = folder(self)
        (place / "redis.py").write_text("raise ImportError('not installed')\n")
        read_report, report = os.pipe()
        process = self.by_daemon(
            "redis", report=report, sys_path=[str(place), *sys.path], cwd=str(place)
        )
        os.close(report)
        self.assertEqual(process.wait(), 2)
        with open(read_report, encoding="utf-8") as reports:
            self.assertEqual(reports.read(), f"{MISSING}\n")
        self.assertEqual(process.rest(), "", "the daemon logs it")


@needs_redis
class TestWithADaemon(DaemonCase):
    """A daemon whose watcher is the server."""

    def test_a_server_that_hangs_is_replaced(self) -> None:
        place = folder(self)
        daemon = self.daemon(
            f"[watcher:redis]\ncmd = {SERVER} --port 0 --unixsocket {place}/s --save '' "
            f"--dir {place}\ncopy_env = True\ngraceful_timeout = 0.1\n"
            "[plugin:r]\nuse = redis\nloop_rate = 0.2\ntimeout = 0.2\n"
            f"redis_url = unix://{place}/s\nrestart_on_timeout = redis\n"
        )
        events = daemon.wire.events
        events.wait("watcher.redis.start", 1)
        before = len(events.of("watcher.redis.spawn"))
        (pid,) = daemon.wire.pids("redis")
        os.kill(pid, signal.SIGSTOP)
        daemon.log.containing("restarted: redis does not answer")
        events.wait("watcher.redis.spawn", before + 1)
        self.assertTrue(eventually(lambda: Path(place / "s").exists(), TIMEOUT))


if __name__ == "__main__":
    unittest.main()
