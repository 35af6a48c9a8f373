"""Many files that a loop polls as one."""

from __future__ import annotations

import select
from collections.abc import Callable

from cvec_circus.base.loop import Loop

A_TURN = 64
"""How many files are read per turn; the others come first in the next one."""


class Readers:
    """Reads many files in one epoll, created with the first. Owned by the loop's thread.

    A loop polls its own files anew in each turn, which would be slow with a thousand. The owner of
    a file removes it here before closing it.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._epoll: select.epoll | None = None
        self._fns: dict[int, Callable[[], object]] = {}

    def add(self, fd: int, fn: Callable[[], object], mask: int = select.EPOLLIN) -> None:
        """Call a function in every turn in which a file is readable, or has ended.

        Args:
            fd: The file.
            fn: The function.
            mask: What epoll waits for instead, such as EPOLLPRI.

        Raises:
            OSError: There is no memory, or no file left.
        """
        if self._epoll is None:
            self._epoll = select.epoll()
            self._loop.add_reader(self._epoll, self._see)
        self._epoll.register(fd, mask)
        self._fns[fd] = fn

    def remove(self, fd: int) -> None:
        """Stop reading a file, before it is closed; does nothing if it is not read."""
        if self._fns.pop(fd, None) is not None and self._epoll is not None:
            self._epoll.unregister(fd)

    def _see(self) -> None:
        assert self._epoll is not None
        for fd, _ in self._epoll.poll(0, A_TURN):
            fn = self._fns.get(fd)
            if fn is not None:
                try:
                    fn()
                except Exception as error:
                    self._loop.on_error(error, getattr(fn, "__qualname__", repr(fn)))

    def close(self) -> None:
        """Release all files, after the loop has been closed."""
        self._fns.clear()
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None
