"""Events in order, each once, whether they arrive live, twice, late, or by replay."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import regex

LIVE_KEPT = 20_000
"""Live events kept after a gap. The daemon is asked again for those beyond."""

HEAD = regex(rb'\{"run": "([0-9a-f]+)", "watcher": "(?:[^"\\]|\\.)*", "seq": ([1-9][0-9]{0,17}),')
"""The start of our daemon's events. Every plugin needs the number of every event, and this takes a
tenth of the time that parsing the event takes."""

UNNUMBERED = 0
"""The number of an event that has none, or a meaningless one."""


class Event(NamedTuple):
    """An event as it was published. Immutable."""

    seq: int  # its number in the daemon's life
    topic: bytes
    payload: bytes


class EventSequence:
    """Puts the events of a daemon in order. Owned by the thread of the subscription.

    The daemon numbers its events 1, 2, 3 ... as long as it lives, and keeps the latest; one that
    goes on after a crash begins with a higher number. So a gap in the numbers is an event lost on
    the way, and an answer of the daemon fills it. There are no sockets here: the owner passes in
    what comes in, takes from `ready`, and asks the daemon while `incomplete`.
    """

    def __init__(self, since: int | None = None, run: str | None = None) -> None:
        """Begin a sequence.

        Args:
            since: The number before the first event wanted; None for "from now on".
            run: The life of the daemon that `since` is a number of; None for any.
        """
        self.run = run  # the id of the daemon's life; None until something has come in
        # All events up to this number are delivered, ready, or lost. None: the events wanted begin
        # now, and it is unknown yet which number that is.
        self.known = since
        self.highest = since or 0  # number heard of
        self.lost = 0  # events that the daemon no longer has
        self.lives = 0  # times that the daemon turned out to be another one
        self.ready: deque[Event] = deque()  # to deliver next
        self._waiting: dict[int, Event] = {}
        self._former: dict[str, int] = {}

    @property
    def incomplete(self) -> bool:
        """Whether events are missing that only the daemon's answer can supply."""
        return self.known is not None and self.highest > self.known

    def live(self, topic: bytes, payload: bytes) -> None:
        """Take an event that was published just now; one without a number is passed on as it is."""
        run, seq = _mark(payload)
        if seq == UNNUMBERED:
            self.ready.append(Event(UNNUMBERED, topic, payload))
        elif run in self._former:
            self._live_of_former(run, Event(seq, topic, payload))
        else:
            self._begin_life(run)
            self.highest = max(self.highest, seq)
            if self.known is None or seq > self.known:
                if len(self._waiting) < LIVE_KEPT:
                    self._waiting[seq] = Event(seq, topic, payload)
                self._advance()

    def answer(self, reply: Mapping[str, Any]) -> bool:
        """Take the daemon's answer to "which events are there since `known`?".

        Returns:
            False for the answer of another life: ask again.
        """
        run = str(reply["run"])
        if run in self._former or self._begin_life(run):
            return False
        last = int(reply["seq"])
        self.highest = max(self.highest, last)
        if self.known is None:
            self.begin_after(last)
            return True
        events = [
            Event(_mark(text)[1], topic.encode(), text)
            for topic, text in ((topic, payload.encode()) for topic, payload in reply["events"])
        ]
        replayed = max((event.seq for event in events), default=0)
        if (
            "lost" in reply
        ):  # what is before that is of an earlier life, which this one goes on from
            first = min((event.seq for event in events), default=last + 1)
            self.known = max(self.known, first - 1 - int(reply["lost"]))
        self._waiting.update((event.seq, event) for event in events if event.seq > self.known)
        self._cover(replayed if reply["more"] else last)
        return True

    def begin_after(self, number: int) -> None:
        """Set the number that "now" is: the events wanted have higher ones."""
        self.known = number
        self._waiting = {seq: event for seq, event in self._waiting.items() if seq > number}
        self._advance()

    def flush(self) -> None:
        """Make all events ready: nothing will fill the gaps any longer."""
        if self._waiting:
            if self.known is None:
                self.known = min(self._waiting) - 1
            self._cover(max(self._waiting))

    def _cover(self, number: int) -> None:
        """Count as lost what the daemon has not sent up to a number."""
        assert self.known is not None
        if number > self.known:
            there = sorted(seq for seq in self._waiting if seq <= number)
            self.lost += number - self.known - len(there)
            self.ready.extend(self._waiting.pop(seq) for seq in there)
            self.known = number
        self._advance()

    def _advance(self) -> None:
        """Advance to the next gap."""
        while self.known is not None and self.known + 1 in self._waiting:
            self.known += 1
            self.ready.append(self._waiting.pop(self.known))

    def _begin_life(self, run: str) -> bool:
        """Tell whether the daemon is another one, which counts its events anew."""
        if self.run is None:
            self.run = run
        if self.run == run:
            return False
        self._former[self.run] = max(self.known or 0, self.highest)
        self.run = run
        self.known = self.highest = 0
        self.lives += 1
        left = [self._waiting[seq] for seq in sorted(self._waiting)]
        self.ready = deque(event._replace(seq=UNNUMBERED) for event in [*self.ready, *left])
        self._waiting.clear()
        return True

    def _live_of_former(self, run: str, event: Event) -> None:
        """Take an event of a daemon that is gone, after the first one of its successor."""
        if event.seq > self._former[run]:
            self._former[run] = event.seq
            self.ready.append(event._replace(seq=UNNUMBERED))


def _mark(payload: bytes) -> tuple[str, int]:
    """Read the run and the number of an event; ("", UNNUMBERED) when it has none."""
    head = HEAD.match(payload)
    if head is not None:
        return head[1].decode(), int(head[2])
    try:
        message = json.loads(payload)
        seq = message["seq"]
        if isinstance(seq, int) and seq > 0:
            return str(message["run"]), seq
    except (ValueError, KeyError, TypeError, RecursionError):
        pass  # not published by our daemon: nothing to order it by
    return "", UNNUMBERED
