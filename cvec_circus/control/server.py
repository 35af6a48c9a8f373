"""The control socket: takes requests in turn and sends every answer back to its sender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable

import zmq

from cvec_circus.control.endpoints import OURS_ALONE, Access, bind, close
from cvec_circus.control.replies import Send
from cvec_circus.wire.messages import DROP_FRAME

if TYPE_CHECKING:
    from zmq import Context

    from cvec_circus.base.loop import Loop

#: Requests taken before the loop looks at anything else: nobody's storm of requests may hold up
#: the replacement of somebody's dead process.
TURN = 64


class ControlServer:
    """Owned by the supervisor thread. A ROUTER socket on the loop.

    DEALER clients send one frame; REQ clients send an empty one before it and get one back. A peer
    that is gone, or that does not read its answers, loses them: nothing here ever waits for one. A
    frame that is larger than `DROP_FRAME` ends its sender's connection before it is in memory.

    Attributes:
        address: Where the socket really listens.
    """

    def __init__(
        self,
        loop: Loop,
        context: Context[Any],
        endpoint: str,
        dispatch: Callable[[Sequence[bytes], Send], object],
        access: Access = OURS_ALONE,
    ) -> None:
        """Bind the socket; what comes in waits for `open`.

        Args:
            loop: The supervisor's loop.
            context: The process' zmq context.
            endpoint: Where to listen.
            dispatch: Called with the frames of a request and what sends its answer.
            access: Who may connect to an ipc endpoint.

        Raises:
            SocketError: The endpoint cannot be bound.
        """
        self._loop = loop
        self._dispatch = dispatch
        self._socket = context.socket(zmq.ROUTER)
        self._socket.maxmsgsize = DROP_FRAME
        self._bound = bind(self._socket, "endpoint", endpoint, access)
        self.address = self._bound.address

    def open(self) -> None:
        """Begin to read what has come in, and what comes."""
        self._loop.add_reader(self._socket, self._read)

    def close(self) -> None:
        """Stop reading and close the socket; answers on their way still go out."""
        if not self._socket.closed:
            self._loop.remove_reader(self._socket)
            close(self._socket, self._bound)

    def finish(self) -> None:
        """Answer what has come in by now, after the loop has ended: nobody reads any more."""
        if not self._socket.closed:
            self._read()

    def _read(self) -> None:
        """Take what has come in, a turn's worth at most; the loop comes back for the rest."""
        for _ in range(TURN):
            try:
                frames = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._one(frames)
            if self._socket.closed or not self._socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:
                return

    def _one(self, frames: list[bytes]) -> None:
        body = 2 if len(frames) > 2 and not frames[1] else 1
        envelope = frames[:body]

        def send(answer: bytes) -> None:
            if not self._socket.closed:
                self._socket.send_multipart([*envelope, answer], zmq.DONTWAIT)

        self._dispatch(frames[body:], send)
