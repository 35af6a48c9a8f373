"""How a plugin's life ends, and what it adds to the events of Circus itself."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import unittest
from typing import ClassVar
from unittest import mock

from cvec_circus import exc
from cvec_circus.plugins import CircusPlugin
from cvec_circus.runtime import life
from cvec_circus.runtime.life import OlderEvents
from cvec_circus.testing import ArbiterTestCase
from tests.plugins.case import TIMEOUT, PluginCase, Probe
from tests.support.eventually import eventually


class TestStop(PluginCase):
    def test_twice(self) -> None:
        plugin, thread = self.running()
        plugin.stop()
        plugin.stop()
        self.end(plugin, thread)
        self.assertEqual(plugin.calls.count("handle_stop"), 1)

    def test_before_the_start(self) -> None:
        plugin = self.make()
        plugin.stop()
        self.end(plugin, self.run_plugin(plugin))
        self.assertEqual(plugin.calls, ["__init__", "returned"])

    def test_in_handle_init(self) -> None:
        plugin = self.make()
        plugin.on_init = plugin.stop
        self.daemon.publish("web", "spawn")
        thread = self.run_plugin(plugin)
        thread.join(TIMEOUT)
        self.assertEqual(plugin.calls[-3:], ["handle_init", "handle_stop", "returned"])
        self.assertEqual(plugin.seqs, [])

    def test_in_handle_recv_it_is_the_last(self) -> None:
        plugin = self.make()
        plugin.on_recv = lambda data: plugin.stop() if len(plugin.seqs) == 5 else None
        plugin.loop.call_later(0, self.daemon.flood, 100)
        self.run_plugin(plugin).join(TIMEOUT)
        self.assertEqual(plugin.seqs, [1, 2, 3, 4, 5])
        self.assertEqual(plugin.calls[-2:], ["handle_stop", "returned"])

    def test_by_the_loop(self) -> None:
        for stop in ("stop", "close"):
            plugin, thread = self.running()
            plugin.loop.add_callback(getattr(plugin.loop, stop))
            thread.join(TIMEOUT)
            self.assertEqual(plugin.calls[-2:], ["handle_stop", "returned"])

    def test_by_the_loop_from_elsewhere(self) -> None:
        plugin, thread = self.running()
        plugin.loop.stop()
        thread.join(TIMEOUT)
        self.assertEqual(plugin.calls[-2:], ["handle_stop", "returned"])

    def test_while_handle_init_is_at_it(self) -> None:
        plugin = self.make()
        release = threading.Event()
        plugin.on_init = lambda: release.wait(TIMEOUT)
        thread = self.run_plugin(plugin)
        self.assertTrue(plugin.wait_for(lambda probe: "handle_init" in probe.calls))
        plugin.stop()
        last = self.daemon.publish("web", "stop")
        release.set()
        thread.join(TIMEOUT)
        self.assertEqual(plugin.calls[-2:], ["handle_stop", "returned"])
        self.assertEqual(plugin.seqs, [last])

    def test_a_slow_handle_init_is_named(self) -> None:
        plugin = self.make()
        release = threading.Event()
        plugin.on_init = lambda: release.wait(TIMEOUT)
        with mock.patch.object(life, "SLOW", 0.01):
            with self.assertLogs("cvec_circus", logging.WARNING) as logs:
                thread = self.run_plugin(plugin)
                self.assertTrue(eventually(lambda: logs.output))
        release.set()
        self.assertTrue(plugin.wait_for(lambda probe: "handle_init" in probe.calls))
        self.end(plugin, thread)
        said = "Probe: handle_init has not returned for 0.01 s; until it does, no event is handled"
        self.assertEqual(logs.output, [f"WARNING:cvec_circus:{said}"])

    def test_a_stuck_handle_recv_is_named(self) -> None:
        plugin, thread = self.running()
        release = threading.Event()
        plugin.on_recv = lambda data: release.wait(TIMEOUT)
        stuck = self.daemon.publish("web", "stuck")
        self.assertTrue(plugin.wait_for(lambda probe: stuck in probe.seqs))
        with mock.patch.object(life, "PATIENCE", 0.01):
            with self.assertLogs("cvec_circus", logging.WARNING) as logs:
                plugin.stop()
                self.assertTrue(eventually(lambda: logs.output))
                self.assertNotIn("handle_stop", plugin.calls)
                release.set()
                self.end(plugin, thread)
        self.assertEqual(logs.output, ["WARNING:cvec_circus:Probe: still waiting for handle_recv"])

    def test_overridden(self) -> None:
        stopped: list[str] = []

        class Own(Probe):
            def stop(self) -> None:
                stopped.append(threading.current_thread().name)
                super().stop()

        plugin, thread = self.running(Own)
        self.end(plugin, thread)
        self.assertEqual(stopped[-1:], ["MainThread"])

    def test_keyboard_interrupt_in_the_control_thread(self) -> None:
        """Somebody runs a plugin in a program of his own, and presses Ctrl-C."""
        plugin = self.make()
        plugin.on_init = lambda: os.kill(os.getpid(), signal.SIGINT)
        plugin.start()
        self.assertEqual(plugin.calls[-2:], ["handle_stop", "returned"])
        self.assertEqual(plugin.broken, [])

    def test_in_a_signal_handler(self) -> None:
        plugin = self.make()
        before = signal.signal(signal.SIGUSR1, lambda signum, frame: plugin.stop())
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        plugin.on_init = lambda: os.kill(os.getpid(), signal.SIGUSR1)
        plugin.start()
        self.assertEqual(plugin.calls[-2:], ["handle_stop", "returned"])
        self.assertEqual(plugin.broken, [])


class TestFailures(PluginCase):
    def test_handle_init_raises(self) -> None:
        for error in (ValueError("no"), SystemExit(3)):
            plugin = self.make()

            def fail(error: BaseException = error) -> None:
                raise error

            plugin.on_init = fail
            self.daemon.publish("web", "spawn")
            with self.assertLogs("cvec_circus", logging.ERROR) as logs:
                with self.assertRaises(exc.PluginError):
                    plugin.start()
            self.assertEqual(plugin.calls, ["__init__", "initialize", "handle_init"])
            self.assertEqual(plugin.seqs, [])
            self.assertIn("handle_init raised", logs.output[0])
            self.assertIn("Traceback", logs.output[0])

    def test_handle_recv_raises(self) -> None:
        plugin = self.make()

        def fail(data: tuple[bytes, bytes]) -> None:
            if len(plugin.seqs) == 2:
                raise ValueError("second")
            if len(plugin.seqs) == 3:
                raise SystemExit(3)

        plugin.on_recv = fail
        with self.assertLogs("cvec_circus", logging.ERROR) as logs:
            thread = self.run_plugin(plugin)
            last = self.daemon.flood(5)
            self.assertTrue(plugin.wait_for(lambda probe: last in probe.seqs))
            self.end(plugin, thread)
        self.assertEqual(plugin.seqs, [1, 2, 3, 4, 5])
        self.assertEqual(len(logs.output), 2)
        self.assertIn("Probe: Probe.handle_recv raised", logs.output[0])
        self.assertIn("ValueError: second", logs.output[0])
        self.assertEqual(self.errors, [])

    def test_handle_stop_raises(self) -> None:
        plugin, thread = self.running()

        def fail() -> None:
            raise ValueError("late")

        plugin.on_stop = fail
        with self.assertLogs("cvec_circus", logging.ERROR) as logs:
            self.end(plugin, thread)
        self.assertIn("handle_stop raised", logs.output[0])
        self.assertEqual(plugin.calls[-1], "returned")
        self.assertFalse(plugin.plugin_thread.is_alive())

    def test_initialize_overridden_without_super(self) -> None:
        class Own(Probe):
            def initialize(self) -> None:
                self.plugin_thread = threading.current_thread()

        plugin = self.make(Own)
        thread = self.run_plugin(plugin)
        self.assertTrue(plugin.wait_for(lambda probe: "handle_init" in probe.calls))
        self.end(plugin, thread)
        self.assertEqual(plugin.calls[-2:], ["handle_stop", "returned"])


class TestOlderEvents(unittest.TestCase):
    def setUp(self) -> None:
        self.events = OlderEvents()

    def told(self, action: str, **payload: object) -> tuple[object, object]:
        """Return the watcher and the cause that an event has in the end."""
        topic = f"watcher.my_web.{action}".encode()
        message = json.loads(self.events.complete(topic, json.dumps(payload).encode()))
        self.assertEqual({**message, **payload}, message)
        return message["watcher"], message["cause"]

    def test_a_death(self) -> None:
        self.assertEqual(self.told("reap", process_pid=1, exit_code=1), ("my_web", "exit"))

    def test_a_death_that_was_asked_for(self) -> None:
        self.assertEqual(self.told("kill", process_pid=1), ("my_web", "command"))
        self.assertEqual(self.told("reap", process_pid=1), ("my_web", "command"))
        self.assertEqual(self.told("reap", process_pid=1), ("my_web", "exit"))

    def test_the_rest(self) -> None:
        self.assertEqual(self.told("start", time=1.0), ("my_web", "unknown"))
        self.assertEqual(self.told("reap", process_pid=[1]), ("my_web", "unknown"))

    def test_what_is_told_already_stays(self) -> None:
        self.assertEqual(self.told("reap", watcher="My Web", cause="x"), ("My Web", "x"))

    def test_what_is_none_of_them(self) -> None:
        for payload in (b"nonsense", b"[1]", b'{"seq": 3}', b""):
            self.assertIs(self.events.complete(b"watcher.web.x", payload), payload)

    def test_not_all_are_remembered(self) -> None:
        with mock.patch.object(life, "KEPT", 2):
            for pid in (1, 2, 3):
                self.told("kill", process_pid=pid)
        self.assertEqual(self.told("reap", process_pid=1)[1], "exit")
        self.assertEqual(self.told("reap", process_pid=3)[1], "command")


class Recorder(CircusPlugin):
    """Keeps what it gets."""

    def handle_init(self) -> None:
        self.heard: list[tuple[bytes, bytes]] = []

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        self.heard.append(data)


class TestOurs(ArbiterTestCase):
    watchers: ClassVar = ({"name": "web", "cmd": "sleep 3600"},)

    def test_they_are_not_even_looked_at(self) -> None:
        with mock.patch.object(OlderEvents, "complete") as complete:
            plugin = self.run_plugin(Recorder)
            self.call("incr", name="web", waiting=True)
            self.catch_up(plugin)
        complete.assert_not_called()
        self.assertIn(b"watcher.web.spawn", [topic for topic, _ in plugin.heard])
