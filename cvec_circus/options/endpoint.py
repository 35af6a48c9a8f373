"""What an endpoint is: where a daemon listens, and where its clients connect."""

from __future__ import annotations

import errno
import os

LONGEST_PATH = 107
"""Bytes of the path of a unix socket: see unix(7), less the terminating zero."""

FORM = "write tcp://HOST:PORT or ipc://FILE"
HIGHEST_PORT = 65535


def why_no_endpoint(text: str) -> str:
    """Return why nothing can listen at an address, whatever the machine, and what to write; "" for
    an endpoint. Where a daemon listens, `*` is any host, port or file."""
    transport, colon, address = text.partition("://")
    reason = ""
    if not colon or text.split() != [text]:
        return f"not an endpoint; {FORM}"
    if transport == "tcp":
        reason = _why_no_port(address)
    elif transport == "ipc":
        if not address:
            reason = "it names no file"
        elif len(os.fsencode(address)) > LONGEST_PATH and not address.startswith("@"):
            return os.strerror(errno.ENAMETOOLONG)
    elif transport == "inproc":
        reason = "no other process can reach it"
    else:
        reason = f"there is no transport {transport}" if transport else "it has no transport"
    return f"not an endpoint: {reason}; {FORM}" if reason else ""


def why_too_long(path: str) -> str:
    """Return why a path is too long for a unix socket, "" if it is not."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return ""
    return f"more than the {LONGEST_PATH} bytes that a unix socket can have"


def _why_no_port(address: str) -> str:
    host, colon, port = address.rpartition(":")
    if not colon or not port or port.endswith("]"):
        return "it has no port"
    if not host:
        return "it has no host"
    if port == "*":
        return ""
    if not (port.isascii() and port.isdecimal()):
        return f"{port} is not a port"
    return f"{port} is more than {HIGHEST_PORT}" if int(port) > HIGHEST_PORT else ""
