"""Numbers for statsd: events, resource usage, and the observations of subclasses.

`StatsdEmitter` and `FullStats` are plugins. `BaseObserver` is the base of plugins that check
something at intervals: `http_observer`, `redis_observer` and `resource_watcher`. The names of the
buckets are those of Circus, so existing graphs keep working.
"""

from __future__ import annotations

import random
import re
import socket
import threading
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Union

from cvec_circus import exc, logger
from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.thread import Worker
from cvec_circus.commands.kinds import MAX_REASON
from cvec_circus.compat.members import Members
from cvec_circus.options.kinds import human2bytes
from cvec_circus.plugins import CircusPlugin, PeriodicCallback
from cvec_circus.plugins.selection import is_own

Number = Union[int, float]

MOST_SPARED = 64
"""The most failed checks between two restarts."""

MOST_WAITING = 10_000
"""Numbers that may wait during the lookup of a host; further ones are lost."""

KNOWN_FOR = 60.0
"""Seconds after which a host is looked up again: it may have moved."""

UNKNOWN_FOR = 10.0
"""Seconds until an unknown host is looked up again; numbers are lost until then."""

TOLD_EVERY = 60.0
"""Seconds between two lines in the log about losses."""

FLUSH_TIMEOUT = 1.0
"""Seconds that `stop` waits for the last numbers."""


class StatsdClient(Members):
    """Sends numbers to statsd by UDP. Safe from any thread; only `stop` waits.

    Its own thread sends them, because looking up a host can take long; the thread starts with the
    first number. A number that cannot be sent is lost, as usual with statsd, and the log says so.

    Attributes:
        host: The host of statsd; localhost if None is given.
        port: Its port; 8125 if None is given.
        prefix: The beginning of every bucket's name; None for nothing.
        sample_rate: The share of counts and times that is sent, 1 for all.
    """

    _circus_class = "plugins.statsd.StatsdClient"

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        prefix: str | None = None,
        sample_rate: float = 1,
    ) -> None:
        self.host = "localhost" if host is None else host
        self.port = 8125 if port is None else port
        self.prefix = prefix
        self.sample_rate = sample_rate
        self._lock = threading.Lock()  # guards the next four
        self._used = False
        self._waiting = 0
        self._lost = 0
        self._stopped = False
        self._worker = Worker(f"statsd {self.host}:{self.port}", self._crashed)
        # Only the worker uses these:
        self._socket: socket.socket | None = None
        self._address: Any = None
        self._look_up_at = 0.0
        self._tell_at = 0.0

    def send(self, bucket: str, value: str, sample_rate: float | None = None) -> None:
        """Send a value in statsd's notation: "1|c" counts one.

        Args:
            bucket: The name that follows `prefix`.
            value: The number and its kind.
            sample_rate: Overrides the client's. Below 1 only this share of the calls sends, and
                the rate is sent along, so that statsd can extrapolate.
        """
        rate = sample_rate or self.sample_rate
        if rate < 1:
            if random.random() >= rate:
                return
            value += f"|@{rate}"
        name = f"{self.prefix}.{bucket}" if self.prefix else bucket
        line = re.sub(r"[:|@\s]", "_", name) + f":{value}"  # those would end the name
        with self._lock:
            if self._stopped:
                return
            if self._waiting < MOST_WAITING:
                self._used = True
                self._waiting += 1
                self._worker.do(self._send, line.encode())
            else:
                self._lost += 1

    def increment(self, bucket: str, delta: int = 1) -> None:
        """Count up."""
        self.send(bucket, f"{int(delta)}|c")

    def decrement(self, bucket: str, delta: int = 1) -> None:
        """Count down; the sign of `delta` is ignored."""
        self.increment(bucket, -abs(delta))

    def gauge(self, bucket: str, value: object) -> None:
        """Send the present value. Each one is sent, whatever the rate."""
        self.send(bucket, f"{_plain(value)}|g", 1)

    def timed(self, bucket: str, value: object) -> None:
        """Send a duration in milliseconds."""
        self.send(bucket, f"{_plain(value)}|ms")

    def stop(self) -> None:
        """Send the last numbers, within a second. May be repeated; `send` then does nothing."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            if self._used:
                self._worker.do(self._close)
            self._worker.stop()
        self._worker.join(FLUSH_TIMEOUT)

    # -- the worker -------------------------------------------------------------------------------

    def _send(self, line: bytes) -> None:
        with self._lock:
            self._waiting -= 1
        now = SYSTEM.monotonic()
        try:
            if now >= self._look_up_at:
                self._look_up()
            if self._socket is None:
                raise OSError("unknown host")
            self._socket.sendto(line, self._address)
        except (OSError, UnicodeError) as error:
            self._lose(now, getattr(error, "strerror", None) or str(error))

    def _look_up(self) -> None:
        """Look up the host, and prefer an IPv4 address."""
        self._look_up_at = SYSTEM.monotonic() + UNKNOWN_FOR
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        if self._socket is None or self._socket.family != family:
            self._close()
            self._socket = socket.socket(family, kind, protocol)
        self._address = address
        self._look_up_at = SYSTEM.monotonic() + KNOWN_FOR

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _lose(self, now: float, why: str) -> None:
        with self._lock:
            self._lost += 1
            lost = self._lost
            if now < self._tell_at:
                return
            self._lost = 0
        self._tell_at = now + TOLD_EVERY
        logger.warning("statsd %s:%s: %s; numbers lost: %d", self.host, self.port, why, lost)

    def _crashed(self, error: BaseException, name: str) -> None:
        logger.error("statsd %s:%s: %s raised", self.host, self.port, name, exc_info=error)


class StatsdEmitter(CircusPlugin):
    """Counts every event in statsd. Its methods run on the plugin thread, except `handle_stop`.

    Options:
        application_name: The middle of every bucket's name: `circus.NAME.watcher`. By default
            `app`, or `http_observer` and `redis_observer` for these plugins.
        host: The host of statsd.
        port: Its UDP port.
        sample_rate: The share of counts and times that is sent, 1 for all of them.
    """

    name = "statsd"
    default_app_name = "app"
    schema: ClassVar[Mapping[str, str]] = {
        "application_name": "string(default=None)",
        "host": "string(default='localhost')",
        "port": "integer(min=1, max=65535, default=8125)",
        "sample_rate": "float(min=0.0001, max=1, default=1.0)",
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """See CircusPlugin."""
        super().__init__(*args, **config)
        self.app = self.config["application_name"] or self.default_app_name
        self.prefix = f"circus.{self.app}.watcher"
        self.statsd = StatsdClient(
            self.config["host"], self.config["port"], self.prefix, self.config["sample_rate"]
        )

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Count an event."""
        watcher_name, action, _ = self.split_data(data)
        self.statsd.increment(f"{watcher_name}.{action}")

    def handle_stop(self) -> None:
        """Send the last numbers."""
        self.statsd.stop()


class BaseObserver(StatsdEmitter):
    """Checks something at intervals. A subclass implements `look_after`.

    `look_after` runs on the plugin thread.

    Options:
        loop_rate: Seconds between two checks.

    Attributes:
        loop_rate: Seconds between two checks.
        period: The periodic callback of `look_after`; None before `handle_init`.
    """

    name = "observer"
    schema: ClassVar[Mapping[str, str]] = {
        **StatsdEmitter.schema,
        "loop_rate": "float(min=0.01, default=60.0)",
    }
    period: PeriodicCallback | None = None

    def __init__(self, *args: Any, **config: Any) -> None:
        """See CircusPlugin."""
        super().__init__(*args, **config)
        self.loop_rate: float = self.config["loop_rate"]
        self._problem: str | None = None
        self._spared = self._looks_spared = 0

    def handle_init(self) -> None:
        """Begin to check."""
        self.period = self.loop.periodic(self.look_after, self.loop_rate * 1000)
        self.period.start()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Ignore events."""

    def handle_stop(self) -> None:
        """Stop checking, and send the last numbers."""
        if self.period is not None:
            self.period.stop()
        super().handle_stop()

    def look_after(self) -> None:
        """Check once. Must be implemented."""
        raise NotImplementedError(f"{type(self).__qualname__} does not implement look_after")

    def _ask(self, command: str, **props: Any) -> dict[str, Any]:
        """Send a command as `call` does; a missing reply is an error like others."""
        try:
            return self.call(command, **props)
        except exc.CallError as error:
            return {"status": "error", "reason": str(error)}

    def _tell(self, problem: str | None) -> None:
        """Warn of a problem, unless the last check had the same; None for no problem."""
        if problem is not None and problem != self._problem:
            logger.warning("%s", problem)
        self._problem = problem

    def _be_well(self) -> None:
        """Forget problems and restarts."""
        self._tell(None)
        self._spared = self._looks_spared = 0

    def _heal(self, name: str, why: str) -> bool:
        """Restart the failing watchers, at this check or a later one. See `_restart`.

        The number of checks between two restarts doubles until all is well. Otherwise a service
        that starts slowly would be restarted forever.
        """
        if self._looks_spared > 0:
            self._looks_spared -= 1
            return False
        if not self._restart(name, why):
            return False
        self._looks_spared = self._spared = min(max(1, self._spared * 2), MOST_SPARED)
        return True

    def _restart(self, name: str, why: str) -> bool:
        """Restart the active watchers that match a name or a pattern.

        A pattern never matches the daemon's own watchers, so that no plugin restarts itself by "*".

        Returns:
            Whether there was anything to restart.
        """
        reply = self._ask("status")
        if reply["status"] == "error":
            logger.warning("%s: cannot be restarted (%s): %s", name, why, reply["reason"])
            return False
        wanted = name.lower()
        fitting = [
            one
            for one in reply["statuses"]
            if one.lower() == wanted or (fnmatchcase(one.lower(), wanted) and not is_own(self, one))
        ]
        if not fitting:
            logger.warning("%s: cannot be restarted (%s): no watcher of that name", name, why)
        active = [one for one in fitting if reply["statuses"][one] == "active"]
        for one in active:
            logger.warning("%s: restarted: %s", one, why)
            self.cast("restart", name=one, match="simple", reason=why[:MAX_REASON])
        return bool(active)


class FullStats(BaseObserver):
    """Sends the usage of every watcher's processes to statsd. Runs on the plugin thread."""

    name = "full_stats"

    def look_after(self) -> None:
        """Send the figures of each watcher, plugins excepted."""
        reply = self._ask("stats")
        if reply["status"] == "error":
            self.statsd.increment("_stats.error")
            self._tell(f"there are no figures: {reply['reason']}")
            return
        self._tell(None)
        for name, processes in reply["infos"].items():
            if not name.startswith("plugin:"):
                self.send_figures(f"_stats.{name}", processes)

    def send_figures(self, bucket: str, processes: Mapping[str, Any]) -> None:
        """Send the maximum and the sum of each figure of some processes, and their number."""
        figures = [Figures(row) for row in processes.values() if isinstance(row, dict)]
        self.statsd.gauge(f"{bucket}.watchers_num", len(figures))
        for key, each in (("cpu", "cpu"), ("mem_pct", "mem"), ("mem", "size")):
            known = [value for one in figures if (value := getattr(one, each)) is not None]
            if known:
                self.statsd.gauge(f"{bucket}.{key}_max", max(known))
                self.statsd.gauge(f"{bucket}.{key}_sum", round(sum(known), 3))


class Figures:
    """The resource usage of a process; None for figures that the daemon could not read. Immutable.

    Attributes:
        cpu: In per cent of one processor.
        mem: In per cent of all memory.
        size: The memory in bytes.
    """

    def __init__(self, row: Mapping[str, Any], children: bool = False) -> None:
        """Read a row of `stats`; with `children`, the sums with all processes below it."""
        rows = list(tree(row)) if children else [row]
        self.cpu = _sum(number(one.get("cpu")) for one in rows)
        self.mem = _sum(number(one.get("mem")) for one in rows)
        self.size = _sum(_size(one.get("mem_info1")) for one in rows)


def tree(row: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Yield a process and all below it."""
    yield row
    for child in row.get("children") or ():
        yield from tree(child)


def number(value: object) -> float | None:
    """Return a figure of `stats`, None for "N/A"."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _size(value: object) -> int | None:
    try:
        return human2bytes(str(value))
    except ValueError:
        return None


def _sum(values: Iterable[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _plain(value: object) -> str:
    """Write a number without an exponent, which not every statsd understands."""
    if isinstance(value, float) and "e" in repr(value):
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return str(value)
