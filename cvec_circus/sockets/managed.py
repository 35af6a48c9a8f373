"""One listening socket: opened by us, accepted on by children, whichever generation they are."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

from cvec_circus import exc
from cvec_circus.options.kinds import to_boolean, to_protocol
from cvec_circus.options.socket import SOCKET_OPTIONS, TUNABLE, check

if TYPE_CHECKING:
    from cvec_circus.sockets.unix import OwnPath

FAMILIES = {name: getattr(socket, name) for name in SOCKET_OPTIONS.by_name["family"].choices}
TYPES = {name: getattr(socket, name) for name in SOCKET_OPTIONS.by_name["type"].choices}
LISTENING = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)
HIGHEST_PORT = 65_535

Constant = Union[str, int]


class CircusSocket:
    """A socket under a name, that programs serve. Owned by the supervisor thread once it is bound.

    The arguments stand in the order that Circus has them in, because embedding programs pass them
    by place as well as by name.

    The descriptor stays close-on-exec: a child gets it by being started with it in `pass_fds`, and
    nobody else's child does. It belongs to the daemon and not to the children, so connections wait
    in its backlog while they are replaced.

    Attributes:
        name: What `$(circus.sockets.NAME)` calls it.
        host: What was asked for; once bound, the address that it listens on. None with a path.
        port: Likewise; 0 asks for a free one.
        path: The path of a unix socket, None for others.
        family: The kind of address.
        type: The kind of connection.
        proto: The number of the protocol.
        backlog: How many connections may wait to be accepted (the kernel caps it at
            net.core.somaxconn).
        blocking: Whether an accept on it waits. All who inherit it share this, so it is False as in
            Circus: of several workers woken by one connection all but one find nothing.
        interface: The network device that it is bound to.
        so_reuseport: Whether every process gets one of its own (`another`). This one then holds the
            port and does not listen: what connects to it would never be served.
    """

    def __init__(
        self,
        name: str = "",
        host: str | None = "localhost",
        port: int | str = 8080,
        family: Constant = socket.AF_INET,
        type: Constant = socket.SOCK_STREAM,
        proto: int | str | None = 0,
        backlog: int | str = 2048,
        path: str | None = None,
        umask: int | None = None,
        replace: bool = False,
        interface: str | None = None,
        so_reuseport: bool = False,
        blocking: bool = False,
        owner: int | str | None = None,
        use_papa: bool = False,
    ) -> None:
        """Describe a socket; nothing is opened or resolved yet.

        Args:
            name: Its name.
            host: An address, or a host name, which is resolved by `bind`; empty for any address.
            port: 0 to 65535.
            family: AF_INET, AF_INET6 or AF_UNIX, as text or as the constant.
            type: SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RDM or SOCK_RAW, likewise.
            proto: The protocol, by name or number.
            backlog: See the class.
            path: With one, it is a unix socket whatever the family.
            umask: The mask of the path's mode; None for the process' own when it is bound.
            replace: Whether a socket that is at the path already is removed first.
            interface: See the class.
            so_reuseport: See the class.
            blocking: See the class.
            owner: Who owns the path, by name or number; None for us.
            use_papa: Not available in this version.

        Raises:
            cvec_circus.exc.OptionError: A value that is out of range, not available, or that does
                not go with another one.
        """
        if use_papa:
            raise exc.OptionError("use_papa", "is not available in this version")
        self.name = name
        self.path = path or None
        self.family = socket.AF_UNIX if path else _constant("family", family, FAMILIES)
        self.type = _constant("type", type, TYPES)
        self.proto = _protocol(proto or 0)
        self.host = None if self.path else host or ""
        self.port = None if self.path else _integer("port", port, 0, HIGHEST_PORT)
        self._asked = self.host, self.port
        self.backlog = _integer("backlog", backlog, 0, 2**31 - 1)
        self.umask = umask
        self.replace = _boolean("replace", replace)
        self.interface = interface or None
        self.so_reuseport = _boolean("so_reuseport", so_reuseport)
        self.blocking = _boolean("blocking", blocking)
        self.owner = None if owner == "" else owner
        check(
            {
                "host": self.host,
                "path": self.path,
                "family": self.family.name,
                "owner": self.owner,
                "so_reuseport": self.so_reuseport,
            }
        )
        self._socket: socket.socket | None = None
        self._own_path: OwnPath | None = None
        self._is_shared = False

    @property
    def location(self) -> str:
        """The address as people write it: a path, 127.0.0.1:80, [::1]:80, *:80 for any address."""
        if self.path is not None:
            return self.path
        host = f"[{self.host}]" if ":" in (self.host or "") else self.host or "*"
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"socket {self.name} at {self.location}"

    def bind(self, is_shared: bool = False) -> None:
        """Resolve the host, bind and listen. Nothing when it is bound already.

        Args:
            is_shared: Whether another socket of ours may have the port, which `share` has allowed.

        Raises:
            cvec_circus.exc.SocketError: One line that names the socket and the address.
        """
        if self._socket is not None:
            return
        if self.path is not None:
            self._socket = self._bound(None)
            return
        self._is_shared = is_shared
        bound = self._bound(self._resolve())
        self._address = bound.getsockname()
        self.host, self.port = self._address[:2]
        if self.so_reuseport and self.type not in LISTENING:
            # Bound, it would get its share of what comes in.
            bound.close()
            bound = self._opened()
        self._socket = bound

    def another(self) -> socket.socket:
        """Open one more socket at the address of this one, which is bound and has `so_reuseport`.

        Returns:
            The socket, which is the caller's.

        Raises:
            cvec_circus.exc.SocketError: As for `bind`.
        """
        return self._bound(self._address, is_own=True)

    def fileno(self) -> int:
        """Return the descriptor, -1 when it is not bound."""
        return -1 if self._socket is None else self._socket.fileno()

    def describe(self) -> dict[str, Any]:
        """Return what the command `listsockets` shows of it."""
        shown = {"fd": self.fileno(), "name": self.name, "backlog": self.backlog}
        if self.path is not None:
            return {**shown, "path": self.path}
        return {**shown, "host": self.host, "port": self.port}

    def options(self) -> dict[str, Any]:
        """Return the options that it was made with, named and typed as in a configuration."""
        host, port = self._asked
        return {
            "host": host,
            "port": port,
            "path": self.path,
            "family": self.family.name,
            "type": self.type.name,
            "proto": self.proto,
            "backlog": self.backlog,
            "umask": self.umask,
            "replace": self.replace,
            "interface": self.interface,
            "so_reuseport": self.so_reuseport,
            "blocking": self.blocking,
            "owner": self.owner,
        }

    def retune(self, options: Mapping[str, Any]) -> None:
        """Change what can be changed of a bound socket: see `TUNABLE`.

        Args:
            options: As `options` returns them; others have to be as they are.

        Raises:
            cvec_circus.exc.SocketError: One of them cannot be changed; others may be by now.
        """
        before = self.umask, self.owner
        for name in TUNABLE:
            setattr(self, name, options[name])
        if self._socket is None:
            return
        try:
            self._socket.setblocking(self.blocking)
            if self.type in LISTENING and not self.so_reuseport:
                self._socket.listen(self.backlog)
            if self._own_path is not None and before != (self.umask, self.owner):
                self._own_path.give(self._mode(), self.owner)
        except OSError as error:
            raise self._error(f"cannot change it at {self.location}", error) from error

    def share(self, is_shared: bool) -> None:
        """Let others of this user bind the port of this one, or let them no more.

        The kernel refuses a port that somebody listens on unless both have SO_REUSEPORT. So two
        sockets can be there side by side, the next one and that of processes which go on.
        """
        if self._socket is not None and self.path is None:
            value = int(is_shared or self.so_reuseport)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, value)

    def move_aside(self) -> None:
        """Give the path free for another socket; who has it open serves those that are there."""
        if self._own_path is not None:
            self._own_path = self._own_path.moved(f"{self._own_path.path}.old")

    def move_back(self) -> None:
        """Have the path again, after `move_aside`."""
        if self._own_path is not None and self._own_path.path.endswith(".old"):
            self._own_path = self._own_path.moved(self._own_path.path[: -len(".old")])

    def is_in_the_way_of(self, other: CircusSocket) -> bool:
        """Whether the other one cannot be bound, perhaps, because this one is."""
        if self.fileno() < 0 or (self.path is None) != (other.path is None):
            return False
        if other.path is not None:
            own = self._own_path
            return own is not None and own.path == os.path.abspath(other.path)
        return self.port == other.port

    def close(self) -> None:
        """Stop listening; it can be bound again. Nothing when it is closed already."""
        if self._own_path is not None:
            self._own_path.unlink()
            self._own_path = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self.host, self.port = self._asked

    def _opened(self) -> socket.socket:
        try:
            return socket.socket(self.family, self.type, self.proto)
        except OSError as error:
            raise self._error("cannot open it", error) from error

    def _bound(self, address: Any, is_own: bool = False) -> socket.socket:
        """A new socket, bound; it listens unless every process has its own and this is not one."""
        bound = self._opened()
        try:
            if self.path is not None:
                self._bind_path(bound, self.path)
            else:
                self._bind_address(bound, address)
            bound.setblocking(self.blocking)
            if self.type in LISTENING and is_own == self.so_reuseport:
                bound.listen(self.backlog)
        except OSError as error:
            bound.close()
            if self._own_path is not None:
                self._own_path.unlink()
                self._own_path = None
            raise self._error(f"cannot listen on {self.location}", error) from error
        except BaseException:
            bound.close()
            raise
        return bound

    def _bind_address(self, bound: socket.socket, address: Any) -> None:
        # A daemon that is started anew must not wait for its predecessor's TIME_WAIT.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.so_reuseport or self._is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if self.interface is not None:
            device = os.fsencode(self.interface) + b"\0"
            try:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
            except OSError as error:
                raise self._error(f"cannot use the interface {self.interface}", error) from error
        bound.bind(address)

    def _bind_path(self, bound: socket.socket, path: str) -> None:
        from cvec_circus.sockets import unix  # most daemons have none

        self._own_path = unix.bind(bound, path, self._mode(), self.owner, self.replace)

    def _mode(self) -> int:
        from cvec_circus.sockets import unix

        return 0o777 & ~(unix.umask() if self.umask is None else self.umask)

    def _resolve(self) -> Any:
        try:
            # The address is the same for every type, and resolvers do not know all of them.
            found = socket.getaddrinfo(
                self.host or None, self.port, self.family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE
            )
        except (OSError, UnicodeError) as error:  # a label of 64 letters is a UnicodeError
            raise self._error(f"cannot resolve {self.host}", error) from error
        return found[0][4]

    def _error(self, what: str, error: Exception) -> exc.SocketError:
        reason = str(error)
        if isinstance(error, OSError) and error.errno is not None:
            # strerror is "Address already in use", and for a name that does not resolve the
            # resolver's own words.
            reason = error.strerror or os.strerror(error.errno)
        return exc.SocketError(f"socket {self.name}: {what}: {reason}")


def _integer(option: str, value: int | str, low: int, high: int) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise exc.OptionError(option, f"{value!r} is not a whole number") from None
    if not low <= number <= high:
        raise exc.OptionError(option, f"{number} is not within {low} and {high}")
    return number


def _constant(option: str, value: Constant, known: dict[str, Any]) -> Any:
    """Return the constant that the value names or is."""
    for name, constant in known.items():
        if value == constant or str(value).upper() == name:
            return constant
    raise exc.OptionError(option, f"{value!s} is none of {', '.join(known)}")


def _protocol(value: int | str) -> int:
    try:
        return to_protocol(value)
    except ValueError as error:
        raise exc.OptionError("proto", str(error)) from None


def _boolean(option: str, value: bool | str) -> bool:
    try:
        return to_boolean(value)
    except ValueError as error:
        raise exc.OptionError(option, str(error)) from None
