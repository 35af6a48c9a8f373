"""`StatsClient`: statistics, read in a loop."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from typing import Any, Optional

import zmq

from cvec_circus.client.consumer import CircusConsumer
from cvec_circus.client.endpoints import DEFAULT_ENDPOINT_STATS
from cvec_circus.compat.paths import finder
from cvec_circus.stats.payloads import STAT, read

Stat = tuple[str, Optional[str], dict[str, Any]]


class StatsClient(CircusConsumer):
    """The statistics of a daemon, message by message. Owned by the thread that reads.

    >>> for watcher, subtopic, stat in StatsClient():  # doctest: +SKIP
    ...     print(watcher, subtopic, stat)

    `stop` ends the reading; it is safe from any thread.
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
            ssh_server: The machine of the endpoint, reached by the system's ssh; None for this one.
            context: The context to open the socket in; by default one of its own.

        Raises:
            SocketError: The endpoint is invalid, or ssh fails.
        """
        super().__init__([f"{STAT}."], context, endpoint, ssh_server)

    def __iter__(self) -> Iterator[Stat]:  # type: ignore[override]
        return self.iter_messages()

    def iter_messages(self) -> Iterator[Stat]:  # type: ignore[override]
        """Yield a watcher's name as topics have it, a pid as text or None for the sum of all, and
        the measurements, until `stop`; leaving the loop stops it, too.

        The name is ``circus`` for the processes of the daemon itself, and ``sockets`` for listening
        sockets: those have the number of a socket in the place of a pid.
        """
        for topic, payload in super().iter_messages():
            try:
                stat = read(topic, payload)
            except (ValueError, RecursionError):
                continue  # not of a daemon's statistics
            yield stat


__getattr__ = finder(__name__)

if __name__ == "__main__":  # in Circus, this module is the top; ours is built on it
    runpy.run_module("cvec_circus.top.main", run_name="__main__", alter_sys=True)
