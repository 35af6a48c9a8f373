"""Sockets of ZeroMQ to a daemon: connecting them, and closing everything."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

import zmq

from cvec_circus import exc
from cvec_circus.options.endpoint import why_no_endpoint

LINGER = 250
"""Milliseconds that a closed socket keeps what it has not sent yet. With 0, a program's last cast
would be lost; without a limit, a daemon that is gone would keep the program alive."""

EVENTS_KEPT = 100_000
"""Messages that a subscriber's queue holds: enough for a minute in one callback while 1 400 events
a second arrive. libzmq drops any more, and only a replay brings them back."""

CONTEXT_TIMEOUT = 2.0
"""Seconds to wait for the end of a context that may have an open socket."""


def open_dealer(context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> zmq.Socket[bytes]:
    """Open a socket for requests to a daemon, which need not run yet, and for its replies.

    Raises:
        SocketError: The endpoint is malformed.
    """
    dealer = context.socket(zmq.DEALER)
    dealer.linger = LINGER
    connect(dealer, endpoint)
    return dealer


def open_subscriber(
    context: zmq.Context[zmq.Socket[bytes]], prefixes: Iterable[bytes]
) -> zmq.Socket[bytes]:
    """Open a socket for the events whose topics begin with one of the prefixes.

    It is left to `connect`, so that its connection can be monitored from the beginning. Events
    come in some time after that, without those published before.
    """
    subscriber = context.socket(zmq.SUB)
    subscriber.linger = 0
    subscriber.rcvhwm = EVENTS_KEPT
    for prefix in prefixes:
        subscriber.subscribe(prefix)
    return subscriber


def received(socket: zmq.Socket[bytes], most: int) -> Iterator[list[bytes]]:
    """Yield the waiting messages, at most `most`, unless the socket is closed meanwhile."""
    for _ in range(most):
        if socket.closed:
            return
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        yield frames


def connect(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Connect a socket to an endpoint, now or once a daemon listens there.

    Raises:
        SocketError: The endpoint is malformed. The socket is closed.
    """
    if isinstance(endpoint, str) and (why := why_no_endpoint(endpoint)):
        socket.close(0)
        raise exc.SocketError(f"cannot connect to {endpoint!r}: {why}")
    try:
        socket.connect(endpoint)
    except (zmq.ZMQError, TypeError, UnicodeError) as error:
        socket.close(0)
        reason = zmq.strerror(error.errno or 0) if isinstance(error, zmq.ZMQError) else error
        raise exc.SocketError(f"cannot connect to {endpoint!r}: {reason}") from None


def end_context(context: zmq.Context[zmq.Socket[bytes]], timeout: float = CONTEXT_TIMEOUT) -> bool:
    """Terminate a context, and wait for it for `timeout` seconds at most.

    Calls on other threads end with an error. A socket that other code has left open in it keeps it
    from ending.

    Returns:
        Whether it has ended. If not, a thread goes on waiting for it.
    """
    ending = threading.Thread(target=context.term, name="zmq context", daemon=True)
    ending.start()
    ending.join(timeout)
    return not ending.is_alive()
