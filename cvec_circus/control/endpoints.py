"""Bind the daemon's sockets, with one clear line when that cannot be."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import zmq

from cvec_circus import logger
from cvec_circus.exc import SocketError

if TYPE_CHECKING:
    from cvec_circus.control.ownership import Guard
    from cvec_circus.sockets.unix import OwnPath

    ServerSocket = zmq.Socket[bytes]

#: Milliseconds that a closed socket goes on sending: 0 would lose the last reply and the last
#: event, no limit would hang the daemon's end on a client that does not read.
LINGER = 250
#: What the address of a unix socket can hold (unix(7)), less the terminating zero.
_MAX_PATH = 107
#: Clients that may wait to be let in; libzmq has this number itself.
_BACKLOG = 100
_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")
_REFUSED = (
    "refused, because whoever can connect to it can run programs here. Listen on 127.0.0.1 or on "
    "ipc://PATH, and forward it with ssh -L; or say allow_remote = True (--allow-remote)"
)
_ROOT = "any user of this machine can have programs run as root through it; ipc://PATH cannot"


class Access(NamedTuple):
    """Who gets through to the file of an ipc endpoint. Immutable.

    Attributes:
        mode: Its mode.
        owner: Who owns it, by name or number; None for us.
    """

    mode: int = 0o600
    owner: int | str | None = None


class Bound(NamedTuple):
    """Where a socket listens. Immutable.

    Attributes:
        address: The real endpoint.
        own_path: The file of an ipc endpoint, which is taken away in the end.
    """

    address: str
    own_path: OwnPath | None = None


OURS_ALONE = Access()


def examine(circus: Mapping[str, Any]) -> None:
    """Refuse to take commands from other machines, unless that is meant.

    Args:
        circus: The options of the daemon.

    Raises:
        SocketError: The control endpoint is neither of this machine alone, nor said to be meant so.
    """
    if not (circus["allow_remote"] or is_local(circus["endpoint"])):
        raise SocketError(f"endpoint {circus['endpoint']}: {_REFUSED}")


def warn(circus: Mapping[str, Any]) -> None:
    """Warn of endpoints that let in more people than may be meant."""
    endpoint = circus["endpoint"]
    if not is_local(endpoint):
        logger.warning("endpoint %s: whoever can connect to it can run programs here", endpoint)
    elif os.geteuid() == 0 and _is_for_every_user(endpoint):
        logger.warning("endpoint %s: %s", endpoint, _ROOT)
    for option in ("pubsub_endpoint", "stats_endpoint"):
        if not is_local(circus[option]) and not circus["allow_remote"]:
            logger.warning("%s %s: other machines can listen to it", option, circus[option])


def is_local(endpoint: str) -> bool:
    """Tell whether an endpoint can be reached from this machine alone."""
    transport, _, address = endpoint.partition("://")
    host, colon, _ = address.rpartition(":")
    if transport != "tcp" or not colon:
        return True  # or it is no endpoint at all, which binding it says
    return host in ("localhost", "lo", "[::1]", "::1") or bool(_LOOPBACK.fullmatch(host))


def _is_for_every_user(endpoint: str) -> bool:
    """Whether there is no file whose mode says who may connect."""
    return endpoint.startswith(("tcp://", "ipc://@"))


def bind(server: ServerSocket, what: str, endpoint: str, access: Access = OURS_ALONE) -> Bound:
    """Bind a socket and tell where it listens.

    Args:
        server: The socket.
        what: The option that gave the endpoint, for the error message.
        endpoint: A zmq endpoint; ``tcp://127.0.0.1:*`` takes any free port.
        access: Who may connect to the file of an ipc endpoint.

    Returns:
        The real endpoint, for `close`.

    Raises:
        SocketError: In a line that names the option and the endpoint.
    """
    server.linger = LINGER
    own_path = None
    try:
        _check(endpoint)
        if has_file(endpoint):
            own_path = _bind_file(server, endpoint, access)
        else:
            server.bind(endpoint)
    except (zmq.ZMQError, OSError) as error:
        server.close(0)
        raise SocketError(f"{what} {endpoint}: cannot listen: {_reason(error)}") from None
    return Bound(server.getsockopt_string(zmq.LAST_ENDPOINT), own_path)


def close(server: ServerSocket, bound: Bound) -> None:
    """Close a socket that was bound, once; what is on its way still goes out.

    Args:
        server: The socket.
        bound: What `bind` has returned.
    """
    if server.closed:
        return  # the file there may be somebody else's by now
    server.close()
    if bound.own_path is not None:
        bound.own_path.unlink()


def has_file(endpoint: str) -> bool:
    """Tell whether an endpoint has a place in the file system that it names itself."""
    transport, _, address = endpoint.partition("://")
    return transport == "ipc" and address != "*" and not address.startswith("@")


def _bind_file(server: ServerSocket, endpoint: str, access: Access) -> OwnPath:
    """Bind an ipc endpoint to a file that has its mode and owner before anybody can connect.

    libzmq would make it with whatever the process' mask leaves, so it is handed a socket that
    listens already.
    """
    from cvec_circus.sockets import unix  # most daemons have none

    path = endpoint.partition("://")[2]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        own = unix.bind(listener, path, access.mode, access.owner, replace=True)
        try:
            listener.setblocking(False)
            listener.listen(_BACKLOG)
            server.setsockopt(zmq.USE_FD, listener.fileno())
            server.bind(endpoint)
        except (zmq.ZMQError, OSError):
            own.unlink()
            raise
        listener.detach()  # libzmq's now, which closes it
    return own


def _check(endpoint: str) -> None:
    """Refuse what libzmq takes and nobody means: a port of six digits, somebody else's path.

    libzmq unlinks whatever is at an ipc path before it binds: a second daemon would take the first
    one's clients away without a word, and a slip of the pen would delete a file.
    """
    transport, _, address = endpoint.partition("://")
    port = address.rpartition(":")[2]
    if transport == "tcp" and port.isdecimal() and int(port) > 65535:
        raise OSError(errno.EINVAL, "no such port")
    if has_file(endpoint):
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


def guard(circus: Mapping[str, Any]) -> Guard | None:
    """Return what looks at requests where the endpoint belongs to somebody else, or None."""
    if circus["endpoint_owner"] is None:
        return None
    from cvec_circus.control import ownership  # most daemons keep theirs

    return ownership.guard(circus["endpoint"], circus["endpoint_owner"])
