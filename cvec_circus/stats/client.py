"""Reading statistics in a loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

import zmq

from cvec_circus.client.connect import DEFAULT_ENDPOINT_STATS
from cvec_circus.client.consumer import CircusConsumer
from cvec_circus.stats.payloads import STAT, read

Stat = tuple[str, Optional[str], dict[str, Any]]


class StatsClient(CircusConsumer):
    """What a daemon's processes use, one message after the other. Owned by the thread that reads.

    >>> for watcher, subtopic, stat in StatsClient():  # doctest: +SKIP
    ...     print(watcher, subtopic, stat)

    `stop` is safe from any thread, and ends the reading.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT_STATS,
        ssh_server: str | None = None,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
    ) -> None:
        """Subscribe.

        Args:
            endpoint: Where statistics are published.
            ssh_server: The machine that this is an endpoint of, None for this one; it is reached by
                the system's ssh.
            context: The context to open the socket in; by default one of its own.

        Raises:
            SocketError: That is no endpoint, or ssh does not get there.
        """
        super().__init__([f"{STAT}."], context, endpoint, ssh_server)

    def __iter__(self) -> Iterator[Stat]:  # type: ignore[override]
        return self.iter_messages()

    def iter_messages(self) -> Iterator[Stat]:  # type: ignore[override]
        """Yield the watcher's name as topics have it, the pid of a process or None for the sum of
        all, both as text, and what is told of it; until `stop`, which leaving the loop means, too.

        The name is ``circus`` for the processes of the daemon itself, ``sockets`` for listening
        sockets, which have the number of a socket in the place of a pid.
        """
        for topic, payload in super().iter_messages():
            try:
                stat = read(topic, payload)
            except (ValueError, RecursionError):
                continue  # published by something else
            yield stat
