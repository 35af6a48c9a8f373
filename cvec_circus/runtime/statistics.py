"""The statistics of a daemon, for a plugin that wants them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zmq

from cvec_circus import logger
from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.connect import connect, open_subscriber, received
from cvec_circus.client.endpoints import reachable
from cvec_circus.client.feed.questions import Questions
from cvec_circus.exc import SocketError

WATCHER = "circusd-stats"
"""The watcher of the process that publishes statistics."""

READ_A_TURN = 64
"""Messages delivered before events and callbacks get their turn."""

NONE = "the daemon publishes no statistics, so handle_stats is not called: set statsd = True there"


class StatsFeed:
    """Receives statistics, from the endpoint that the daemon names.

    Owned by the plugin thread. It never waits: a daemon that does not answer yet is asked again,
    and the process that publishes statistics may come and go.
    """

    def __init__(
        self,
        loop: ZmqLoop,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        label: str,
        deliver: Callable[[tuple[bytes, bytes]], bool],
    ) -> None:
        """Prepare; `open` begins.

        Args:
            loop: The loop of the thread.
            context: Where to open sockets.
            endpoint: Where the daemon answers.
            label: The plugin's name in the log.
            deliver: Called with topic and payload of each message; returns whether to go on.
        """
        self._loop = loop
        self._context = context
        self._endpoint = endpoint
        self._label = label
        self._deliver = deliver
        self._questions = Questions(loop, context, endpoint)
        self._subscriber: zmq.Socket[bytes] | None = None

    def open(self) -> None:
        """Ask the daemon where statistics are published."""
        self._questions.ask("globaloptions", {}, self._on_options)

    def close(self) -> None:
        """Close the sockets. Nothing more is delivered."""
        self._questions.drop()
        if self._subscriber is not None:
            self._loop.remove_reader(self._subscriber)
            self._subscriber.close(0)
            self._subscriber = None

    def _on_options(self, reply: dict[str, Any] | None) -> None:
        if reply is None:
            self.open()  # no answer in time
            return
        endpoint = reply.get("options", {}).get("stats_endpoint")
        if not endpoint:
            logger.warning("%s: %s", self._label, NONE)
            return
        subscriber = open_subscriber(self._context, [b"stat."])
        try:
            connect(subscriber, reachable(str(endpoint), self._endpoint))
        except SocketError as error:
            logger.warning("%s: no statistics: %s", self._label, error)
            return
        self._subscriber = subscriber
        self._loop.add_reader(subscriber, self._read)
        self._questions.ask("status", {"name": WATCHER}, self._on_status)

    def _on_status(self, reply: dict[str, Any] | None) -> None:
        """Warn if the daemon has no publisher; keep the subscription, since one may appear."""
        if reply is None:
            self._questions.ask("status", {"name": WATCHER}, self._on_status)
        elif reply.get("status") == "error":
            logger.warning("%s: %s", self._label, NONE)

    def _read(self) -> None:
        if self._subscriber is None:
            return
        for frames in received(self._subscriber, READ_A_TURN):
            if len(frames) == 2 and not self._deliver((frames[0], frames[1])):
                return
