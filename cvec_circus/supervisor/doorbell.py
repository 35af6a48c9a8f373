"""The desk that watches listening sockets for watchers that start when a client connects."""

from __future__ import annotations

from functools import partial

from cvec_circus import exc
from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Connected, Facts
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.references import NO_SOCKET, UNREACHABLE, command_texts
from cvec_circus.sockets.registry import SocketRegistry


class Doorbell:
    """Waits for connections on behalf of watchers with `on_demand`. Owned by the supervisor thread.

    A connection is not accepted here: it stays in the backlog of its socket, for the process that
    is started for it. So the socket stays readable, and is not watched from the moment its watcher
    starts until that has stopped again.
    """

    def __init__(self, loop: Loop, sockets: SocketRegistry, facts: Facts) -> None:
        self._loop, self._sockets, self._facts = loop, sockets, facts
        self._waiting: dict[Watcher, list[int]] = {}
        self._by_fd: dict[int, set[Watcher]] = {}

    def listen(self, watcher: Watcher) -> None:
        """Report connections to every socket that the watcher's processes get, from now on.

        Raises:
            ValueError: They get none, or none that a client can connect to before they run.
        """
        fds = self._fds(watcher)
        self.ignore(watcher)
        self._waiting[watcher] = fds
        for fd in fds:
            if fd not in self._by_fd:
                self._by_fd[fd] = set()
                self._loop.add_reader(fd, partial(self._ready, fd))
            self._by_fd[fd].add(watcher)

    def ignore(self, watcher: Watcher) -> None:
        """Report no more connections for the watcher; does nothing if none are reported."""
        for fd in self._waiting.pop(watcher, ()):
            self._by_fd[fd].discard(watcher)
            if not self._by_fd[fd]:
                del self._by_fd[fd]
                self._loop.remove_reader(fd)

    def _ready(self, fd: int) -> None:
        for watcher in list(self._by_fd.get(fd, ())):
            self._facts.append(Connected(watcher))

    def _fds(self, watcher: Watcher) -> list[int]:
        options = watcher.options
        managed = []
        try:
            if options["use_sockets"]:
                managed += self._sockets.referred_to("\n".join(command_texts(options)))
            if options["stdin_socket"]:
                managed.append(self._sockets.find("stdin_socket", options["stdin_socket"]))
        except exc.OptionError as error:
            raise ValueError(f"{error.option}: {error.reason}") from error
        for one in managed:
            if one.so_reuseport:
                raise ValueError(f"on_demand: socket {one.name} {UNREACHABLE}")
        if not managed:
            raise ValueError(f"on_demand: {NO_SOCKET}")
        return list(dict.fromkeys(one.fileno() for one in managed))
