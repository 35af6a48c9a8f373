"""Listening on the daemon's endpoints, with one clear line when that fails."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import regex
from cvec_circus.exc import SocketError
from cvec_circus.options.endpoint import why_no_endpoint, why_too_long
from cvec_circus.options.rights import why_no_user
from cvec_circus.system.paths import why_no_socket

if TYPE_CHECKING:
    from cvec_circus.control.ownership import Guard
    from cvec_circus.sockets.unix import OwnPath

#: Connections that may wait to be accepted: of clients that start at once, or while there is no
#: room.
_BACKLOG = 1024
#: The ioctl for the address of an interface: see netdevice(7).
_SIOCGIFADDR = 0x8915
_LOOPBACK = regex(r"127(\.\d{1,3}){3}")
_RISKY = "any client that can connect can run programs here"
_REFUSED = (
    f"refused, because {_RISKY}; --allow-remote (allow_remote = True) takes it all the same; "
    "safer is 127.0.0.1 or ipc://PATH, forwarded with ssh -L"
)
_ROOT = (
    "any local user can run programs as root through it; "
    "set endpoint = ipc:///run/... to prevent that"
)

_NO_FILE = "which is no file; write endpoint = ipc://PATH"


class Access(NamedTuple):
    """Who may connect to the file of an ipc endpoint. Immutable."""

    mode: int = 0o600
    owner: int | str | None = None  # by name or number; None for us


class Listener(NamedTuple):
    """A socket that listens. Immutable."""

    sock: socket.socket  # non-blocking
    fd: int
    address: str  # the real endpoint
    own_path: OwnPath | None = None  # the file of an ipc endpoint, removed at the end
    access: Access | None = None  # who may connect to it

    def again(self) -> Listener:
        """Listen at the same file with another socket. Raises OSError if that fails."""
        assert self.own_path is not None
        assert self.access is not None
        return _listen_file(self.own_path.path, self.access)

    def close(self) -> None:
        """Stop listening. Once: afterwards the file may be another daemon's."""
        if self.sock.fileno() == -1:
            return
        self.sock.close()
        if self.own_path is not None:
            self.own_path.unlink()


OURS_ALONE = Access()


class Judgement(NamedTuple):
    """A problem or risk of an endpoint. Immutable."""

    option: str
    text: str
    is_problem: bool

    def __str__(self) -> str:
        return f"{self.option} {self.text}" if "://" in self.text else f"{self.option}: {self.text}"


def judge(circus: Mapping[str, Any]) -> Iterator[Judgement]:
    """Yield the problems and risks of a daemon's endpoints, whatever the machine.

    A start and a check of the configuration both ask here. What cannot be together with another
    endpoint or socket is found when the configuration is read.

    Args:
        circus: The options of the daemon.
    """
    for option in ("endpoint", "pubsub_endpoint", "stats_endpoint"):
        endpoint = circus[option]
        if is_local(endpoint):
            continue
        elif option == "endpoint":
            text = _RISKY if circus["allow_remote"] else _REFUSED
            yield Judgement(option, f"{endpoint}: {text}", not circus["allow_remote"])
        elif not circus["allow_remote"]:
            yield Judgement(option, f"{endpoint}: other machines can listen to it", False)
    if reason := why_no_user(circus["endpoint_owner"]):
        yield Judgement("endpoint_owner", reason, True)
    for option, is_set in (
        ("endpoint_mode", circus["endpoint_mode"] != OURS_ALONE.mode),
        ("endpoint_owner", circus["endpoint_owner"] is not None),
    ):
        if is_set and not has_file(circus["endpoint"]):
            yield Judgement(option, f"has no effect on {circus['endpoint']}, {_NO_FILE}", False)


def examine(circus: Mapping[str, Any], allow_remote: bool = False) -> list[str]:
    """Refuse endpoints with a problem; return warnings of risky ones, to log once they listen.

    Args:
        circus: The options of the daemon.
        allow_remote: Whether other machines may connect whatever these options say.

    Raises:
        SocketError: All problems, a line each.
    """
    found = [*judge({**circus, "allow_remote": allow_remote or circus["allow_remote"]})]
    problems = [str(one) for one in found if one.is_problem]
    if problems:
        raise SocketError("\n".join(problems))
    warnings = [str(one) for one in found]
    endpoint = circus["endpoint"]
    if os.geteuid() == 0 and is_local(endpoint) and endpoint.startswith(("tcp://", "ipc://@")):
        warnings.append(f"endpoint {endpoint}: {_ROOT}")
    return warnings


def why_not_here(endpoint: str, cwd: str) -> str:
    """Return why no user can ever listen on an endpoint on this machine, "" if one can.

    It may wait for a name server. A port or path that is in use counts as free.

    Args:
        endpoint: One that `judge` says nothing of.
        cwd: The directory that the path of a file starts in.
    """
    transport, _, address = endpoint.partition("://")
    if has_file(endpoint):
        whole = os.path.join(cwd, address)
        reason = why_too_long(os.path.normpath(whole))
        return f"{whole} has {reason}" if reason else why_no_socket(whole)
    if transport != "tcp":
        return ""
    try:
        family, where = _resolve(address.rpartition(":")[0].strip("[]"), 0)
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.bind(where)
    except OSError as error:
        return _reason(error)
    return ""


def is_local(endpoint: str) -> bool:
    """Return whether only this machine can reach an endpoint."""
    transport, _, address = endpoint.partition("://")
    host, colon, _ = address.rpartition(":")
    if transport != "tcp" or not colon:
        return True  # or it is not an endpoint, which `listen` reports
    return host in ("localhost", "lo", "[::1]", "::1") or bool(_LOOPBACK.fullmatch(host))


def listen(what: str, endpoint: str, access: Access = OURS_ALONE) -> Listener:
    """Listen on an endpoint.

    Args:
        what: The option that gave the endpoint, for the error message.
        endpoint: A ZeroMQ endpoint; ``tcp://127.0.0.1:*`` takes any free port.
        access: Who may connect to the file of an ipc endpoint.

    Raises:
        SocketError: A line that names the option and the endpoint.
    """
    transport, _, address = endpoint.partition("://")
    reason = why_no_endpoint(endpoint)
    if reason:
        raise SocketError(f"{what} {endpoint}: cannot listen: {reason}")
    try:
        if transport == "tcp":
            return _listen_tcp(address)
        return _listen_file(address, access) if has_file(endpoint) else _listen_unix(address)
    except OSError as error:
        reason = _reason(error)
        if transport == "tcp" and error.errno == errno.EADDRINUSE:
            from cvec_circus.sockets.holders import listener_of

            port = int(address.rpartition(":")[2])
            reason += f"; {listener_of(port)} listens there; set {what}"
        text = f"{what} {endpoint}: cannot listen: {reason}"
        raise SocketError(text, error.errno) from None


def has_file(endpoint: str) -> bool:
    """Tell whether an endpoint names a path in the file system."""
    transport, _, address = endpoint.partition("://")
    return transport == "ipc" and address != "*" and not address.startswith("@")


def inherited(fd: int, address: str) -> Listener:
    """Listen with a socket that another process bound and that is now ours."""
    return _listening(socket.socket(fileno=fd), address)


def handed_over(sock: socket.socket, address: str, own: OwnPath | None, access: Access) -> Listener:
    """Keep listening with the socket of the program before an exec."""
    listener = _listening(sock, address, own)
    return listener if own is None else listener._replace(access=access)


def _listen_tcp(address: str) -> Listener:
    """Listen on ``HOST:PORT``: an address, ``*``, the name of an interface or of this machine."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    number = 0 if port == "*" else int(port)
    family, where = _resolve(host, number)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        host, number, *_ = sock.getsockname()
    except OSError:
        sock.close()
        raise
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    return _listening(sock, f"tcp://{shown}:{number}")


def _resolve(host: str, port: int) -> tuple[int, Any]:
    """Return the family and address of a host; raise ENODEV if there is none."""
    if host == "*":
        return socket.AF_INET, ("0.0.0.0", port)
    if host in (name for _, name in socket.if_nameindex()):
        return socket.AF_INET, (_address_of(host), port)
    try:
        found = socket.getaddrinfo(host or "-", port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OSError(errno.ENODEV, "no such host") from None
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    return found[0][0], found[0][4]


def _address_of(interface: str) -> str:
    """Return the first IPv4 address of a network interface: see netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        request = interface.encode()[:15].ljust(40, b"\0")
        return socket.inet_ntoa(fcntl.ioctl(asking, _SIOCGIFADDR, request)[20:24])


def _listen_file(path: str, access: Access) -> Listener:
    """Listen on a file whose mode and owner are set before a client can connect."""
    from cvec_circus.sockets import unix  # most daemons have none

    _check_path(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        own = unix.bind(sock, path, access.mode, access.owner, replace=True)
    except OSError:
        sock.close()
        raise
    return _listening(sock, f"ipc://{path}", own)._replace(access=access)


def _listen_unix(address: str) -> Listener:
    """Listen on a unix socket without a file: ``@NAME``, or ``*`` for any free name."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind("" if address == "*" else "\0" + address[1:])
        name = os.fsdecode(sock.getsockname()[1:])
    except OSError:
        sock.close()
        raise
    return _listening(sock, f"ipc://@{name}")


def _listening(sock: socket.socket, address: str, own_path: OwnPath | None = None) -> Listener:
    try:
        sock.setblocking(False)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        if own_path is not None:
            own_path.unlink()
        raise
    return Listener(sock, sock.fileno(), address, own_path)


def _check_path(path: str) -> None:
    """Refuse a path where a daemon listens."""
    from cvec_circus.sockets import unix

    if unix.is_served(path):
        reason = os.strerror(errno.EADDRINUSE)
        raise OSError(f"{reason}; {unix.server_of(os.path.abspath(path))} listens there")


def _reason(error: OSError) -> str:
    """Say what is wrong with an endpoint."""
    if error.errno == errno.ENODEV:
        return "no such host or interface"
    return error.strerror or str(error)


def guard(circus: Mapping[str, Any]) -> Guard | None:
    """Return what checks requests if the endpoint belongs to another user, or None."""
    if circus["endpoint_owner"] is None:
        return None
    from cvec_circus.control import ownership  # most daemons own theirs

    return ownership.guard(circus["endpoint"], circus["endpoint_owner"])
