"""The event channel: events numbered, published on a PUB socket, and kept for a while."""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any

from cvec_circus.control.connection import Connection
from cvec_circus.control.connections import Connections, Incoming
from cvec_circus.wire import topics, zmtp

if TYPE_CHECKING:
    from cvec_circus.base.loop import Loop
    from cvec_circus.control.endpoints import Listener
    from cvec_circus.system.handover import Handover, Inherited

#: The part of all descriptors that subscribers may take.
SHARE = 0.25
#: Bytes that wait for a slow subscriber; it loses any more.
MOST_UNSENT = 4 << 20
#: Topics that one connection may subscribe to.
MOST_TOPICS = 4096
#: Bytes of the topics of one connection, and of all; each topic counts `EACH` more.
MOST_BYTES, MOST_BYTES_TOGETHER, EACH = 1 << 20, 32 << 20, 128

_SUBSCRIBERS = frozenset({b"SUB", b"XSUB"})
#: How ZMTP 3.0 writes what 3.1 has commands for: the first byte of a message.
_OLDER = {b"\x01": zmtp.SUBSCRIBE, b"\x00": zmtp.CANCEL}


class Publisher:
    """A PUB socket: sends messages to the subscribers of their topics.

    Owned by the thread of its loop. Never waits: a slow subscriber loses messages. Closes the
    listener, which accepts the subscribers.
    """

    def __init__(self, loop: Loop, listener: Listener) -> None:
        self.address = listener.address
        self._topics: dict[Connection, Counter[bytes]] = {}
        self._prefixes: dict[Connection, tuple[bytes, ...] | None] = {}  # None: out of date
        self._bytes: dict[Connection, int] = {}
        self._together = 0
        self._connections = Connections(
            loop, listener, b"PUB", _SUBSCRIBERS, self._receive, SHARE, self._gone
        )
        try:
            self._connections.open()
        except BaseException:
            self._connections.close()
            raise
        self.door = self._connections.door

    @property
    def is_heard(self) -> bool:
        """Whether there is any subscription."""
        return bool(self._prefixes)

    def publish(self, messages: Sequence[Sequence[bytes]]) -> None:
        """Send messages, whose first frame is the topic, together: each subscriber wakes once."""
        encoded = [(frames[0], zmtp.message(*frames)) for frames in messages]
        everything = b"".join([text for _, text in encoded])
        for connection, prefixes in self._prefixes.items():
            if prefixes is None:
                prefixes = self._prefixes[connection] = tuple(self._topics[connection])
            wanted = [text for topic, text in encoded if topic.startswith(prefixes)]
            if wanted:
                # One copy for all who get everything; it may wait in their queues.
                text = everything if len(wanted) == len(encoded) else b"".join(wanted)
                self._connections.send(connection, text, MOST_UNSENT)

    def close(self) -> None:
        """Stop listening; what is on its way still goes out."""
        self._connections.close()

    def hand_over(self, out: Handover) -> dict[str, Any]:
        """Hand the socket and all subscribers to the program that is to be executed."""
        rows = self._connections.hand_over(out)
        topics = {connection.fd: counts for connection, counts in self._topics.items()}
        for row in rows:
            counted = topics.get(row["fd"], Counter())
            row["topics"] = [[topic.decode("latin-1"), n] for topic, n in counted.items()]
        return {"door": self.door.hand_over(out), "connections": rows}

    def take_over(self, inherited: Inherited, state: Mapping[str, Any]) -> None:
        """Go on with the subscribers."""
        rows = state["connections"]
        for connection, row in zip(self._connections.take_over(inherited, rows), rows):
            for topic, count in row["topics"]:
                for _ in range(count):
                    self._subscribe(connection, topic.encode("latin-1"))

    def _receive(self, connection: Connection, incoming: Incoming) -> None:
        """Take a subscription; ignore anything else a subscriber sends."""
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
            self._connections.end(worst, "too many subscriptions of all connections together")

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


class EventStream:
    """Publishes events and keeps their history. Owned by the supervisor thread.

    Every payload carries ``seq`` (1, 2, 3 ... for the life of the stream), ``run`` (which life),
    ``watcher``, ``cause`` and ``time``. Publishing never blocks: a slow subscriber loses events,
    and one that misses a number finds it in the history.

    Events wait for `send`, which the owner calls between the parts of a turn, so that each
    subscriber is woken once for all events of a part.

    Args:
        loop: The supervisor's loop.
        listener: Accepts the subscribers; closed with this.
        history: How many events are kept.
        seq: The number before the first one: the last that an earlier daemon may have used.

    Attributes:
        address: The real endpoint of the socket.
        door: Where subscribers come in.
        run: A random id of this stream's life.
        seq: The number of the last event; as given before the first.
        reserve: Called with a number that is about to be used; returns the last one that may be
            used before the next call. None where numbers need not survive this process.
        hold: Seconds for which events may be held back, to be sent together with others. Waking a
            subscriber takes 0.1 ms of processor time: with many of them, it is taken from processes
            that are just starting.
    """

    def __init__(self, loop: Loop, listener: Listener, history: int, seq: int = 0) -> None:
        self._loop = loop
        self._publisher = Publisher(loop, listener)
        self.address = self._publisher.address
        self.door = self._publisher.door
        self.run = os.urandom(8).hex()
        self.seq = seq
        self.reserve: Callable[[int], int] | None = None
        self._first = seq
        self._reserved = seq
        self.hold = 0.0
        self._held: list[str] = []
        self._is_due = False  # to be sent when `hold` is over
        self._history: deque[str] = deque(maxlen=max(1, history))
        """The last events: the payload after what names it, the action and the watcher, a line
        each. There are thousands, and as an object with numbers each would take twice as much."""
        self._encode = json.JSONEncoder(check_circular=False).encode

    def publish(self, name: str, action: str, cause: str, /, **payload: Any) -> int:
        """Publish an event of a watcher; return its number.

        Args:
            name: The watcher's name as written.
            action: What happened: "spawn", "reap" ...
            cause: What made it happen: "exit", "command:restart" ...
            **payload: The rest, in JSON's types.
        """
        self.seq += 1
        if self.seq > self._reserved and self.reserve is not None:
            self._reserved = self.reserve(self.seq)
        payload["cause"] = cause
        payload["time"] = self._loop.clock.time()
        event = f"{self._encode(payload)[1:]}\n{action}\n{name}"
        self._history.append(event)
        self._held.append(event)
        return self.seq

    def send(self) -> bool:
        """Send what was published, or hold it back for `hold`; leave no work for the next turn."""
        if self._held and not self._is_due:
            if self.hold:
                self._is_due = True
                self._loop.call_later(self.hold, self.flush)
            else:
                self.flush()
        return False

    def flush(self) -> None:
        """Send what is held back."""
        self._is_due = False
        held, self._held = self._held, []
        if held and self._publisher.is_heard:
            self._send(self._frames(held, self.seq - len(held)))

    def sync(self, marker: str) -> None:
        """Mark the place in the stream for a subscriber that waits for `marker`; not numbered."""
        self.flush()
        text = self._encode({"seq": self.seq, "run": self.run, "time": self._loop.clock.time()})
        self._send([[topics.sync(marker), text]])

    def since(self, seq: int | None, limit: int) -> dict[str, Any]:
        """Return the events after a number, or the latest.

        Args:
            seq: The last number known already; None for the latest events.
            limit: How many events to return at most.

        Returns:
            events: the two frames of each as text, oldest first; more: whether there are further
            ones; lost: how many after `seq` are no longer kept; seq: the last number assigned;
            run: the id of this life; earlier: for the latest, how many are kept from before them.
        """
        oldest = self.seq - len(self._history) + 1
        latest = {}
        if seq is None:
            earlier = max(0, len(self._history) - limit)
            seq = oldest - 1 + earlier if earlier else 0
            latest = {"earlier": earlier}
        seq = max(seq, self._first)  # what was before is of another life
        first = max(0, seq + 1 - oldest)
        end = min(first + limit, len(self._history))
        return {
            "events": self._frames(islice(self._history, first, end), oldest - 1 + first),
            "more": end < len(self._history),
            "lost": max(0, oldest - seq - 1),
            "seq": self.seq,
            "run": self.run,
            **latest,
        }

    def keep(self, history: int) -> None:
        """Keep that many events from now on."""
        self._history = deque(self._history, maxlen=max(1, history))

    def close(self) -> None:
        """Close the socket; events on their way still go out."""
        self.flush()
        self._publisher.close()

    def hand_over(self, out: Handover) -> dict[str, Any]:
        """Hand all of it to the program that is to be executed; nothing is held back then."""
        self.flush()
        numbers = {"run": self.run, "seq": self.seq, "first": self._first}
        history = out.block("\0".join(self._history).encode("utf-8", "surrogatepass"))
        return {**self._publisher.hand_over(out), **numbers, "history": history}

    def take_over(self, inherited: Inherited, state: Mapping[str, Any]) -> None:
        """Resume the same life of the stream, before anything is published."""
        self._publisher.take_over(inherited, state)
        self.run, self.seq, self._first = state["run"], state["seq"], state["first"]
        self._reserved = self.seq  # the ledger reserves anew
        history = inherited.block(state["history"]).decode("utf-8", "surrogatepass")
        self._history.extend(history.split("\0") if history else ())

    def _frames(self, events: Iterable[str], before: int) -> list[list[str]]:
        """Return the topic and the payload of events that come after a number."""
        found = []
        for seq, event in enumerate(events, before + 1):
            rest, action, name = event.split("\n", 2)
            head = f'{{"run": "{self.run}", "watcher": {quoted(name)}, "seq": {seq}, '
            found.append([topics.topic(name, action), head + rest])
        return found

    def _send(self, events: list[list[str]]) -> None:
        self._publisher.publish(
            [(topic.encode("utf-8", "replace"), text.encode("ascii")) for topic, text in events]
        )
