"""Bind the daemon's sockets, with one clear line when that cannot be."""

from __future__ import annotations

import errno
import os
import socket
import stat
from typing import TYPE_CHECKING

import zmq

from cvec_circus.exc import SocketError

if TYPE_CHECKING:
    ServerSocket = zmq.Socket[bytes]

#: Milliseconds that a closed socket goes on sending: 0 would lose the last reply and the last
#: event, no limit would hang the daemon's end on a client that does not read.
LINGER = 250
#: What the address of a unix socket can hold (unix(7)), less the terminating zero.
_MAX_PATH = 107


def bind(server: ServerSocket, what: str, endpoint: str) -> str:
    """Bind a socket and tell where it listens.

    Args:
        server: The socket.
        what: The option that gave the endpoint, for the error message.
        endpoint: A zmq endpoint; ``tcp://127.0.0.1:*`` takes any free port.

    Returns:
        The real endpoint.

    Raises:
        SocketError: In a line that names the option and the endpoint.
    """
    server.linger = LINGER
    try:
        _check(endpoint)
        server.bind(endpoint)
    except (zmq.ZMQError, OSError) as error:
        server.close(0)
        raise SocketError(f"{what} {endpoint}: cannot listen: {_reason(error)}") from None
    return server.getsockopt_string(zmq.LAST_ENDPOINT)


def close(server: ServerSocket, address: str) -> None:
    """Close a socket that was bound, once; what is on its way still goes out.

    libzmq leaves the file of an ipc endpoint behind, so it is taken away here.

    Args:
        server: The socket.
        address: Where `bind` said it listens.
    """
    if server.closed:
        return  # the file there may be somebody else's by now
    server.close()
    transport, _, path = address.partition("://")
    if transport == "ipc" and not path.startswith("@"):
        try:
            os.unlink(path)
        except OSError:
            pass  # somebody has taken it away, or the whole directory


def _check(endpoint: str) -> None:
    """Refuse what libzmq takes and nobody means: a port of six digits, somebody else's path.

    libzmq unlinks whatever is at an ipc path before it binds: a second daemon would take the first
    one's clients away without a word, and a slip of the pen would delete a file.
    """
    transport, _, address = endpoint.partition("://")
    port = address.rpartition(":")[2]
    if transport == "tcp" and port.isdecimal() and int(port) > 65535:
        raise OSError(errno.EINVAL, "no such port")
    if transport == "ipc" and address != "*" and not address.startswith("@"):
        _check_path(address)


def _check_path(path: str) -> None:
    """Refuse a path that is too long, or where a living daemon or a file that is no socket is."""
    if len(os.fsencode(path)) > _MAX_PATH:
        raise OSError(errno.ENAMETOOLONG, f"more than {_MAX_PATH} bytes")
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "the file there is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            probe.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return
    raise OSError(errno.EADDRINUSE, "somebody listens there")


def _reason(error: zmq.ZMQError | OSError) -> str:
    """Say what is wrong with an endpoint."""
    if error.errno in (errno.EINVAL, errno.EPROTONOSUPPORT):
        return "this is no endpoint"
    if error.errno == errno.ENODEV:
        return "no such host or interface"
    return os.strerror(error.errno) if error.errno else str(error)
