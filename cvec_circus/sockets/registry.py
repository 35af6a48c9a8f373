"""All managed sockets: which ones a command inherits, and new ones beside old ones."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from cvec_circus import exc
from cvec_circus.options.references import sockets_in
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.system.launch import LaunchError


class SocketRegistry:
    """The managed sockets by name, in any case of letters. Owned by the supervisor thread.

    Attributes:
        leaving: Sockets that no new process gets, but that processes still serve.
    """

    def __init__(self) -> None:
        self._sockets: dict[str, CircusSocket] = {}
        self.leaving: list[CircusSocket] = []

    def __iter__(self) -> Iterator[CircusSocket]:
        return iter(self._sockets.values())

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, managed: CircusSocket) -> None:
        """Add a socket, bound or not.

        Raises:
            cvec_circus.exc.AlreadyExist: There is one of that name, in any case of letters.
        """
        folded = managed.name.lower()
        if folded in self._sockets:
            raise exc.AlreadyExist(f"there is a socket {managed.name} already")
        self._sockets[folded] = managed

    def exchange(self, sockets: Iterable[CircusSocket]) -> None:
        """Replace the present sockets with these, all bound; nothing is closed."""
        self._sockets = {managed.name.lower(): managed for managed in sockets}

    def bind_all(self) -> None:
        """Bind every socket or, if one cannot be bound, none that was not bound before.

        Raises:
            cvec_circus.exc.SocketError: One of them cannot be bound.
        """
        newcomers = Newcomers([one for one in self if one.fileno() < 0], self.leaving)
        newcomers.bind()
        newcomers.settle()

    def fds(self) -> dict[str, int]:
        """Return the descriptors of the bound sockets by their names as given."""
        return {managed.name: managed.fileno() for managed in self if managed.fileno() >= 0}

    def find(self, option: str, name: str) -> CircusSocket:
        """Return the bound socket of a name, in any case of letters, which an option gives.

        Raises:
            cvec_circus.exc.OptionError: It does not exist or is not bound.
        """
        managed = self._sockets.get(name.lower())
        if managed is None or managed.fileno() < 0:
            known = ", ".join(managed.name for managed in self)
            hint = f"; there is {known}" if known else ""
            raise exc.OptionError(option, f"there is no socket {name}{hint}")
        return managed

    def referred_to(self, text: str) -> list[CircusSocket]:
        """Find the bound sockets that a command, not expanded yet, refers to, in its order.

        Raises:
            cvec_circus.exc.OptionError: It names one that does not exist or is not bound.
        """
        return [self.find("use_sockets", name) for name in sockets_in(text)]

    def describe(self, leaving: bool = False) -> list[dict[str, Any]]:
        """Return the rows of `listsockets`: the bound sockets, or those that are leaving, by
        descriptor."""
        chosen = self.leaving if leaving else self
        rows = (managed.describe() for managed in chosen if managed.fileno() >= 0)
        return sorted(rows, key=itemgetter("fd"))

    def notes(self) -> dict[str, list[Any]]:
        """Return what another daemon needs to recognise each bound socket, by name."""
        return {managed.name: managed.note() for managed in self if managed.fileno() >= 0}

    def close_all(self) -> None:
        """Close every socket; they can be bound again."""
        for managed in [*self, *self.leaving]:
            managed.close()
        self.leaving.clear()


class Loan:
    """The sockets of one process, while it starts. Owned by the supervisor thread.

    For a socket with `so_reuseport` a process gets one of its own, with another descriptor. Use it
    as a context manager: its end closes what was opened for the process, which has inherited it.
    """

    def __init__(self, registry: SocketRegistry) -> None:
        self._registry = registry
        self._opened: dict[str, socket.socket] = {}

    def __enter__(self) -> Loan:
        return self

    def __exit__(self, *details: object) -> None:
        for opened in self._opened.values():
            opened.close()
        self._opened.clear()

    def used_by(self, text: str) -> dict[str, int]:
        """Return the descriptors, by name, that a command not expanded yet refers to.

        Raises:
            cvec_circus.exc.OptionError: The text names a socket that is not there or not bound.
            OSError: The process cannot get one of its own.
        """
        return {one.name: self._fd(one) for one in self._registry.referred_to(text)}

    def fd(self, option: str, name: str) -> int:
        """Return the descriptor of the socket that an option names. Raises: as `used_by`."""
        return self._fd(self._registry.find(option, name))

    def fds(self) -> dict[str, int]:
        """Return the descriptors of all sockets by their names, as they are for this process."""
        own = {name: opened.fileno() for name, opened in self._opened.items()}
        return {**self._registry.fds(), **own}

    def _fd(self, managed: CircusSocket) -> int:
        if not managed.so_reuseport:
            return managed.fileno()
        if managed.name not in self._opened:
            try:
                self._opened[managed.name] = managed.another()
            except exc.SocketError as error:
                number = getattr(error.__cause__, "errno", None) or 0
                raise LaunchError(number, str(error)) from error
        return self._opened[managed.name].fileno()


class Newcomers:
    """New sockets, all or none, bound while the `present` ones that they may replace still listen.

    Owned by one thread at a time: the one that binds, which may wait for a name server, then the
    supervisor's.
    """

    def __init__(self, sockets: Iterable[CircusSocket], present: Sequence[CircusSocket]) -> None:
        self.sockets = list(sockets)
        self._present = present
        self._sharing: list[CircusSocket] = []
        self._aside: list[CircusSocket] = []

    def bind(self) -> None:
        """Bind them all.

        Raises:
            SocketError: One of them cannot be bound. Everything is as before.
        """
        try:
            for managed in self.sockets:
                self._bind(managed)
        except BaseException:
            self.abandon()
            raise

    def _bind(self, managed: CircusSocket) -> None:
        try:
            managed.open()
        except exc.SocketError:
            in_the_way = [one for one in self._present if one.is_in_the_way_of(managed)]
            if not in_the_way:
                raise
            for one in in_the_way:
                if one.path is None:
                    self._sharing.append(one)
                    one.share(True)
                else:
                    self._aside.append(one)
                    one.move_aside()
            managed.open(is_shared=True)

    def settle(self) -> None:
        """Keep them: no other socket can share their ports from now on."""
        for managed in [*self._sharing, *self.sockets]:
            managed.share(False)

    def abandon(self) -> None:
        """Close them; everything is as before."""
        for managed in self.sockets:
            managed.close()
        for managed in self._sharing:
            managed.share(False)
        for managed in self._aside:
            managed.move_back()
