"""The threads that read the children's output: one per file system, and others for the rest.

```
                      ┌─ pump:/          streams to files on the file system mounted at /
 supervisor ──► pump ─┼─ pump:/var/log   streams to files on that one
                      ├─ pump:stdout     StdoutStream, FancyStdoutStream
                      ├─ pump:daemon     what goes where the daemon's own output goes
                      └─ pump:web        one of web's: a syslog, a queue, a class of one's own
```

`pump` takes every order and passes it on. It writes nowhere, so nothing holds it up. It finds out
which file system a file is on; and it reads and discards pipes without an open stream: those of
processes whose stream was removed, and of strays. So a hung file system blocks only what writes to
it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus.base.figures import counted
from cvec_circus.base.named import NamedTuple
from cvec_circus.options.stream_classes import FILES, OWN
from cvec_circus.stream.base import (
    FINISHED,
    PASSED,
    UNKNOWN,
    Context,
    Nowhere,
    Source,
    Unfinished,
    lane_of,
)
from cvec_circus.stream.output import Pipe, Then, Wanted
from cvec_circus.stream.pump import Later, Pump
from cvec_circus.stream.search import Search
from cvec_circus.system import mounts
from cvec_circus.system.mounts import Mount

if TYPE_CHECKING:
    from cvec_circus.stream.history import History

TABLE_LIFETIME = 1.0
"""Seconds for which the list of mounts is kept."""

DRAIN_TIMEOUT = 1.0
"""Seconds that a stream waits for pipes held open by something other than its processes."""


class Route(NamedTuple):
    """Where the output of one key goes. Immutable."""

    pump: Pump
    wanted: Wanted
    is_closing: bool = False


MOST_NAMED = 5
"""How many outputs of a hung thread are named."""


class Pumps:
    """Every pump of a daemon. Safe from any thread; the methods are those of a pump.

    No method touches a file or raises, and none waits except for the start of a thread: see
    `base.thread.Thread`. Each thread is started when first needed.

    Args:
        context: Clock, log and source of the streams.
        later: Makes another attempt after a while.
    """

    def __init__(self, context: Context, later: Later) -> None:
        self._context = context
        self._clock = context.clock
        self._later = later
        self._lock = threading.Lock()
        self._pumps: list[Pump] = []
        self._main = self._make("pump", "memory")
        self._lanes: dict[str, Pump] = {}
        self._routes: dict[Hashable, Route] = {}
        self._table: dict[str, Mount] = {}
        self._table_until: float | None = None
        self._stopping = False

    def pause(self) -> None:
        """Let orders wait until `resume` or `stop`, while no thread has started yet."""
        self._main.pause()

    def resume(self) -> None:
        """Carry out what has waited since `pause`, and what comes from now on."""
        self._main.resume()

    def open(
        self,
        key: Hashable,
        conf: Mapping[str, Any],
        source: Source = UNKNOWN,
        history: History | None = None,
    ) -> bool:
        """Open a stream under a key; its pipes move to another thread if necessary."""
        return self._main.do(self._open, Wanted(key, dict(conf), source, history))

    def add(
        self,
        key: Hashable,
        fd: int,
        pid: int,
        source: Source = UNKNOWN,
        search: Search | None = None,
        line: Unfinished = FINISHED,
    ) -> bool:
        """Read a pipe to its end, for the stream of that key as long as that is open, and look for
        texts in it. A stream before has left a `line`."""
        return self._main.do_with(Pipe(key, fd, pid, source, search, line), self._take)

    def release(self, key: Hashable, pid: int) -> bool:
        """Discard the output of a process soon, if it does not end.

        Nothing is left of the process and its group. Only strays can hold the pipe open.
        """
        return self._main.do(self._release, key, pid)

    def catch_up(self, key: Hashable, pids: Iterable[int], then: Then) -> bool:
        """Read the remaining output of ended processes; `then` is called on a pump's thread."""
        return self._main.do(self._catch_up, key, pids, then)

    def reopen(self, key: Hashable | None = None) -> bool:
        """Reopen the files, those of all streams unless a key is given."""
        return self._main.is_needed and self._main.do(self._reopen, key)

    def close(
        self, key: Hashable, drain_timeout: float = DRAIN_TIMEOUT, then: Then | None = None
    ) -> bool:
        """Close a stream when all its pipes have ended; those that do not are discarded."""
        return self._main.do(self._close, key, drain_timeout, then)

    def stop(self, drain_timeout: float = DRAIN_TIMEOUT) -> bool:
        """Close all streams, as by `close`, and end the threads after that."""
        if self._main.is_needed:
            self._main.do(self._stop, drain_timeout)
        return self._main.stop(drain_timeout)

    def reach(self, then: Callable[[], object]) -> None:
        """Call `then`, on a pump's thread, when every pump has carried out all earlier orders.

        It is never called while a pump hangs.
        """
        if self._main.is_needed:
            self._main.do(self._reach, then)
        else:
            then()

    def surrender(self, take: Callable[[list[Pipe]], object]) -> bool:
        """End all threads, after what they write just now; `take` gets the pipes of each, on its
        thread, unread. To be called when `reach` has come, with `join` after it."""
        return self._main.is_needed and self._main.do(self._surrender, take)

    def discard(self, pipe: Pipe) -> bool:
        """Read a pipe that only strays have to its end, and drop what comes."""
        pipe.part_at = 0.0
        return self._main.discard(pipe)

    def join(self, patience: float, timeout: float | None = None) -> bool:
        """Wait for the end of all threads while any makes progress; return whether all have ended.

        Args:
            patience: Seconds for which nothing may be written.
            timeout: Seconds in all.
        """
        clock = self._clock.monotonic
        ends_at = float("inf") if timeout is None else clock() + timeout
        steps, moved_at = self._steps(), clock()
        while not self._join(min(clock() + patience / 10, ends_at)):
            before, steps = steps, self._steps()
            if steps != before:
                moved_at = clock()
            if clock() >= min(moved_at + patience, ends_at):
                return False
        return True

    def _join(self, ends_at: float) -> bool:
        ended = self._main.join(max(ends_at - self._clock.monotonic(), 0.0))
        for pump in self._all():  # listed only now, for `pump` makes the others
            ended &= pump.join(max(ends_at - self._clock.monotonic(), 0.0))
        return ended

    def _steps(self) -> int:
        return sum(pump.steps for pump in self._all())

    def trouble(self, key: Hashable) -> str:
        """Return what keeps the stream of that key from writing, "" if nothing does."""
        outputs = (pump.reader.outputs.get(key) for pump in self._all())
        return next((one.trouble for one in outputs if one is not None and one.trouble), "")

    @property
    def hanging(self) -> list[str]:
        """The threads that have not ended, as "THREAD (STREAMS; not written: ...)"."""
        return [_told(pump) for pump in self._all() if not pump.join(0)]

    def _all(self) -> list[Pump]:
        with self._lock:
            return list(self._pumps)

    def _make(self, name: str, about: str) -> Pump:
        pump = Pump(self._context, self._later, name, about, self._spill)
        with self._lock:
            self._pumps = [other for other in self._pumps if not other.has_ended]
            self._pumps.append(pump)
        return pump

    def _spill(self, pipe: Pipe) -> None:
        """On the thread of any pump."""
        self._main.do_with(pipe, self._keep)

    # What follows runs on the thread of `pump`.

    def _open(self, wanted: Wanted) -> None:
        key = wanted.key
        before = self._routes.get(key)
        if before is not None and before.is_closing:
            before = None
        pump = self._place(wanted, before)
        self._routes[key] = Route(pump, wanted)
        pump.do(pump.reader.open, wanted)
        for pipe in self._main.reader.take_back(key):
            pump.take(pipe)
        if pump is not self._main:
            self._main.hand_over(key, pump)  # what it counted as lost while another one hung
        if before is not None and before.pump not in (pump, self._main):
            before.pump.hand_over(key, pump)
            self._let_go(before.pump, 0.0)

    def _take(self, pipe: Pipe) -> None:
        route = self._routes.get(pipe.key)
        pump = self._main if route is None else route.pump
        if pump is not self._main and pump.is_behind:
            why = f"{pump.name} hangs, and too much waits for it already"
            lost = Nowhere(self._context._replace(source=pipe.source), why)
            wanted = Wanted(pipe.key, {}, pipe.source)
            self._main.do(self._main.reader.open, wanted, lost)  # kept if it is there
            pump = self._main
        pump.take(pipe)

    def _keep(self, pipe: Pipe) -> None:
        """Keep reading a pipe whose output was closed: for its successor, if there is one."""
        route = self._routes.get(pipe.key)
        if route is None or route.is_closing or self._stopping or pipe.part_at is not None:
            self._main.discard(pipe)
        else:
            route.pump.take(pipe)

    def _release(self, key: Hashable, pid: int) -> None:
        self._main.do(self._main.reader.release, key, pid)
        route = self._routes.get(key)
        if route is not None and route.pump is not self._main and not route.pump.is_behind:
            route.pump.do(route.pump.reader.release, key, pid)

    def _catch_up(self, key: Hashable, pids: Iterable[int], then: Then) -> None:
        route = self._routes.get(key)
        pump = self._main if route is None else route.pump
        pump.do(pump.reader.catch_up, key, pids, then)

    def _reopen(self, key: Hashable | None) -> None:
        for found, route in list(self._routes.items()):
            if not route.is_closing and key in (None, found):
                if self._place(route.wanted, route) is route.pump:
                    route.pump.do(route.pump.reader.reopen, found)
                else:
                    self._open(route.wanted)

    def _close(self, key: Hashable, drain_timeout: float, then: Then | None) -> None:
        route = self._routes.get(key)
        if route is None:
            self._main.do(self._main.reader.close, key, drain_timeout, then)
            return
        pump = route.pump
        self._routes[key] = route = route._replace(is_closing=True)
        if pump is not self._main:
            self._main.do(self._main.reader.close, key, drain_timeout)
        gone = partial(self._main.do, self._forget, route, then)
        pump.do(pump.reader.close, key, drain_timeout, gone)
        self._let_go(pump, drain_timeout)

    def _forget(self, route: Route, then: Then | None) -> None:
        if self._routes.get(route.wanted.key) is route:
            del self._routes[route.wanted.key]
        if then is not None:
            then()

    def _stop(self, drain_timeout: float) -> None:
        self._stopping = True
        for pump in self._all():
            if pump is not self._main:
                pump.stop(drain_timeout)

    def _reach(self, then: Callable[[], object]) -> None:
        left = set(others := [pump for pump in self._all() if pump is not self._main])
        if not left:
            then()

        def reached(pump: Pump) -> None:
            with self._lock:
                left.discard(pump)
                is_last = not left
            if is_last:
                then()

        for pump in others:
            if not pump.do(reached, pump):
                reached(pump)

    def _surrender(self, take: Callable[[list[Pipe]], object]) -> None:
        self._stopping = True
        for pump in self._all():
            pump.do(lambda reader: take(reader.surrender()), pump.reader)

    def _place(self, wanted: Wanted, before: Route | None) -> Pump:
        """Choose the pump of a stream."""
        _, conf, source, _ = wanted
        lane = lane_of(conf) if conf else ""
        if not lane:
            return self._main
        if lane == OWN:
            if before is not None and before.pump not in (self._main, *self._lanes.values()):
                return before.pump
            about = f"{conf.get('class', 'the stream')} for {source.channel} of {source.watcher}"
            return self._make(f"pump:{source.watcher}", about)
        name, about = lane, "standard output"
        if lane == PASSED:
            name, about = "daemon", "the daemon's own output"
        if lane == FILES:
            about = "files"
            mount = self._mount(str(conf.get("filename", "")))
            if mount is not None:
                lane, name = mount.device, mount.point
        if lane not in self._lanes:
            self._lanes[lane] = self._make(f"pump:{name}", about)
        return self._lanes[lane]

    def _mount(self, filename: str) -> Mount | None:
        now = self._clock.monotonic()
        if self._table_until is None or now >= self._table_until:
            self._table_until = now + TABLE_LIFETIME
            # Otherwise the last one counts; where there was none, all files share a thread.
            with suppress(OSError, MemoryError):
                self._table = mounts.read()
        return mounts.find(filename, self._table)

    def _let_go(self, pump: Pump, drain_timeout: float) -> None:
        """End the thread of a single stream."""
        if pump is not self._main and pump not in self._lanes.values():
            pump.stop(drain_timeout)


def _told(pump: Pump) -> str:
    left = sorted(pump.unwritten.items(), key=lambda one: -one[1])
    said = [f"{counted(size, 'byte')} of {about}" for about, size in left[:MOST_NAMED]]
    if others := left[MOST_NAMED:]:
        said.append(f"{sum(size for _, size in others)} bytes of {len(others)} others")
    lost = f"; not written: {', '.join(said)}" if said else ""
    return f"{pump.name} ({pump.about}{lost})"
