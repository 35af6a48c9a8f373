"""What the processes of watchers have written last, for clients that ask and clients that follow.

A follower asks again and again for what came after the place it has read to, and gets an answer
when there is a line. So no client is sent more than it takes: what is gone from the history before
a slow reader came for it is counted, and the answer says so. Pumps only post that something has
come, once for each answer.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import exc
from cvec_circus.base.loop import Loop
from cvec_circus.base.timers import Timer
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.stream import CHANNELS, HISTORY, history_size
from cvec_circus.stream.history import ROOM, Arrivals, History, Line
from cvec_circus.supervisor.turn import Backlog
from cvec_circus.wire.messages import COMMAND_FAILED

if TYPE_CHECKING:
    from cvec_circus.system.handover import Handover, Inherited

GATHER_DELAY = 0.05
"""Seconds from the first thing that came to the answer: pages answer a flood, not lines."""

SHARE = 0.003
"""Seconds of a turn that answers may take."""

LAST_SHARE = 0.1
"""Seconds for all last answers together, which are given at once."""

MOST_LINES = 2000
MOST_BYTES = 128 * 1024
"""Of an answer with the last lines, which is to stay below the megabyte that a frame may have."""

PAGE_LINES = 500
PAGE_BYTES = 64 * 1024
"""Of an answer to a follower. To make it takes about a millisecond, and a follower of a flood gets
twenty of them a second: other clients do not notice."""

STOPPED = "the daemon has stopped"

GONE_DELAY = 5.0
MOST_GONE = 64
"""For so many seconds what a removed watcher has written last is kept for those that follow many;
that of so many outputs, at most."""

WORDS = {"stdout": "standard output", "stderr": "standard error"}

Fields = dict[str, Any]
Then = Callable[[Fields], object]


class Follower:
    """A client that waits for the next line. Owned by the supervisor thread.

    Attributes:
        looked: The end of the history at the last look for a line; -1 before the first.
    """

    __slots__ = ("looked", "since", "then", "timer")

    def __init__(self, since: int, then: Then) -> None:
        self.since = since
        self.then = then
        self.timer: Timer | None = None
        self.looked = -1

    def answer(self, fields: Fields) -> None:
        """Answer, and wait no longer."""
        if self.timer is not None:
            self.timer.cancel()
        self.then(fields)


def _has_stream(watcher: Watcher, channel: str) -> bool:
    return bool(watcher.options[f"{channel}_stream"])


def _own_size(watcher: Watcher, channel: str) -> int:
    return history_size(watcher.options, channel)


class Histories:
    """The history of every output that is kept. Owned by the supervisor thread.

    A history is there from the first start of its watcher on, and as long as the watcher.

    Args:
        loop: The supervisor's loop.
        size: Returns how many bytes are kept of an output of a watcher.
        is_read: Tells whether that is read of all its processes, whether it is kept or not.

    Attributes:
        arrivals: Puts what comes to all of them in order.
        gone: The outputs of watchers that have just been removed.
        followed_until: Until when what is gone is kept for those that follow many.
    """

    def __init__(
        self,
        loop: Loop,
        size: Callable[[Watcher, str], int] = _own_size,
        is_read: Callable[[Watcher, str], bool] = _has_stream,
    ) -> None:
        self._loop = loop
        self._clock = loop.clock
        self._size, self._is_read = size, is_read
        self.arrivals = Arrivals()
        self.gone: dict[tuple[Watcher, str], History] = {}
        self.followed_until = 0.0
        self._histories: dict[tuple[Watcher, str], History] = {}
        self._followers: dict[History, dict[Follower, None]] = {}
        self._backlog = Backlog(loop.clock.monotonic, loop.post, SHARE)
        self._expected: set[History] = set()  # a pump posts when something comes
        self._due: set[History] = set()  # something has come, and is served in a moment
        self._has_ended = False

    def keep(self, watcher: Watcher, channel: str, size: int) -> History | None:
        """Return what keeps so many bytes of an output; for 0, None, and nothing is kept."""
        key = watcher, channel
        if not size:
            self._drop(key, f"the output of {watcher.name} is no longer kept")
            return None
        history = self._histories.get(key)
        if history is None:
            history = self._histories[key] = History(size, self._clock, self.arrivals)
        history.limit = size
        return history

    def forget(self, watcher: Watcher) -> None:
        """Let go of what a watcher's processes have written: it is gone."""
        linger = self._clock.monotonic() < self.followed_until
        for channel in CHANNELS:
            key = watcher, channel
            history = self._histories.get(key)
            if linger and history is not None and len(self.gone) < MOST_GONE:
                self.gone[key] = history
                self._loop.call_later(GONE_DELAY, self.gone.pop, key, None)
            self._drop(key, f"{watcher.name} was removed")

    def end(self) -> None:
        """Answer all followers, and those that still ask, that nothing more will come."""
        self._has_ended = True
        followers, self._followers = self._followers, {}
        self._dismiss(followers, STOPPED)

    def dismiss(self) -> None:
        """Answer all followers with what there is."""
        followers, self._followers = self._followers, {}
        for history, waiting in followers.items():
            for follower in waiting:
                follower.answer(page(history, follower.since))

    def hand_over(self, out: Handover, number: Mapping[Watcher, int]) -> Fields:
        """Hand all to the program that is to be executed; see `OutputDesk.hand_over`."""
        kept = ((number[w], name, one) for (w, name), one in self._histories.items() if w in number)
        rows = [[place, channel, one.hand_over(out)] for place, channel, one in kept]
        return {"arrivals": self.arrivals.next(), "histories": rows}

    def take_over(
        self, inherited: Inherited, state: Mapping[str, Any], watchers: Mapping[int, Watcher]
    ) -> None:
        """Go on with what was handed over, before anything is written."""
        self.arrivals.next = itertools.count(state["arrivals"], ROOM).__next__
        for place, channel, one in state["histories"]:
            history = History(one["limit"], self._clock, self.arrivals)
            history.take_over(inherited, one)
            self._histories[watchers[place], channel] = history

    def _drop(self, key: tuple[Watcher, str], why: str) -> None:
        history = self._histories.pop(key, None)
        if history is not None:
            self._expected.discard(history)
            self._dismiss({history: self._followers.pop(history, {})}, why)

    def _dismiss(self, followers: dict[History, dict[Follower, None]], why: str) -> None:
        """Answer for the last time; when that takes too long, the rest gets no more lines."""
        until = self._clock.monotonic() + LAST_SHARE
        for history, waiting in followers.items():
            for follower in waiting:
                most = MOST_LINES if self._clock.monotonic() < until else 0
                follower.answer(last_page(history, follower.since, why, most))

    def items(self) -> list[tuple[tuple[Watcher, str], History]]:
        """Return every history, with those of watchers that are just gone."""
        return [*self._histories.items(), *self.gone.items()]

    def last_output(self, watcher: Watcher, pid: int, count: int) -> list[str] | None:
        """Return the last lines that a process has written, of both its outputs in the order in
        which they were read; None if neither is kept."""
        outputs = ((watcher, channel) for channel in CHANNELS)
        kept = [self._histories[key] for key in outputs if key in self._histories]
        lines = [line for history in kept for line in history.last(count, pid=pid)[1]]
        lines.sort(key=lambda line: line.number)
        return [text_of(line) for line in lines[max(0, len(lines) - count) :]] if kept else None

    def last(self, watcher: Watcher, channel: str, count: int, age: float | None = None) -> Fields:
        """Return the last lines of an output; with an age, those that are no older.

        Raises:
            MessageError: Nothing of it is kept.
        """
        history = self._find(watcher, channel)
        end, lines = (0, []) if history is None else history.last(min(count, MOST_LINES))
        if age is not None:
            not_before = self._clock.time() - age
            lines = [line for line in lines if line.at >= not_before]
        size = 0
        rows: list[Fields] = []
        for line in reversed(lines):
            size += len(line.text)
            if size > MOST_BYTES and rows:
                break
            rows.insert(0, row(line))
        return {"lines": rows, "next": end, "more": False, "missed": 0}

    def after(
        self,
        watcher: Watcher,
        channel: str,
        since: int,
        timeout: float,
        then: Then,
        age: float | None = None,
    ) -> None:
        """Call `then`, once, with the lines behind a place: now, or within `timeout` seconds.

        With an age and no timeout, only with those that are no older.

        Raises:
            MessageError: Nothing of it is kept.
        """
        history = self._find(watcher, channel)
        if history is None and timeout:
            history = self.keep(watcher, channel, self._size(watcher, channel))
        if history is None:
            then({"lines": [], "next": 0, "more": False, "missed": 0})
            return
        if not timeout or self._has_ended:
            is_last = timeout and self._has_ended
            not_before = 0.0 if age is None else self._clock.time() - age
            found = page(history, since, True, not_before=not_before)
            then(last_page(history, since, STOPPED) if is_last else found)
            return
        follower = Follower(since, then)
        follower.timer = self._loop.call_later(timeout, self._expire, history, follower)
        self._followers.setdefault(history, {})[follower] = None
        self._wait(history, since)

    def _find(self, watcher: Watcher, channel: str) -> History | None:
        if not self._size(watcher, channel):
            raise exc.MessageError(self.why_not(watcher, channel), COMMAND_FAILED)
        return self._histories.get((watcher, channel))

    def why_not(self, watcher: Watcher, channel: str | None) -> str:
        """Say why nothing of an output is kept, or of both, and what to do about it."""
        name, options = watcher.name, watcher.options
        what = "output" if channel is None else WORDS[channel]
        hint = ""
        other = "stderr" if channel == "stdout" else "stdout"
        if channel is not None and self._size(watcher, other):
            flag = "with --stderr" if channel == "stdout" else "without --stderr"
            hint = f"; its {WORDS[other]} is there, {flag}"
        closers = [f"close_child_{one}" for one in (CHANNELS if channel is None else [channel])]
        if all(options[closer] for closer in closers):
            return f"{name}: its {what} is closed ({', '.join(closers)}){hint}"
        order = f"cvec_circusctl set {shlex.quote(name)} {HISTORY} 64k"
        cure = f"`{order}` replaces no process, and keeps it"
        if not all(self._is_read(watcher, one) for one in ([channel] if channel else CHANNELS)):
            cure += " from the next start on"
        if options[HISTORY] == 0:
            return f"{name}: its {what} is not kept, because {HISTORY} is 0; {cure}{hint}"
        goes = (
            "the daemon's log"
            if watcher.kind.is_helper
            else f"the daemon's own {channel or 'stdout and stderr'}"
        )
        return f"{name}: its {what} goes to {goes} and is not kept; {cure}{hint}"

    def _wait(self, history: History, place: int) -> None:
        """Serve the followers a moment after something has come behind a place."""
        if history in self._due:
            return
        if history.end > place:
            self._come(history)
        elif history not in self._expected:
            self._expected.add(history)
            history.when_beyond(place, partial(self._loop.post, self._come, history))

    def _come(self, history: History) -> None:
        self._expected.discard(history)
        if history not in self._due:
            self._due.add(history)
            self._loop.call_later(GATHER_DELAY, self._serve, history)

    def _serve(self, history: History) -> None:
        """Answer those for whom there is a line, for a share of each turn; the others wait on."""
        place = history.end
        due = [one for one in self._followers.get(history, ()) if one.looked != place]
        looks = [partial(self._look, history, follower, place) for follower in due]
        self._backlog.add([*looks, partial(self._served, history, place)])

    def _look(self, history: History, follower: Follower, place: int) -> None:
        followers = self._followers.get(history, {})
        if follower in followers:  # otherwise it was answered meanwhile
            follower.looked = place
            found = page(history, follower.since)
            if found["lines"]:
                del followers[follower]
                follower.answer(found)

    def _served(self, history: History, place: int) -> None:
        self._due.discard(history)
        followers = self._followers.get(history)
        if not followers:
            self._followers.pop(history, None)
        elif any(follower.looked != place for follower in followers):
            self._come(history)  # they have asked meanwhile
        else:
            self._wait(history, place)

    def _expire(self, history: History, follower: Follower) -> None:
        followers = self._followers.get(history, {})
        if follower in followers:
            del followers[follower]
            follower.answer(page(history, follower.since))


def last_page(history: History, since: int, why: str, most_lines: int = MOST_LINES) -> Fields:
    """Return the last answer to a follower, with the reason why there will be no more."""
    if not most_lines:
        missed = max(0, history.end - since)
        return {"lines": [], "next": since, "more": False, "missed": missed, "ended": why}
    found = page(history, since, True, most_lines, MOST_BYTES)
    if found["more"]:
        found["missed"] += history.end - found["next"]
    return {**found, "more": False, "ended": why}


def page(
    history: History,
    since: int,
    with_rest: bool = False,
    most_lines: int = PAGE_LINES,
    most_bytes: int = PAGE_BYTES,
    not_before: float = 0.0,
) -> Fields:
    """Return the lines behind a place, as many as an answer may have, and none that has begun
    earlier than `not_before`; `with_rest`, with those that have no end yet."""
    missed, end, lines = history.after(since)
    rows: list[Fields] = []
    size, place = 0, since
    for line in lines:
        if line.at < not_before or not (line.has_end or with_rest):
            continue
        size += len(line.text)
        if rows and (len(rows) == most_lines or size > most_bytes):
            return {"lines": rows, "next": place, "more": True, "missed": missed}
        rows.append(row(line))
        place = line.end
    return {"lines": rows, "next": end, "more": False, "missed": missed}


def row(line: Line) -> Fields:
    """Return a line as the wire shows it."""
    shown: Fields = {"time": line.at, "pid": line.pid, "text": text_of(line)}
    if line.is_cut:
        shown["cut"] = True
    if not line.has_end:
        shown["partial"] = True
    return shown


def text_of(line: Line) -> str:
    """Return the text of a line; what is not UTF-8 is shown as ``\\xff``."""
    return line.text.decode("utf-8", "backslashreplace")
