"""Numbers for a statsd: what sends them, and the plugins that send of every event and process."""

from __future__ import annotations

import socket
import threading
import unittest
from typing import ClassVar
from unittest import mock

from cvec_circus.base import complaints
from cvec_circus.exc import OptionError
from cvec_circus.plugins import statsd
from cvec_circus.plugins.statsd import BaseObserver, FullStats, StatsdClient, StatsdEmitter
from cvec_circus.runtime.catalogue import load_class
from tests.plugins.case import TIMEOUT
from tests.plugins.observing import ObserverCase, needs_circus, process
from tests.plugins.statsd_server import StatsdServer
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase


class TestClient(LeakCheckedTestCase):
    """What it sends, and that nobody waits for it."""

    def setUp(self) -> None:
        super().setUp()
        self.server = StatsdServer(self)

    def client(self, host: str = "127.0.0.1", **given: object) -> StatsdClient:
        client = StatsdClient(host, self.server.port, **given)
        self.addCleanup(client.stop)
        return client

    def test_each_kind(self) -> None:
        client = self.client(prefix="a.b")
        client.increment("one")
        client.increment("one", 3)
        client.decrement("one")
        client.decrement("one", 2)
        client.decrement("one", -2)
        client.gauge("two", 4.5)
        client.timed("three", 12)
        client.send("four", "7|h")
        counts = ["a.b.one:1|c", "a.b.one:3|c", "a.b.one:-1|c", "a.b.one:-2|c", "a.b.one:-2|c"]
        others = ["a.b.two:4.5|g", "a.b.three:12|ms", "a.b.four:7|h"]
        self.assertEqual(self.server.take(8), counts + others)

    def test_small_and_large_numbers(self) -> None:
        client = self.client()
        for value, said in ((9.1e-05, "0.000091"), (1e20, "1" + "0" * 20), (1e-12, "0"), (2, "2")):
            client.gauge("x", value)
            self.assertEqual(self.server.next(), f"x:{said}|g")

    def test_without_a_prefix(self) -> None:
        self.client().gauge("memory", 1)
        self.assertEqual(self.server.next(), "memory:1|g")

    def test_a_name_cannot_end_itself(self) -> None:
        self.client().gauge("plugin:x y|z@0\n", 1)
        self.assertEqual(self.server.next(), "plugin_x_y_z_0_:1|g")

    def test_a_share_of_them(self) -> None:
        client = self.client(sample_rate=0.5)
        with mock.patch.object(statsd.random, "random", side_effect=[0.4, 0.5, 0.6, 0.1]):
            for number in range(4):
                client.increment("count", number)
        client.gauge("gauge", 1)
        client.send("all", "1|c", 1)
        wanted = ["count:0|c|@0.5", "count:3|c|@0.5", "gauge:1|g", "all:1|c"]
        self.assertEqual(self.server.take(4), wanted)

    def test_what_is_left_is_sent_at_the_end_and_nothing_later(self) -> None:
        client = self.client("localhost")
        for number in range(100):
            client.gauge("x", number)
        client.stop()
        client.stop()
        client.gauge("late", 1)
        self.assertEqual(self.server.take(100)[-1], "x:99|g")
        self.assertEqual(self.server.rest(), [])

    def test_one_that_is_not_used_costs_nothing(self) -> None:
        threads = threading.active_count()
        client = self.client("no.such.host.invalid")
        self.assertEqual(threading.active_count(), threads)
        client.stop()

    def test_a_host_that_is_not_found(self) -> None:
        with (
            mock.patch.object(
                statsd.socket, "getaddrinfo", side_effect=socket.gaierror("not known")
            ) as asked,
            self.assertLogs("cvec_circus", "WARNING") as logs,
        ):
            client = self.client("nowhere")
            for _ in range(50):
                client.increment("x")
            client.stop()
        self.assertEqual(asked.call_count, 1)
        self.assertEqual(len(logs.output), 1)
        told = f"statsd nowhere:{self.server.port}: not known; numbers lost: 1"
        self.assertIn(told, logs.output[0])

    def test_nobody_waits_for_a_look_up(self) -> None:
        released, asked = threading.Event(), threading.Event()
        real = socket.getaddrinfo

        def slow(*args: object, **given: object) -> object:
            asked.set()
            self.assertTrue(released.wait(TIMEOUT))
            return real(*args, **given)

        with (
            mock.patch.object(statsd.socket, "getaddrinfo", slow),
            mock.patch.object(statsd, "MOST_WAITING", 10),
        ):
            client = self.client()
            client.gauge("x", 0)
            self.assertTrue(asked.wait(TIMEOUT))
            for number in range(1, 1000):
                client.gauge("x", number)
            released.set()
            self.assertEqual(self.server.take(11)[-1], "x:10|g")  # the others are lost
            self.assertTrue(eventually(lambda: client._waiting == 0, TIMEOUT))
            client.gauge("x", 1000)
            self.assertEqual(self.server.next(), "x:1000|g")

    def test_what_cannot_be_sent(self) -> None:
        client = self.client()
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            client.gauge("x" * 70000, 1)
            client.gauge("y", 1)
            self.assertEqual(self.server.next(), "y:1|g")
        self.assertIn("numbers lost: 1", logs.output[0])


class TestEmitter(ObserverCase):
    """A number for each event."""

    def test_events_are_counted(self) -> None:
        plugin = self.make(StatsdEmitter, host="127.0.0.1", port=str(self.statsd.port))
        self.run_plugin(plugin)
        self.daemon.publish("web", "spawn", process_pid=1)
        self.daemon.publish("My Web", "reap", process_pid=1)
        self.daemon.publish("plugin:statsd", "start")
        prefix = "circus.app.watcher"
        wanted = [
            f"{prefix}.web.spawn:1|c",
            f"{prefix}.my_web.reap:1|c",
            f"{prefix}.plugin_statsd.start:1|c",
        ]
        self.assertEqual(self.statsd.take(3), wanted)

    def test_the_last_one_is_sent_too(self) -> None:
        plugin = self.make(StatsdEmitter, host="127.0.0.1", port=self.statsd.port)
        thread = self.run_plugin(plugin)
        self.daemon.publish("web", "start")
        self.statsd.next()
        self.daemon.flood(100)
        self.end(plugin, thread)
        self.assertEqual(len(self.statsd.rest()), 100)

    def test_options(self) -> None:
        plugin = self.make(StatsdEmitter, application_name="shop", sample_rate="0.1")
        client = plugin.statsd
        self.assertEqual((client.host, client.port, client.sample_rate), ("localhost", 8125, 0.1))
        self.assertEqual(client.prefix, "circus.shop.watcher")

    def test_values_that_cannot_be(self) -> None:
        for key, value in (("port", "70000"), ("port", "x"), ("sample_rate", "0")):
            with self.subTest(key), self.assertRaisesRegex(OptionError, f"^{key}: "):
                self.make(StatsdEmitter, **{key: value})

    @needs_circus
    def test_as_circus_sends_them(self) -> None:
        events = [
            (f"watcher.{name}.{action}", "{}")
            for name in ("web", "my_web")
            for action in ("spawn", "reap", "kill", "start", "stop", "hook_failure", "updated")
        ]
        theirs, ours = self.both(StatsdEmitter, events=events, application_name="shop")
        self.assertEqual(len(theirs), 14)
        self.assertEqual(ours, theirs)


class TestFullStats(ObserverCase):
    """Numbers of what processes use."""

    infos: ClassVar[dict] = {
        "web": {
            "11": process(11, cpu=10.5, mem=0.25, size="1.50M"),
            "12": process(12, cpu=20.25, mem=0.5, size="2.00G"),
        },
        "My App": {"13": process(13, cpu=0.0, mem=0.1, size="900B")},
        "idle": {},
        "plugin:full_stats": {"14": process(14)},
    }

    def full_stats(self, infos: dict) -> FullStats:
        self.daemon.answers["stats"] = lambda properties: {"infos": infos}
        return self.observer(FullStats)

    def numbers(self, infos: dict, count: int) -> list[str]:
        self.look(self.full_stats(infos))
        prefix = "circus.app.watcher._stats."
        return [line.replace(prefix, "", 1) for line in self.statsd.take(count)]

    def test_figures(self) -> None:
        found = self.numbers({"web": self.infos["web"], "idle": {}}, 8)
        wanted = "watchers_num:2|g cpu_max:20.25|g cpu_sum:30.75|g mem_pct_max:0.5|g"
        wanted += f" mem_pct_sum:0.75|g mem_max:{2 * 2**30}|g mem_sum:{2 * 2**30 + 3 * 2**19}|g"
        self.assertEqual(found[:7], [f"web.{each}" for each in wanted.split()])
        self.assertEqual(found[7:], ["idle.watchers_num:0|g"])

    def test_what_is_not_known_is_left_out(self) -> None:
        rows = {"1": process(1, cpu="N/A", size="N/A"), "2": process(2, cpu=3.0, size="N/A")}
        found = self.numbers({"web": rows}, 5)
        wanted = "watchers_num:2|g cpu_max:3.0|g cpu_sum:3.0|g mem_pct_max:2.0|g mem_pct_sum:4.0|g"
        self.assertEqual(found, [f"web.{each}" for each in wanted.split()])

    def test_an_error(self) -> None:
        self.daemon.answers.pop("stats", None)
        plugin = self.observer(FullStats)
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.look(plugin, 3)
            self.assertEqual(self.statsd.take(3), ["circus.app.watcher._stats.error:1|c"] * 3)
        self.assertEqual(len(logs.output), 1)

    def test_no_reply_is_an_error(self) -> None:
        self.daemon.muted.add("stats")
        plugin = self.observer(FullStats)
        plugin.call_timeout = 0.05
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.look(plugin)
            self.assertEqual(self.statsd.next(), "circus.app.watcher._stats.error:1|c")
        self.assertIn("there are no figures: Timed out.", logs.output[0])

    def test_it_looks_by_itself(self) -> None:
        self.daemon.answers["stats"] = lambda properties: {"infos": {"idle": {}}}
        self.observer(FullStats, loop_rate="0.01")
        self.statsd.take(3)

    @needs_circus
    def test_as_circus_sends_them(self) -> None:
        replies = {"stats": {"status": "ok", "infos": self.infos}}
        theirs, ours = self.both(FullStats, replies, looks=2)
        self.assertEqual(len(theirs), 2 * (7 + 7 + 1))
        self.assertEqual(ours, [line.replace(" ", "_") for line in theirs])

    @needs_circus
    def test_errors_as_circus_sends_them(self) -> None:
        replies = {"stats": {"status": "error", "reason": "no"}}
        theirs, ours = self.both(FullStats, replies, looks=1)
        self.assertEqual(theirs, ["circus.app.watcher._stats.error:1|c"])
        self.assertEqual(ours, theirs)


class Observer(BaseObserver):
    """One as people have them: with keys of its own, and without a schema."""

    default_app_name = "own"

    def __init__(self, *args, **config):
        super().__init__(*args, **config)
        self.unit = config.get("unit", "x")

    def handle_stop(self):
        self.period.stop()
        self.statsd.stop()

    def look_after(self):
        self.statsd.gauge(f"{self.unit}.{self.loop_rate:g}", 1)


class OwnStop(Observer):
    """One that ends as plugins of Circus did."""

    def stop(self):
        self.statsd.stop()
        super().stop()


class TestBaseObserver(ObserverCase):
    """What people subclass."""

    def test_one_of_somebody(self) -> None:
        plugin = self.observer(Observer, unit="5", loop_rate=0.01)
        self.assertEqual(self.statsd.take(2), ["circus.own.watcher.5.0.01:1|g"] * 2)
        self.assertEqual(plugin.config["unit"], "5")
        self.daemon.publish("web", "spawn")  # which it leaves alone

    def test_one_that_ends_as_those_of_circus(self) -> None:
        plugin = self.observer(OwnStop, loop_rate=0.01)
        self.statsd.take(2)
        plugin.stop()

    def test_defaults(self) -> None:
        plugin = self.make(Observer)
        self.assertEqual((plugin.loop_rate, plugin.app), (60, "own"))

    def test_a_look_that_fails(self) -> None:
        sooner = mock.patch.object(complaints, "INTERVAL", 0.05)
        plugin = self.observer(BaseObserver, loop_rate=0.01)
        with sooner, self.assertLogs("cvec_circus", "ERROR") as logs:
            self.assertTrue(eventually(lambda: len(logs.output) > 1, TIMEOUT))
            plugin.period.stop()
        self.assertIn("BaseObserver does not implement look_after", logs.output[0])
        self.assertRegex(
            logs.output[1], r" raised (once more|\d+ more times): NotImplementedError: "
        )

    def test_a_rate_that_cannot_be(self) -> None:
        with self.assertRaisesRegex(OptionError, "^loop_rate: "):
            self.make(Observer, loop_rate="0")

    def test_they_are_found_by_their_names(self) -> None:
        for name in ("StatsdEmitter", "FullStats"):
            load_class(f"cvec_circus.plugins.statsd.{name}")


if __name__ == "__main__":
    unittest.main()
