"""The connections that have something to say: whose turn it is."""

from __future__ import annotations

import heapq
import itertools

from cvec_circus.control.connection import Connection


class Queue:
    """Owned by the thread of its `Connections`. Next is the peer that has had the least time.

    The time that its messages have taken is counted for each peer. One that comes, or comes back,
    begins with the least of those that are queued: silence saves up no time. So fifty peers whose
    messages take long wait for each other, and one that asks for little waits for one message.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Connection]] = []
        self._number = itertools.count()
        self._least = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, connection: Connection) -> None:
        """Queue a connection, which is not queued."""
        connection.queued = True
        connection.used = max(connection.used, self._least)
        heapq.heappush(self._heap, (connection.used, next(self._number), connection))

    def pop(self) -> Connection:
        """Take out the one that is next."""
        self._least, _, connection = heapq.heappop(self._heap)
        connection.queued = False
        return connection
