"""What is published goes to those who want it, and waits for none of them."""

from __future__ import annotations

import contextlib
import tempfile
from unittest import mock

import zmq

from cvec_circus.base.loop import Loop
from cvec_circus.control import publisher
from cvec_circus.control.endpoints import listen
from cvec_circus.control.publisher import Publisher
from cvec_circus.wire import zmtp
from tests.control.raw import RawClient
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase


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
        for number in range(publisher.MOST_TOPICS):
            peer.send(zmtp.control(zmtp.SUBSCRIBE, b"%d" % number))
            self.turn()
        self.until([])

    def test_long_topics_end_the_connection_that_has_most_of_them(self) -> None:
        few, many = (RawClient(self.publisher.address, b"SUB") for _ in range(2))
        self.addCleanup(few.close)
        self.addCleanup(many.close)
        few.send(zmtp.message(b"\x01a"))
        self.until([(b"a",)])
        with mock.patch.object(publisher, "MOST_BYTES_TOGETHER", 100_000):
            for number in range(100):
                with contextlib.suppress(OSError):  # it has been ended
                    many.send(zmtp.message(b"\x01%03d" % number + b"x" * 4000))
                self.turn()
            self.until([(b"a",)])
        self.assertEqual(self.publisher._together, 1 + publisher.EACH)
        with mock.patch.object(publisher, "MOST_BYTES", 1000):
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
        self.assertLessEqual(connection.unsent_bytes, publisher.MOST_UNSENT)
        seen = []
        for _ in range(100):
            topic, text = peer.receive()
            self.assertEqual(text, body)
            seen.append(int(topic))
            self.turn()
        self.assertEqual(seen, list(range(100)))
