"""A plugin's life: which thread calls what, when, and what works there."""

from __future__ import annotations

import logging
import os
import sys
import threading
import types
from typing import Any
from unittest import mock

import zmq

from cvec_circus import exc
from cvec_circus.plugins import CircusPlugin
from cvec_circus.plugins.flapping import Flapping
from cvec_circus.wire import topics
from tests.plugins.case import TIMEOUT, PluginCase, Probe
from tests.support.eventually import eventually


class TestLife(PluginCase):
    def test_the_order(self) -> None:
        plugin, thread = self.running()
        self.end(plugin, thread)
        expected = ["__init__", "initialize", "handle_init", "handle_stop", "returned"]
        self.assertEqual(plugin.calls, expected)
        self.assertFalse(plugin.plugin_thread.is_alive())
        self.assertEqual(self.errors, [])

    def test_coroutine_functions(self) -> None:
        class Wrong(Probe):
            async def handle_init(self) -> None:  # type: ignore[override]
                raise AssertionError("nothing awaits it")

            async def handle_stop(self) -> None:  # type: ignore[override]
                raise AssertionError("nothing awaits it")

        plugin = Wrong(self.daemon.endpoint, self.daemon.pubsub_endpoint, 1.0)
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            thread = self.run_plugin(plugin)
            self.assertTrue(eventually(lambda: logs.output))
            self.end(plugin, thread)
        names = [one.partition(" is a coroutine, which")[0].split()[-1] for one in logs.output]
        self.assertEqual(names, ["handle_init", "handle_stop"])

    def test_nothing_lives_in_init(self) -> None:
        """Plugins are made in people's unit tests too: no thread, no file, until it is started."""
        threads, fds = threading.active_count(), len(os.listdir("/proc/self/fd"))
        plugin = self.make()
        plugin.loop.add_callback(print)
        plugin.loop.call_later(1, print)
        self.assertEqual(threading.active_count(), threads)
        self.assertEqual(len(os.listdir("/proc/self/fd")), fds)

    def test_attributes(self) -> None:
        plugin = Probe("tcp://1:1", "tcp://1:2", 2.5, None, filename="x", name="plugin:p")
        self.assertEqual(plugin.name, "probe")
        self.assertEqual(plugin.config, {"filename": "x", "name": "plugin:p"})
        self.assertEqual((plugin.endpoint, plugin.pubsub_endpoint), ("tcp://1:1", "tcp://1:2"))
        self.assertEqual((plugin.check_delay, plugin.ssh_server, plugin.active), (2.5, None, True))
        self.assertIsNotNone(plugin.loop)

    def test_subclasses_may_call_their_attributes_what_they_like(self) -> None:
        mine = {name for name in vars(CircusPlugin("tcp://1:1", "tcp://1:2", 1.0))}
        public = {"active", "check_delay", "config", "endpoint", "loop", "pubsub_endpoint"}
        self.assertEqual(mine, public | {"ssh_server", "_life"})

    def test_active(self) -> None:
        for text in ("False", "0", "no", False):
            plugin = self.make(active=text)
            self.assertFalse(plugin.active)
            with self.assertRaises(ValueError):
                plugin.start()
            self.assertEqual(plugin.calls, ["__init__"])
        with self.assertRaises(exc.OptionError):
            self.make(active="perhaps")

    def test_no_handle_recv(self) -> None:
        class Empty(CircusPlugin):
            pass

        with self.assertRaises(exc.PluginError) as caught:
            self.make(Empty).start()
        self.assertIn("Empty does not implement handle_recv", str(caught.exception))
        with self.assertRaises(NotImplementedError):
            self.make(Empty).handle_recv((b"", b""))

    def test_no_tunnels_yet(self) -> None:
        with self.assertRaises(exc.SocketError):
            Probe("tcp://1:1", "tcp://1:2", 1.0, "somewhere")

    def test_only_once(self) -> None:
        plugin, thread = self.running()
        self.end(plugin, thread)
        with self.assertRaises(RuntimeError):
            plugin.start()

    def test_an_endpoint_that_is_none(self) -> None:
        plugin = Probe("nonsense", "nonsense", 1.0)
        with self.assertLogs("cvec_circus", logging.ERROR) as logs:
            with self.assertRaises(exc.PluginError):
                plugin.start()
        reason = "not an endpoint; write tcp://HOST:PORT or ipc://FILE"
        said = f"ERROR:cvec_circus:Probe: cannot connect to 'nonsense': {reason}"
        self.assertEqual(logs.output, [said])
        self.assertEqual(plugin.calls, ["__init__"])

    def test_no_daemon(self) -> None:
        plugin = Probe("ipc:///nonexistent/a", "ipc:///nonexistent/b", 1.0)
        thread = self.run_plugin(plugin)
        self.assertTrue(plugin.wait_for(lambda probe: "handle_init" in probe.calls))
        self.end(plugin, thread)
        self.assertEqual(plugin.calls[-2:], ["handle_stop", "returned"])

    def test_a_person_is_told_that_nobody_is_there(self) -> None:
        nobody = "ipc:///nonexistent/x"
        for endpoint, pubsub_endpoint, words, after in (
            (nobody, nobody, f"no daemon publishes at {nobody} yet", 600.0),  # said at once
            (nobody, self.daemon.pubsub_endpoint, f"no daemon answers at {nobody} yet", 0.2),
        ):
            plugin = Probe(endpoint, pubsub_endpoint, 1.0)
            with mock.patch("cvec_circus.client.feed.subscription.UNREACHABLE", after):
                with mock.patch("cvec_circus.client.feed.subscription.LAST_EVENTS", 0.1):
                    with self.assertLogs("cvec_circus", logging.WARNING) as logs:
                        thread = self.run_plugin(plugin)
                        self.assertTrue(eventually(lambda logs=logs: logs.output))
                        self.end(plugin, thread)
            self.assertEqual(len([one for one in logs.output if " yet; " in one]), 1)
            self.assertIn(words, logs.output[0])

    def test_a_socket_that_is_left_open_does_not_hold_it_up(self) -> None:
        plugin, thread = self.running()
        socket = plugin.context.socket(zmq.DEALER)
        with mock.patch("cvec_circus.client.client.end_context", return_value=False):
            with self.assertLogs("cvec_circus", logging.WARNING) as logs:
                self.end(plugin, thread)
        self.assertIn("a socket of its zmq context was left open", logs.output[0])
        context = socket.context
        socket.close(0)
        context.term()


class TestTornado(PluginCase):
    def test_callbacks_on_a_loop_that_nobody_runs_are_named(self) -> None:
        class Loop:
            _scheduled = (1,)

            def is_running(self) -> bool:
                return False

        ioloop = types.ModuleType("tornado.ioloop")
        ioloop.IOLoop = types.SimpleNamespace(_ioloop_for_asyncio={Loop(): 1})  # type: ignore[attr-defined]
        with mock.patch.dict(sys.modules, {"tornado.ioloop": ioloop}):
            with self.assertLogs("cvec_circus", "WARNING") as logs:
                self.end(*self.running())
        self.assertIn("tornado has calls to make on a loop that is not running", logs.output[0])
        self.assertIn("use self.loop.periodic instead", logs.output[0])


class TestCalls(PluginCase):
    def test_from_everywhere(self) -> None:
        """From __init__, initialize, handle_init, handle_recv, timers, threads, handle_stop."""
        said: dict[str, Any] = {}

        class Caller(Probe):
            def __init__(self, *args: Any, **config: Any) -> None:
                super().__init__(*args, **config)
                said["__init__"] = self.call("list")

            def initialize(self) -> None:
                super().initialize()
                said["initialize"] = self.call("list")

        plugin = self.make(Caller)

        def say(place: str) -> None:
            said[place] = plugin.call("list")

        plugin.on_init = lambda: say("handle_init")
        plugin.on_recv = lambda data: say("handle_recv")
        plugin.on_stop = lambda: say("handle_stop")
        done = threading.Event()
        plugin.loop.call_later(0, lambda: (say("timer"), done.set()))
        thread = self.run_plugin(plugin)
        first = self.daemon.publish("web", "spawn")
        self.assertTrue(plugin.wait_for(lambda probe: first in probe.seqs))
        self.assertTrue(done.wait(TIMEOUT))
        own = threading.Thread(target=say, args=("own thread",))
        own.start()
        own.join(TIMEOUT)
        self.end(plugin, thread)
        self.assertEqual(len(said), 7)
        self.assertEqual({reply["status"] for reply in said.values()}, {"ok"})

    def test_cast(self) -> None:
        plugin, thread = self.running()
        plugin.on_stop = lambda: plugin.cast("incr", name="web")
        self.end(plugin, thread)
        self.assertTrue(eventually(lambda: self.daemon.commands("incr")))
        self.assertEqual(self.daemon.commands("incr")[0]["msg_type"], "cast")

    def test_call_timeout(self) -> None:
        class Hasty(Probe):
            call_timeout = 0.05

        plugin = self.make(Hasty)
        self.daemon.muted.add("slow")
        with self.assertRaises(exc.CallError) as caught:
            plugin.call("slow")
        self.assertEqual(str(caught.exception), "Timed out.")

    def test_waiting_has_no_timeout(self) -> None:
        class Hasty(Probe):
            call_timeout = 0.0

        plugin = self.make(Hasty)
        self.assertEqual(plugin.call("list", waiting=True)["status"], "ok")
        self.assertEqual(self.daemon.commands("list")[0]["properties"], {"waiting": True})

    def test_a_call_without_end_in_a_thread_of_its_own(self) -> None:
        """It is ended with the plugin, and does not hold it up."""
        plugin, thread = self.running()
        self.daemon.muted.add("stop")
        ends: list[str] = []

        def wait() -> None:
            try:
                plugin.call("stop", waiting=True)
            except exc.CallError as error:
                ends.append(str(error))

        own = threading.Thread(target=wait)
        own.start()
        self.assertTrue(eventually(lambda: self.daemon.commands("stop")))
        self.end(plugin, thread)
        own.join(TIMEOUT)
        self.assertEqual(ends, ["The client is closed."])


class TestData(PluginCase):
    def test_split_data(self) -> None:
        for name, folded in (
            ("web", "web"),
            ("One Shot", "one_shot"),
            ("my.app.v1", "my.app.v1"),
            ("plugin:logger", "plugin:logger"),
            ("a: b.c", "a:_b.c"),
            ("éa", "éa"),
        ):
            topic = topics.topic(name, "spawn").encode()
            self.assertEqual(CircusPlugin.split_data((topic, b"{}")), (folded, "spawn", b"{}"))
        self.assertEqual(
            CircusPlugin.split_data((b"watcher.a b.spawn", b"x")), ("a b", "spawn", b"x")
        )

    def test_load_message(self) -> None:
        for message in ('{"a": "\u00e9"}', '{"a": "é"}', '{"a": "é"}'.encode()):
            self.assertEqual(CircusPlugin.load_message(message), {"a": "é"})

    def test_what_is_published_is_what_arrives(self) -> None:
        plugin = self.make()
        received: list[tuple[str, str, dict]] = []

        def note(data: tuple[bytes, bytes]) -> None:
            name, action, payload = plugin.split_data(data)
            received.append((name, action, plugin.load_message(payload)))

        plugin.on_recv = note
        thread = self.run_plugin(plugin)
        last = self.daemon.publish("One Shot.v1:x", "reap", process_pid=7, exit_code=-9)
        self.assertTrue(plugin.wait_for(lambda probe: last in probe.seqs))
        self.end(plugin, thread)
        name, action, message = received[0]
        self.assertEqual((name, action), ("one_shot.v1:x", "reap"))
        self.assertEqual(message["watcher"], "One Shot.v1:x")
        self.assertEqual((message["process_pid"], message["exit_code"]), (7, -9))


class TestOrder(PluginCase):
    def test_callbacks_wait_for_handle_init(self) -> None:
        plugin = self.make()
        plugin.loop.add_callback(lambda: plugin._note("callback"))
        release = threading.Event()
        plugin.on_init = lambda: release.wait(TIMEOUT)
        thread = self.run_plugin(plugin)
        self.assertTrue(plugin.wait_for(lambda probe: "handle_init" in probe.calls))
        plugin.loop.call_later(0, plugin._note, "timer")
        self.assertNotIn("callback", plugin.calls)
        release.set()
        self.assertTrue(plugin.wait_for(lambda probe: "timer" in probe.calls))
        self.end(plugin, thread)
        self.assertLess(plugin.calls.index("handle_init"), plugin.calls.index("callback"))

    def test_what_handle_stop_asks_for_never_happens(self) -> None:
        plugin, thread = self.running()

        def ask() -> None:
            plugin.loop.add_callback(self.fail)
            plugin.loop.call_later(0, self.fail)
            plugin.loop.run_in_thread(self.fail, then=self.fail)
            plugin.loop.periodic(self.fail, 1).start()

        plugin.on_stop = ask
        with mock.patch.object(plugin.loop._complaints, "tell") as logged:
            self.end(plugin, thread)
        logged.assert_not_called()

    def test_timers_and_callbacks_while_events_pour_in(self) -> None:
        plugin, thread = self.running()
        ticks = threading.Semaphore(0)
        plugin.loop.periodic(ticks.release, 1).start()
        for _ in range(5):
            self.daemon.flood(300)
            self.assertTrue(ticks.acquire(timeout=TIMEOUT))
        self.end(plugin, thread)


class TestReason(PluginCase):
    def test_what_flapping_says(self) -> None:
        self.daemon.answers["options"] = lambda properties: {"options": {}}
        plugin = self.make(Flapping, retry_in=0.0)
        self.run_plugin(plugin)
        for _ in range(2):
            self.daemon.publish("web", "reap", cause="exit", time=100, exit_code=1)
        for command, reason in (
            ("stop", "2 deaths in 2 s; retry 1 of 5 in 0 s, at "),
            ("start", "retry 1 of 5 after 2 deaths in 2 s"),
        ):
            self.assertTrue(eventually(lambda: self.daemon.commands(command)))  # noqa: B023
            (order,) = self.daemon.commands(command)
            properties = dict(order["properties"])
            self.assertTrue(properties.pop("reason").startswith(reason))
            self.assertEqual(properties, {"name": "web", "match": "simple"})


class TestActor(PluginCase):
    def sent_by(self, **config: str) -> list[object]:
        """Who a plugin says it is, in a call and in a cast."""
        plugin, _ = self.running(**config)
        plugin.call("numwatchers")
        plugin.cast("reload", name="web")
        plugin.call("numwatchers")
        sent = [one for one in self.daemon.requests if one["command"] in ("numwatchers", "reload")]
        return [one["actor"] for one in sent]

    def test_by_its_name(self) -> None:
        self.assertEqual(self.sent_by(name="plugin:mine"), ["plugin:mine"] * 3)

    def test_by_its_class(self) -> None:
        self.assertEqual(self.sent_by(), ["plugin:Probe"] * 3)

    def test_by_a_name_that_no_daemon_would_take(self) -> None:
        name = "plugin:a\nb" + "c" * 100
        self.assertEqual(set(self.sent_by(name=name)), {"plugin:a b" + "c" * 70})
