"""WatchDog: real datagrams, against a daemon with nothing to supervise and with real children."""

from __future__ import annotations

import signal
import socket
import sys
import unittest
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.plugins.watchdog import WatchDog
from cvec_circus.runtime.catalogue import load_class
from tests.plugins.case import TIMEOUT, PluginCase
from tests.plugins.observing import process
from tests.support.daemon import DaemonCase, child
from tests.support.eventually import eventually


class Dog(WatchDog):
    """One that tells which events it has seen."""

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self.seqs: set[int] = set()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        super().handle_recv(data)
        self.seqs.add(self.load_message(data[1])["seq"])


class WatchDogCase(PluginCase):
    """A dog whose time the test chooses, and somebody who sends it signs of life."""

    def setUp(self) -> None:
        super().setUp()
        self.now = 1000.0
        self.infos: dict[str, dict] = {}
        self.daemon.answers["stats"] = lambda properties: {"infos": self.infos}
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.sender.close)

    def dog(self, **config: Any) -> Dog:
        """Run one that looks when it is told to; after 180 s it takes silence for death."""
        plugin: Dog = self.make(Dog, **{"port": 0, **config})
        plugin.loop.monotonic = lambda: self.now  # type: ignore[method-assign]
        self.run_plugin(plugin)
        self.publish(plugin, "sync", "noted")
        return plugin

    def publish(self, plugin: Dog, name: str, action: str, pid: int = 0) -> None:
        """Publish an event, and wait until it is seen."""
        seq = self.daemon.publish(name, action, process_pid=pid)
        self.assertTrue(eventually(lambda: seq in plugin.seqs, TIMEOUT))

    def send(self, plugin: Dog, *messages: bytes) -> None:
        """Send signs of life."""
        assert plugin._socket is not None
        for message in messages:
            self.sender.sendto(message, plugin._socket.getsockname())

    def look(self, plugin: Dog, after: float = 0) -> list[dict]:
        """Have it look until some seconds later, and return what it has had ended until then."""
        done: list[int] = []
        for step in (after / 10,) * 10:
            plugin.loop.add_callback(self.go_on, step)
            plugin.loop.add_callback(plugin.look_after)
        plugin.loop.add_callback(done.append, 1)
        self.assertTrue(eventually(lambda: done, TIMEOUT))
        plugin.call("ping")  # the daemon has read what came before
        return self.ordered("kill")

    def go_on(self, seconds: float) -> None:
        """Have time go by."""
        self.now += seconds


class TestJudging(WatchDogCase):
    """Who is ended, and who is not."""

    def test_silence(self) -> None:
        plugin = self.dog()
        self.publish(plugin, "web", "spawn", 11)
        self.assertEqual(self.look(plugin, after=179.9), [])
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.look(plugin, after=1)
            kills = [{"name": "web", "pid": 11}]
            self.assertTrue(eventually(lambda: self.look(plugin) == kills, TIMEOUT))
        self.assertIn("web: process 11 has been silent for 180 s, so it is stopped", logs.output[0])
        self.assertEqual(self.look(plugin, after=1000), kills)  # once is enough

    def test_a_sign_of_life(self) -> None:
        plugin = self.dog()
        self.publish(plugin, "web", "spawn", 11)
        for _ in range(5):
            self.send(plugin, b"11;1234.5")
            self.assertEqual(self.look(plugin, after=100), [])

    def test_signs_that_have_waited_count(self) -> None:
        plugin = self.dog()
        self.daemon.flood(250)
        self.publish(plugin, "sync", "noted")
        self.assertEqual(len(plugin.watched), 250)
        self.assertEqual(self.look(plugin, after=100), [])
        self.now += 100
        self.send(plugin, *(b"%d;now" % pid for pid in range(250)))
        self.assertEqual(self.look(plugin), [])

    def test_nobody_is_ended_because_the_dog_could_not_hear(self) -> None:
        plugin = self.dog()
        self.publish(plugin, "web", "spawn", 11)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.now += 1000
            self.assertEqual(self.look(plugin), [])
        self.assertIn("nothing could be received for a while", logs.output[0])
        self.look(plugin, after=190)
        self.assertTrue(eventually(lambda: len(self.look(plugin)) == 1, TIMEOUT))

    def test_those_that_run_already(self) -> None:
        self.infos = {"Web": {"11": process(11)}, "idle": {}, "plugin:dog": {"12": process(12)}}
        plugin = self.dog()
        self.assertEqual(list(plugin.watched), [11])
        self.look(plugin, after=190)
        self.assertTrue(eventually(lambda: len(self.look(plugin)) == 1, TIMEOUT))

    def test_those_that_are_gone(self) -> None:
        plugin = self.dog()
        self.publish(plugin, "web", "spawn", 11)
        self.publish(plugin, "web", "reap", 11)
        self.publish(plugin, "web", "reap", 12)
        self.assertEqual(plugin.watched, {})

    def test_those_that_were_asked_to_end_have_their_own_time(self) -> None:
        plugin = self.dog()
        self.publish(plugin, "web", "spawn", 11)
        self.publish(plugin, "web", "kill", 11)
        self.publish(plugin, "web", "kill", 12)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.send(plugin, b"11;still here")
            self.look(plugin, after=190)
            self.send(plugin, b"12;who is that?")
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("sign of life of pid 12", logs.output[0])
        self.assertEqual(self.daemon.commands("kill"), [])
        self.publish(plugin, "web", "reap", 11)
        self.assertEqual((plugin.watched, plugin._ending), ({}, set()))

    def test_plugins_never(self) -> None:
        plugin = self.dog()
        self.publish(plugin, "plugin:watchdog", "spawn", 11)
        self.publish(plugin, "circusd-stats", "spawn", 12)
        plugin._life.helpers = frozenset({"look"})  # as a program has called one
        self.publish(plugin, "Look", "spawn", 13)
        self.assertEqual(plugin.watched, {})

    def test_some_watchers(self) -> None:
        plugin = self.dog(watchers_regex="web|app")
        for pid, name in enumerate(("web", "Web-2", "other", "my app"), 11):
            self.publish(plugin, name, "spawn", pid)
        self.assertEqual(list(plugin.watched), [11, 12])

    def test_the_daemon_does_not_tell_at_first(self) -> None:
        del self.daemon.answers["stats"]
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            plugin = self.dog()
        self.assertIn("the processes are not known yet: unknown command", logs.output[0])
        self.daemon.answers["stats"] = lambda properties: {"infos": {"web": {"11": process(11)}}}
        self.look(plugin)
        self.assertEqual(list(plugin.watched), [11])

    def test_how_they_are_ended(self) -> None:
        plugin = self.dog(watchers_stop_signal="QUIT", watchers_graceful_timeout="2.5")
        self.publish(plugin, "web", "spawn", 11)
        self.look(plugin, after=190)
        how = {"name": "web", "pid": 11, "signum": int(signal.SIGQUIT), "graceful_timeout": 2.5}
        self.assertTrue(eventually(lambda: self.look(plugin) == [how], TIMEOUT))


class TestMessages(WatchDogCase):
    """What comes over the network, from anybody."""

    def test_what_makes_no_sense(self) -> None:
        plugin = self.dog()
        self.publish(plugin, "web", "spawn", 11)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.send(plugin, b"", b"\xff\xfe;", b"x;1", b"nothing", b"x" * 60000, b"4711;1")
            self.assertEqual(self.look(plugin), [])
        self.assertEqual(len(logs.output), 1)
        self.assertIn("'' is not a sign of life", logs.output[0])
        self.now += 100
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.send(plugin, b"4711;1", b"11;")
            self.assertEqual(self.look(plugin), [])
        self.assertIn("sign of life of pid 4711, which is not watched", logs.output[0])
        self.assertEqual(self.look(plugin, after=180), [])

    def test_of_a_form_of_ones_own(self) -> None:
        plugin = self.dog(msg_regex=r"alive (?P<pid>\d+)")
        self.publish(plugin, "web", "spawn", 11)
        self.look(plugin, after=100)
        self.now += 100
        self.send(plugin, b"alive 11\n")
        self.assertEqual(self.look(plugin), [])

    def test_over_ipv6(self) -> None:
        try:
            probe = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.addCleanup(probe.close)
            probe.bind(("::1", 0))
        except OSError as error:
            self.skipTest(f"no IPv6: {error}")
        self.sender.close()
        self.sender = probe
        plugin = self.dog(ip="::1")
        self.publish(plugin, "web", "spawn", 11)
        self.look(plugin, after=100)
        self.now += 100
        self.send(plugin, b"11;x")
        self.assertEqual(self.look(plugin), [])


class TestOptions(WatchDogCase):
    """What can be configured."""

    def test_defaults_as_in_circus(self) -> None:
        plugin = self.make(WatchDog)
        wanted = {
            "loop_rate": 60,
            "watchers_regex": ".*",
            "msg_regex": "^(?P<pid>.*);(?P<timestamp>.*)$",
            "max_count": 3,
            "ip": "127.0.0.1",
            "port": 1664,
            "watchers_stop_signal": None,
            "watchers_graceful_timeout": None,
        }
        self.assertEqual({key: plugin.config[key] for key in wanted}, wanted)
        self.assertEqual(plugin.timeout, 180)

    def test_values_that_cannot_be(self) -> None:
        for key, value in (
            ("watchers_regex", "("),
            ("msg_regex", "["),
            ("msg_regex", r"\d+"),
            ("watchers_stop_signal", "SIGNONE"),
            ("port", "-1"),
            ("max_count", "0"),
        ):
            with self.subTest(key), self.assertRaisesRegex(OptionError, f"^{key}: "):
                self.make(WatchDog, **{key: value})

    def test_a_port_that_is_taken(self) -> None:
        self.sender.bind(("127.0.0.1", 0))
        port = self.sender.getsockname()[1]
        plugin = self.make(WatchDog, port=port)
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.run_plugin(plugin).join(TIMEOUT)
        self.assertIn(f"cannot listen on 127.0.0.1:{port}: ", logs.output[0])
        self.assertNotIn("Traceback", logs.output[0])
        self.assertEqual(len(self.errors), 1)

    def test_it_is_found_by_its_name(self) -> None:
        load_class("cvec_circus.plugins.watchdog.WatchDog")


BEATING = """
import os, select, socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    sender.sendto(b"%d;0" % os.getpid(), ("127.0.0.1", PORT))
    select.select([], [], [], 0.05)
"""


class TestWithRealChildren(DaemonCase):
    """A daemon, a child that says that it is well, and one that does not."""

    def test_the_silent_one_is_replaced(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        daemon = self.daemon(
            f"[watcher:well]\ncmd = {sys.executable} {{DIR}}/well.py\ncopy_env = True\n"
            f"[watcher:silent]\ncmd = {child('wait')}\ncopy_env = True\n"
            f"[plugin:dog]\nuse = cvec_circus.plugins.watchdog.WatchDog\n"
            f"loop_rate = 1\nmax_count = 3\nport = {port}\n",
            prepare=lambda folder: (folder / "well.py").write_text(
                BEATING.replace("PORT", str(port))
            ),
        )
        events = daemon.wire.events
        events.wait("watcher.silent.reap", 1, cause="command:kill")
        events.wait("watcher.silent.spawn", 2)
        self.assertEqual(events.of("watcher.well.reap"), [])


if __name__ == "__main__":
    unittest.main()
