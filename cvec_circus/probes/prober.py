"""The thread that probes addresses: all connections in one epoll, no thread waits for one.

A thread for each probe would cost more than the probe; here one costs a tenth of a millisecond. The
thread also keeps their times, and says nothing of a success like the last one: so checks that hold
never wake the thread that wants their results. Names of hosts are looked up on a second thread,
since that can take as long as it likes, and what was found is used for a while.
"""

from __future__ import annotations

import math
import select
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from cvec_circus import logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.complaints import tell_crash
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.thread import Thread, Worker
from cvec_circus.base.timers import Timer, TimerQueue
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.probes.address import Address, family
from cvec_circus.probes.connection import Connection, Host, Result

MOST = 256
"""How many connections there are at a time. The other probes begin later, with all their time."""

GRID = 0.01
"""Seconds; runs after the first one begin at multiples of this, so that one wake-up serves many."""

ROUNDING = 1e-6
"""The share of `GRID` that a sum of floats may be too large by."""

NAME_LIFETIME = 10.0
"""Seconds for which the addresses of a name are used before they are looked up again."""

RETRY_DELAY = 1.0
"""Seconds until a crashed thread goes on."""

VOID = Result("", "cannot probe: internal error", 0.0, True)

Post = Callable[..., object]


class Probe:
    """A check of an address. Shared by the thread that wants it and the prober.

    Args:
        address: What to connect to.
        timeout: Seconds that a run may take.
        done: Gets each result, on the thread that wants it; not that of a run that has succeeded
            with the same answer as the one before it.
        interval: Seconds from the beginning of a run to that of the next one, which also waits for
            the end of the last one; None if it is run once.

    Attributes:
        timeout, interval: May be changed, before another `Prober.begin`.
        result: That of the last run; None before that.
    """

    __slots__ = (
        *("address", "began_at", "done", "interval", "is_cancelled", "is_running", "result"),
        *("timeout", "timer"),
    )

    def __init__(
        self,
        address: Address,
        timeout: float,
        done: Callable[[Result], object],
        interval: float | None = None,
    ) -> None:
        self.address, self.timeout, self.done, self.interval = address, timeout, done, interval
        self.is_cancelled = False
        self.result: Result | None = None
        # What follows belongs to the prober's thread.
        self.is_running = False
        self.began_at: float | None = None  # the last run, within `GRID`; None before the first one
        self.timer: Timer | None = None

    def cancel(self) -> None:
        """Want no result any more. The connection ends by itself in its time."""
        self.is_cancelled = True

    def due_at(self) -> float | None:
        """Return when the next run begins; None for never."""
        if self.began_at is None:
            return 0.0
        if self.interval is None:
            return None
        return math.ceil((self.began_at + self.interval) / GRID - ROUNDING) * GRID

    def take(self, result: Result) -> bool:
        """Take the result of a run; return whether it is news."""
        last, self.result = self.result, result
        if last is None or last.is_void or last.failure or result.is_void or result.failure:
            return True
        return last.answer != result.answer


class _Known(NamedTuple):
    """What a name stands for. Immutable."""

    hosts: list[Host]
    trouble: str
    until: float


class Prober:
    """Probes addresses on a thread of its own. Safe from any thread.

    Args:
        clock: The time.
        post: Calls a function on the thread that wants the results.
    """

    def __init__(self, clock: Clock, post: Post) -> None:
        self._clock, self._post = clock, post
        self._wakeup: Wakeup | None = None
        self._thread: Thread | None = None
        self._orders: deque[Probe] = deque()
        self._found: deque[tuple[tuple[str, int], list[Host], str]] = deque()
        self._stopping = False
        self._resolver = Worker("probe names", partial(tell_crash, "probe names"))
        # What follows belongs to the prober's thread, once that has begun.
        self._epoll: Any = None
        self._open: dict[int, tuple[Connection, Probe]] = {}
        self._timers = TimerQueue()
        self._waiting: dict[tuple[str, int], list[tuple[Probe, float]]] = {}
        self._known: dict[tuple[str, int], _Known] = {}
        self._results: list[tuple[Probe, Result]] = []

    # -- the thread that wants results

    def begin(self, probe: Probe) -> None:
        """Run a check until it is cancelled, or go on with another interval; results are posted.

        Raises:
            OSError: There is no file left for the thread.
            RuntimeError: There is no thread.
        """
        if self._wakeup is None:
            wakeup = Wakeup()
            try:
                self._epoll = select.epoll()
                self._epoll.register(wakeup.fd, select.EPOLLIN)
            except OSError:
                wakeup.close()
                raise
            self._wakeup = wakeup
        self._orders.append(probe)
        if self._thread is None or self._thread.has_ended:
            thread = Thread(self._run, "probes")
            try:
                thread.start()
            except RuntimeError:
                self._orders.remove(probe)
                raise
            self._thread = thread
        self._wakeup.set()

    def stop(self) -> None:
        """End the threads. Does not wait."""
        self._stopping = True
        self._resolver.stop()
        if self._wakeup is not None:
            self._wakeup.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the threads after `stop`; return whether it came. A look-up of a name
        that hangs is not waited for."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
            if not thread.has_ended:
                return False
        if self._wakeup is not None:
            self._epoll.close()
            self._wakeup.close()
            self._wakeup = None
        return True

    # -- the prober's thread

    def _run(self) -> None:
        wakeup = self._wakeup
        assert wakeup is not None
        try:
            while not self._stopping:
                try:
                    self._turn(wakeup)
                except Exception:
                    logger.exception("probes: internal error; continuing")
                    wakeup.wait(RETRY_DELAY)
        finally:
            for connection, _ in list(self._open.values()):
                connection.close()

    def _turn(self, wakeup: Wakeup) -> None:
        for fd, _ in self._epoll.poll(self._delay()):
            if fd == wakeup.fd:
                wakeup.clear()
            elif fd in self._open:
                connection, probe = self._open[fd]
                self._go_on(connection, probe, connection.step)
        self._timers.run_due(self._clock.monotonic())
        while self._found:
            self._take_names(*self._found.popleft())
        while self._orders and len(self._open) < MOST:
            self._look_at(self._orders.popleft())
        if self._results:
            results, self._results = self._results, []
            self._post(_hand_out, results)

    def _delay(self) -> float | None:
        next_at = self._timers.next_at()
        return None if next_at is None else max(next_at - self._clock.monotonic(), 0.0)

    def _look_at(self, probe: Probe) -> None:
        """Begin a run if it is due; else wait for that, or for the end of the last one."""
        if probe.timer is not None:
            probe.timer.cancel()
            probe.timer = None
        if probe.is_cancelled or probe.is_running:
            return
        now, due_at = self._clock.monotonic(), probe.due_at()
        if due_at is not None and due_at <= now:
            probe.began_at, probe.is_running = now // GRID * GRID, True
            self._begin(probe)
        elif due_at is not None:
            probe.timer = self._timers.call_at(due_at, self._orders.append, probe)

    def _end(self, probe: Probe, result: Result) -> None:
        """A run has come to its end."""
        probe.is_running = False
        if probe.take(result):
            self._results.append((probe, result))
        self._orders.append(probe)

    def _begin(self, probe: Probe) -> None:
        address = probe.address
        if address.kind == "unix":
            self._connect(probe, [(socket.AF_UNIX, address.host)], probe.timeout)
        elif address.is_number:
            kind = family(address.host)
            assert kind is not None
            self._connect(probe, [(kind, (address.host, address.port))], probe.timeout)
        else:
            self._connect_by_name(probe)

    def _connect_by_name(self, probe: Probe) -> None:
        key = (probe.address.host, probe.address.port)
        now = self._clock.monotonic()
        known = self._known.get(key)
        if known is None or now >= known.until:
            self._look_up(key, probe, now)
        else:
            self._connect_to(known, probe, probe.timeout)

    def _look_up(self, key: tuple[str, int], probe: Probe, now: float) -> None:
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = waiting = []
            try:
                self._resolver.do(self._resolve, key)
            except RuntimeError as error:
                del self._waiting[key]
                self._end(probe, Result("", f"cannot probe: {error}", 0.0, True))
                return
        waiting.append((probe, now))
        self._timers.call_at(now + probe.timeout, self._has_no_name, key, probe)

    def _has_no_name(self, key: tuple[str, int], probe: Probe) -> None:
        """The time of a probe is up, and its name is still being looked up."""
        waiting = self._waiting.get(key, [])
        for entry in waiting:
            if entry[0] is probe:
                waiting.remove(entry)
                text = f"{key[0]} cannot be looked up within {probe.timeout:g} s"
                failure = f"{probe.address}: {text}"
                self._end(probe, Result(failure, text, probe.timeout))
                return

    def _take_names(self, key: tuple[str, int], hosts: list[Host], trouble: str) -> None:
        now = self._clock.monotonic()
        self._known = {k: one for k, one in self._known.items() if now < one.until}
        self._known[key] = known = _Known(hosts, trouble, now + NAME_LIFETIME)
        for probe, since in self._waiting.pop(key, []):
            self._connect_to(known, probe, max(probe.timeout - (now - since), 0.0))

    def _connect_to(self, known: _Known, probe: Probe, timeout: float) -> None:
        if known.hosts:
            self._connect(probe, known.hosts, timeout)
        else:
            failure = f"{probe.address}: {known.trouble}"
            self._end(probe, Result(failure, known.trouble, 0.0))

    def _connect(self, probe: Probe, hosts: list[Host], timeout: float) -> None:
        connection = Connection(probe.address, hosts, timeout, self._clock, self._leave)
        self._go_on(connection, probe, connection.open)

    def _leave(self, fd: int) -> None:
        # Before it is closed: a child that is just being forked holds a copy for a moment, and
        # while there is a copy epoll goes on reporting the number.
        if self._open.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def _go_on(self, connection: Connection, probe: Probe, step: Callable[[], object]) -> None:
        """Let a connection take a step, and poll it for what it waits for then."""
        try:
            step()
        except Exception:
            logger.exception("probe of %s: internal error", probe.address)
            connection.close()
        if connection.is_over:
            if connection.timer is not None:
                connection.timer.cancel()
            self._end(probe, connection.result or VOID)
            return
        fd = connection.fileno()
        if fd not in self._open:
            self._open[fd] = connection, probe
            self._epoll.register(fd, connection.wait)
        elif connection.wait != connection.polled:
            self._epoll.modify(fd, connection.wait)
        connection.polled = connection.wait
        timer = connection.timer
        if timer is None or timer.when != connection.due_at:
            if timer is not None:
                timer.cancel()
            due_at = connection.due_at
            connection.timer = self._timers.call_at(due_at, self._is_due, connection, probe)

    def _is_due(self, connection: Connection, probe: Probe) -> None:
        self._go_on(connection, probe, connection.time_out)

    # -- the thread of names

    def _resolve(self, key: tuple[str, int]) -> None:
        hosts: list[Host] = []
        trouble = ""
        try:
            rows = socket.getaddrinfo(*key, type=socket.SOCK_STREAM)
            hosts = list(dict.fromkeys((row[0], row[4]) for row in rows))
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "no name of a host"
            trouble = f"{key[0]} cannot be looked up: {reason}"
        self._found.append((key, hosts, trouble))
        wakeup = self._wakeup
        if wakeup is not None:
            wakeup.set()


def _hand_out(results: list[tuple[Probe, Result]]) -> None:
    """On the thread that wants them."""
    for probe, result in results:
        if not probe.is_cancelled:
            try:
                probe.done(result)
            except Exception:
                logger.exception("probes: internal error with a result; continuing")
