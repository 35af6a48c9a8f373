"""One listening socket: opened by us, accepted on by children, whichever generation they are."""

from __future__ import annotations

import os
import socket
from typing import Any, Union

from cvec_circus import exc

FAMILIES = {"AF_INET": socket.AF_INET, "AF_INET6": socket.AF_INET6}
TYPES = {"SOCK_STREAM": socket.SOCK_STREAM}
HIGHEST_PORT = 65_535

Constant = Union[str, int]


class CircusSocket:
    """A listening TCP socket under a name. Owned by the supervisor thread once it is bound.

    The arguments stand in the order that Circus has them in, because embedding programs pass them
    by place as well as by name.

    The descriptor stays close-on-exec: a child gets it by being started with it in `pass_fds`, and
    nobody else's child does. It belongs to the daemon and not to the children, so connections wait
    in its backlog while they are replaced.

    Attributes:
        name: What `$(circus.sockets.NAME)` calls it.
        host: What was asked for; once bound, the address that it listens on.
        port: Likewise; 0 asks for a free one.
        backlog: How many connections may wait to be accepted (the kernel caps it at
            net.core.somaxconn).
        blocking: Whether an accept on it waits. All who inherit it share this, so it is False as in
            Circus: of several workers woken by one connection all but one find nothing.
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
            family: AF_INET or AF_INET6, as text or as the constant.
            type: SOCK_STREAM, as text or as the constant.
            proto: Not available in this version; the same goes for those that refer to it.
            backlog: See the class.
            path: See proto.
            umask: See proto.
            replace: See proto.
            interface: See proto.
            so_reuseport: See proto.
            blocking: See the class.
            owner: See proto.
            use_papa: See proto.

        Raises:
            cvec_circus.exc.OptionError: A value that is out of range or not available.
        """
        for option, value in (
            ("proto", proto),
            ("path", path),
            ("replace", replace),
            ("interface", interface),
            ("so_reuseport", so_reuseport),
            ("owner", owner),
            ("umask", umask),
            ("use_papa", use_papa),
        ):
            if value not in (None, False, 0, ""):
                raise exc.OptionError(option, "is not available in this version")
        self.name = name
        self.host = host or ""
        self.port = _integer("port", port, 0, HIGHEST_PORT)
        self._asked = self.host, self.port
        self.family = _constant("family", family, FAMILIES)
        self.type = _constant("type", type, TYPES)
        self.backlog = _integer("backlog", backlog, 0, 2**31 - 1)
        self.blocking = blocking
        self._socket: socket.socket | None = None

    @property
    def location(self) -> str:
        """The address as people write it: 127.0.0.1:80, [::1]:80, *:80 for any address."""
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"socket {self.name} at {self.location}"

    def bind(self) -> None:
        """Resolve the host, bind and listen. Nothing when it is bound already.

        Raises:
            cvec_circus.exc.SocketError: One line that names the socket and the address.
        """
        if self._socket is not None:
            return
        address = self._resolve()
        try:
            bound = socket.socket(self.family, self.type)
        except OSError as error:
            raise self._error("cannot open it", error) from error
        try:
            # A daemon that is started anew must not wait for its predecessor's TIME_WAIT.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.setblocking(self.blocking)
            bound.listen(self.backlog)
        except OSError as error:
            bound.close()
            raise self._error(f"cannot listen on {self.location}", error) from error
        self._socket = bound
        self.host, self.port = bound.getsockname()[:2]

    def fileno(self) -> int:
        """Return the descriptor, -1 when it is not bound."""
        return -1 if self._socket is None else self._socket.fileno()

    def describe(self) -> dict[str, Any]:
        """Return what the command `listsockets` shows of it."""
        return {
            "fd": self.fileno(),
            "name": self.name,
            "backlog": self.backlog,
            "host": self.host,
            "port": self.port,
        }

    def close(self) -> None:
        """Stop listening; it can be bound again. Nothing when it is closed already."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self.host, self.port = self._asked

    def _resolve(self) -> Any:
        try:
            found = socket.getaddrinfo(
                self.host or None, self.port, self.family, self.type, 0, socket.AI_PASSIVE
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
    names = " and ".join(known)
    raise exc.OptionError(option, f"{value!s} is not available in this version; {names} can be")
