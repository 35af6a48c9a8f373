"""The connections that have something to say: whose turn it is."""

from __future__ import annotations

import heapq
import itertools

from cvec_circus.base.clock import processor_time
from cvec_circus.control.connection import Connection

FORGIVEN = 0.1
"""The part of the time that a peer may have without waiting for others."""

LONG = 0.001
"""Seconds from which processor time is asked for: on a busy machine the clock tells of others, but
asking is a system call, which takes as long as decoding a message."""


class Queue:
    """Owned by the thread of its `Connections`. Next is the peer that has had the least time.

    The time that its messages have taken is counted for each peer. It is forgiven while nothing is
    to do for the peer, down to the least of those that are queued: silence saves up no time. So
    fifty peers whose messages take long wait for each other, and one that asks for little, though
    often, waits for one message.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Connection]] = []
        self._number = itertools.count()
        self._least = 0.0
        self._now = self._processor = self._charged = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, connection: Connection, now: float) -> None:
        """Queue a connection, which is not queued."""
        connection.queued = True
        forgiven = FORGIVEN * (now - connection.worked_at)
        connection.used = max(connection.used - forgiven, self._least)
        heapq.heappush(self._heap, (connection.used, next(self._number), connection))

    def begin(self, now: float) -> None:
        """Take the time before the first message of a turn."""
        self._now, self._processor, self._charged = now, processor_time(), 0.0

    def charge(self, connection: Connection, now: float) -> None:
        """Count what a message has taken: processor time, where the two may differ by much."""
        taken, self._now = now - self._now, now
        if taken < LONG:
            self._charged += taken
        else:
            before, self._processor = self._processor, processor_time()
            taken = max(0.0, self._processor - before - self._charged)
            self._charged = 0.0
        connection.used += taken
        connection.worked_at = now

    def pop(self) -> Connection:
        """Take out the one that is next."""
        self._least, _, connection = heapq.heappop(self._heap)
        connection.queued = False
        return connection
