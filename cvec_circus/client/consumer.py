"""The events of a daemon in a loop."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

import zmq

from cvec_circus.base.home import Home
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.client.connect import connect, open_subscriber
from cvec_circus.client.endpoints import DEFAULT_ENDPOINT_SUB
from cvec_circus.client.tunnel import Tunnel
from cvec_circus.compat.members import Members


class CircusConsumer(Members):
    """The events of a daemon, one after the other. Owned by the thread that reads them.

    >>> for topic, payload in CircusConsumer(["watcher."]):  # doctest: +SKIP
    ...     print(topic, payload)

    `stop` is safe from any thread, and ends the reading. Events published before the connection
    stands are missed; `cvec_circusctl events` and plugins miss none. It belongs to the process that
    made it: reading in a forked child is a ForkedError.
    """

    _circus_class = "consumer.CircusConsumer"

    def __init__(
        self,
        topics: Iterable[str | bytes],
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        endpoint: str = DEFAULT_ENDPOINT_SUB,
        ssh_server: str | None = None,
        timeout: float = 1.0,
    ) -> None:
        """Subscribe.

        Args:
            topics: Prefixes of the topics to receive; "" receives all.
            context: The context to open the socket in; by default one of its own.
            endpoint: Where the daemon publishes.
            ssh_server: The machine that `endpoint` is on, reached by the system's ssh; None for
                this one.
            timeout: Ignored: nothing here polls.

        Raises:
            SocketError: The endpoint is malformed, or ssh cannot connect.
        """
        self.topics = [topics] if isinstance(topics, (str, bytes)) else list(topics)
        self.endpoint = endpoint
        self.timeout = timeout
        self._tunnel = Tunnel(ssh_server)
        local = self._tunnel.local(endpoint)
        self._home = Home("consumer", "make one after the fork")
        self._is_own = context is None
        self.context: zmq.Context[zmq.Socket[bytes]] = context or zmq.Context()
        prefixes = [one.encode() if isinstance(one, str) else one for one in self.topics]
        self._socket = open_subscriber(self.context, prefixes)
        try:
            connect(self._socket, local)
        except BaseException:
            self._end_context()
            self._tunnel.close()
            raise
        self._wakeup = Wakeup()
        self._lock = threading.RLock()
        self._is_read = False
        self._is_stopped = False
        self._is_closed = False

    def __enter__(self) -> CircusConsumer:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return self.iter_messages()

    def iter_messages(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield topic and payload of every event, until `stop` or the end of the loop closes it."""
        self._home.require()
        with self._lock:
            if self._is_stopped:
                return
            self._is_read = True
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wakeup.fd, zmq.POLLIN)
        try:
            while not self._is_stopped:
                self._home.require()
                if self._socket in dict(poller.poll()):
                    topic, payload = self._socket.recv_multipart()
                    yield topic, payload
        finally:
            self._is_read = False
            self.stop()

    def stop(self) -> None:
        """End the reading and close everything. Any thread, any number of times.

        In a forked child it does nothing.
        """
        if not self._home.is_here:
            return
        with self._lock:
            self._is_stopped = True
            if self._is_closed:
                return
            if self._is_read:
                self._wakeup.set()  # the reading thread closes
                return
            self._is_closed = True
        self._socket.close(0)
        self._end_context()
        self._wakeup.close()
        self._tunnel.close()

    def _end_context(self) -> None:
        if self._is_own:
            self.context.term()
