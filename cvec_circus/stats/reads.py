"""How often the listening sockets of the daemon are readable."""

from __future__ import annotations

import os
import select
from collections.abc import Mapping

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.stats.payloads import Socket

REST = 0.01
"""Seconds between two checks: a busy socket counts at most a hundred reads a second, as in Circus,
and costs next to nothing."""


class SocketReads:
    """Counts on inherited sockets. Owned by the main thread of the statistics process.

    Nothing is read or accepted: the connections are for others. Each connection counts once;
    several within a hundredth of a second count as one.
    """

    def __init__(self, loop: Loop, inherited: Mapping[str, int]) -> None:
        """Begin to watch sockets, given by name and number."""
        self._loop = loop
        self._inherited = dict(inherited)
        self._reads: dict[int, int] = {}
        self._epoll = select.epoll() if inherited else None
        for name, fd in inherited.items():
            try:
                os.set_inheritable(fd, False)
                assert self._epoll is not None
                self._epoll.register(fd, select.EPOLLIN | select.EPOLLET)
            except OSError as error:
                logger.warning("socket %s: cannot be watched: %s", name, error.strerror)
                del self._inherited[name]
        self._await()

    def _await(self) -> None:
        if self._epoll is not None:
            self._loop.add_reader(self._epoll, self._count)

    def _count(self) -> None:
        assert self._epoll is not None
        for fd, _ in self._epoll.poll(0):
            self._reads[fd] = self._reads.get(fd, 0) + 1
        self._loop.remove_reader(self._epoll)
        self._loop.call_later(REST, self._await)

    def take(self) -> dict[int, int]:
        """Return the counts since the last call, by number."""
        reads, self._reads = self._reads, {}
        return reads

    def seen(self, sockets: list[Socket]) -> list[Socket]:
        """Return those of the daemon's sockets that this process has."""
        return [one for one in sockets if self._inherited.get(one.name) == one.fd]

    def keep(self, sockets: list[Socket]) -> None:
        """Close those that the daemon has closed: otherwise their addresses would stay taken."""
        there = {one.name: one.fd for one in sockets}
        for name, fd in list(self._inherited.items()):
            if there.get(name) != fd:
                del self._inherited[name]
                if self._epoll is not None:
                    self._epoll.unregister(fd)
                os.close(fd)

    def close(self) -> None:
        """Close everything, once the loop has stopped."""
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None
        for fd in self._inherited.values():
            os.close(fd)
        self._inherited.clear()
