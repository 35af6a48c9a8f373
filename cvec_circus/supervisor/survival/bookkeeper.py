"""What is written down about watchers, processes and sockets: the desk behind `core.ports.Ledger`.

The keys begin with what an entry is about. A watcher has the number of its place in them, because
a removed one and its successor may have one name for a while.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from cvec_circus.base.clock import since_boot
from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.core.places import DEATHS
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.revival import chosen, written_counts, written_watcher
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.generation import asked_of, digest
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.supervisor.survival.ledger import Ledger, dumped, written_number

BLOCK = 1000
"""How many numbers of events are reserved at a time."""

WATCHER, COUNTS, BACKOFF, DEATH = "watcher", "counts", "backoff", "death"
SLOT, STOPPING, PROVED, UNWELL, HAD = "slot", "stopping", "proved", "unwell", "had"
SOCKET, SEQ, LOADED, AT = "socket", "seq", "loaded", "at"
"""The first words of the keys."""

PAUSE = 0.02
"""Seconds between two times that a thread gets what is new. The first lines after that go at once;
while hundreds of processes die in a second, the thread would take a tenth of their supervisor."""


class Launched(NamedTuple):
    """What tells a process from all others, and its pipes. Immutable."""

    inode: int  # of its pidfd; 0 where that tells nothing
    start_time: int  # in clock ticks since boot; 0 where the inode tells it
    pipes: Mapping[str, int] = {}  # the inodes of its pipes, by channel


class Bookkeeper:
    """The bookkeeper of a daemon without a ledger: notes nothing. Owned by the supervisor thread.

    Attributes:
        is_on: Whether a daemon that comes later can adopt what is started now.
    """

    is_on = False

    def begin(self, watchers: Iterable[Watcher], loaded: Collection[str]) -> None:
        """Note all watchers, and the names of those that the configuration has."""

    def loaded(self, names: Collection[str]) -> None:
        """Note which watchers the configuration has from now on."""

    def went_on(self, watcher: Watcher, deaths: int) -> None:
        """Go on with what an earlier daemon has noted about a watcher, with so many deaths."""

    def written(self, watcher: Watcher) -> int:
        """Return how many deaths of a watcher were noted, for `went_on`."""
        return 0

    def entries(self) -> dict[str, Any]:
        """Return all that is noted, for a ledger that goes on with it."""
        return {}

    def sockets(self, notes: Mapping[str, Any]) -> None:
        """Note all listening sockets, by name."""

    def had(self, watcher: Watcher, process: ManagedProcess, sockets: Mapping[str, Any]) -> None:
        """Note the sockets of a process that differ from those of now, or had other settings."""

    def intends(self, watcher: Watcher) -> None:
        """Note, before it is started, that a process of a watcher may be there."""

    def ordered(self, watchers: Iterable[Watcher]) -> None:
        """Write what an order has changed about the watchers, before it is answered."""

    def launched(self, process: ManagedProcess, about: Launched) -> None:
        """Note what tells the process from others; `spawned` follows."""

    def spawned(self, watcher: Watcher, process: ManagedProcess) -> None:
        """See `core.ports.Ledger`, the next five too."""

    def stopping(self, watcher: Watcher, process: ManagedProcess, kill_at: float) -> None: ...

    def proved(self, watcher: Watcher, process: ManagedProcess) -> None: ...

    def unwell(self, watcher: Watcher, process: ManagedProcess) -> None: ...

    def ended(self, watcher: Watcher, process: ManagedProcess) -> None: ...

    def saw(self, watcher: Watcher) -> None: ...

    def forget(self, watcher: Watcher) -> None:
        """Drop what was noted about a watcher that is gone for good."""

    def flush(self, more: bool = False) -> None:
        """Write what is new; with `more`, processes may be started before the next call."""

    def end(self, is_needed: bool) -> None:
        """Close the ledger, and remove it if no process is left."""


_NONE: set[int] = set()
"""Stays empty."""


class _Noted:
    """What was noted about a watcher. Owned by the supervisor thread."""

    __slots__ = ("backoffs", "counts", "deaths", "digest", "mark", "options")

    def __init__(self) -> None:
        self.mark: tuple[Any, ...] = ()
        self.counts: list[Any] = []
        self.backoffs = _NONE  # by wid; few watchers have any
        self.deaths = 0
        self.options: WatcherOptions | None = None  # those that the digest is of
        self.digest = ""


class LedgerBookkeeper(Bookkeeper):
    """Notes all that a later daemon needs. Owned by the supervisor thread.

    Plugins and other helpers are not in it: they end with the daemon.

    Args:
        ledger: Where to.
        loop: The supervisor's loop.
        sockets: The names of the sockets that it has.
    """

    def __init__(self, ledger: Ledger, loop: Loop, sockets: Iterable[str] = ()) -> None:
        self._ledger, self._loop = ledger, loop
        self._not_before, self._is_due = 0.0, False
        self._may_lack = True  # processes may be there that are not noted yet, and `AT` says so
        self._sockets = set(sockets)
        self._noted: dict[Watcher, _Noted] = {}
        self._launched: dict[ManagedProcess, Launched] = {}
        self._encode = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode

    @property
    def is_on(self) -> bool:  # type: ignore[override]
        return self._ledger.is_on

    def begin(self, watchers: Iterable[Watcher], loaded: Collection[str]) -> None:
        """See `Bookkeeper`."""
        for watcher in watchers:
            self.saw(watcher)
        self.loaded(loaded)
        self._write_now()
        self.flush()

    def loaded(self, names: Collection[str]) -> None:
        """See `Bookkeeper`."""
        self._put(LOADED, sorted(names))

    def went_on(self, watcher: Watcher, deaths: int) -> None:
        """See `Bookkeeper`."""
        noted = self._noted[watcher] = _Noted()
        noted.backoffs = set(watcher.places.backoffs) or _NONE
        noted.deaths = deaths

    def written(self, watcher: Watcher) -> int:
        """See `Bookkeeper`."""
        return self._noted[watcher].deaths if watcher in self._noted else 0

    def entries(self) -> dict[str, Any]:
        """See `Bookkeeper`."""
        return self._ledger.entries()

    def reserve(self, seq: int) -> int:
        """Reserve numbers of events, this one among them; return the last one."""
        last = seq + BLOCK - 1
        self._put(SEQ, last)
        self.flush(more=True)
        return last

    def sockets(self, notes: Mapping[str, Any]) -> None:
        """See `Bookkeeper`."""
        for name in self._sockets.difference(notes):
            self._ledger.drop(f"{SOCKET} {name}")
        self._sockets = set(notes)
        for name, note in notes.items():
            self._put(f"{SOCKET} {name}", note)

    def had(self, watcher: Watcher, process: ManagedProcess, sockets: Mapping[str, Any]) -> None:
        """See `Bookkeeper`."""
        if not watcher.kind.is_helper:
            self._put(f"{HAD} {watcher.place} {process.wid}", [process.pid, sockets])

    # -- processes

    def intends(self, watcher: Watcher) -> None:
        """See `Bookkeeper`. One line serves all that a turn starts; a thread would write it too
        late, so there the last instant at which all was known stands in the file all the time."""
        if watcher.kind.is_helper or not self._ledger.is_on:
            return
        if watcher not in self._noted:
            self.saw(watcher)
            self._write_now()
        if self._ledger.is_prompt and not self._may_lack:
            self._lacks_what_follows()
            self._ledger.flush()

    def _lacks_what_follows(self) -> None:
        self._may_lack = True
        self._ledger.put(f'["{AT}",{since_boot():.3f}]\n')

    def launched(self, process: ManagedProcess, about: Launched) -> None:
        """See `Bookkeeper`."""
        self._launched[process] = about

    def spawned(self, watcher: Watcher, process: ManagedProcess) -> None:
        """See `core.ports.Ledger`."""
        about, noted = self._launched.pop(process, None), self._noted.get(watcher)
        if about is None or noted is None:
            return  # a helper, or it is not written any more
        if noted.options is not watcher.options:
            noted.options, noted.digest = watcher.options, digest(watcher.options)
        inode, start_time, pipes = about
        key, asked = f"{SLOT} {watcher.place} {process.wid}", asked_of(watcher.options)
        self._ledger.put(
            f'["{key}",[{process.pid},{inode},{start_time},{process.generation},'
            f'"{noted.digest}",{process.spawned_at!r},{process.started!r},'
            f"{dumped(process.spawn_cause)},{asked:d},"
            f"[{pipes.get('stdout', 0)},{pipes.get('stderr', 0)}]]]\n",
        )

    def stopping(self, watcher: Watcher, process: ManagedProcess, kill_at: float) -> None:
        """See `core.ports.Ledger`. Written before the signal, or a crash hides who has asked."""
        if not watcher.kind.is_helper:
            key = f"{STOPPING} {watcher.place} {process.wid}"
            told = f"{process.pid},{dumped(process.cause)},{kill_at!r}"
            self._ledger.put(f'["{key}",[{told}]]\n')
            if self._ledger.is_prompt:
                self._ledger.flush()

    def proved(self, watcher: Watcher, process: ManagedProcess) -> None:
        """See `core.ports.Ledger`."""
        if not watcher.kind.is_helper:
            key = f"{PROVED} {watcher.place} {process.wid}"
            self._ledger.put(f'["{key}",{process.pid}]\n')

    def unwell(self, watcher: Watcher, process: ManagedProcess) -> None:
        """See `core.ports.Ledger`."""
        key = f"{UNWELL} {watcher.place} {process.wid}"
        if watcher.kind.is_helper:
            return
        if process.unready or process.doubted:
            self._put(key, [process.pid, process.doubted, process.unready])
        else:
            self._ledger.drop(key)

    def ended(self, watcher: Watcher, process: ManagedProcess) -> None:
        """See `core.ports.Ledger`."""
        noted = self._noted.get(watcher)
        if noted is None:
            return  # a helper, or it was removed and all of it may go on running
        place, wid = watcher.place, process.wid
        self._ledger.drop(f"{SLOT} {place} {wid}")
        died = watcher.places.deaths[-1]
        key = f"{DEATH} {place} {noted.deaths % DEATHS}"
        was_proved = "true" if died.was_proved else "false"
        self._ledger.put(
            f'["{key}",[{noted.deaths},[{died.wid},{died.pid},{written_number(died.exit_code)},'
            f"{dumped(died.cause)},{died.at!r},{dumped(died.actor)},{dumped(died.why)},"
            f"{died.lived!r},{died.life},{was_proved},{dumped(died.failure)},"
            "null,false]]]\n",
        )
        noted.deaths += 1
        self._note_backoff(watcher, noted, wid)

    def _note_backoff(self, watcher: Watcher, noted: _Noted, wid: int) -> None:
        memory, key = watcher.places.backoffs.get(wid), f"{BACKOFF} {watcher.place} {wid}"
        if memory is None or not (memory.deaths or memory.step or memory.delay):
            if wid in noted.backoffs:
                noted.backoffs.remove(wid)
                self._ledger.drop(key)
            return
        if not noted.backoffs:
            noted.backoffs = set()
        noted.backoffs.add(wid)
        self._ledger.put(
            f'["{key}",[{memory.step},{memory.deaths},{memory.delay!r},{memory.ready_at!r},'
            f"{dumped(memory.cause)},{memory.is_respawn:d},{memory.failed_starts},"
            f"{memory.is_doubtful:d}]]\n",
        )

    # -- watchers

    def saw(self, watcher: Watcher) -> None:
        """See `core.ports.Ledger`. Goals of the end of the daemon are not noted: if it crashes
        then, those of before count."""
        if watcher.kind.is_helper or watcher.goal.word == "quit":
            return
        noted = self._noted.get(watcher)
        if noted is None:
            noted = self._noted[watcher] = _Noted()
        settings = watcher.settings
        mark = (
            *(watcher.goal, watcher.is_removed, settings.generation, settings.base),
            chosen(watcher),
            *(watcher.life, watcher.reason, watcher.lives, watcher.filled_life, watcher.failed),
            *(watcher.run, watcher.due_cause, watcher.missed),
        )
        if mark != noted.mark:
            noted.mark = mark
            self._put(f"{WATCHER} {watcher.place}", written_watcher(watcher))
            backoffs = watcher.places.backoffs
            for wid in [wid for wid in noted.backoffs if wid not in backoffs]:
                self._note_backoff(watcher, noted, wid)
        counts = written_counts(watcher)
        if counts != noted.counts:
            noted.counts = counts
            key = f"{COUNTS} {watcher.place}"
            grants, spawns, restarts, failed_exits, has_run, is_told_ready, ready_at = counts
            self._ledger.put(
                f'["{key}",[{grants},{spawns},{restarts},{failed_exits},{has_run:d},'
                f"{is_told_ready:d},{written_number(ready_at)}]]\n",
            )

    def ordered(self, watchers: Iterable[Watcher]) -> None:
        """See `Bookkeeper`."""
        for one in watchers:
            self.saw(one)
        self._write_now()

    def forget(self, watcher: Watcher) -> None:
        """See `Bookkeeper`."""
        noted = self._noted.pop(watcher, None)
        if noted is None:
            return
        place, drop = watcher.place, self._ledger.drop
        for wid in range(1, watcher.places.next_wid):
            for what in (SLOT, STOPPING, PROVED, UNWELL, HAD):
                drop(f"{what} {place} {wid}")
        for wid in noted.backoffs:
            drop(f"{BACKOFF} {place} {wid}")
        for number in range(min(noted.deaths, DEATHS)):
            drop(f"{DEATH} {place} {number}")
        drop(f"{WATCHER} {place}")
        drop(f"{COUNTS} {place}")

    def flush(self, more: bool = False) -> None:
        """See `Bookkeeper`. A thread gets it at the end of a turn: earlier, it would take the
        interpreter between a death and the successor."""
        if self._ledger.is_prompt:
            if self._may_lack and not more:
                self._may_lack = False
                self._ledger.drop(AT)
            elif more and self._ledger.pending:
                self._lacks_what_follows()
            self._ledger.flush()
        elif self._ledger.pending:
            self._loop.at_turn_end(self._hand_over)

    def _write_now(self) -> None:
        if self._ledger.is_prompt:
            self.flush(more=True)
        elif self._ledger.pending:
            self._not_before = 0.0
            self._hand_over()
            self._ledger.settle()

    def _hand_over(self) -> None:
        now = self._loop.clock.monotonic()
        if now >= self._not_before:
            self._not_before = now + PAUSE
            self._lacks_what_follows()
            self._ledger.flush()
        elif not self._is_due:
            self._is_due = True
            self._loop.call_at(self._not_before, self._pause_is_over)

    def _pause_is_over(self) -> None:
        self._is_due = False
        self.flush()

    def end(self, is_needed: bool) -> None:
        """See `Bookkeeper`."""
        self._ledger.end(is_needed)

    def _put(self, key: str, value: Any) -> None:
        if self._ledger.is_on:
            self._ledger.put(f"{self._encode([key, value])}\n")
