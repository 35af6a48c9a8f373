"""The event channel: everything that happens, numbered, published, and kept for a while."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.wire import topics

if TYPE_CHECKING:
    from cvec_circus.control.publisher import Publisher

#: Prepared texts kept; names come from people, so there are few unless somebody plays tricks.
_MAX_PREPARED = 4096


class EventStream:
    """Owned by the supervisor thread. What is published, and the history of it.

    Every payload carries ``seq`` (1, 2, 3 ... for the life of the stream), ``run`` (which life),
    ``watcher``, ``cause`` and ``time``. Publishing never blocks: what a slow subscriber
    cannot take is lost to it, and one that misses a number finds it in the history.

    What is published waits for `send`, which the owner calls between the parts of a turn, so each
    subscriber is woken once for all that a part has published.

    Attributes:
        address: Where the socket really listens.
        run: A random id of this stream's life.
        seq: The number of the last event; 0 before the first.
        hold: Seconds for which events may be kept back, to go out together with others. Every
            subscriber is woken for what goes out, which takes 0.1 ms of a processor for each: with
            many of them, that is taken from the process that is being started meanwhile.
    """

    def __init__(
        self,
        publisher: Publisher,
        clock: Clock = SYSTEM,
        history: int = 10_000,
        later: Callable[[float, Callable[[], object]], object] | None = None,
    ) -> None:
        """Begin with the number 1.

        Args:
            publisher: Sends what is published; closed with this.
            clock: Gives the payloads their time.
            history: How many events are kept.
            later: Calls a function after some seconds; None where `hold` stays 0.
        """
        self._publisher = publisher
        self.address = publisher.address
        self.run = os.urandom(8).hex()
        self.seq = 0
        self.hold = 0.0
        self._later = later
        self._held: list[tuple[str, str]] = []
        self._is_due = False  # to be sent when `hold` is over
        self._clock = clock
        self._history: deque[tuple[str, str]] = deque(maxlen=max(1, history))
        self._prepared: dict[tuple[str, str], tuple[str, str]] = {}
        self._encode = json.JSONEncoder(check_circular=False).encode

    def publish(self, name: str, action: str, cause: str, /, **payload: Any) -> int:
        """Publish what happened to a watcher.

        Args:
            name: The watcher's name as written.
            action: What happened: "spawn", "reap" ...
            cause: Who or what made it happen: "exit", "command:restart" ...
            **payload: What else there is to say, in JSON's types.

        Returns:
            The number of the event.
        """
        topic, head = self._prepared.get((name, action)) or self._prepare(name, action)
        self.seq += 1
        payload["cause"] = cause
        payload["time"] = self._clock.time()
        text = f"{head}{self.seq}, {self._encode(payload)[1:]}"
        event = topic, text
        self._history.append(event)
        self._held.append(event)
        return self.seq

    def send(self) -> bool:
        """Send what was published, or keep it back for `hold`; leaves no work to the next turn."""
        if self._held and not self._is_due:
            if self.hold and self._later is not None:
                self._is_due = True
                self._later(self.hold, self.flush)
            else:
                self.flush()
        return False

    def flush(self) -> None:
        """Send what is kept back."""
        self._is_due = False
        held, self._held = self._held, []
        if held:
            self._send(held)

    def sync(self, marker: str) -> None:
        """Mark the place in the stream for a subscriber that waits for `marker`; not numbered."""
        self.flush()
        text = self._encode({"seq": self.seq, "run": self.run, "time": self._clock.time()})
        self._send([(topics.sync(marker), text)])

    def since(self, seq: int, limit: int) -> dict[str, Any]:
        """Look up what was published after a number.

        Args:
            seq: The last number that is known already.
            limit: How many events to return at most.

        Returns:
            events: the two frames of each as text, oldest first; more: whether there are further
            ones; lost: how many after `seq` are kept no longer; seq: the last number given out;
            run: the id of this life.
        """
        oldest = self.seq - len(self._history) + 1
        first = max(0, seq + 1 - oldest)
        end = min(first + limit, len(self._history))
        return {
            "events": [list(self._history[index]) for index in range(first, end)],
            "more": end < len(self._history),
            "lost": max(0, oldest - seq - 1),
            "seq": self.seq,
            "run": self.run,
        }

    def keep(self, history: int) -> None:
        """Keep that many events from now on."""
        self._history = deque(self._history, maxlen=max(1, history))

    def close(self) -> None:
        """Close the socket; what is on its way still goes out."""
        self.flush()
        self._publisher.close()

    def _prepare(self, name: str, action: str) -> tuple[str, str]:
        """Make what is the same each time, once: the history keeps thousands of these events."""
        if len(self._prepared) >= _MAX_PREPARED:
            self._prepared.clear()
        head = f'{{"run": "{self.run}", "watcher": {json.dumps(name)}, "seq": '
        self._prepared[name, action] = prepared = topics.topic(name, action), head
        return prepared

    def _send(self, events: list[tuple[str, str]]) -> None:
        if self._publisher.is_heard:
            self._publisher.publish(
                [(topic.encode("utf-8", "replace"), text.encode("ascii")) for topic, text in events]
            )
