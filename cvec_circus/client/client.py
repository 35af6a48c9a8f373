"""Asking a daemon: `CircusClient` for programs, `Client` underneath it and underneath plugins."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import zmq

from cvec_circus import exc
from cvec_circus.base.clock import SYSTEM, poll_milliseconds
from cvec_circus.client.connect import (
    DEFAULT_ENDPOINT_DEALER,
    LINGER,
    end_context,
    open_dealer,
)
from cvec_circus.wire import messages

TIMED_OUT = "Timed out."
"""The text of a call's error that programs compare with."""

CALL_TIMEOUT = 5.0
"""Seconds that a call waits for its reply unless told otherwise."""


class Client:
    """A daemon to ask. Safe from any thread.

    A stack of idle DEALER sockets stands behind it. A call takes one, or opens one, uses it
    outside the lock and puts it back, so that no thread waits for the slow call of another one.
    libzmq allows it: a socket may pass from thread to thread over a lock, as long as no two use it
    at once. A socket whose call has timed out is closed, so that the late reply cannot meet the
    next question; replies are matched by their ids besides.

    Attributes:
        endpoint: Where the daemon listens.
        timeout: Seconds that `call` waits for a reply.
        name: What the daemon calls the sender, in events and in its log; "" for nothing.
    """

    def __init__(
        self,
        endpoint: str,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        timeout: float = CALL_TIMEOUT,
        name: str = "",
    ) -> None:
        """Make a client; nothing is connected before the first call.

        Args:
            endpoint: Where the daemon listens.
            context: The context to open sockets in. None makes one, which `close` terminates.
            timeout: Seconds that `call` waits for a reply.
            name: What the daemon calls the sender, 80 characters at most; "" for nothing.
        """
        self.endpoint = endpoint
        self.timeout = timeout
        self.name = name
        self._given_context = context
        self._own_context: zmq.Context[zmq.Socket[bytes]] | None = None
        # Re-entrant, so that a signal handler that interrupts a call may call too.
        self._lock = threading.RLock()
        self._idle: list[zmq.Socket[bytes]] = []
        self._closed = False

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """The context that the sockets are opened in. Made when it is first needed."""
        if self._given_context is not None:
            return self._given_context
        with self._lock:
            if self._closed:
                raise _closed()
            if self._own_context is None:
                self._own_context = zmq.Context()
            return self._own_context

    def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """Ask for a command and wait for the reply.

        With ``waiting=True`` it waits as long as the daemon needs; otherwise for `timeout`.

        Args:
            command: The command's name.
            **properties: What the command takes.

        Returns:
            The reply, be it a success or an error.

        Raises:
            CallError: There is no usable reply; "Timed out." when there is none at all.
        """
        timeout = None if properties.get("waiting") else self.timeout
        return self.exchange(messages.call(command, properties), timeout)

    def cast(self, command: str, **properties: Any) -> None:
        """Send a command that the daemon does not answer; never blocks.

        Raises:
            CallError: The command cannot be sent.
        """
        self.send(messages.cast(command, properties))

    def exchange(self, message: Mapping[str, Any], timeout: float | None) -> dict[str, Any]:
        """Send a message and wait for the reply to it.

        Args:
            message: The request with its id.
            timeout: Seconds to wait. None waits as long as the daemon lives: it is asked every
                few seconds whether it does, because a reply that died with it never comes.

        Returns:
            The reply, be it a success or an error.

        Raises:
            CallError: There is no usable reply; "Timed out." when there is none at all.
        """
        frame = _frame(self._signed(message))
        dealer = self._take()
        clean = False
        try:
            dealer.send(frame, zmq.NOBLOCK)
            if timeout is None:
                reply = self._wait_while_alive(dealer, message["id"])
            else:
                reply = _receive(dealer, {message["id"]}, SYSTEM.monotonic() + timeout)
            if reply is None:
                raise exc.CallError(TIMED_OUT)
            clean = True
        except zmq.ZMQError as error:
            raise _failed(error) from None
        finally:
            self._give_back(dealer, clean)
        return reply

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message that gets no reply; never blocks.

        Raises:
            CallError: The message cannot be sent.
        """
        frame = _frame(self._signed(message))
        dealer = self._take()
        clean = False
        try:
            dealer.send(frame, zmq.NOBLOCK)
            clean = True
        except zmq.ZMQError as error:
            raise _failed(error) from None
        finally:
            self._give_back(dealer, clean)

    def close(self) -> bool:
        """Close every socket; later calls are refused. Any thread, any number of times.

        Calls that other threads are waiting for end with an error, if the context is the client's
        own, and otherwise by their time-out.

        Returns:
            Whether everything has been let go of.
        """
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            context, self._own_context = self._own_context, None
        for dealer in idle:
            dealer.close(LINGER)
        return context is None or end_context(context)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _signed(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"actor": self.name, **message} if self.name else message

    def _take(self) -> zmq.Socket[bytes]:
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
        """Keep a socket for the next call, if nothing can be left in it."""
        if not clean:
            dealer.close(0)  # with it goes the request, if it has not been sent yet
            return
        with self._lock:
            if not self._closed:
                self._idle.append(dealer)
                return
        dealer.close(LINGER)

    def _wait_while_alive(self, dealer: zmq.Socket[bytes], call_id: str) -> dict[str, Any] | None:
        """Wait for a reply without a limit, as long as the same daemon is there to give it."""
        run: object = None
        while True:
            ping = messages.call("ping")
            dealer.send(_frame(ping), zmq.NOBLOCK)
            deadline = SYSTEM.monotonic() + self.timeout
            reply = _receive(dealer, {call_id, ping["id"]}, deadline)
            if reply is None or reply["id"] == call_id:
                return reply
            if run is not None and reply.get("run") != run:
                raise exc.CallError("The daemon was started anew before it answered.")
            run = reply.get("run")
            reply = _receive(dealer, {call_id}, deadline)
            if reply is not None:
                return reply


class CircusClient:
    """A daemon to ask, for programs. Safe from any thread.

    >>> with CircusClient(endpoint="tcp://127.0.0.1:5555") as client:  # doctest: +SKIP
    ...     client.send_message("numprocesses", name="web")["numprocesses"]
    2
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        endpoint: str = DEFAULT_ENDPOINT_DEALER,
        timeout: float | None = CALL_TIMEOUT,
        ssh_server: str | None = None,
        ssh_keyfile: str | None = None,
        name: str = "",
    ) -> None:
        """Make a client; nothing is connected before the first call.

        Args:
            context: The context to open sockets in; by default one of its own.
            endpoint: Where the daemon listens.
            timeout: Seconds to wait for a reply; None waits as long as the daemon lives.
            ssh_server: The machine that this is an endpoint of, which is connected to at once by
                the system's ssh; None for this one.
            ssh_keyfile: The private key to use for that; None for those that ssh finds.
            name: What the daemon calls the sender, in events and in its log, 80 characters at
                most; "" for nothing.

        Raises:
            SocketError: ssh does not get there.
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
            cmd: The message. An id of its own is put in the place of any that it has.

        Returns:
            The reply, be it a success or an error.

        Raises:
            CallError: There is no usable reply; "Timed out." when there is none at all.
            TypeError: That is no mapping.
        """
        if not isinstance(cmd, Mapping):
            raise TypeError(f"call takes a mapping, not {type(cmd).__name__}")
        message = {**cmd, "id": messages.new_id()}
        if message.get("msg_type") == "cast":
            self._client.send(message)
            return {}
        return self._client.exchange(message, self.timeout)

    def send_message(self, command: str, **props: Any) -> dict[str, Any]:
        """Ask for a command by its name and its properties, and wait for the reply, as `call`."""
        return self.call({"command": command, "properties": props})

    def cast(self, command: str, **props: Any) -> None:
        """Send a command that the daemon does not answer; never blocks.

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


def _frame(message: Mapping[str, Any]) -> bytes:
    """Encode a message, and refuse what the daemon would refuse."""
    try:
        frame = messages.encode(message)
    except (ValueError, TypeError, RecursionError) as error:
        raise exc.CallError(f"This cannot be sent: {error}.") from None
    if len(frame) > messages.MAX_FRAME:
        raise exc.CallError(
            f"This cannot be sent: {len(frame)} bytes are more than {messages.MAX_FRAME}."
        )
    try:
        messages.decode(frame)  # what cannot be read has no id, so its refusal meets no call
    except exc.MessageError as error:
        raise exc.CallError(f"This cannot be sent: {error}.") from None
    return frame


def _receive(dealer: zmq.Socket[bytes], ids: set[str], deadline: float) -> dict[str, Any] | None:
    """Wait for the reply to one of several requests; replies to others are dropped.

    Returns:
        The reply; None when there was none until the monotonic instant `deadline`.
    """
    while dealer.poll(poll_milliseconds(deadline - SYSTEM.monotonic())):
        try:
            reply = messages.decode(dealer.recv_multipart()[-1])
        except exc.MessageError as error:
            raise exc.CallError(f"The reply cannot be read: {error}.") from None
        if reply.get("id") in ids:
            return reply
    return None


def _failed(error: zmq.ZMQError) -> exc.CallError:
    if error.errno == zmq.ETERM:
        return _closed()
    if error.errno == zmq.EAGAIN:
        return exc.CallError("The daemon takes no more messages.")
    return exc.CallError(f"{zmq.strerror(error.errno or 0)}.")


def _closed() -> exc.CallError:
    return exc.CallError("The client is closed.")
