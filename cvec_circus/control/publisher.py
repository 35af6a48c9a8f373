"""A PUB socket: what is published goes to those who subscribed to its topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cvec_circus.control.connection import Connection
from cvec_circus.control.connections import Connections, Incoming
from cvec_circus.wire import zmtp

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop
    from cvec_circus.control.endpoints import Listener

#: The part of all descriptors that subscribers may take.
SHARE = 0.25
#: Bytes that wait for a subscriber that is slow; what comes on top is lost to it.
MOST_UNSENT = 4 << 20
#: Topics that one connection may subscribe to.
MOST_TOPICS = 4096
#: Bytes of the topics of one connection, and of all of them, each counted with `EACH` on top.
MOST_BYTES, MOST_BYTES_TOGETHER, EACH = 1 << 20, 32 << 20, 128

_SUBSCRIBERS = frozenset({b"SUB", b"XSUB"})
#: How ZMTP 3.0 writes what 3.1 has commands for: the first byte of a message.
_OLDER = {b"\x01": zmtp.SUBSCRIBE, b"\x00": zmtp.CANCEL}


class Publisher:
    """Owned by the thread of its loop. Never waits: a slow subscriber loses messages.

    Attributes:
        address: Where it really listens.
    """

    def __init__(self, loop: Loop, listener: Listener) -> None:
        """Let subscribers in.

        Args:
            loop: What their subscriptions are read on.
            listener: Where they connect to; closed with this.
        """
        self.address = listener.address
        self._topics: dict[Connection, Counter[bytes]] = {}
        self._prefixes: dict[Connection, tuple[bytes, ...] | None] = {}  # None: to be made anew
        self._bytes: dict[Connection, int] = {}
        self._together = 0
        self._connections = Connections(
            loop, listener, b"PUB", _SUBSCRIBERS, self._receive, SHARE, self._gone
        )
        self._connections.open()

    @property
    def is_heard(self) -> bool:
        """Whether anybody has subscribed to anything."""
        return bool(self._prefixes)

    def publish(self, messages: Sequence[Sequence[bytes]]) -> None:
        """Send messages to those who want them: together, so that each is woken once.

        Args:
            messages: The frames of each; the first one is its topic.
        """
        encoded = [(frames[0], zmtp.message(*frames)) for frames in messages]
        everything = b"".join([text for _, text in encoded])
        for connection, prefixes in self._prefixes.items():
            if prefixes is None:
                prefixes = self._prefixes[connection] = tuple(self._topics[connection])
            wanted = [text for topic, text in encoded if topic.startswith(prefixes)]
            if wanted:
                # One copy for all those to whom everything goes, and may wait for them.
                text = everything if len(wanted) == len(encoded) else b"".join(wanted)
                self._connections.send(connection, text, MOST_UNSENT)

    def close(self) -> None:
        """Stop listening; what is on its way still goes out."""
        self._connections.close()

    def _receive(self, connection: Connection, incoming: Incoming) -> None:
        """Take a subscription; what else a subscriber says has no meaning."""
        if isinstance(incoming, zmtp.Control):
            name, topic = incoming
        else:
            name, topic = _OLDER.get(incoming.frames[0][:1], b""), incoming.frames[0][1:]
        if name not in (zmtp.SUBSCRIBE, zmtp.CANCEL):
            return
        if name == zmtp.SUBSCRIBE:
            self._subscribe(connection, topic)
        else:
            self._cancel(connection, topic)

    def _subscribe(self, connection: Connection, topic: bytes) -> None:
        topics = self._topics.setdefault(connection, Counter())
        topics[topic] += 1
        if topics[topic] > 1:
            return
        self._prefixes[connection] = None
        self._count(connection, len(topic) + EACH)
        if len(topics) > MOST_TOPICS or self._bytes[connection] > MOST_BYTES:
            self._connections.end(connection, f"more than {MOST_TOPICS} subscriptions, or too long")
        elif self._together > MOST_BYTES_TOGETHER:
            worst = max(self._bytes, key=lambda one: self._bytes[one])
            self._connections.end(worst, "too many subscriptions of all together")

    def _cancel(self, connection: Connection, topic: bytes) -> None:
        topics = self._topics.get(connection, Counter())
        if topic not in topics:
            return
        topics[topic] -= 1
        if not topics[topic]:
            del topics[topic]
            self._prefixes[connection] = None
            self._count(connection, -len(topic) - EACH)

    def _count(self, connection: Connection, size: int) -> None:
        self._bytes[connection] = self._bytes.get(connection, 0) + size
        self._together += size

    def _gone(self, connection: Connection) -> None:
        self._topics.pop(connection, None)
        self._prefixes.pop(connection, None)
        self._together -= self._bytes.pop(connection, 0)
