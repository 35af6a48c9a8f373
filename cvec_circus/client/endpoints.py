"""Endpoints of daemons, and whether anything listens there."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Mapping
from typing import Any

from cvec_circus.base.clock import SYSTEM
from cvec_circus.exc import SocketError
from cvec_circus.options.endpoint import why_no_endpoint

DEFAULT_ENDPOINT_DEALER = "tcp://127.0.0.1:5555"
DEFAULT_ENDPOINT_SUB = "tcp://127.0.0.1:5556"
DEFAULT_ENDPOINT_STATS = "tcp://127.0.0.1:5557"

EVERYWHERE = ("0.0.0.0", "[::]", "*")
"""Hosts that stand for all addresses of the listening machine."""

ENDPOINT_VARIABLES = ("CVEC_CIRCUSCTL_ENDPOINT", "CIRCUSCTL_ENDPOINT")
"""Environment variables that name the daemon's endpoint; the first one that is set counts."""

KNOCK_TIMEOUT = 0.5
"""Seconds for a connection that only tests whether anything listens."""

CERTAIN = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EACCES,
        errno.EPERM,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
    }
)
"""Errors of a connection by which the system says that none can be made."""


def endpoint_from(environ: Mapping[str, str] = os.environ) -> str:
    """Return the daemon's default endpoint: the environment's, or the usual one."""
    for name in ENDPOINT_VARIABLES:
        if environ.get(name):
            return environ[name]
    return DEFAULT_ENDPOINT_DEALER


def chosen(given: str | None) -> str:
    """Return the endpoint of a command line, or the default one.

    Raises:
        SocketError: It is not an endpoint.
    """
    endpoint = endpoint_from() if given is None else given
    if reason := why_no_endpoint(endpoint):
        raise SocketError(f"cannot reach {endpoint!r}: {reason}")
    return endpoint


def reachable(published_at: str, endpoint: str) -> str:
    """Return where to connect to for what a daemon publishes.

    Args:
        published_at: Its own address for that, which may be a wildcard.
        endpoint: Where it takes commands, which names its machine unless it is local.
    """
    scheme, _, where = published_at.partition("://")
    host, _, port = where.rpartition(":")
    if scheme != "tcp" or host not in EVERYWHERE:
        return published_at
    machine = endpoint if endpoint.startswith("tcp://") else DEFAULT_ENDPOINT_DEALER
    return f"{machine.rpartition(':')[0]}:{port}"


def knock(endpoint: str, timeout: float = KNOCK_TIMEOUT, forwarded: bool = False) -> OSError | None:
    """Connect to an endpoint once, and return why nothing can; None if something may be there.

    Args:
        endpoint: The endpoint. Only `tcp://` and `ipc://FILE` can be tested.
        timeout: Seconds to wait, for the name of a host and for the connection together.
        forwarded: Whether ssh listens there, which takes any connection and closes it at once if
            nothing listens at the other end.
    """
    deadline = SYSTEM.monotonic() + timeout
    try:
        found = address_of(endpoint) or _looked_up(endpoint, timeout)
        if found is None:
            return None
        family, address = found
        with socket.socket(family) as knocking:
            knocking.settimeout(max(deadline - SYSTEM.monotonic(), 0.001))
            knocking.connect(address)
            if forwarded and not knocking.recv(1):  # a daemon says the first word
                raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    except OSError as error:
        return error
    return None


def address_of(endpoint: str) -> tuple[int, Any] | None:
    """Return family and address of a socket for an endpoint; None where only libzmq knows.

    Of `ipc://FILE` and of `tcp://` with a number or localhost it is known.
    """
    scheme, _, where = endpoint.partition("://")
    if scheme == "ipc" and not where.startswith("@"):
        return socket.AF_UNIX, where
    host, _, port = where.rpartition(":")
    try:
        return _resolve(host, port, socket.AI_NUMERICHOST) if scheme == "tcp" else None
    except OSError:
        return None


def _looked_up(endpoint: str, timeout: float) -> tuple[int, Any] | None:
    """Return the address of a host that has a name; None if none is found in time.

    Raises:
        OSError: There is no such host.
    """
    scheme, _, where = endpoint.partition("://")
    host, _, port = where.rpartition(":")
    if scheme != "tcp" or not (host and port.isdecimal()):
        return None  # which connecting says
    found: list[tuple[int, Any] | OSError | None] = []

    def look() -> None:
        try:
            found.append(_resolve(host, port))
        except OSError as error:
            found.append(error)

    looking = threading.Thread(target=look, name=f"look up {host}", daemon=True)
    looking.start()  # a resolver takes as long as it takes
    looking.join(timeout)
    result = found[0] if found else None
    if isinstance(result, OSError):
        raise result
    return result


def _resolve(host: str, port: str, flags: int = 0) -> tuple[int, Any] | None:
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError:
        return None  # not a host; connecting will say so
    return found[0][0], found[0][4]


def absence(endpoint: str, timeout: float | None = None, forwarded: bool = False) -> str:
    """Return why no daemon can answer, where the system knows that at once; otherwise "".

    Args:
        endpoint: The endpoint.
        timeout: Seconds to wait at most; half a second, if that is less.
        forwarded: Whether ssh listens there.
    """
    error = knock(endpoint, min(timeout or KNOCK_TIMEOUT, KNOCK_TIMEOUT), forwarded)
    if isinstance(error, socket.gaierror):
        return "" if error.errno == socket.EAI_AGAIN else finding(endpoint, error)
    return finding(endpoint, error) if error and error.errno in CERTAIN else ""


def finding(endpoint: str, error: OSError) -> str:
    """Say what `knock` has found."""
    if isinstance(error, socket.gaierror):
        return f"{endpoint.partition('://')[2].rpartition(':')[0]}: {error.strerror}"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, FileNotFoundError):
        return "there is no such socket"
    if isinstance(error, socket.timeout):
        return "that machine does not respond"
    return error.strerror or str(error)
