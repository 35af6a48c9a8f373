"""The threads that read what the children write: one for files, others for what may block."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.stream.base import call
from cvec_circus.stream.load import FILES, OWN, lane_of
from cvec_circus.stream.output import Then
from cvec_circus.stream.pump import DRAIN_TIMEOUT, Pump, log_crash
from cvec_circus.stream.source import Source

if TYPE_CHECKING:
    from cvec_circus.stream.history import History


class Pumps:
    """Every pump of a daemon. Safe from any thread.

    Streams to files share one thread, for a file does not block. Streams to standard output share
    another one, whose reader may. A stream that somebody else has written has a thread of its own,
    where it may do what it likes: only its own watcher waits for it. Each thread is started when it
    is needed. The methods are those of a pump.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM,
        on_loss: Callable[[str], object] = logger.warning,
        on_crash: Callable[[BaseException, str], object] = log_crash,
        do: Callable[..., object] = call,
    ) -> None:
        """Make it without any thread; see Pump."""
        self._tools = (clock, on_loss, on_crash, do)
        self._clock = clock
        self._lock = threading.RLock()
        self._shared: dict[str, Pump] = {FILES: Pump(*self._tools)}
        self._places: dict[Hashable, Pump] = {}
        self._ending: list[Pump] = []

    @property
    def lost(self) -> dict[Hashable, int]:
        """Bytes lost by each open stream."""
        return {key: size for pump in self._all() for key, size in pump.lost.items()}

    def open(
        self,
        key: Hashable,
        conf: Mapping[str, Any],
        source: Source | None = None,
        history: History | None = None,
    ) -> bool:
        """Have a stream under a key; its pipes move to another thread if they have to."""
        with self._lock:
            before = self._places.get(key)
            pump = self._place(conf, before, source or Source())
            opened = pump.open(key, conf, source, history)
            self._places[key] = pump
            if before is not None and before is not pump:
                before.hand_over(key, pump)
                self._let_go(before, 0.0)
            return opened

    def add(self, key: Hashable, fd: int, pid: int) -> bool:
        """Read a pipe to its end, for the stream of that key, which must be open."""
        with self._lock:
            return self._places.get(key, self._shared[FILES]).add(key, fd, pid)

    def reopen(self, key: Hashable | None = None) -> bool:
        """Have the files opened anew, those of all streams unless a key is given."""
        return any([pump.reopen(key) for pump in self._all()])

    def close(
        self, key: Hashable, drain_timeout: float = DRAIN_TIMEOUT, then: Then | None = None
    ) -> bool:
        """Have a stream closed when all its pipes have ended."""
        with self._lock:
            pump = self._places.pop(key, self._shared[FILES])
            done = pump.close(key, drain_timeout, then)
            self._let_go(pump, drain_timeout)
            return done

    def stop(self, drain_timeout: float = DRAIN_TIMEOUT) -> bool:
        """Have all streams closed, as by `close`, and the threads end after that."""
        return any([pump.stop(drain_timeout) for pump in self._all()])

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end of all threads, so many seconds in all; return whether it came."""
        ends_at = None if timeout is None else self._clock.monotonic() + timeout
        ended = True
        for pump in self._all():
            left = None if ends_at is None else max(ends_at - self._clock.monotonic(), 0.0)
            ended &= pump.join(left)
        return ended

    @property
    def hanging(self) -> list[str]:
        """What has not ended, as "THREAD (STREAM)"."""
        return [f"{pump.name} ({pump.about})" for pump in self._all() if not pump.join(0)]

    def _place(self, conf: Mapping[str, Any], before: Pump | None, source: Source) -> Pump:
        lane = lane_of(conf)
        if lane == OWN:
            if before is not None and before not in self._shared.values():
                return before
            about = f"{conf.get('class', 'the stream')} for {source.channel} of {source.watcher}"
            return Pump(*self._tools, name=f"pump:{source.watcher}", about=about)
        if lane not in self._shared:
            about = "standard output"
            self._shared[lane] = Pump(*self._tools, name=f"pump:{lane}", about=about)
        return self._shared[lane]

    def _let_go(self, pump: Pump, drain_timeout: float) -> None:
        """Have the thread of a single stream end."""
        self._ending = [ending for ending in self._ending if not ending.join(0)]
        if pump not in self._shared.values():
            pump.stop(drain_timeout)
            self._ending.append(pump)

    def _all(self) -> list[Pump]:
        with self._lock:
            pumps = [*self._shared.values(), *self._places.values(), *self._ending]
        return list(dict.fromkeys(pumps))
