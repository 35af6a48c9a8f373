"""Sockets by their names, for programs that open them by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cvec_circus.base.calling import in_order
from cvec_circus.sockets.managed import CircusSocket


class CircusSockets(dict[str, CircusSocket]):
    """Sockets by name. Owned by the thread that made it.

    >>> sockets = CircusSockets([CircusSocket("web", port=0)])
    >>> sockets.bind_and_listen_all()
    >>> sockets.close_all()

    Attributes:
        backlog: That of a socket that `add` makes.
    """

    def __init__(self, sockets: Iterable[CircusSocket] | None = None, backlog: int = 2048) -> None:
        super().__init__({one.name: one for one in sockets or ()})
        self.backlog = backlog

    @in_order("host port family type proto backlog path umask interface")
    def add(self, name: str, **options: Any) -> CircusSocket:
        """Make a socket of these arguments, as `CircusSocket` takes them, and keep it.

        Raises:
            ValueError: There is one of that name.
            OptionError: An argument is wrong.
        """
        if name in self:
            raise ValueError(f"there is a {self[name]} already")
        if options.get("backlog") is None:
            options["backlog"] = self.backlog
        self[name] = CircusSocket(name, **options)
        return self[name]

    def bind_and_listen_all(self) -> None:
        """Bind every socket, but those of which each process gets one of its own.

        Raises:
            SocketError: One of them cannot be bound.
        """
        for one in self.values():
            if not one.so_reuseport:
                one.bind_and_listen()

    def close_all(self) -> None:
        """Close every socket."""
        for one in self.values():
            one.close()
