"""Asking a daemon: `CircusClient` for programs, `Client` underneath it and underneath plugins."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import zmq

from cvec_circus import exc
from cvec_circus.base.clock import SYSTEM, poll_milliseconds
from cvec_circus.base.home import Home
from cvec_circus.client.calls import CALL_TIMEOUT, TIMED_OUT, frame, reply_of
from cvec_circus.client.connect import LINGER, end_context, open_dealer
from cvec_circus.client.endpoints import DEFAULT_ENDPOINT_DEALER
from cvec_circus.compat.members import Members
from cvec_circus.wire import messages

INSTEAD = "make a client after the fork"

MOST_UPGRADES = 1000
"""How many upgrades of the daemon a query is repeated for."""


class Client:
    """A client of a daemon. Safe from any thread.

    A call takes an idle DEALER socket, or opens one, uses it outside the lock and puts it back, so
    no thread waits for another one's slow call. libzmq allows this: a socket may pass from thread
    to thread over a lock, as long as no two use it at once. A socket whose call has failed is
    closed, so that a late reply cannot meet the next request; ids also match replies.

    Once it has been used, it belongs to that process: a forked child gets a ForkedError.
    """

    def __init__(
        self,
        endpoint: str,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        timeout: float = CALL_TIMEOUT,
        name: str = "",
    ) -> None:
        """Make a client; the first call connects it.

        Args:
            endpoint: Where the daemon takes commands.
            context: The context to open sockets in. None makes one, which `close` terminates.
            timeout: Seconds that `call` waits for a reply.
            name: The sender's name in events and in the daemon's log, 80 characters at most; ""
                for none.
        """
        self.endpoint = endpoint
        self.timeout = timeout
        self.name = name
        self._context = context
        self._owns_context = context is None
        self._home = None if context is None else Home("client", INSTEAD)
        # Re-entrant, so that a signal handler that interrupts a call may call too.
        self._lock = threading.RLock()
        self._idle: list[zmq.Socket[bytes]] = []
        self._closed = False

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """The context that the sockets are opened in, made on first use."""
        self._require_home()
        with self._lock:
            if self._context is None:
                if self._closed:
                    raise _closed()
                self._home = Home("client", INSTEAD)
                self._context = zmq.Context()
            return self._context

    def _require_home(self) -> None:
        """Refuse a forked child. Without the lock, which another thread may have held then."""
        if self._home is not None:
            self._home.require()

    def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """Send a command and wait for the reply, which may be a success or an error.

        With ``waiting=True`` it waits as long as the daemon needs; otherwise for `timeout`.

        Raises:
            CallError: There is no usable reply; "Timed out." when there is none at all.
            ForkedError: This process was forked after the client had been used.
        """
        timeout = None if properties.get("waiting") else self.timeout
        return self.exchange(messages.call(command, properties), timeout)

    def cast(self, command: str, **properties: Any) -> None:
        """Send a command that the daemon does not answer; never block.

        Raises:
            CallError: The command cannot be sent.
        """
        self.send(messages.cast(command, properties))

    def exchange(self, message: Mapping[str, Any], timeout: float | None) -> dict[str, Any]:
        """Send a request and wait for its reply, as `call`.

        With None for seconds it waits as long as the daemon lives: a ping every few seconds checks
        that, because a dead daemon never replies. A query cut off by an upgrade of the daemon is
        repeated.
        """
        for _ in range(MOST_UPGRADES):
            reply = self._exchange(message, timeout)
            if not reply.get("retry") or reply.get("accepted"):
                break
        return reply

    def _exchange(self, message: Mapping[str, Any], timeout: float | None) -> dict[str, Any]:
        with self._connected() as dealer:
            if timeout is None:
                reply = self._ask_while_alive(dealer, message)
            else:
                self._post(dealer, message)
                reply = _receive(dealer, {message["id"]}, SYSTEM.monotonic() + timeout)
            if reply is None:
                raise exc.CallError(TIMED_OUT)
        return reply

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message without a reply, as `cast`."""
        with self._connected() as dealer:
            self._post(dealer, message)

    def close(self) -> bool:
        """Close every socket; later calls are refused. Any thread, any number of times.

        Calls on other threads end with an error at once if the context is the client's own,
        otherwise by their time-out. In a forked child it does nothing.

        Returns:
            Whether nothing is left open.
        """
        if not (self._home is None or self._home.is_here):
            return True
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            owned = None
            if self._owns_context:
                owned, self._context = self._context, None
        for dealer in idle:
            dealer.close(LINGER)
        return owned is None or end_context(owned)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @contextmanager
    def _connected(self) -> Iterator[zmq.Socket[bytes]]:
        """Take an idle socket, and keep it unless something is raised."""
        dealer = self._take()
        clean = False
        try:
            yield dealer
            clean = True
        except zmq.ZMQError as error:
            raise _failed(error) from None
        finally:
            self._give_back(dealer, clean)

    def _take(self) -> zmq.Socket[bytes]:
        self._require_home()
        with self._lock:
            if self._closed:
                raise _closed()
            if self._idle:
                return self._idle.pop()
            try:
                return open_dealer(self.context, self.endpoint)
            except exc.SocketError as error:
                raise exc.CallError(str(error)) from None
            except zmq.ZMQError as error:
                raise _failed(error) from None

    def _give_back(self, dealer: zmq.Socket[bytes], clean: bool) -> None:
        if not clean:
            dealer.close(0)  # also drops the request, if it has not been sent yet
            return
        with self._lock:
            if not self._closed:
                self._idle.append(dealer)
                return
        dealer.close(LINGER)

    def _post(self, dealer: zmq.Socket[bytes], message: Mapping[str, Any]) -> None:
        named = {"actor": self.name, **message} if self.name else message
        dealer.send(frame(named), zmq.NOBLOCK)

    def _ask_while_alive(
        self, dealer: zmq.Socket[bytes], message: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Send a request, and wait for its reply as long as the same daemon lives.

        The first ping goes before the request: only then does another run in a later reply tell
        that the request may have been lost with the daemon that it went to.
        """
        run: object = None
        ids: set[str] = set()
        while True:
            ping = messages.call("ping")
            dealer.send(frame(ping), zmq.NOBLOCK)
            deadline = SYSTEM.monotonic() + self.timeout
            reply = _receive(dealer, {ping["id"], *ids}, deadline)
            if reply is None or reply["id"] in ids:
                return reply
            if not ids:
                run, ids = reply.get("run"), {message["id"]}
                self._post(dealer, message)
            elif reply.get("run") != run:
                raise exc.CallError("The daemon was restarted before it answered.")
            reply = _receive(dealer, ids, deadline)
            if reply is not None:
                return reply


class CircusClient(Members):
    """A client of a daemon, for programs. Safe from any thread.

    >>> with CircusClient(endpoint="tcp://127.0.0.1:5555") as client:  # doctest: +SKIP
    ...     client.send_message("numprocesses", name="web")["numprocesses"]
    2
    """

    _circus_class = "client.CircusClient"

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        endpoint: str = DEFAULT_ENDPOINT_DEALER,
        timeout: float | None = CALL_TIMEOUT,
        ssh_server: str | None = None,
        ssh_keyfile: str | None = None,
        name: str = "",
    ) -> None:
        """Make a client; the first call connects it, but ssh connects at once.

        Args:
            context: The context to open sockets in; by default one of its own.
            endpoint: Where the daemon takes commands.
            timeout: Seconds to wait for a reply; None waits as long as the daemon lives.
            ssh_server: The machine that `endpoint` is on, reached by the system's ssh; None for
                this one.
            ssh_keyfile: The private key for ssh; None for those that ssh finds.
            name: The sender's name in events and in the daemon's log, 80 characters at most; ""
                for none.

        Raises:
            SocketError: ssh cannot connect.
        """
        self.endpoint = endpoint
        self.timeout = timeout
        self._tunnel = None
        if ssh_server:
            from cvec_circus.client.tunnel import Tunnel

            self._tunnel = Tunnel(ssh_server, ssh_keyfile)
            endpoint = self._tunnel.local(endpoint)
        self._client = Client(endpoint, context, name=name)

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """The context that the sockets are opened in."""
        return self._client.context

    def call(self, cmd: Mapping[str, Any]) -> dict[str, Any]:
        """Send ``{"command": ..., "properties": {...}}`` and wait for the reply.

        Args:
            cmd: The message, whose id is replaced.

        Returns:
            The reply, which may be a success or an error.

        Raises:
            CallError: There is no usable reply; "Timed out." when there is none at all.
            TypeError: The message is not a mapping.
        """
        if not isinstance(cmd, Mapping):
            raise TypeError(f"call takes a mapping, not {type(cmd).__name__}")
        message = {**cmd, "id": messages.new_id()}
        if message.get("msg_type") == "cast":
            self._client.send(message)
            return {}
        return self._client.exchange(message, self.timeout)

    def send_message(self, command: str, **props: Any) -> dict[str, Any]:
        """Send a command with its properties and wait for the reply, as `call`."""
        return self.call({"command": command, "properties": props})

    def cast(self, command: str, **props: Any) -> None:
        """Send a command that the daemon does not answer; never block.

        Raises:
            CallError: The command cannot be sent.
        """
        self._client.cast(command, **props)

    def stop(self) -> None:
        """Close every socket; later calls are refused. Any number of times."""
        self._client.close()
        if self._tunnel is not None:
            self._tunnel.close()

    def __enter__(self) -> CircusClient:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()


def _receive(dealer: zmq.Socket[bytes], ids: set[str], deadline: float) -> dict[str, Any] | None:
    """Wait for the reply to one of several requests, and drop the others.

    Returns:
        The reply; None when there was none until the monotonic instant `deadline`.
    """
    while dealer.poll(poll_milliseconds(deadline - SYSTEM.monotonic())):
        reply = reply_of(dealer.recv_multipart()[-1])
        if reply.get("id") in ids:
            return reply
    return None


def _failed(error: zmq.ZMQError) -> exc.CallError:
    if error.errno == zmq.ETERM:
        return _closed()
    if error.errno == zmq.EAGAIN:
        return exc.CallError("It takes no more messages, or is no endpoint for commands.")
    return exc.CallError(f"{zmq.strerror(error.errno or 0)}.")


def _closed() -> exc.CallError:
    return exc.CallError("The client is closed.")
