"""Where daemons are found: their endpoints, and whether anything is there."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

DEFAULT_ENDPOINT_DEALER = "tcp://127.0.0.1:5555"
DEFAULT_ENDPOINT_SUB = "tcp://127.0.0.1:5556"
DEFAULT_ENDPOINT_STATS = "tcp://127.0.0.1:5557"

EVERYWHERE = ("0.0.0.0", "[::]", "*")
"""Hosts that stand for all addresses of the listening machine."""

ENDPOINT_VARIABLES = ("CVEC_CIRCUSCTL_ENDPOINT", "CIRCUSCTL_ENDPOINT")
"""Environment variables that name the daemon's endpoint; the first one that is set counts."""

KNOCK_TIMEOUT = 0.5
"""Seconds for a connection that only shows whether anything listens."""


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
    try:
        found = address_of(endpoint, by_name)
        if found is None:
            return None
        family, address = found
        with socket.socket(family) as knocking:
            knocking.settimeout(timeout)
            knocking.connect(address)
    except OSError as error:
        return error
    return None


def address_of(endpoint: str, by_name: bool = True) -> tuple[int, Any] | None:
    """Return family and address of a socket for an endpoint; None where only libzmq knows.

    Args:
        endpoint: The endpoint. Of `tcp://` and `ipc://FILE` it is known.
        by_name: Whether a host may be looked up, which takes as long as it takes.

    Raises:
        OSError: There is no such host.
    """
    scheme, _, where = endpoint.partition("://")
    if scheme == "ipc" and not where.startswith("@"):
        return socket.AF_UNIX, where
    if scheme != "tcp":
        return None
    host, _, port = where.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    flags = 0 if by_name else socket.AI_NUMERICHOST
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError:
        return None  # it is no host, which connecting says
    except OSError:
        if by_name:
            raise
        return None
    return found[0][0], found[0][4]


def absence(endpoint: str, timeout: float | None = None) -> OSError | None:
    """Return why no daemon can answer, where the system knows that at once; otherwise None."""
    error = knock(endpoint, min(timeout or KNOCK_TIMEOUT, KNOCK_TIMEOUT), by_name=False)
    known = (ConnectionRefusedError, FileNotFoundError, PermissionError)
    return error if isinstance(error, known) else None
