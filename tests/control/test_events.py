"""Events: published to those who want them, without waiting for any, and kept."""

from __future__ import annotations

import contextlib
import json
import tempfile
from typing import Any
from unittest import mock

import zmq

from cvec_circus.base.loop import Loop
from cvec_circus.control import events
from cvec_circus.control.endpoints import listen
from cvec_circus.control.events import EventStream, Publisher
from cvec_circus.wire import topics, zmtp
from tests.control.raw import RawClient
from tests.support.clock import FakeClock
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase


def turn(loop: Loop) -> None:
    """Let a loop look once at what there is."""
    loop.post(loop.stop)
    loop.run()


class TestEventStream(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.context = zmq.Context()
        self.addCleanup(self.context.term)
        self.clock = FakeClock()
        self.loop = Loop(self.clock, "events")
        self.addCleanup(self.loop.close)
        self.endpoint = f"ipc://{folder.name}/events"
        self.stream = self.make(history=10)

    def make(self, history: int, seq: int = 0) -> EventStream:
        stream = EventStream(self.loop, listen("pubsub_endpoint", self.endpoint), history, seq)
        self.addCleanup(stream.close)
        return stream

    def subscribe(self) -> zmq.Socket[bytes]:
        """Make a subscriber that is known to be connected."""
        subscriber = self.context.socket(zmq.SUB)
        self.addCleanup(subscriber.close, 0)
        subscriber.subscribe(b"")
        subscriber.connect(self.stream.address)
        while not subscriber.poll(5):
            turn(self.loop)
            self.stream.sync("hello")
        while subscriber.poll(0):
            subscriber.recv_multipart()
        return subscriber

    def publish(self, name: str, action: str, cause: str, **payload: Any) -> int:
        """Publish an event by itself."""
        seq = self.stream.publish(name, action, cause, **payload)
        self.stream.send()
        return seq

    def receive(self, subscriber: zmq.Socket[bytes]) -> tuple[bytes, dict[str, Any]]:
        self.assertTrue(subscriber.poll(20_000), "nothing came")
        topic, payload = subscriber.recv_multipart()
        return topic, json.loads(payload)

    def seqs(self, since: int | None, limit: int = 500) -> list[int]:
        return [json.loads(text)["seq"] for _, text in self.stream.since(since, limit)["events"]]

    def test_one_that_goes_on_after_another(self) -> None:
        self.stream.close()
        self.stream = self.make(10, seq=1000)
        reserved: list[int] = []

        def reserve(seq: int) -> int:
            reserved.append(seq)
            return seq + 2

        self.stream.reserve = reserve
        self.assertEqual(self.stream.since(0, 5)["lost"], 0)
        for number in range(1001, 1006):
            self.assertEqual(self.publish("web", "spawn", "exit"), number)
        self.assertEqual(reserved, [1001, 1004])
        self.assertEqual(self.stream.since(7, 2)["lost"], 0, "those were of another life")
        self.assertEqual(self.seqs(7, 2), [1001, 1002])
        self.assertEqual(self.seqs(1003), [1004, 1005])

    def test_what_a_subscriber_gets(self) -> None:
        subscriber = self.subscribe()
        seq = self.publish("One Shot", "reap", "exit", process_pid=7, exit_code=-9)
        topic, payload = self.receive(subscriber)
        self.assertEqual(topic, b"watcher.one_shot.reap")
        expected = {
            "seq": seq,
            "run": self.stream.run,
            "watcher": "One Shot",
            "cause": "exit",
            "time": self.clock.wall,
            "process_pid": 7,
            "exit_code": -9,
        }
        self.assertEqual(payload, expected)

    def test_a_marker(self) -> None:
        subscriber = self.subscribe()
        self.stream.publish("web", "start", "config")
        self.stream.sync("token-1")
        self.publish("web", "stop", "config")
        received = [self.receive(subscriber)[0] for _ in range(3)]
        self.assertEqual(received, [b"watcher.web.start", b"sync.token-1", b"watcher.web.stop"])
        self.assertEqual(self.seqs(0), [1, 2])

    def test_events_go_out_together_when_they_are_sent(self) -> None:
        subscriber = self.subscribe()
        self.stream.publish("web", "reap", "exit")
        self.stream.publish("web", "spawn", "exit")
        self.assertEqual(self.seqs(0), [1, 2])
        self.assertFalse(subscriber.poll(20))
        self.assertFalse(self.stream.send())
        self.assertEqual([self.receive(subscriber)[1]["seq"] for _ in range(2)], [1, 2])

    def test_events_that_are_held_go_out_together(self) -> None:
        subscriber = self.subscribe()
        self.stream.hold = 0.002
        self.publish("web", "reap", "exit")
        self.publish("web", "spawn", "exit")
        self.assertEqual(self.seqs(0), [1, 2])
        turn(self.loop)
        self.assertFalse(subscriber.poll(20))
        self.clock.advance(0.002)
        turn(self.loop)
        self.stream.hold = 0.0
        received = [self.receive(subscriber)[1]["seq"] for _ in range(2)]
        self.publish("web", "stop", "exit")
        received.append(self.receive(subscriber)[1]["seq"])
        self.assertEqual(received, [1, 2, 3])

    def test_a_marker_and_the_end_do_not_overtake_what_is_held(self) -> None:
        subscriber = self.subscribe()
        self.stream.hold = 0.002
        self.publish("web", "start", "config")
        self.stream.sync("token-1")
        self.publish("web", "stop", "config")
        self.stream.close()
        received = [self.receive(subscriber)[0] for _ in range(3)]
        self.assertEqual(received, [b"watcher.web.start", b"sync.token-1", b"watcher.web.stop"])
        self.clock.advance(0.002)
        turn(self.loop)

    def test_names_of_every_kind(self) -> None:
        subscriber = self.subscribe()
        for name in ("a.b c:d", "é", 'quote"\\', "plugin:x", "\ud800"):
            self.publish(name, "spawn", "start", process_pid=1)
            topic, payload = self.receive(subscriber)
            self.assertEqual(payload["watcher"], name)
            if name != "\ud800":
                self.assertEqual(topics.split(topic), ("watcher", topics.fold(name), "spawn"))

    def test_the_history(self) -> None:
        empty = {"events": [], "more": False, "lost": 0, "seq": 0, "run": self.stream.run}
        self.assertEqual(self.stream.since(0, 500), empty)
        for number in range(1, 8):
            self.assertEqual(self.stream.publish("web", "spawn", "start"), number)
        self.assertEqual(self.seqs(0), [1, 2, 3, 4, 5, 6, 7])
        self.assertEqual(self.seqs(4), [5, 6, 7])
        self.assertEqual(self.seqs(7), [])
        self.assertEqual(self.seqs(10**15), [])
        self.assertEqual(self.seqs(1, limit=2), [2, 3])
        self.assertEqual(self.seqs(1, limit=0), [])
        self.assertTrue(self.stream.since(1, 2)["more"])
        self.assertTrue(self.stream.since(1, 0)["more"])
        self.assertFalse(self.stream.since(4, 3)["more"])
        self.assertEqual(self.stream.since(0, 1)["seq"], 7)

    def test_the_latest(self) -> None:
        for _ in range(7):
            self.publish("web", "spawn", "start")
        for limit, numbers, earlier in ((2, [6, 7], 5), (7, [*range(1, 8)], 0), (0, [], 7)):
            self.assertEqual(self.seqs(None, limit), numbers)
            self.assertEqual(self.stream.since(None, limit)["earlier"], earlier)
            self.assertFalse(self.stream.since(None, limit)["more"])
        self.assertNotIn("earlier", self.stream.since(0, 2))

    def test_what_the_history_no_longer_has(self) -> None:
        for _ in range(25):
            self.stream.publish("web", "spawn", "start")
        self.assertEqual(self.seqs(0), list(range(16, 26)))
        self.assertEqual(
            [self.stream.since(n, 5)["lost"] for n in (0, 14, 15, 16, 25)], [15, 1, 0, 0, 0]
        )

    def test_two_lives_are_told_apart(self) -> None:
        self.endpoint += "2"
        self.assertNotEqual(self.make(history=10).run, self.stream.run)

    def test_a_subscriber_that_never_reads_stops_nothing(self) -> None:
        self.subscribe()
        for _ in range(20_000):
            self.publish("web", "spawn", "start")
        self.assertEqual(self.stream.seq, 20_000)


class TestPublisher(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.context = zmq.Context()
        self.addCleanup(self.context.term)
        self.loop = Loop(name="events")
        self.addCleanup(self.loop.close)
        self.publisher = Publisher(self.loop, listen("pubsub_endpoint", f"ipc://{folder.name}/p"))
        self.addCleanup(self.publisher.close)

    def turn(self) -> bool:
        """Let the loop look once at what there is."""
        self.loop.post(self.loop.stop)
        self.loop.run()
        return True

    def until(self, topics: list[tuple[bytes, ...]]) -> None:
        """Wait until the subscriptions are these."""
        found = self.publisher._topics
        self.assertTrue(
            eventually(lambda: self.turn() and sorted(map(tuple, found.values())) == topics)
        )

    def subscriber(self, *topics: bytes) -> zmq.Socket[bytes]:
        sub = self.context.socket(zmq.SUB)
        self.addCleanup(sub.close, 0)
        for topic in topics:
            sub.subscribe(topic)
        sub.connect(self.publisher.address)
        return sub

    def received(self, sub: zmq.Socket[bytes], count: int) -> list[bytes]:
        topics = []
        for _ in range(count):
            self.assertTrue(sub.poll(20_000))
            topics.append(sub.recv_multipart()[0])
        return topics

    def test_topics(self) -> None:
        everything, web = self.subscriber(b""), self.subscriber(b"watcher.web.", b"sync.")
        self.until([(b"",), (b"sync.", b"watcher.web.")])
        sent = [b"watcher.web.start", b"watcher.db.start", b"sync.x", b"watcher.website.stop"]
        self.publisher.publish([(topic, b"{}") for topic in sent])
        self.assertEqual(self.received(everything, 4), sent)
        self.assertEqual(self.received(web, 2), [sent[0], sent[2]])

    def test_subscriptions_are_counted(self) -> None:
        sub = self.subscriber(b"a", b"b")
        self.until([(b"a", b"b")])
        sub.unsubscribe(b"a")
        self.until([(b"b",)])
        sub.subscribe(b"")
        self.until([(b"b", b"")])
        sub.close(0)
        self.until([])

    def test_zmtp_3_0_subscribes_by_messages(self) -> None:
        peer = RawClient(self.publisher.address, b"SUB")
        self.addCleanup(peer.close)
        peer.send(zmtp.message(b"\x01a") + zmtp.message(b"\x01b") + zmtp.message(b"nonsense"))
        self.until([(b"a", b"b")])
        peer.send(zmtp.message(b"\x00a"))
        self.until([(b"b",)])

    def test_too_many_subscriptions_end_the_connection(self) -> None:
        peer = RawClient(self.publisher.address, b"SUB")
        self.addCleanup(peer.close)
        peer.send(zmtp.message(b"\x01a"))
        self.until([(b"a",)])
        for number in range(events.MOST_TOPICS):
            peer.send(zmtp.control(zmtp.SUBSCRIBE, b"%d" % number))
            self.turn()
        self.until([])

    def test_long_topics_end_the_connection_that_has_most_of_them(self) -> None:
        few, many = (RawClient(self.publisher.address, b"SUB") for _ in range(2))
        self.addCleanup(few.close)
        self.addCleanup(many.close)
        few.send(zmtp.message(b"\x01a"))
        self.until([(b"a",)])
        with mock.patch.object(events, "MOST_BYTES_TOGETHER", 100_000):
            for number in range(100):
                with contextlib.suppress(OSError):  # it has been ended
                    many.send(zmtp.message(b"\x01%03d" % number + b"x" * 4000))
                self.turn()
            self.until([(b"a",)])
        self.assertEqual(self.publisher._together, 1 + events.EACH)
        with mock.patch.object(events, "MOST_BYTES", 1000):
            few.send(zmtp.message(b"\x01" + b"x" * 1000))
            self.until([])
        self.assertEqual(self.publisher._together, 0)

    def test_a_slow_subscriber_loses_whole_messages(self) -> None:
        peer = RawClient(self.publisher.address, b"SUB")
        self.addCleanup(peer.close)
        peer.send(zmtp.control(zmtp.SUBSCRIBE, b""))
        self.until([(b"",)])
        body = b"x" * 10_000
        for number in range(2000):
            self.publisher.publish([(b"%d" % number, body)])
        (connection,) = self.publisher._prefixes
        self.assertLessEqual(connection.unsent_bytes, events.MOST_UNSENT)
        seen = []
        for _ in range(100):
            topic, text = peer.receive()
            self.assertEqual(text, body)
            seen.append(int(topic))
            self.turn()
        self.assertEqual(seen, list(range(100)))
