"""The connections to one endpoint: accepted, read in turn, written to, and closed.

Nothing here waits, and everything has a bound, because a peer may do anything at all:

==========================  ============================================================
what a peer may do          what happens
==========================  ============================================================
connect very often          a share of the descriptors; then none is accepted until some close
say nothing at first        the connection is closed after `HANDSHAKE` seconds
send half a message         the same after `HALF_A_MESSAGE` seconds; the oldest is closed when all
                            together hold more than `HALF_MESSAGES` bytes
send without end            `BUDGET` seconds a turn for all of them; next is always the one that has
                            used the least time, so costly requests delay their sender most
never read                  nothing is read from it; above `MOST_UNSENT` bytes it loses what comes
                            on top, and after `UNREAD` seconds it is closed; the one with most
                            unsent is closed when all together have more than `MOST_UNSENT_TOGETHER`
==========================  ============================================================
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Union

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM
from cvec_circus.control.carried import Carried
from cvec_circus.control.connection import NOT_NOW, Connection, Dependant, Door, Queue
from cvec_circus.system import files, memory
from cvec_circus.wire import zmtp

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop
    from cvec_circus.control.endpoints import Listener

#: Seconds that a turn spends on requests at most; one is always carried out.
BUDGET = 0.003
#: Peers to look at in one turn: for its default of a thousand, epoll needs a block of 12 KiB.
PEERS_A_TURN = 64
#: Bytes to read at once: of a small message, and of a large one.
SMALL_READ, LARGE_READ = 4096, 65536
#: Seconds for a peer to greet, to finish a message, and to read some of what waits for it.
HANDSHAKE, HALF_A_MESSAGE, UNREAD = 30.0, 30.0, 60.0
#: Bytes of incomplete messages of all peers together.
HALF_MESSAGES = 32 << 20
#: Bytes that wait for one peer, and for all peers together.
MOST_UNSENT, MOST_UNSENT_TOGETHER = 16 << 20, 64 << 20
#: Seconds between two checks for those that take too long, and for room.
LOOK = 1.0
#: Seconds for which a closing endpoint still sends the last reply and the last events.
LINGER = 0.25

_READ, _WRITE = select.EPOLLIN, select.EPOLLOUT

Incoming = Union[zmtp.Message, zmtp.Control]


class Connections(Carried):
    """All connections to one endpoint. Owned by the thread of its loop.

    They share one epoll, so that the loop polls one more source, not thousands. A peer is queued
    when it is readable; a turn takes one message after another until `BUDGET` is spent.

    Args:
        loop: The loop.
        listener: Accepts them; closed with this.
        socket_type: Our ZeroMQ type.
        peers: The types that peers may have.
        receive: Called with a connection and a message or command from it.
        share: The share of all descriptors that they may take.
        gone: Called with a connection that was closed.

    Attributes:
        address: The real endpoint.
        dependants: How many dependants all connections have.
        door: Where they come in.
    """

    def __init__(
        self,
        loop: Loop,
        listener: Listener,
        socket_type: bytes,
        peers: frozenset[bytes],
        receive: Callable[[Connection, Incoming], object],
        share: float,
        gone: Callable[[Connection], object] = lambda connection: None,
    ) -> None:
        self._loop = loop
        self._clock = loop.clock
        self.address = listener.address
        self._opening = zmtp.opening(socket_type)
        self._peers = peers
        self._receive = receive
        self._gone = gone
        self.dependants = 0
        try:
            self._epoll = select.epoll()
        except OSError:
            listener.close()
            raise
        self._open: dict[int, Connection] = {}
        self.door = Door(listener, self._epoll, loop.clock, self.__len__, share)
        self._queue = Queue()
        self._half: dict[Connection, None] = {}
        self._held = 0
        self._slow: set[Connection] = set()
        self._unsent = 0
        self._have_left = False
        self._posted = self._looks = False

    def __len__(self) -> int:
        return len(self._open)

    def open(self) -> None:
        """Begin to accept and to read."""
        memory.give_back(self._clock)  # so that the smallest size is known
        self._loop.add_reader(self._epoll, self._readable)
        self.door.open()
        self._look_later()

    def send(self, connection: Connection, encoded: bytes, most: int = MOST_UNSENT) -> bool:
        """Send messages; what the peer does not take at once waits until it has read.

        At most `most` bytes wait for it; more are lost.

        Returns:
            Whether they were sent or wait; no promise that they arrive.
        """
        if not connection.is_open:
            return False
        sent = 0
        if connection.unsent:
            if connection.unsent_bytes + len(encoded) > most:
                return False
        else:
            try:
                sent = connection.send_now(encoded)
            except OSError:
                return False  # the epoll reports that too, and the connection is closed
            if sent == len(encoded):
                return True
            connection.since = self._clock.monotonic()
            self._epoll.modify(connection.fd, _WRITE)
        connection.unsent.append(memoryview(encoded)[sent:] if sent else encoded)
        connection.unsent_bytes += len(encoded) - sent
        self._slow.add(connection)
        if self._unsent <= MOST_UNSENT_TOGETHER < self._unsent + len(encoded) - sent:
            self._loop.post(self._relieve)  # not here: the sender may go through all connections
        self._unsent += len(encoded) - sent
        self._look_later()
        return True

    def depend(self, connection: Connection, dependant: Dependant) -> None:
        """Call `client_gone` when a connection is gone."""
        if connection.is_open:
            connection.dependants.add(dependant)
            self.dependants += 1

    def release(self, connection: Connection, dependant: Dependant) -> None:
        """Forget a dependant."""
        if dependant in connection.dependants:
            connection.dependants.remove(dependant)
            self.dependants -= 1

    def end(self, connection: Connection, why: str) -> None:
        """Close a connection whose peer breaks the rules."""
        if connection.is_open:
            logger.debug("%s: connection closed: %s", self.address, why)
            self._let_go(connection)

    def drain(self) -> None:
        """Carry out everything received so far, after the loop has ended."""
        for fd, _ in [] if self._epoll.closed else self._epoll.poll(0):
            self._queue_up(fd)
        while self._queue:
            connection = self._queue.pop()
            while connection.is_open and self._step(connection):
                pass

    def close(self) -> None:
        """Close everything; pending output is still sent, for `LINGER` seconds at most."""
        if self._epoll.closed:
            return
        self._loop.remove_reader(self._epoll)
        self.door.close()
        deadline = SYSTEM.monotonic() + LINGER
        while any(connection.unsent for connection in self._open.values()):
            for fd, events in self._epoll.poll(max(0.0, deadline - SYSTEM.monotonic())):
                connection = self._open[fd]
                if not connection.unsent:
                    self._epoll.modify(fd, 0)
                    if events & ~_READ:
                        self._let_go(connection)
                else:
                    self._flush(connection)
            if SYSTEM.monotonic() >= deadline:
                break
        self._looks = True  # no timer is wanted any more
        for connection in list(self._open.values()):
            connection.read_away()
            self._let_go(connection)
        self._epoll.close()

    # -- a turn -----------------------------------------------------------------------------------

    def _readable(self) -> None:
        if not self._posted:  # else the post does it
            self._turn()

    def _turn(self) -> None:
        self._posted = False
        if self._epoll.closed:
            return
        try:
            for fd, _ in self._epoll.poll(0, PEERS_A_TURN):
                self._queue_up(fd)
            now = self._clock.monotonic()
            ends = now + BUDGET
            self._queue.begin(now)
            while self._queue:
                connection = self._queue.pop()
                is_more = connection.is_open and self._step(connection)
                now = self._clock.monotonic()
                self._queue.charge(connection, now)
                if is_more:
                    self._queue.put(connection, now)
                if now >= ends:
                    break
        finally:
            if self._queue:
                self._posted = self._loop.post(self._turn)

    def _queue_up(self, fd: int) -> None:
        """Queue a peer that is readable, or write to one that is writable again."""
        if fd == self.door.fd:
            for sock in self.door.accept():
                self._begin(sock)
            self._look_later()
            return
        connection = self._open.get(fd)
        if connection is None:
            return  # closed since
        if connection.unsent:
            self._flush(connection)
        if connection.is_open and not connection.unsent and not connection.queued:
            self._queue.put(connection, self._clock.monotonic())

    def _step(self, connection: Connection) -> bool:
        """Take one message of a peer; return whether there may be another."""
        if connection.unsent:
            return False  # it is queued again when it has read what waits for it
        decoder = connection.decoder
        is_more = True
        try:
            found = decoder.decode() if connection.held else None
            if found is None:
                found, is_more = connection.take(LARGE_READ if decoder.is_large else SMALL_READ)
        except zmtp.Violation as violation:
            self.end(connection, str(violation))
            return False
        except OSError as error:
            if error.errno not in NOT_NOW:
                self._let_go(connection)
            return False
        is_whole = found is not None and found is not zmtp.PART
        self._account(connection, is_whole)
        if is_whole:
            assert found is not None
            if isinstance(found, zmtp.Control) and found.name == zmtp.PING:
                self.send(connection, zmtp.control(b"PONG", found.body[2:18]))
            else:
                self._receive(connection, found)
        return is_more or (decoder.held > 0 and found is not None)

    def _flush(self, connection: Connection) -> None:
        """Send what waits for a peer."""
        unsent = connection.unsent
        try:
            while unsent:
                sent = connection.send_now(unsent[0])
                if not sent:
                    return
                connection.unsent_bytes -= sent
                self._unsent -= sent
                connection.since = self._clock.monotonic()
                if sent < len(unsent[0]):
                    unsent[0] = memoryview(unsent[0])[sent:]
                else:
                    unsent.popleft()
        except OSError:
            self._let_go(connection)
            return
        self._slow.discard(connection)
        self._epoll.modify(connection.fd, _READ)

    def _relieve(self) -> None:
        """Close peers that take too much memory because they do not read."""
        while self._unsent > MOST_UNSENT_TOGETHER:
            worst = max(self._slow, key=lambda connection: connection.unsent_bytes)
            self.end(worst, "too much unsent to peers that do not read")

    # -- coming and going -------------------------------------------------------------------------

    def _begin(self, sock: socket.socket) -> None:
        if files.given_limit() is not None:
            sock = socket.socket(fileno=files.moved_up(sock.detach()))
        try:
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._epoll.register(sock, _READ)
        except OSError as error:
            sock.close()
            logger.debug("%s: connection closed: %s", self.address, error)
            return
        connection = Connection(sock, self._peers, self._clock.monotonic())
        self._open[connection.fd] = connection
        self.send(connection, self._opening)
        self._look_later()

    def _let_go(self, connection: Connection) -> None:
        """Close a connection, and notify what depends on it."""
        connection.is_open = False
        self._have_left = True
        self._look_later()
        del self._open[connection.fd]
        self._half.pop(connection, None)
        self._held -= connection.held
        connection.sock.close()  # which takes it out of the epoll
        self._slow.discard(connection)
        self._unsent -= connection.unsent_bytes
        connection.unsent.clear()
        connection.unsent_bytes = 0
        self._gone(connection)
        dependants, connection.dependants = connection.dependants, set()
        self.dependants -= len(dependants)
        for dependant in dependants:
            dependant.client_gone()

    # -- those that take too long -----------------------------------------------------------------

    def _account(self, connection: Connection, is_whole: bool) -> None:
        """Count the bytes of incomplete messages, and enforce their limit."""
        held = connection.decoder.held
        self._held += held - connection.held
        connection.held = held
        if is_whole or not held:
            self._half.pop(connection, None)
        if held and connection not in self._half:
            self._half[connection] = None
            connection.half_since = self._clock.monotonic()
            self._look_later()
        while self._held > HALF_MESSAGES:
            oldest = next((c for c in self._half if c.held > SMALL_READ), None)
            if oldest is None:
                return  # a few bytes of very many peers, whose number is bounded
            self.end(oldest, "too many half messages")

    def _look_later(self) -> None:
        if not self._looks:
            self._looks = True
            self._loop.call_later(LOOK, self._look)

    def _look(self) -> None:
        """Close peers that take too long, accept again when there is room, return memory."""
        self._looks = False
        if self._epoll.closed:
            return
        now = self._clock.monotonic()
        late = False
        for connection in list(self._open.values()):
            if not connection.decoder.ready:
                since, limit, why = connection.since, HANDSHAKE, "it did not greet"
            elif connection.unsent:
                since, limit, why = connection.since, UNREAD, "it does not read"
            elif connection.held:
                since, limit, why = connection.half_since, HALF_A_MESSAGE, "half a message"
            else:
                continue
            late = True
            if now - since > limit:
                self.end(connection, why)
        self._have_left = self._have_left and memory.give_back(self._clock)
        if self.door.look() or late or self._have_left:
            self._look_later()
