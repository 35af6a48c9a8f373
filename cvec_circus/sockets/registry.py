"""All the managed sockets, and which of them a command is to inherit."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

from cvec_circus import exc
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.system.launch import LaunchError

# $(circus.sockets.NAME) and ((circus.sockets.NAME)), as in every option that is expanded.
_REFERENCE = re.compile(
    r"\$\(circus\.sockets\.([^()]+)\)|\(\(circus\.sockets\.([^()]+)\)\)", re.IGNORECASE
)


def references(options: Mapping[str, Any]) -> set[str]:
    """Return the names, in lower case, of the sockets that the processes of a watcher get."""
    names = {str(options["stdin_socket"]).lower()} if options["stdin_socket"] else set()
    if options["use_sockets"]:
        found = _REFERENCE.findall("\n".join(command_texts(options)))
        names.update((dollar or brackets).lower() for dollar, brackets in found)
    return names


def command_texts(options: Mapping[str, Any]) -> list[str]:
    """Return what a command is made of, as it is written."""
    names = ("cmd", "args", "shell_args") if options["shell"] else ("cmd", "args")
    return [text for name in names for text in texts(options[name])]


def texts(given: Any) -> list[str]:
    """Return the words of an option that may also be one string, which is not split."""
    return [given] if isinstance(given, str) else [str(word) for word in given or ()]


class SocketRegistry:
    """The managed sockets by name, in any case of letters. Owned by the supervisor thread.

    Attributes:
        leaving: Those that nobody can ask for any more, and that processes still serve.
    """

    def __init__(self) -> None:
        self._sockets: dict[str, CircusSocket] = {}
        self.leaving: list[CircusSocket] = []

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

    def exchange(self, sockets: Iterable[CircusSocket]) -> None:
        """Have these, all bound, in place of those that are there; nothing is closed."""
        self._sockets = {managed.name.lower(): managed for managed in sockets}

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

    def find(self, option: str, name: str) -> CircusSocket:
        """Return the bound socket of a name.

        Args:
            option: What names it, for the error message.
            name: Its name, in any case of letters.

        Raises:
            cvec_circus.exc.OptionError: It is not there or not bound.
        """
        managed = self._sockets.get(name.lower())
        if managed is None or managed.fileno() < 0:
            raise exc.OptionError(option, f"there is no socket {name}{self._known()}")
        return managed

    def referred_to(self, text: str) -> list[CircusSocket]:
        """Find the bound sockets that a command, not expanded yet, refers to, in its order.

        Raises:
            cvec_circus.exc.OptionError: It names one that is not there or not bound.
        """
        names = (dollar or brackets for dollar, brackets in _REFERENCE.findall(text))
        return [self.find("use_sockets", name) for name in names]

    def loan(self) -> Loan:
        """Return what one process that starts takes its sockets from."""
        return Loan(self)

    def describe(self) -> list[dict[str, Any]]:
        """Return what `listsockets` shows of the bound sockets, by descriptor."""
        rows = (managed.describe() for managed in self if managed.fileno() >= 0)
        return sorted(rows, key=itemgetter("fd"))

    def close_all(self) -> None:
        """Close every socket; they can be bound again."""
        for managed in [*self, *self.leaving]:
            managed.close()
        self.leaving.clear()

    def _known(self) -> str:
        names = ", ".join(managed.name for managed in self)
        return f"; there is {names}" if names else ""


class Loan:
    """The sockets of one process, while it starts. Owned by the supervisor thread.

    Of a socket with `so_reuseport` a process gets one of its own, under another number. Use it as a
    context: what was opened for the process is closed in the end, because then it has it itself.
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
        """Find the sockets that a command needs: those that its text refers to.

        Args:
            text: A command and its arguments, not expanded yet.

        Returns:
            Their descriptors by their names, in the order of the text: what goes into `pass_fds`.

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
