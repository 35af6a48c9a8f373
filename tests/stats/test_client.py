"""Statistics for programs: as Circus gives them, and over ssh."""

from __future__ import annotations

import threading
import unittest

import zmq

from cvec_circus import exc
from cvec_circus.stats.client import StatsClient
from tests.client.test_tunnel import fake_ssh
from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase
from tests.support.silence import silence


class TestStatsClient(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.publisher = self.context.socket(zmq.XPUB)
        self.endpoint = f"ipc://{folder(self)}/stats"
        self.publisher.bind(self.endpoint)
        self.addCleanup(self.context.destroy, 0)

    def test_what_it_yields(self) -> None:
        client = StatsClient(self.endpoint)
        self.assertEqual(self.publisher.recv(), b"\1stat.")
        for topic, payload in (
            (b"stat.a.b.7", b'{"subtopic": 7, "cpu": 1.0}'),
            (b"stat.x", b"no json"),
            (b"stat.a.b", b'{"pid": [7]}'),
            (b"stat.sockets", b'{"reads": 0}'),
        ):
            self.publisher.send_multipart([topic, payload])
        told = []
        for stat in client:
            told.append(stat)
            if len(told) == 3:
                break
        self.assertEqual(
            told,
            [
                ("a.b", "7", {"subtopic": 7, "cpu": 1.0}),
                ("a.b", None, {"pid": [7]}),
                ("sockets", None, {"reads": 0}),
            ],
        )
        client.stop()
        self.assertEqual(list(client), [])

    def test_stopped_from_another_thread(self) -> None:
        client = StatsClient(endpoint=self.endpoint)
        self.assertEqual(self.publisher.recv(), b"\1stat.")
        stopper = threading.Thread(target=client.stop)
        reading = iter(client)
        self.publisher.send_multipart([b"stat.a", b"{}"])
        self.assertEqual(next(reading), ("a", None, {}))
        stopper.start()
        self.assertEqual(list(reading), [])
        stopper.join()

    def test_over_ssh(self) -> None:
        fake_ssh(self)
        client = StatsClient(self.endpoint, "me@there")
        self.assertEqual(self.publisher.recv(), b"\1stat.")
        self.publisher.send_multipart([b"stat.a", b"{}"])
        self.assertEqual(next(iter(client)), ("a", None, {}))
        client.stop()
        silence(self)
        with self.assertRaises(exc.SocketError):
            StatsClient(self.endpoint, "nowhere")

    def test_no_endpoint(self) -> None:
        with self.assertRaises(exc.SocketError):
            StatsClient("nothing")


if __name__ == "__main__":
    unittest.main()
