"""The events of an arbiter, for a test that waits for some of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import zmq

from cvec_circus.base.zmq_loop import ZmqLoop
from cvec_circus.client.feed.sequence import EventSequence
from cvec_circus.client.feed.subscription import Subscription
from cvec_circus.wire import progress

SHOWN = 12
"""Events that a failure shows."""


class Event(NamedTuple):
    """An event as it was published, with a topic such as ``watcher.web.spawn``. Immutable."""

    topic: str
    payload: dict[str, Any]

    def says(self, topic: str, payload: dict[str, Any]) -> bool:
        """Tell whether its topic begins with that one, and its payload has all those items."""
        return self.topic.startswith(topic) and payload.items() <= self.payload.items()

    def __str__(self) -> str:
        return f"{self.topic} {self.payload}"


class EventLog:
    """The events of an arbiter, with none missing. Owned by the test's thread.

    They are received while the test waits for one; `seen` has all so far, in order.
    """

    def __init__(self, endpoint: str, pubsub_endpoint: str, since: int, run: str) -> None:
        """Subscribe to the events after number `since` of the arbiter's life `run`."""
        self.seen: list[Event] = []
        self._context: zmq.Context[Any] = zmq.Context()
        self._loop = ZmqLoop(name="events")
        self._reached: Callable[[], bool] = bool
        self._subscription = Subscription(
            self._loop,
            self._context,
            endpoint,
            pubsub_endpoint,
            EventSequence(since, run),
            progress.of_its_own(),
            self._take,
        )
        self._subscription.open()

    def _take(self, data: tuple[bytes, bytes]) -> bool:
        topic, payload = data
        self.seen.append(Event(topic.decode(), json.loads(payload)))
        if self._reached():
            self._loop.stop()
        return True

    def find(
        self, topic: str, payload: dict[str, Any], timeout: float, first: int = 0
    ) -> tuple[int, Event]:
        """Wait for an event, for `timeout` seconds at most, from the index `first` in `seen` on.

        Returns:
            Its index, and the event.

        Raises:
            AssertionError: There is none in time; the text shows the last events.
        """
        found: list[int] = []
        looked_at = first

        def reached() -> bool:
            nonlocal looked_at
            while looked_at < len(self.seen) and not found:
                if self.seen[looked_at].says(topic, payload):
                    found.append(looked_at)
                looked_at += 1
            return bool(found)

        if not reached():
            self._reached = reached
            timer = self._loop.call_later(timeout, self._loop.stop)
            self._loop.run()
            timer.cancel()
            self._reached = bool
        if not found:
            shown = "\n".join(map(str, self.seen[-SHOWN:])) or "none at all"
            wanted = f"{topic} {payload or ''}".strip()
            raise AssertionError(f"no {wanted} within {timeout:g} s; the last events:\n{shown}")
        return found[0], self.seen[found[0]]

    def close(self) -> None:
        """Close everything."""
        self._subscription.close()
        self._loop.close()
        self._context.term()
