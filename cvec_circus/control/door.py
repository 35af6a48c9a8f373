"""Accepting connections to an endpoint, while there is room for them."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cvec_circus import logger
from cvec_circus.base.clock import Clock
from cvec_circus.system import files

if TYPE_CHECKING:
    from cvec_circus.control.endpoints import Listener

#: Connections accepted within one turn.
ACCEPTS = 64
#: Connections that an endpoint always accepts, however few descriptors are left.
GUARANTEED = 8
#: The share of the connections at which room is reported again: not after each that closes.
_EASE = 0.9
#: Seconds between two log lines.
_PAUSE = 1.0

_SHORT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Door:
    """Accepts connections while there is room. Owned by the thread of its loop.

    While there is none, new connections wait in the kernel and nothing wakes the loop for them:
    call `look` from time to time while it returns True.

    Args:
        listener: Where they come from; closed with this.
        epoll: Reports new ones.
        clock: The time, for the log.
        count: Returns how many there are.
        share: The share of all descriptors that they may take.
    """

    def __init__(
        self,
        listener: Listener,
        epoll: select.epoll,
        clock: Clock,
        count: Callable[[], int],
        share: float,
    ) -> None:
        self.fd = listener.fd
        self.address = listener.address
        self._listener = listener
        self._epoll = epoll
        self._clock = clock
        self._count = count
        self._share = share
        self._is_open = False
        self._said_full = False
        self._said_at = float("-inf")

    def open(self) -> None:
        """Accept from now on; if the system has no memory for that, `look` tries again."""
        try:
            self._epoll.register(self.fd, select.EPOLLIN)
        except OSError as error:
            logger.warning("%s: cannot accept connections yet: %s", self.address, error.strerror)
        else:
            self._is_open = True

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()  # which takes it out of the epoll

    def accept(self) -> Iterator[socket.socket]:
        """Yield new connections for which there is room, `ACCEPTS` at most."""
        for _ in range(ACCEPTS):
            if not self._has_room():
                self._shut()
                return
            try:
                sock, _ = self._listener.sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _SHORT:
                    self._shut()
                return  # it was gone before it was accepted
            yield sock

    def look(self) -> bool:
        """Accept again when there is room; return whether to look again later."""
        if not self._is_open and self._has_room():
            self.open()
        if self._said_full and self._is_open and self._count() < self._most() * _EASE:
            self._said_full, self._said_at = False, self._clock.monotonic()
            logger.info("%s: accepting connections again", self.address)
        return self._said_full or not self._is_open

    def _shut(self) -> None:
        """Accept no more."""
        self._is_open = False
        self._epoll.unregister(self.fd)
        now = self._clock.monotonic()
        if not self._said_full and now - self._said_at >= _PAUSE:
            self._said_full, self._said_at = True, now
            logger.warning(
                "%s: %d connections; no more are accepted until some close (ulimit -n: %d)",
                self.address,
                self._count(),
                files.limit(),
            )

    def _has_room(self) -> bool:
        """Return whether there is room for one more beside what children need."""
        count = self._count()
        if count < GUARANTEED:
            return True
        return count < self._most() and files.has_room_for_others(self.fd)

    def _most(self) -> float:
        """Return how many there may be at once."""
        return files.limit() * self._share
