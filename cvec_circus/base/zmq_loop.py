"""The loop of threads that use zmq sockets: only on the client side, never in the daemon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zmq

from cvec_circus.base.loop import READABLE, Key, Loop


class ZmqLoop(Loop):
    """A loop that reads zmq sockets beside files. Owned by the thread that is in `run`."""

    _poll_errors = (OSError, zmq.ZMQError)

    def add_reader(self, source: Any, fn: Callable[[], object]) -> None:
        """Call a function in every turn in which a zmq socket or a file is readable.

        See `Loop.add_reader`.
        """
        self._assert_owner()
        # libzmq ends the process if poll(2) fails, so it polls only where it has to.
        if isinstance(source, zmq.Socket) and not isinstance(self._poller, zmq.Poller):
            self._poller = zmq.Poller()
            for key in self._readers:
                self._poller.register(key, READABLE)
        super().add_reader(source, fn)

    def _key(self, source: Any) -> Key:
        return source if isinstance(source, zmq.Socket) else super()._key(source)

    def _is_closed(self, key: Key) -> bool:
        return key.closed if isinstance(key, zmq.Socket) else super()._is_closed(key)
