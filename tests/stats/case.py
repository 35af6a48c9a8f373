"""What the tests of statistics share."""

from __future__ import annotations

import json
import threading
import unittest
from typing import Any, Callable
from unittest import mock

import zmq

from cvec_circus.base.clock import SYSTEM
from cvec_circus.stats import service
from tests.support.daemon import folder
from tests.support.fake_daemon import FakeDaemon
from tests.support.leaks import LeakCheckedTestCase

TIMEOUT = 20.0


class Listener:
    """Subscribes to statistics. Owned by the test.

    Attributes:
        last: The last that was told, by topic.
        topics: Every topic that came in, in order.
    """

    def __init__(self, test: unittest.TestCase, endpoint: str) -> None:
        self.last: dict[str, dict[str, Any]] = {}
        self.topics: list[str] = []
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.subscribe("stat.")
        self._socket.connect(endpoint)
        test.addCleanup(self.close)

    def close(self) -> None:
        """Let go of everything."""
        self._socket.close(0)
        self._context.term()

    def until(self, what: Callable[[], object], timeout: float = TIMEOUT) -> bool:
        """Read until something is so; tell whether it came to that."""
        deadline = SYSTEM.monotonic() + timeout
        while not what():
            left = deadline - SYSTEM.monotonic()
            if left <= 0 or not self._socket.poll(left * 1000):
                return False
            topic, payload = self._socket.recv_multipart()
            self.topics.append(topic.decode())
            self.last[topic.decode()] = json.loads(payload)
        return True

    def forget(self) -> None:
        """Begin anew."""
        self.last.clear()
        self.topics.clear()


class StatsCase(LeakCheckedTestCase):
    """A daemon that supervises nothing, and what measures its processes, quickly."""

    PACE = 0.02

    def setUp(self) -> None:
        super().setUp()
        self.daemon = FakeDaemon(str(folder(self)))
        self.addCleanup(lambda: self.daemon.stop())
        patch = mock.patch.object(service, "PACE", self.PACE)
        patch.start()
        self.addCleanup(patch.stop)

    def serve(self, listens: bool = True, **given: Any) -> service.Service:
        """Run the service in a thread of its own, and listen to it."""
        task = service.Task(
            endpoint=self.daemon.endpoint,
            pubsub_endpoint=self.daemon.pubsub_endpoint,
            stats_endpoint=f"ipc://{self.daemon.directory}/stats",
            interval=0.05,
        )
        for name, value in given.items():
            setattr(task, name, value)
        served = service.Service(task)
        thread = threading.Thread(target=served.run)
        thread.start()

        def end() -> None:
            served.loop.stop()
            thread.join(TIMEOUT)
            self.assertFalse(thread.is_alive())

        self.addCleanup(end)
        if listens:
            self.listener = Listener(self, task.stats_endpoint)
        return served
