"""Sockets to a daemon: its endpoints, connecting to them, and closing everything."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import zmq

from cvec_circus import exc

DEFAULT_ENDPOINT_DEALER = "tcp://127.0.0.1:5555"
DEFAULT_ENDPOINT_SUB = "tcp://127.0.0.1:5556"
DEFAULT_ENDPOINT_STATS = "tcp://127.0.0.1:5557"

EVERYWHERE = ("0.0.0.0", "[::]", "*")
"""Hosts that stand for all addresses of the listening machine."""

ENDPOINT_VARIABLES = ("CVEC_CIRCUSCTL_ENDPOINT", "CIRCUSCTL_ENDPOINT")
"""Environment variables that name the daemon's endpoint; the first one that is set counts."""

LINGER = 250
"""Milliseconds that a closed socket keeps what it has not sent yet. With 0, a program's last cast
would be lost; without a limit, a daemon that is gone would keep the program alive."""

EVENTS_KEPT = 100_000
"""Messages that a subscriber's queue holds: a minute of work in one callback while 1 400 events a
second come in. libzmq drops what is beyond it, and only a replay brings it back."""

KNOCK_TIMEOUT = 0.5
"""Seconds for a connection that only shows whether anything listens."""

CONTEXT_TIMEOUT = 2.0
"""Seconds to wait for the end of a context, in which a socket may have been left open."""


def endpoint_from(environ: Mapping[str, str] = os.environ) -> str:
    """Return the daemon's default endpoint: the environment's, or the usual one."""
    for name in ENDPOINT_VARIABLES:
        if environ.get(name):
            return environ[name]
    return DEFAULT_ENDPOINT_DEALER


def reachable(published_at: str, endpoint: str) -> str:
    """Return where to connect to for what a daemon publishes.

    Args:
        published_at: Its own address for that, which may stand for all of its machine's.
        endpoint: Where it takes commands, which names its machine, or is on this one.
    """
    scheme, _, where = published_at.partition("://")
    host, _, port = where.rpartition(":")
    if scheme != "tcp" or host not in EVERYWHERE:
        return published_at
    machine = endpoint if endpoint.startswith("tcp://") else DEFAULT_ENDPOINT_DEALER
    return f"{machine.rpartition(':')[0]}:{port}"


def knock(endpoint: str, timeout: float = KNOCK_TIMEOUT, by_name: bool = True) -> OSError | None:
    """Connect to an endpoint once, and return why nothing can; None if something may be there.

    Args:
        endpoint: The endpoint. Only of `tcp://` and `ipc://FILE` anything is known.
        timeout: Seconds to wait for a connection.
        by_name: Whether a host may be looked up, which takes as long as it takes.
    """
    scheme, _, where = endpoint.partition("://")
    address: Any = where
    family = socket.AF_UNIX
    if scheme == "tcp":
        host, _, port = where.rpartition(":")
        host = "127.0.0.1" if host == "localhost" else host.strip("[]")
        flags = 0 if by_name else socket.AI_NUMERICHOST
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
        except UnicodeError:
            return None  # it is no host, which connecting says
        except OSError as error:
            return error if by_name else None
        family, address = found[0][0], found[0][4]
    elif scheme != "ipc" or where.startswith("@"):
        return None
    with socket.socket(family) as knocking:
        knocking.settimeout(timeout)
        try:
            knocking.connect(address)
        except OSError as error:
            return error
    return None


def absence(endpoint: str, timeout: float | None = None) -> OSError | None:
    """Return why no daemon can answer, where the system knows that at once; otherwise None."""
    error = knock(endpoint, min(timeout or KNOCK_TIMEOUT, KNOCK_TIMEOUT), by_name=False)
    known = (ConnectionRefusedError, FileNotFoundError, PermissionError)
    return error if isinstance(error, known) else None


def open_dealer(context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> zmq.Socket[bytes]:
    """Open a socket for requests to a daemon, which may not be there, and for its replies.

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
    """Yield the messages that are there, `most` at most, unless the socket is closed meanwhile."""
    for _ in range(most):
        if socket.closed:
            return
        try:
            frames = socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return
        yield frames


def connect(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Connect a socket to an endpoint, now or once there is a daemon.

    Raises:
        SocketError: The endpoint is malformed. The socket is closed.
    """
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
