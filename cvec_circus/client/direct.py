"""One request over a plain socket, the most frequent use of `cvec_circusctl`.

Importing pyzmq takes 20 ms, as long as all the rest of a command. `Client` handles the other cases:
to wait without a limit, to reach host names or other transports, and to wait for a daemon that does
not run yet.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from cvec_circus import exc
from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import calls, endpoints
from cvec_circus.wire import zmtp

ROUTER = frozenset({b"ROUTER"})

PUBLISHES = "what listens there publishes, and takes no commands"

TIMEOUTS = (TimeoutError, socket.timeout)
"""The same class since Python 3.10."""


def exchange(endpoint: str, message: Mapping[str, Any], timeout: float) -> dict[str, Any] | None:
    """Send a request and wait for its reply, `timeout` seconds at most. Any thread.

    Returns:
        The reply; None if `Client` may get one: this cannot reach the endpoint, or an upgrade of
        the daemon cut off a query.

    Raises:
        CallError: There is no usable reply; "Timed out." when there is none at all.
    """
    content = calls.frame(message)
    wire = _Wire(SYSTEM.monotonic() + timeout)
    try:
        if not wire.connect(endpoint):
            return None
    except TIMEOUTS:
        raise exc.CallError(calls.TIMED_OUT) from None
    except zmtp.WrongTypeError:
        text = f"cannot reach {endpoint}: {PUBLISHES}; is --endpoint right?"
        raise exc.CallError(text) from None
    except (OSError, zmtp.Violation):
        return None
    with wire.socket:
        try:
            wire.send(zmtp.message(content))
            while True:
                reply = calls.reply_of(wire.message())
                if reply.get("id") == message["id"]:
                    was_cut_off = reply.get("retry") and not reply.get("accepted")
                    return None if was_cut_off else reply
        except TIMEOUTS:
            raise exc.CallError(calls.TIMED_OUT) from None
        except OSError as error:
            raise exc.CallError(f"The daemon is gone: {error.strerror or error}.") from None


def publishes(endpoint: str, timeout: float) -> bool:
    """Tell whether something is published where commands were to be taken. Any thread."""
    wire = _Wire(SYSTEM.monotonic() + timeout)
    try:
        if wire.connect(endpoint):
            wire.socket.close()
    except zmtp.WrongTypeError:
        return True
    except (OSError, zmtp.Violation):
        pass
    return False


class _Wire:
    """A connection of ZMTP to a daemon. Owned by the thread that asks.

    Its methods raise TimeoutError when the instant `ends_at` has come, and other OSErrors when the
    daemon has closed the connection.
    """

    socket: socket.socket

    def __init__(self, ends_at: float) -> None:
        self._ends_at = ends_at
        self._unread = b""

    def connect(self, endpoint: str) -> bool:
        """Connect, and greet; return False for an endpoint that needs libzmq.

        Raises:
            Violation: What listens there speaks another protocol.
        """
        found = endpoints.address_of(endpoint)
        if found is None:
            return False
        family, address = found
        self.socket = socket.socket(family)
        try:
            self._limit()
            self.socket.connect(address)
            self.send(zmtp.opening(b"DEALER"))
            decoder = zmtp.Decoder(ROUTER)
            decoder.feed(self._take(zmtp.GREETING_SIZE))
            decoder.decode()
            while not decoder.ready:
                decoder.feed(self._raw())
                decoder.decode()
        except BaseException:
            self.socket.close()
            raise
        return True

    def send(self, content: bytes) -> None:
        """Send all of it."""
        self._limit()
        self.socket.sendall(content)

    def message(self) -> bytes:
        """Return the last frame of the next message."""
        while True:
            raw = self._raw()
            if not raw[0] & (zmtp.MORE | zmtp.COMMAND):
                return raw[9 if raw[0] & zmtp.LONG else 2 :]

    def _raw(self) -> bytes:
        """Return the next frame as it is on the wire."""
        head = self._take(2)
        if head[0] & zmtp.LONG:
            head += self._take(7)
        return head + self._take(int.from_bytes(head[1:], "big"))

    def _take(self, size: int) -> bytes:
        """Return the next bytes."""
        parts = [self._unread]
        missing = size - len(self._unread)
        while missing > 0:
            self._limit()
            part = self.socket.recv(max(missing, 65536))
            if not part:
                raise ConnectionResetError("the connection was closed")
            parts.append(part)
            missing -= len(part)
        content = b"".join(parts)
        self._unread = content[size:]
        return content[:size]

    def _limit(self) -> None:
        left = self._ends_at - SYSTEM.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)
