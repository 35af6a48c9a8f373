"""Sockets to a daemon: where it listens, how to reach it, how to let go of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping

import zmq

from cvec_circus import exc

DEFAULT_ENDPOINT_DEALER = "tcp://127.0.0.1:5555"
DEFAULT_ENDPOINT_SUB = "tcp://127.0.0.1:5556"
DEFAULT_ENDPOINT_STATS = "tcp://127.0.0.1:5557"

EVERYWHERE = ("0.0.0.0", "[::]", "*")
"""What stands in the place of a machine for whoever listens at all its addresses."""

ENDPOINT_VARIABLES = ("CVEC_CIRCUSCTL_ENDPOINT", "CIRCUSCTL_ENDPOINT")
"""Environment variables that name the daemon to talk to; the first one that is set counts."""

LINGER = 250
"""Milliseconds that a closed socket keeps what it has not sent yet. None at all would lose a cast
that was the last thing a program did; without a limit a daemon that is gone would keep it alive."""

EVENTS_KEPT = 100_000
"""Messages that a subscriber's queue holds: a minute of work in one callback while 1 400 events a
second come in. What is beyond it is dropped by libzmq, and only a replay brings it back."""

CONTEXT_TIMEOUT = 2.0
"""Seconds to wait for the end of a context, in which somebody may have left a socket open."""


def endpoint_from(environ: Mapping[str, str] = os.environ) -> str:
    """Tell which daemon to talk to when nobody has said it: the environment's, or the usual one."""
    for name in ENDPOINT_VARIABLES:
        if environ.get(name):
            return environ[name]
    return DEFAULT_ENDPOINT_DEALER


def reachable(published_at: str, endpoint: str) -> str:
    """Put the daemon's machine in the place of "everywhere", which is where it listens.

    Args:
        published_at: Where the daemon says that it publishes.
        endpoint: Where it answers; one without a machine in it is that of this machine.
    """
    scheme, _, where = published_at.partition("://")
    host, _, port = where.rpartition(":")
    if scheme != "tcp" or host not in EVERYWHERE:
        return published_at
    machine = endpoint if endpoint.startswith("tcp://") else DEFAULT_ENDPOINT_DEALER
    return f"{machine.rpartition(':')[0]}:{port}"


def open_dealer(context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> zmq.Socket[bytes]:
    """Open a socket that sends requests to a daemon and receives its replies.

    Whether the daemon is there shows only when it answers.

    Raises:
        SocketError: That is no endpoint.
    """
    dealer = context.socket(zmq.DEALER)
    dealer.linger = LINGER
    connect(dealer, endpoint)
    return dealer


def open_subscriber(
    context: zmq.Context[zmq.Socket[bytes]], prefixes: Iterable[bytes]
) -> zmq.Socket[bytes]:
    """Open a socket for the events whose topics begin with one of the prefixes.

    It is not connected yet, so that its connection can be watched from the beginning: see
    `connect`. Events begin to come in some time after that; what is published before is not
    received.
    """
    subscriber = context.socket(zmq.SUB)
    subscriber.linger = 0
    subscriber.rcvhwm = EVENTS_KEPT
    for prefix in prefixes:
        subscriber.subscribe(prefix)
    return subscriber


def connect(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Have a socket connect to an endpoint, now or whenever somebody is there.

    Raises:
        SocketError: That is no endpoint. The socket is closed.
    """
    try:
        socket.connect(endpoint)
    except (zmq.ZMQError, TypeError, UnicodeError) as error:
        socket.close(0)
        reason = zmq.strerror(error.errno or 0) if isinstance(error, zmq.ZMQError) else error
        raise exc.SocketError(f"cannot connect to {endpoint!r}: {reason}") from None


def end_context(context: zmq.Context[zmq.Socket[bytes]], timeout: float = CONTEXT_TIMEOUT) -> bool:
    """Terminate a context without hanging for ever.

    Calls that other threads are waiting for in it end with an error. What cannot be ended is a
    socket that somebody else has opened in it and does not close.

    Args:
        context: The context; nobody needs it any more.
        timeout: Seconds to wait at most.

    Returns:
        Whether it has ended. If not, a thread goes on waiting for it.
    """
    ending = threading.Thread(target=context.term, name="zmq context", daemon=True)
    ending.start()
    ending.join(timeout)
    return not ending.is_alive()
