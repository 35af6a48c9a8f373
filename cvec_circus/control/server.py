"""The control socket: receives requests and sends each answer back to its sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from cvec_circus.control.connection import Connection, Dependant
from cvec_circus.control.connections import Connections, Incoming
from cvec_circus.control.endpoints import OURS_ALONE, Access, listen
from cvec_circus.wire import zmtp

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop

#: The part of all descriptors that clients may take.
SHARE = 0.5
#: Answers that all clients together may await: a further request with `waiting` is refused. Each
#: takes 3 kB.
MOST_AWAITED = 20_000
#: The same for one connection, and requests of any kind.
MOST_OF_ONE = 50_000

_CLIENTS = frozenset({b"DEALER", b"REQ", b"ROUTER"})


class Request:
    """What a client has sent, and the way back to it. Owned by the supervisor thread.

    Attributes:
        client: Its connection.
        frames: The first frames of its body, two at most.
        count: How many frames the body had.
        largest: Bytes of the largest one.
    """

    __slots__ = ("_connections", "_envelope", "client", "count", "frames", "largest")

    def __init__(
        self, connections: Connections, connection: Connection, message: zmtp.Message
    ) -> None:
        self._connections = connections
        self.client = connection
        # REQ sends an empty frame before the body and expects one before the answer.
        envelope = 1 if message.frame_count > 1 and not message.frames[0] else 0
        self._envelope = message.frames[:envelope]
        self.frames = message.frames[envelope:]
        self.count = message.frame_count - envelope
        self.largest = message.largest

    def send(self, answer: bytes) -> None:
        """Send the answer; a client that is gone or does not read loses it."""
        self._connections.send(self.client, zmtp.message(*self._envelope, answer))

    def take(self) -> bytes:
        """Return the only frame, and keep it no longer."""
        (body,), self.frames = self.frames, ()
        return body

    def keep(self, reply: Dependant, waits: bool) -> bool:
        """Call `client_gone` of a reply when its client is gone; return whether there is room.

        Args:
            reply: The reply.
            waits: Whether it may take long.
        """
        if waits and self._connections.dependants >= MOST_AWAITED:
            return False
        if len(self.client.dependants) >= MOST_OF_ONE:
            return False
        self._connections.depend(self.client, reply)
        return True

    def release(self, reply: Dependant) -> None:
        """Forget a reply."""
        self._connections.release(self.client, reply)


class ControlServer:
    """The ROUTER of the control endpoint. Owned by the supervisor thread.

    It listens at once; clients wait for `open`. DEALER clients send one frame; REQ clients send an
    empty one before it and get one back. `control.connections` lists what a client may do.

    Args:
        loop: The supervisor's loop.
        endpoint: Where to listen.
        dispatch: Called with each request.
        access: Who may connect to an ipc endpoint.

    Attributes:
        address: The real endpoint.

    Raises:
        SocketError: It cannot listen there.
    """

    def __init__(
        self,
        loop: Loop,
        endpoint: str,
        dispatch: Callable[[Request], object],
        access: Access = OURS_ALONE,
    ) -> None:
        self._dispatch = dispatch
        listener = listen("endpoint", endpoint, access)
        self.address = listener.address
        self._connections = Connections(loop, listener, b"ROUTER", _CLIENTS, self._receive, SHARE)

    def open(self) -> None:
        """Begin to accept clients and to read their requests."""
        self._connections.open()

    def close(self) -> None:
        """Stop listening and close the connections; answers on their way still go out."""
        self._connections.close()

    def finish(self) -> None:
        """Answer what has come in by now, after the loop has ended."""
        self._connections.drain()

    def _receive(self, connection: Connection, incoming: Incoming) -> None:
        if isinstance(incoming, zmtp.Message):
            self._dispatch(Request(self._connections, connection, incoming))
