"""New listening sockets beside those that are there: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cvec_circus import exc
from cvec_circus.sockets.managed import CircusSocket


class Newcomers:
    """Sockets that are bound while those they may replace still listen.

    Owned by one thread at a time: that which binds, which may wait for a name server, then the
    supervisor's.

    Args:
        sockets: What is to be bound.
        present: The sockets of ours that are there. None of them is closed here.
    """

    def __init__(self, sockets: Iterable[CircusSocket], present: Sequence[CircusSocket]) -> None:
        self.sockets = list(sockets)
        self._present = present
        self._sharing: list[CircusSocket] = []
        self._aside: list[CircusSocket] = []

    def bind(self) -> None:
        """Bind them all.

        Raises:
            SocketError: One of them cannot be bound. Then everything is as before.
        """
        try:
            for managed in self.sockets:
                self._bind(managed)
        except BaseException:
            self.abandon()
            raise

    def _bind(self, managed: CircusSocket) -> None:
        try:
            managed.bind()
        except exc.SocketError:
            in_the_way = [one for one in self._present if one.is_in_the_way_of(managed)]
            if not in_the_way:
                raise
            self._make_way(in_the_way)
            managed.bind(is_shared=True)

    def _make_way(self, present: Iterable[CircusSocket]) -> None:
        for one in present:
            if one.path is None:
                self._sharing.append(one)
                one.share(True)
            else:
                self._aside.append(one)
                one.move_aside()

    def settle(self) -> None:
        """Have them stay: nobody else gets a port of theirs."""
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
