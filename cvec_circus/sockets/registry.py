"""All the managed sockets, and which of them a command is to inherit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from cvec_circus import exc
from cvec_circus.sockets.managed import CircusSocket

# $(circus.sockets.NAME) and ((circus.sockets.NAME)), as in every option that is expanded.
_REFERENCE = re.compile(
    r"\$\(circus\.sockets\.([^()]+)\)|\(\(circus\.sockets\.([^()]+)\)\)", re.IGNORECASE
)


class SocketRegistry:
    """The managed sockets by name, in any case of letters. Owned by the supervisor thread."""

    def __init__(self) -> None:
        self._sockets: dict[str, CircusSocket] = {}

    def __iter__(self) -> Iterator[CircusSocket]:
        return iter(self._sockets.values())

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, managed: CircusSocket) -> None:
        """Take a socket in, bound or not.

        Raises:
            cvec_circus.exc.AlreadyExist: There is one of that name, in whatever case of letters.
        """
        folded = managed.name.lower()
        if folded in self._sockets:
            raise exc.AlreadyExist(f"socket {managed.name} is there already")
        self._sockets[folded] = managed

    def bind_all(self) -> None:
        """Bind every socket, or, when one cannot be, none that was not bound before.

        Raises:
            cvec_circus.exc.SocketError: What the first one that cannot be bound says.
        """
        bound: list[CircusSocket] = []
        try:
            for managed in self:
                if managed.fileno() < 0:
                    managed.bind()
                    bound.append(managed)
        except exc.SocketError:
            for managed in bound:
                managed.close()
            raise

    def fds(self) -> dict[str, int]:
        """Return the descriptors of the bound sockets by the names as they were given."""
        return {managed.name: managed.fileno() for managed in self if managed.fileno() >= 0}

    def used_by(self, text: str) -> list[int]:
        """Find the descriptors that a command needs: those that its text refers to.

        Args:
            text: A command and its arguments, not expanded yet.

        Returns:
            Each descriptor once, in the order of the text: what goes into `pass_fds`.

        Raises:
            cvec_circus.exc.OptionError: The text names a socket that is not there or not bound.
        """
        fds: dict[int, None] = {}
        for dollar, brackets in _REFERENCE.findall(text):
            name = dollar or brackets
            managed = self._sockets.get(name.lower())
            if managed is None or managed.fileno() < 0:
                raise exc.OptionError("use_sockets", f"there is no socket {name}{self._known()}")
            fds[managed.fileno()] = None
        return list(fds)

    def describe(self) -> list[dict[str, Any]]:
        """Return what `listsockets` shows of the bound sockets, by descriptor."""
        rows = (managed.describe() for managed in self if managed.fileno() >= 0)
        return sorted(rows, key=itemgetter("fd"))

    def close_all(self) -> None:
        """Close every socket; they can be bound again."""
        for managed in self:
            managed.close()

    def _known(self) -> str:
        names = ", ".join(managed.name for managed in self)
        return f"; there is {names}" if names else ""
