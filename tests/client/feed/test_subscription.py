"""No event is missed: late subscriptions, drops, respawns, other daemons, the last events."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any
from unittest import mock

from cvec_circus.client.feed import subscription
from cvec_circus.wire import messages
from tests.plugins.case import TIMEOUT, PluginCase
from tests.support.eventually import eventually
from tests.support.fake_daemon import FakeDaemon


class SubscriptionCase(PluginCase):
    def received(self, plugin: Any, last: int) -> list[int]:
        """Wait for an event and return the numbers of all that have been delivered."""
        self.assertTrue(plugin.wait_for(lambda probe: last in probe.seqs), plugin.seqs)
        return list(plugin.seqs)

    def questions(self) -> list[dict]:
        return [message["properties"] for message in self.daemon.commands("events")]

    def settled(self, plugin: Any) -> None:
        """Wait until the subscription is known to work."""
        self.assertTrue(
            eventually(lambda: plugin._life._subscription and plugin._life._subscription._certain)
        )


class TestReplay(SubscriptionCase):
    def test_published_before_it_subscribed(self) -> None:
        last = self.daemon.flood(1700)
        plugin = self.make(since=0)
        self.run_plugin(plugin)
        self.assertEqual(self.received(plugin, last), list(range(1, last + 1)))

    def test_published_all_the_time(self) -> None:
        """Before, while and after it subscribes, in one go with the answers."""
        published = threading.Event()

        def publish() -> None:
            for _ in range(500):
                self.daemon.publish("web", "spawn")
            published.set()

        publisher = threading.Thread(target=publish)
        publisher.start()
        plugin = self.make(since=0)
        self.run_plugin(plugin)
        publisher.join(TIMEOUT)
        self.assertTrue(published.is_set())
        last = self.daemon.publish("web", "stop")
        self.assertEqual(self.received(plugin, last), list(range(1, last + 1)))

    def test_a_respawned_plugin(self) -> None:
        self.daemon.flood(20)
        plugin = self.make(since=12, run=self.daemon.run)
        self.run_plugin(plugin)
        self.assertEqual(self.received(plugin, 20), list(range(13, 21)))

    def test_a_respawned_plugin_after_another_daemon(self) -> None:
        self.daemon.flood(3)
        plugin = self.make(since=12, run="another")
        with self.assertLogs("cvec_circus", logging.INFO) as logs:
            self.run_plugin(plugin)
            self.assertEqual(self.received(plugin, 3), [1, 2, 3])
            self.assertTrue(eventually(lambda: logs.output))
        self.assertIn(f"the daemon has been restarted: run {self.daemon.run}", logs.output[0])

    def test_by_hand_from_now_on(self) -> None:
        self.daemon.flood(20)
        plugin = self.make(since=None)
        self.run_plugin(plugin)
        self.settled(plugin)
        last = self.daemon.publish("web", "spawn")
        self.assertEqual(self.received(plugin, last), [21])

    def test_by_hand_now_is_before_handle_init(self) -> None:
        self.daemon.flood(20)
        plugin = self.make(since=None)

        done = threading.Event()

        def init() -> None:
            self.assertTrue(eventually(self.questions))
            self.daemon.publish("web", "spawn")
            done.set()

        plugin.on_init = init
        self.run_plugin(plugin)
        self.assertTrue(done.wait(TIMEOUT))
        last = self.daemon.publish("web", "stop")
        self.assertEqual(self.received(plugin, last), [21, 22])

    def test_what_the_ring_does_not_hold_is_told_once(self) -> None:
        self.daemon.stop()
        self.daemon = FakeDaemon(history=10)
        self.daemon.flood(100)
        plugin = self.make(since=0)
        with self.assertLogs("cvec_circus", logging.WARNING) as logs:
            self.run_plugin(plugin)
            self.assertEqual(self.received(plugin, 100), list(range(91, 101)))
            last = self.daemon.publish("web", "stop")
            self.received(plugin, last)
            self.assertTrue(eventually(lambda: logs.output))
        self.assertEqual(
            logs.output,
            ["WARNING:cvec_circus:90 events missed: the daemon no longer has them"],
        )


class TestGaps(SubscriptionCase):
    def test_a_dropped_event(self) -> None:
        plugin, _ = self.running()
        self.daemon.publish("web", "spawn", sent=False)
        self.daemon.publish("web", "spawn", sent=False)
        last = self.daemon.publish("web", "stop")
        self.assertEqual(self.received(plugin, last), [1, 2, 3, 4])

    def test_drops_all_over(self) -> None:
        plugin, _ = self.running()
        for number in range(300):
            self.daemon.publish("web", "spawn", sent=number % 3 == 0)
        last = self.daemon.publish("web", "stop")
        self.assertEqual(self.received(plugin, last), list(range(1, last + 1)))

    def test_the_last_ones_of_a_long_backlog(self) -> None:
        """Nothing comes after them, so no gap shows: it asks because there were so many."""
        plugin, _ = self.running()
        self.settled(plugin)
        release = threading.Event()
        plugin.on_recv = lambda data: release.wait(TIMEOUT)

        def overflow() -> int:
            for _ in range(800):
                self.daemon._publish("web", "spawn", True, {})
            return self.daemon._publish("web", "stop", False, {})

        last = self.daemon.do(overflow)
        release.set()
        self.assertEqual(self.received(plugin, last), list(range(1, last + 1)))

    def test_it_does_not_ask_without_need(self) -> None:
        plugin, _ = self.running()
        self.settled(plugin)
        asked = len(self.questions())
        for _ in range(100):
            last = self.daemon.publish("web", "spawn")
        self.received(plugin, last)
        self.assertEqual(len(self.questions()), asked)

    def test_markers_are_none_of_the_plugins_business(self) -> None:
        plugin, _ = self.running()
        self.settled(plugin)
        topics: list[bytes] = []
        plugin.on_recv = lambda data: topics.append(data[0])
        self.daemon.answers["events"] = lambda properties: self.daemon.since(**properties)
        for marker in ("x", plugin._life._subscription._token + "-7"):
            plugin.call("events", since=0, marker=marker)
        last = self.daemon.publish("web", "stop")
        self.received(plugin, last)
        self.assertEqual(topics, [b"watcher.web.stop"])


class TestUnreliableDaemons(SubscriptionCase):
    def test_no_answer_at_first(self) -> None:
        self.daemon.muted.add("events")
        self.daemon.flood(3)
        plugin = self.make(since=0)
        with mock.patch("cvec_circus.client.feed.questions.FIRST_PATIENCE", 0.02):
            self.run_plugin(plugin)
            self.assertTrue(eventually(lambda: len(self.questions()) >= 3))
        self.daemon.muted.clear()
        self.assertEqual(self.received(plugin, 3), [1, 2, 3])

    def test_a_refusal(self) -> None:
        self.daemon.answers["events"] = lambda properties: {"status": "error", "reason": "not now"}
        plugin = self.make(since=0)
        with mock.patch.object(subscription, "LONGEST_RETRY", 0.02):
            with self.assertLogs("cvec_circus", logging.WARNING) as logs:
                self.run_plugin(plugin)
                self.assertTrue(eventually(lambda: len(logs.output) >= 2))
            del self.daemon.answers["events"]
            self.daemon.flood(3)
            self.assertEqual(self.received(plugin, 3), [1, 2, 3])
        self.assertIn("the daemon refuses to list its events: not now", logs.output[0])

    def test_an_answer_that_makes_no_sense(self) -> None:
        replies: list[Any] = [{}, {"events": 3, "run": "x", "seq": "y", "more": None}]
        self.daemon.answers["events"] = lambda properties: (
            replies.pop() if replies else self.daemon.since(**properties)
        )
        plugin = self.make(since=0)
        with mock.patch.object(subscription, "LONGEST_RETRY", 0.02):
            with self.assertLogs("cvec_circus", logging.WARNING) as logs:
                self.daemon.flood(3)  # before it subscribes: only an answer can bring them
                self.run_plugin(plugin)
                self.assertEqual(self.received(plugin, 3), [1, 2, 3])
        self.assertIn("unusable answer", logs.output[0])

    def test_a_daemon_without_events(self) -> None:
        """As the published Circus: no numbers, no replay; what comes in is delivered, with what it
        does not tell."""
        self.daemon.answers["events"] = lambda properties: {
            "status": "error",
            "reason": "unknown command: 'events'",
            "errno": messages.UNKNOWN_COMMAND,
        }
        received: list[bytes] = []
        plugin = self.make(since=None)
        plugin.handle_recv = lambda data: received.append(data[1])
        thread = self.run_plugin(plugin)

        def publish() -> bool:
            frames = [b"watcher.web.spawn", b'{"process_pid": 1, "time": 2.5}']
            self.daemon.do(self.daemon._publisher.send_multipart, frames)
            return bool(received)

        self.assertTrue(eventually(publish))
        self.end(plugin, thread)
        told = {"watcher": "web", "cause": "unknown", "process_pid": 1, "time": 2.5}
        self.assertEqual([json.loads(one) for one in received], [told] * len(received))

    def test_the_daemon_comes_later(self) -> None:
        directory, run = self.daemon.directory, self.daemon.run
        self.daemon._own_directory = False
        self.daemon.stop()
        plugin = self.make(since=None)
        with mock.patch("cvec_circus.client.feed.questions.FIRST_PATIENCE", 0.02):
            self.run_plugin(plugin)
            self.assertTrue(eventually(lambda: plugin._life.sequence.known == 0))
        self.daemon = FakeDaemon(directory)
        self.daemon._own_directory = True
        self.assertNotEqual(run, self.daemon.run)
        last = self.daemon.flood(3)
        self.assertEqual(self.received(plugin, last), [1, 2, 3])

    def test_another_daemon_takes_its_place(self) -> None:
        plugin, _ = self.running()
        directory = self.daemon.directory
        self.daemon.flood(4)
        self.received(plugin, 5)
        self.daemon._own_directory = False
        with self.assertLogs("cvec_circus", logging.INFO) as logs:
            self.daemon.stop()
            self.daemon = FakeDaemon(directory)
            self.daemon._own_directory = True
            last = self.daemon.flood(7)
            self.received(plugin, last)
            self.assertEqual(plugin.seqs, [1, 2, 3, 4, 5, *range(1, last + 1)])
            self.assertTrue(eventually(lambda: logs.output))
        self.assertIn("the daemon has been restarted", logs.output[0])


class TestLastEvents(SubscriptionCase):
    def test_delivered_before_handle_stop(self) -> None:
        """What was published before the stop is there, whatever way it has to take."""
        for dropped in (False, True):
            plugin, thread = self.running()
            at_stop: list[int] = []
            plugin.on_stop = lambda plugin=plugin, seen=at_stop: seen.extend(plugin.seqs)
            self.daemon.flood(400)
            last = self.daemon.publish("web", "stop", sent=not dropped)
            self.end(plugin, thread)
            self.assertEqual(at_stop, list(range(1, last + 1)))

    def test_what_comes_after_the_stop_does_not_hold_it_up(self) -> None:
        plugin, thread = self.running()
        flooding = threading.Event()
        flooding.set()

        def flood() -> None:
            while flooding.is_set():
                self.daemon.flood(50)

        flooder = threading.Thread(target=flood)
        flooder.start()
        with self.assertNoWarning():
            self.end(plugin, thread)
        flooding.clear()
        flooder.join(TIMEOUT)
        self.assertEqual(plugin.seqs, list(range(1, len(plugin.seqs) + 1)))

    def assertNoWarning(self) -> Any:  # noqa: N802 - as unittest names its own
        return mock.patch.object(subscription.logger, "warning", self.fail)

    def test_two_seconds_at_most(self) -> None:
        plugin, thread = self.running()
        release = threading.Event()
        plugin.on_recv = lambda data: release.wait(0.02)
        self.daemon.flood(400)
        with mock.patch.object(subscription, "LAST_EVENTS", 0.1):
            with self.assertLogs("cvec_circus", logging.WARNING) as logs:
                self.end(plugin, thread)
        self.assertIn("stopped without the last events after 0.1 s", logs.output[0])
        self.assertLess(len(plugin.seqs), 400)
        self.assertIn("handle_stop", plugin.calls)

    def test_a_daemon_that_does_not_answer(self) -> None:
        plugin, thread = self.running()
        self.settled(plugin)
        self.daemon.muted.add("events")
        with mock.patch.object(subscription, "LAST_EVENTS", 0.1):
            with self.assertLogs("cvec_circus", logging.WARNING) as logs:
                self.end(plugin, thread)
        self.assertIn("the daemon does not answer", logs.output[0])

    def test_a_daemon_that_is_gone(self) -> None:
        """What it has sent is delivered, at once, even behind a hole that nobody will fill."""
        plugin, thread = self.running()
        self.settled(plugin)
        release = threading.Event()
        plugin.on_recv = lambda data: release.wait(TIMEOUT)
        self.daemon.flood(3)
        self.assertTrue(plugin.wait_for(lambda probe: 2 in probe.seqs))
        self.daemon.muted.add("events")
        self.daemon.publish("web", "lost", sent=False)
        last = self.daemon.publish("web", "sent")
        subscriber = plugin._life._subscription
        self.daemon.stop()
        self.daemon.stop = lambda: None  # type: ignore[method-assign]
        with self.assertLogs("cvec_circus", logging.WARNING) as logs:
            release.set()
            self.assertTrue(eventually(lambda: subscriber._absent))
            self.end(plugin, thread)
        self.assertEqual(plugin.seqs, [1, 2, 3, 4, last])
        self.assertIn("1 event missed", logs.output[0])

    def test_stopped_while_it_still_replays(self) -> None:
        last = self.daemon.flood(1500)
        plugin = self.make(since=0)
        thread = self.run_plugin(plugin)
        self.assertTrue(plugin.wait_for(lambda probe: probe.seqs))
        self.end(plugin, thread)
        self.assertEqual(plugin.seqs, list(range(1, last + 1)))
