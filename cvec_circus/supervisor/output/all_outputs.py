"""What the processes of many watchers have written, in the order in which it was read.

A client that follows asks repeatedly for the lines after the last one it got, as those
of one output do: see `histories`. A place is a number that all outputs of the daemon share, and
means nothing to the daemon that comes after this one; so it goes to clients behind a word that
tells the two apart, and a client that follows goes on with the first line of the new daemon.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.timers import Timer
from cvec_circus.core.watcher import Watcher
from cvec_circus.stream import merging
from cvec_circus.stream.history import History
from cvec_circus.stream.merging import Found, Search
from cvec_circus.supervisor.names import names_filter
from cvec_circus.supervisor.output.histories import (
    GATHER_DELAY,
    GONE_DELAY,
    LAST_SHARE,
    MOST_BYTES,
    MOST_LINES,
    PAGE_BYTES,
    PAGE_LINES,
    SHARE,
    STOPPED,
    Fields,
    Histories,
    Then,
    row,
)
from cvec_circus.supervisor.turn import Backlog

EVER = 0.0
"""A time of day before which nothing was written."""


class Wanted(NamedTuple):
    """Which outputs a client wants. Immutable."""

    wants: Callable[[str], bool]  # whether the watcher of that name is one
    channels: Collection[str]


class Place(NamedTuple):
    """A history in a search. Immutable."""

    watcher: Watcher
    channel: str
    history: History


class Follower:
    """A client that waits for the next line of any of its outputs. Owned by the supervisor thread.

    Attributes:
        is_due: Whether its time is up: it gets an answer, with lines or without.
    """

    __slots__ = ("is_due", "number", "then", "timer", "wanted")

    def __init__(self, wanted: Wanted, number: int, then: Then) -> None:
        self.wanted = wanted
        self.number = number
        self.then = then
        self.timer: Timer | None = None
        self.is_due = False


class AllOutputs:
    """The histories of a daemon as one. Owned by the supervisor thread.

    A search takes a share of each turn, and goes on in the next one.

    Attributes:
        run: The word before the number of a place.
    """

    def __init__(self, loop: Loop, histories: Histories) -> None:
        self._loop = loop
        self._clock = loop.clock
        self._histories = histories
        self._arrivals = histories.arrivals
        self.run = os.urandom(4).hex()
        self._backlog = Backlog(loop.clock.monotonic, loop.post, SHARE)
        self._followers: dict[Follower, None] = {}  # those that have no answer yet
        self._waiting: dict[Follower, None] = {}  # those for whom there was no line
        self._is_coming = False
        self._has_ended = False

    def wanted(self, names: Sequence[str] | None, match: str, channels: Collection[str]) -> Wanted:
        """Return what picks the outputs of watchers of some names and patterns; None is all.

        Raises:
            MessageError: A pattern might take too long, or there are too many.
        """
        return Wanted(names_filter(names, match), channels)

    def last(self, wanted: Wanted, count: int, age: float | None, then: Then) -> None:
        """Call `then`, once, with the last lines; with an age, only those that are no older."""
        places, horizon = self._places(wanted), self._arrivals.next()
        count = min(count, MOST_LINES)
        search = merging.last(_histories(places), count, horizon, self._not_before(age))

        def found(result: Found) -> None:
            rows = _within(_rows(places, result))
            then(self._answer(places, result._replace(more=False), rows, 0))

        self._run_search(search, found)

    def after(
        self, wanted: Wanted, since: str, timeout: float, age: float | None, then: Then
    ) -> None:
        """Call `then`, once, with the lines behind a place: soon, or within `timeout` seconds."""
        number = self._number(since)
        if self._has_ended:
            self._end(Follower(wanted, number, then), MOST_LINES)
        elif timeout:
            until = self._clock.monotonic() + timeout + GONE_DELAY
            self._histories.followed_until = max(self._histories.followed_until, until)
            follower = Follower(wanted, number, then)
            follower.timer = self._loop.call_later(timeout, self._expire, follower)
            self._followers[follower] = None
            self._look(follower)
        else:
            places, horizon = self._places(wanted), self._arrivals.next()
            page = PAGE_LINES, PAGE_BYTES, self._not_before(age), True
            search = merging.behind(_histories(places), number, horizon, *page)
            self._run_search(search, lambda found: then(self._page(places, found, number)))

    def end(self) -> None:
        """Answer all followers that nothing more will come."""
        self._has_ended = True
        followers, self._followers = self._followers, {}
        self._waiting.clear()
        until = self._clock.monotonic() + LAST_SHARE
        for follower in followers:
            if follower.timer is not None:
                follower.timer.cancel()
            self._end(follower, MOST_LINES if self._clock.monotonic() < until else 0)

    def dismiss(self) -> None:
        """Answer all followers with what there is: they ask again."""
        followers, self._followers = self._followers, {}
        self._waiting.clear()
        for follower in followers:
            if follower.timer is not None:
                follower.timer.cancel()
            nothing = Found([], follower.number)
            follower.then(self._page(self._places(follower.wanted), nothing, follower.number))

    # -- followers

    def _look(self, follower: Follower) -> None:
        """Look whether there is a line for a follower."""
        places, horizon = self._places(follower.wanted), self._arrivals.next()
        search = merging.behind(
            _histories(places), follower.number, horizon, PAGE_LINES, PAGE_BYTES
        )
        self._run_search(search, partial(self._looked, follower, places))

    def _looked(self, follower: Follower, places: list[Place], found: Found) -> None:
        if follower not in self._followers:
            return  # it has got its last answer meanwhile
        if found.lines or follower.is_due:
            del self._followers[follower]
            if follower.timer is not None:
                follower.timer.cancel()
            follower.then(self._page(places, found, follower.number))
            return
        follower.number = found.next
        self._waiting[follower] = None
        self._arrivals.tell = partial(self._loop.post, self._come)
        if any(place.history.newest > found.next for place in places):
            self._come()

    def _come(self) -> None:
        """Serve those that wait a moment after something has come."""
        if not self._is_coming and self._waiting:
            self._is_coming = True
            self._loop.call_later(GATHER_DELAY, self._serve)

    def _serve(self) -> None:
        self._is_coming = False
        waiting, self._waiting = self._waiting, {}
        for follower in waiting:
            self._look(follower)

    def _expire(self, follower: Follower) -> None:
        follower.is_due = True
        if follower in self._waiting:
            del self._waiting[follower]
            self._look(follower)

    def _end(self, follower: Follower, most: int) -> None:
        places, horizon = self._places(follower.wanted), self._arrivals.next()
        found = Found([], follower.number)
        if most:
            number = follower.number
            search = merging.behind(
                _histories(places), number, horizon, most, MOST_BYTES, EVER, with_rest=True
            )
            found = _result(search)
        follower.then({**self._page(places, found, follower.number), "ended": STOPPED})

    # -- searches and answers

    def _places(self, wanted: Wanted) -> list[Place]:
        return [
            Place(watcher, channel, history)
            for (watcher, channel), history in self._histories.items()
            if channel in wanted.channels and wanted.wants(watcher.name)
        ]

    def _run_search(self, search: Search, then: Callable[[Found], object]) -> None:
        def go_on() -> None:
            try:
                next(search)
            except StopIteration as end:
                then(end.value)
            else:
                self._backlog.add([go_on])

        self._backlog.add([go_on])

    def _not_before(self, age: float | None) -> float:
        return EVER if age is None else self._clock.time() - age

    def _number(self, since: str) -> int:
        """Return the number in a place; 0, the beginning, if it is of another daemon."""
        run, _, number = since.partition(":")
        return int(number) if run == self.run and number.isdecimal() else 0

    def _page(self, places: list[Place], found: Found, number: int) -> Fields:
        return self._answer(places, found, _rows(places, found), number)

    def _answer(self, places: list[Place], found: Found, rows: list[Fields], number: int) -> Fields:
        """Return an answer; `missed` names those of whom something behind the place is gone."""
        missed = {one.watcher.name for one in places if number and one.history.dropped > number}
        shown = {row["watcher"] for row in rows}
        several = {
            one.watcher.name
            for one in places
            if one.watcher.name in shown and one.watcher.goal.numprocesses > 1
        }
        return {
            "lines": rows,
            "next": f"{self.run}:{found.next}",
            "more": found.more,
            "missed": sorted(missed),
            "several": sorted(several),
        }


def _histories(places: list[Place]) -> list[History]:
    return [place.history for place in places]


def _rows(places: list[Place], found: Found) -> list[Fields]:
    rows = []
    for index, line in found.lines:
        watcher, channel, _ = places[index]
        more: dict[str, Any] = {"watcher": watcher.name, "stream": channel}
        if line.wid:
            more["wid"] = line.wid
        rows.append({**row(line), **more})
    return rows


def _within(rows: list[Fields]) -> list[Fields]:
    """Return the last rows that an answer has room for, at least one."""
    size = 0
    for index in range(len(rows) - 1, -1, -1):
        size += len(rows[index]["text"]) + len(rows[index]["watcher"])
        if size > MOST_BYTES and index < len(rows) - 1:
            return rows[index + 1 :]
    return rows


def _result(search: Search) -> Found:
    """Search to the end at once."""
    while True:
        try:
            next(search)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
