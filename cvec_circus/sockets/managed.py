"""One listening socket: opened by the daemon, accepted on by its children of any generation."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Union

from cvec_circus import exc, logger
from cvec_circus.options.socket import SOCKET_OPTIONS, TUNABLE, check
from cvec_circus.sockets import possible
from cvec_circus.sockets.noted import Noted

if TYPE_CHECKING:
    from cvec_circus.sockets.unix import OwnPath
    from cvec_circus.system.own_file import Finding

LISTENING = (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)

Constant = Union[str, int]


def _of_open_ones(name: str) -> Callable[..., Any]:
    """Return a method of Python's sockets that refuses one that is not open in a sentence."""
    method = getattr(socket.socket, name)

    @wraps(method)
    def of_open_ones(self: CircusSocket, *args: Any, **more: Any) -> Any:
        if self.fileno() < 0:
            raise OSError(errno.EBADF, f"{self} is not open; call bind_and_listen() first")
        return method(self, *args, **more)

    return of_open_ones


class CircusSocket(Noted, socket.socket):
    """A named socket that programs serve. Owned by the supervisor thread once it is bound.

    The descriptor stays close-on-exec: a child gets it by being started with it in `pass_fds`, and
    no other program's child does, unless the program itself calls `bind_and_listen`. It belongs to
    the daemon, not to the children, so connections wait in its backlog while they are replaced.

    The arguments are in the order of Circus, because embedding programs pass them by place as well
    as by name. Nothing is opened or resolved before `open` or `bind_and_listen`; from then on it is
    an open socket of Python's, with all its methods.

    Args:
        name: What `$(circus.sockets.NAME)` calls it.
        host: An address, or a host name, which `open` resolves; empty for any address. Once bound,
            `host` is the address that it listens on; with a path it is None.
        port: 0 to 65535; 0 asks for a free one. Once bound, `port` is the real one.
        family: AF_INET, AF_INET6 or AF_UNIX, as text or as the constant.
        type: SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RDM or SOCK_RAW, likewise.
        proto: The protocol, by name or number.
        backlog: How many connections may wait to be accepted; net.core.somaxconn at most.
        path: With one, it is a unix socket whatever the family.
        umask: The mask of the path's mode; None for the process' own when it is opened.
        replace: Whether a socket at the path that no process serves is removed first.
        interface: The network device that it is bound to.
        so_reuseport: Whether every process gets a socket of its own (`another`). This one then
            holds the port and does not listen: what connects to it would never be served.
        blocking: Whether an accept on it waits. All that inherit it share this, so it is False as
            in Circus: of several workers woken by one connection all but one find nothing.
        owner: The owner of the path, by name or number; None for the user of this process.

    Raises:
        cvec_circus.exc.OptionError: A value is out of range, or does not go with another one.
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
    ) -> None:
        given = {
            "family": family if isinstance(family, str) else socket.AddressFamily(family).name,
            "type": type if isinstance(type, str) else socket.SocketKind(type).name,
            "proto": proto or 0,
            "backlog": backlog,
            "replace": replace,
            "so_reuseport": so_reuseport,
            "blocking": blocking,
            **({} if path else {"port": port}),
        }
        typed = SOCKET_OPTIONS.convert(given)
        self.name = name
        self.path = path or None
        self.family = socket.AF_UNIX if path else getattr(socket, typed["family"])  # type: ignore[misc]
        self.type = getattr(socket, typed["type"])  # type: ignore[misc]
        self.proto: int = typed["proto"]
        self.host = None if path else host or ""
        self.port: int | None = typed.get("port")
        self._asked = self.host, self.port
        self.backlog: int = typed["backlog"]
        self.umask = umask
        self.replace: bool = typed["replace"]
        self.interface = interface or None
        self.so_reuseport: bool = typed["so_reuseport"]
        self.blocking: bool = typed["blocking"]
        self.owner = None if owner == "" else owner
        check(self.options())
        self._own_path: OwnPath | None = None
        self._is_shared = False

    if not TYPE_CHECKING:
        # Python's sockets have these two as properties, and one that is not open has other ones.
        family = type = proto = None
        accept = _of_open_ones("accept")
        bind = _of_open_ones("bind")
        getsockname = _of_open_ones("getsockname")
        getsockopt = _of_open_ones("getsockopt")
        listen = _of_open_ones("listen")
        setsockopt = _of_open_ones("setsockopt")

    @property
    def location(self) -> str:
        """The address as people write it: a path, 127.0.0.1:80, [::1]:80, *:80 for any address."""
        if self.path is not None:
            return self.path
        host = f"[{self.host}]" if ":" in (self.host or "") else self.host or "*"
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"socket {self.name!r} at {self.location}"

    def open(self, is_shared: bool = False) -> None:
        """Resolve the host, bind and listen, unless it is open.

        Args:
            is_shared: Whether another of our sockets may have the port; `share` has allowed it.

        Raises:
            cvec_circus.exc.SocketError: One line that names the socket and the address.
        """
        if self.fileno() >= 0:
            return
        if self.path is not None:
            self._be(self._bound(None))
            self.setblocking(self.blocking)
            return
        self._is_shared = is_shared
        bound = self._bound(self._resolve())
        self._address = bound.getsockname()
        self.host, self.port = self._address[:2]
        if self.so_reuseport and self.type not in LISTENING:
            # If bound, it would get a share of the datagrams.
            bound.close()
            bound = self._opened()
        self._be(bound)
        self.setblocking(self.blocking)

    def _be(self, opened: socket.socket) -> None:
        """Become a socket that is open."""
        socket.socket.__init__(self, fileno=opened.detach())

    def bind_and_listen(self) -> None:
        """Do what `open` does, for a program that serves it by itself.

        As in Circus, the programs that this one starts inherit it from then on.
        """
        self.open()
        self.set_inheritable(True)

    @classmethod
    def load_from_config(cls, config: Mapping[str, Any]) -> CircusSocket:
        """Make a socket from a mapping; warn of unknown options. Text of `umask` is decimal."""
        known = {key: config[key] for key in config if key == "name" or SOCKET_OPTIONS.find(key)}
        for key in config.keys() - known.keys():
            logger.warning("socket %s: unknown option %s, ignored", config.get("name"), key)
        given = {key: value for key, value in known.items() if value is not None}
        umask = given.get("umask", SOCKET_OPTIONS.by_name["umask"].default)
        umask = int(umask) if isinstance(umask, str) and umask.isdecimal() else umask
        return cls(**{**given, "umask": SOCKET_OPTIONS.convert_one("umask", umask)})

    @property
    def is_unix(self) -> bool:
        """Whether it has a path."""
        return self.path is not None

    @property
    def socktype(self) -> int:
        """Its `type`, under its name in Circus."""
        return int(self.type)

    def another(self) -> socket.socket:
        """Open one more socket at the address of this one, which is bound and has `so_reuseport`.

        Returns:
            The socket, which is the caller's.

        Raises:
            cvec_circus.exc.SocketError: As for `bind`.
        """
        return self._bound(self._address, is_own=True)

    def describe(self) -> dict[str, Any]:
        """Return its row for the command `listsockets`."""
        shown = {"fd": self.fileno(), "name": self.name, "backlog": self.backlog}
        if self.path is not None:
            return {**shown, "path": self.path}
        return {**shown, "host": self.host, "port": self.port}

    def options(self) -> dict[str, Any]:
        """Return the options that it was made with, named and typed as in a configuration."""
        host, port = self._asked
        family, kind = self.family.name, self.type.name
        same = "path proto backlog umask replace interface so_reuseport blocking owner".split()
        options = {name: getattr(self, name) for name in same}
        return {"host": host, "port": port, "family": family, "type": kind, **options}

    def retune(self, options: Mapping[str, Any]) -> None:
        """Change the options in `TUNABLE`, of a bound socket too.

        Args:
            options: As `options` returns them; the others are the same as before.

        Raises:
            cvec_circus.exc.SocketError: One of them cannot be changed; others may be by now.
        """
        before, was_blocking = (self.umask, self.owner), self.blocking
        for name in TUNABLE:
            setattr(self, name, options[name])
        if self.fileno() < 0:
            return
        try:
            if self.blocking != was_blocking:  # else it is as the programs that share it have it
                self.setblocking(self.blocking)
            if self.type in LISTENING and not self.so_reuseport:
                self.listen(self.backlog)
            if self._own_path is not None and before != (self.umask, self.owner):
                self._own_path.give(self._mode(), self.owner)
        except OSError as error:
            raise self._error(f"cannot change it at {self.location}", error) from error

    def share(self, is_shared: bool) -> None:
        """Allow other sockets of this user to bind the port of this one, or forbid it again.

        The kernel refuses a port in use unless both sockets have SO_REUSEPORT. With it the next
        socket and that of the running processes can listen side by side.
        """
        if self.fileno() >= 0 and self.path is None:
            is_shared |= self.so_reuseport
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared or self.so_reuseport)

    def move_aside(self) -> None:
        """Free the path for another socket; processes keep their connections."""
        self._move("", ".old")

    def move_back(self) -> None:
        """Take the path again, after `move_aside`."""
        self._move(".old", "")

    def _move(self, before: str, after: str) -> None:
        own, name = self._own_path, os.path.basename(str(self.path))
        if own is not None and os.path.basename(own.path) == name + before:
            try:
                self._own_path = own.moved(own.path[: -len(before) or None] + after)
            except OSError as error:
                raise self._error(f"cannot move its path to {name + after}", error) from error

    @property
    def file(self) -> str:
        """See `OwnFile.file`."""
        return "" if self._own_path is None else self._own_path.path

    def look_after(self) -> Finding | None:
        """See `OwnFile.look_after`."""
        own = self._own_path
        return None if own is None else own.look_after(f"socket {self.name}", self._anew)

    def _anew(self, own: OwnPath) -> Callable[[], object]:
        """Bind another socket at a path that is gone with its second name."""
        from cvec_circus.sockets import unix

        bound = self._opened()
        try:
            fresh = unix.bind(bound, own.path, self._mode(), self.owner)
            try:
                bound.setblocking(self.blocking)
                if self.type in LISTENING:
                    bound.listen(self.backlog)
            except OSError:
                fresh.unlink()
                raise
        except BaseException:
            bound.close()
            raise
        return partial(self._take, own, bound, fresh)

    def _take(self, own: OwnPath, bound: socket.socket, fresh: OwnPath) -> None:
        """Use another socket under the same number; processes get it from their next start on."""
        with bound:
            if self.fileno() < 0 or self._own_path is not own:
                fresh.unlink()
                return
            os.dup2(bound.fileno(), self.fileno(), inheritable=False)
            self._own_path = fresh

    def is_in_the_way_of(self, other: CircusSocket) -> bool:
        """Return whether this socket may be what keeps the other one from being bound."""
        if self.fileno() < 0 or (self.path is None) != (other.path is None):
            return False
        if other.path is not None:
            own = self._own_path
            return own is not None and own.path == os.path.abspath(other.path)
        return self.port == other.port

    def close(self) -> None:
        """Stop listening, if it is open; it can be opened again."""
        self._unlink()
        if self.fileno() >= 0:
            super().close()
            self.host, self.port = self._asked

    def _unlink(self) -> None:
        if self._own_path is not None:
            self._own_path.unlink()
            self._own_path = None

    def _opened(self) -> socket.socket:
        try:
            return socket.socket(self.family, self.type, self.proto)
        except OSError as error:
            raise self._error("cannot open it", error) from error

    def _bound(self, address: Any, is_own: bool = False) -> socket.socket:
        """Return a new bound socket; it listens if processes accept on it."""
        bound = self._opened()
        try:
            if self.path is not None:
                self._bind_path(bound, self.path)
            else:
                self._bind_address(bound, address)
            bound.setblocking(self.blocking)
            if self.type in LISTENING and is_own == self.so_reuseport:
                bound.listen(self.backlog)
        except BaseException as error:
            bound.close()
            if not isinstance(error, OSError) or isinstance(error, exc.SocketError):
                raise
            self._unlink()
            raise self._error(f"cannot listen on {self.location}", error) from error
        return bound

    def _bind_address(self, bound: socket.socket, address: Any) -> None:
        # A daemon that is restarted must not wait for its predecessor's TIME_WAIT.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.so_reuseport or self._is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if self.interface is not None:
            try:
                possible.bind_to_device(bound, self.interface)
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
            return possible.resolve(self.host, self.port, self.family)
        except (OSError, UnicodeError) as error:
            raise self._error(f"cannot resolve {self.host}", error) from error

    def _error(self, what: str, error: Exception) -> exc.SocketError:
        reason, number = str(error), None
        if isinstance(error, OSError) and error.errno is not None:
            number = error.errno
            # For a name that does not resolve, strerror is the resolver's own words.
            reason = error.strerror or os.strerror(error.errno)
            if error.errno == errno.EADDRINUSE and self.port:
                from cvec_circus.sockets.holders import listener_of

                reason += f"; {listener_of(self.port)} listens there"
        return exc.SocketError(f"socket {self.name}: {what}: {reason}", number)
