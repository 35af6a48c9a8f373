"""Connections to an endpoint: the acceptor, a connection, and the queue of those with work."""

from __future__ import annotations

import errno
import heapq
import itertools
import os
import select
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from cvec_circus import logger
from cvec_circus.base.clock import Clock, processor_time
from cvec_circus.system import files
from cvec_circus.wire import zmtp

if TYPE_CHECKING:
    from cvec_circus.control.endpoints import Listener
    from cvec_circus.sockets.unix import OwnPath
    from cvec_circus.system.handover import Handover
    from cvec_circus.system.own_file import Finding

NOT_NOW = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)
"""Errors of a socket whose peer is there: no room for more, or no memory."""

FORGIVEN = 0.1
"""The share of the time that a peer may use without waiting for others."""

LONG = 0.001
"""Seconds above which processor time is measured: on a busy machine the clock counts other programs
too, but measuring is a system call, which takes as long as decoding a message."""

#: Connections accepted within one turn.
ACCEPTS = 64
#: Connections that an endpoint always accepts, however few descriptors are left.
GUARANTEED = 8
#: The share of the connections at which room is reported again: not after each that closes.
_EASE = 0.9
#: Seconds between two log lines.
_PAUSE = 1.0

_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_CREDENTIALS = struct.Struct("=iII")


class Dependant(Protocol):
    """An object that ends with a connection. Owned by the supervisor thread."""

    def client_gone(self) -> None:
        """Note that the peer is gone: nothing more can be sent to it."""


class Connection:
    """One peer. Owned by the thread of its `Connections`."""

    __slots__ = tuple(
        "_credentials decoder dependants fd half_since held is_open queued since sock unsent"
        " unsent_bytes used worked_at".split()
    )

    def __init__(self, sock: socket.socket, peers: frozenset[bytes], now: float) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.decoder = zmtp.Decoder(peers)
        self.dependants: set[Dependant] = set()
        self.is_open = True  # something can still be sent to it
        self.queued = False
        self.held = 0  # bytes of an incomplete message
        self.half_since = 0.0
        self.since = now  # connected, or last sent something
        self.unsent: deque[bytes | memoryview] = deque()
        self.unsent_bytes = 0
        self.used = 0.0  # seconds that its messages have taken, compared with those of others
        self.worked_at = now  # when the last of them was done
        self._credentials: tuple[int, int] | None = None

    def send_now(self, content: bytes | memoryview) -> int:
        """Send what can go now; return the number of bytes. Raises OSError if the peer is gone."""
        try:
            return self.sock.send(content)
        except OSError as error:
            if error.errno not in NOT_NOW:
                raise
            return 0

    def take(self, size: int) -> tuple[zmtp.Message | zmtp.Control | None, bool]:
        """Read up to `size` bytes; return the next message, and whether there may be more to read.

        Raises:
            OSError: There is nothing to read now, or the peer is gone.
            Violation: The connection cannot go on.
        """
        received = self.sock.recv(size)
        if not received:
            raise ConnectionAbortedError
        try:
            self.decoder.feed(received)
            return self.decoder.decode(), len(received) == size
        except MemoryError:
            raise zmtp.Violation("no memory for what it has sent") from None  # a part is lost

    def credentials(self) -> tuple[int, int] | None:
        """Return pid and uid of the peer when it connected; None unless it is on a unix socket."""
        if self._credentials is None and self.is_open and self.sock.family == socket.AF_UNIX:
            found = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, _ = _CREDENTIALS.unpack(found)
            self._credentials = pid, uid
        return self._credentials

    def read_away(self) -> None:
        """Read what is unread: otherwise TCP resets the connection and the last answer is lost."""
        try:
            for _ in range(16):
                if not self.sock.recv(65536):
                    return
        except OSError:
            return  # nothing is left to read, or the client is gone


class Queue:
    """The connections with work; next is the one that has used the least time.

    Owned by the thread of its `Connections`. The time that a peer's messages take is counted; while
    it has no work, its count is raised to the least of those queued, so silence saves up no time.
    So fifty peers with slow messages wait for each other, and one with frequent cheap messages
    waits for one of theirs.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Connection]] = []
        self._number = itertools.count()
        self._least = 0.0
        self._now = self._processor = self._charged = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, connection: Connection, now: float) -> None:
        """Queue a connection that is not queued."""
        connection.queued = True
        forgiven = FORGIVEN * (now - connection.worked_at)
        connection.used = max(connection.used - forgiven, self._least)
        heapq.heappush(self._heap, (connection.used, next(self._number), connection))

    def begin(self, now: float) -> None:
        """Take the time before the first message of a turn."""
        self._now, self._processor, self._charged = now, processor_time(), 0.0

    def charge(self, connection: Connection, now: float) -> None:
        """Count the time of a message: processor time, where the two may differ much."""
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
        """Take out the next one."""
        self._least, _, connection = heapq.heappop(self._heap)
        connection.queued = False
        return connection


class Door:
    """Accepts connections while there is room. Owned by the thread of its loop.

    While there is none, new connections wait in the kernel and nothing wakes the loop for them:
    call `look` from time to time while it returns True.

    Args:
        listener: Where they come from; closed with this.
        epoll: Reports new ones.
        clock: For the log.
        count: Returns how many there are.
        share: The share of all descriptors that they may take.
    """

    def __init__(
        self,
        listener: Listener,
        epoll: select.epoll,
        clock: Clock,
        count: Callable[[], int],
        share: float,
    ) -> None:
        self.fd = listener.fd
        self.address = listener.address
        self._listener = listener
        self._epoll = epoll
        self._clock = clock
        self._count = count
        self._share = share
        self._is_open = False
        self._said_full = False
        self._said_at = float("-inf")

    def open(self) -> None:
        """Accept from now on; if the system has no memory for that, `look` tries again."""
        try:
            self._epoll.register(self.fd, select.EPOLLIN)
        except OSError as error:
            logger.warning("%s: cannot accept connections yet: %s", self.address, error.strerror)
        else:
            self._is_open = True

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()  # which takes it out of the epoll

    @property
    def file(self) -> str:
        """See `OwnFile.file`."""
        return "" if self._listener.own_path is None else self._listener.own_path.path

    def hand_over(self, out: Handover) -> list[Any]:
        """Hand the listening socket to the program that is to be executed."""
        return [out.file(self.fd), self.address, self._listener.own_path]

    def look_after(self) -> Finding | None:
        """See `OwnFile.look_after`."""
        own = self._listener.own_path
        return None if own is None else own.look_after("endpoint", self._anew)

    def _anew(self, own: OwnPath) -> Callable[[], object]:
        return partial(self._take, self._listener.again())

    def _take(self, fresh: Listener) -> None:
        """Accept from another socket, under the same number."""
        if self._listener.sock.fileno() == -1:
            fresh.close()
            return
        with fresh.sock:
            if self._is_open:
                self._epoll.unregister(self.fd)
            os.dup2(fresh.fd, self.fd, inheritable=False)
        self._listener = self._listener._replace(own_path=fresh.own_path)
        if self._is_open:
            self.open()

    def accept(self) -> Iterator[socket.socket]:
        """Yield new connections for which there is room, `ACCEPTS` at most."""
        for _ in range(ACCEPTS):
            if not self._has_room():
                self._shut()
                return
            try:
                sock, _ = self._listener.sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _SHORT:
                    self._shut()
                return  # it was gone before it was accepted
            yield sock

    def look(self) -> bool:
        """Accept again when there is room; return whether to look again later."""
        if not self._is_open and self._has_room():
            self.open()
        if self._said_full and self._is_open and self._count() < self._most() * _EASE:
            self._said_full, self._said_at = False, self._clock.monotonic()
            logger.info("%s: accepting connections again", self.address)
        return self._said_full or not self._is_open

    def _shut(self) -> None:
        """Accept no more."""
        self._is_open = False
        self._epoll.unregister(self.fd)
        now = self._clock.monotonic()
        if not self._said_full and now - self._said_at >= _PAUSE:
            self._said_full, self._said_at = True, now
            logger.warning(
                "%s: %d connections; no more are accepted until some close (ulimit -n: %d)",
                self.address,
                self._count(),
                files.limit(),
            )

    def _has_room(self) -> bool:
        """Return whether there is room for one more beside what children need."""
        count = self._count()
        if count < GUARANTEED:
            return True
        return count < self._most() and files.has_room_for_others(self.fd)

    def _most(self) -> float:
        """Return how many there may be at once."""
        return files.limit() * self._share
