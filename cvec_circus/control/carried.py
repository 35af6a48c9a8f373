"""Connections that stay open while an exec replaces this program.

Nothing is closed, so peers only notice a slower answer: what they send meanwhile waits in the
kernel, and subscriptions continue.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus.control.connection import Connection, Queue

if TYPE_CHECKING:
    from cvec_circus.base.clock import Clock
    from cvec_circus.base.loop import Loop
    from cvec_circus.system.handover import Handover, Inherited


class Carried:
    """The part of `Connections` that hands them over. Owned by the thread of its loop."""

    if TYPE_CHECKING:  # of `Connections`
        _clock: Clock
        _epoll: select.epoll
        _loop: Loop
        _open: dict[int, Connection]
        _peers: frozenset[bytes]
        _posted: bool
        _queue: Queue
        _slow: set[Connection]
        _unsent: int

        def _account(self, connection: Connection, is_whole: bool) -> None: ...
        def _look_later(self) -> None: ...
        def _turn(self) -> None: ...

    refuses = False
    """Whether errors are given because the program is about to be replaced."""

    def hand_over(self, out: Handover) -> list[dict[str, Any]]:
        """Hand all connections to the program that is to be executed."""
        return [
            {
                "fd": out.file(fd),
                "decoder": connection.decoder.to_state(),
                "unsent": out.block(b"".join(connection.unsent)),
            }
            for fd, connection in self._open.items()
        ]

    def take_over(
        self, inherited: Inherited, rows: Iterable[Mapping[str, Any]]
    ) -> Iterator[Connection]:
        """Resume connections; yield each."""
        now = self._clock.monotonic()
        for row in rows:
            connection = Connection(
                socket.socket(fileno=inherited.file(row["fd"])), self._peers, now
            )
            connection.sock.setblocking(False)
            connection.decoder.restore(row["decoder"])
            self._open[connection.fd] = connection
            unsent = inherited.block(row["unsent"])
            connection.unsent = deque([unsent] if unsent else ())
            connection.unsent_bytes = len(unsent)
            self._unsent += len(unsent)
            if unsent:
                self._slow.add(connection)
            self._epoll.register(connection.fd, select.EPOLLOUT if unsent else select.EPOLLIN)
            self._account(connection, False)
            if connection.decoder.held and not unsent:
                self._queue.put(connection, now)  # a whole message may be in it
            yield connection
        if self._queue and not self._posted:
            self._posted = self._loop.post(self._turn)
        self._look_later()
