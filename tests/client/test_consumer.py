"""Events in a loop."""

from __future__ import annotations

import json
import threading
import unittest
from typing import Any

import zmq

from cvec_circus import exc
from cvec_circus.consumer import CircusConsumer
from tests.support.leaks import LeakCheckedTestCase
from tests.support.wire import TIMEOUT


class TestConsumer(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.context: zmq.Context[Any] = zmq.Context()
        self.addCleanup(self.context.term)
        # It tells who subscribes, so nothing is published before.
        self.publisher = self.context.socket(zmq.XPUB)
        self.addCleanup(self.publisher.close, 0)
        port = self.publisher.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"

    def consumer(self, *topics: Any, **options: Any) -> CircusConsumer:
        consumer = CircusConsumer(topics, endpoint=self.endpoint, **options)
        self.addCleanup(consumer.stop)
        for _ in topics:
            self.assertTrue(self.publisher.poll(TIMEOUT * 1000))
            self.publisher.recv()
        return consumer

    def publish(self, topic: str, **payload: Any) -> None:
        self.publisher.send_multipart([topic.encode(), json.dumps(payload).encode()])

    def test_events_of_some_topics(self) -> None:
        with self.consumer("watcher.a.", b"sync.") as consumer:
            for topic in ("watcher.b.spawn", "watcher.a.spawn", "sync.x", "watcher.a.reap"):
                self.publish(topic, pid=1)
            events = consumer.iter_messages()
            self.assertEqual(next(events), (b"watcher.a.spawn", b'{"pid": 1}'))
            self.assertEqual([next(events)[0], next(events)[0]], [b"sync.x", b"watcher.a.reap"])
        events.close()

    def test_leaving_the_loop_closes_it(self) -> None:
        consumer = self.consumer("")
        self.publish("watcher.a.spawn")
        for _ in consumer:
            break
        self.assertTrue(consumer.context.closed)
        self.assertEqual(list(consumer), [])

    def test_stopped_by_another_thread(self) -> None:
        for _ in range(10):
            consumer = self.consumer("")
            seen: list[Any] = []
            thread = threading.Thread(target=lambda it=consumer, seen=seen: seen.extend(it))
            thread.start()
            self.publish("watcher.a.spawn")
            consumer.stop()
            consumer.stop()
            thread.join(TIMEOUT)
            self.assertFalse(thread.is_alive())
            self.assertTrue(consumer.context.closed)
            self.publisher.poll(TIMEOUT * 1000)
            self.publisher.recv()

    def test_a_context_of_the_programs_own(self) -> None:
        with self.consumer("", context=self.context) as consumer:
            self.assertIs(consumer.context, self.context)
        self.assertFalse(self.context.closed)

    def test_what_is_no_endpoint(self) -> None:
        with self.assertRaises(exc.SocketError):
            CircusConsumer([""], endpoint="nonsense")
        with self.assertRaisesRegex(exc.SocketError, "not the name of a machine"):
            CircusConsumer([""], ssh_server="-o")


if __name__ == "__main__":
    unittest.main()
