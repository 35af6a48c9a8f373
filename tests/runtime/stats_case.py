"""What the tests of plugins that want statistics share."""

from __future__ import annotations

from typing import Any

import zmq

from tests.plugins.case import TIMEOUT, PluginCase, Probe


class StatsProbe(Probe):
    """Notes the statistics, too."""

    want_stats = True

    def __init__(self, *args: Any, **config: Any) -> None:
        super().__init__(*args, **config)
        self.stats: list[tuple[bytes, bytes]] = []
        self.on_stats: Any = lambda: None

    def handle_stats(self, data: tuple[bytes, bytes]) -> None:
        self.on_plugin_thread("handle_stats")
        if type(data) is not tuple or [type(part) for part in data] != [bytes, bytes]:
            self.broken.append(f"data is {data!r}")
        with self._news:
            self.stats.append(data)
            self._news.notify_all()
        self.on_stats()


class StatsPluginCase(PluginCase):
    """A daemon that says where statistics are published, and the test publishes them."""

    def setUp(self) -> None:
        super().setUp()
        self.context: zmq.Context[Any] = zmq.Context()
        self.publisher = self.context.socket(zmq.XPUB)
        self.publisher.sndhwm = 0
        self.endpoint = f"ipc://{self.daemon.directory}/stats"
        self.publisher.bind(self.endpoint)
        self.addCleanup(self.context.destroy, 0)
        self.daemon.answers["globaloptions"] = lambda properties: {
            "options": {"stats_endpoint": self.endpoint}
        }
        self.daemon.answers["status"] = lambda properties: {"status": "active"}

    def subscribed(self) -> None:
        self.assertTrue(self.publisher.poll(TIMEOUT * 1000))
        self.assertEqual(self.publisher.recv(), b"\1stat.")

    def publish(self, count: int) -> list[tuple[bytes, bytes]]:
        sent = [(b"stat.web", b"%d" % number) for number in range(count)]
        for message in sent:
            self.publisher.send_multipart(message)
        return sent
