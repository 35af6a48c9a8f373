"""Numbers for a statsd: of every event, of what processes use, and of whatever a subclass observes.

`StatsdEmitter` and `FullStats` are plugins. `BaseObserver` is for plugins that look at something
every so often: `http_observer`, `redis_observer` and `resource_watcher` beside this file are made
of it. The names of the buckets are those of Circus, so that what is drawn of them goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Union

from cvec_circus import exc, logger
from cvec_circus.commands.kinds import MAX_REASON
from cvec_circus.options.kinds import human2bytes
from cvec_circus.plugins import CircusPlugin, PeriodicCallback
from cvec_circus.plugins.own import is_own
from cvec_circus.plugins.statsd_client import StatsdClient

__all__ = ["BaseObserver", "FullStats", "StatsdClient", "StatsdEmitter"]

Number = Union[int, float]

MOST_SPARED = 64
"""Looks that go by at most from one restart of what fails to the next."""


class StatsdEmitter(CircusPlugin):
    """Counts every event at a statsd. Its methods run on the plugin thread, but `handle_stop`.

    Options:
        application_name: What stands in the middle of every bucket: `circus.NAME.watcher`. Without
            it that is `app`, or `http_observer` and `redis_observer` of the plugins so called.
        host: Where the statsd is.
        port: Where it listens for UDP.
        sample_rate: The share of counts and times that is sent, 1 for all of them.

    Attributes:
        app: The name of the application, which stands in the buckets.
        prefix: What every bucket begins with.
        statsd: What sends the numbers.
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
        """Count one more."""
        watcher_name, action, _ = self.split_data(data)
        self.statsd.increment(f"{watcher_name}.{action}")

    def handle_stop(self) -> None:
        """Send what is left."""
        self.statsd.stop()


class BaseObserver(StatsdEmitter):
    """Looks at something every so often. To be subclassed: `look_after` is what it does then.

    `look_after` runs on the plugin thread.

    Options:
        loop_rate: Seconds from one look to the next.

    Attributes:
        loop_rate: Seconds from one look to the next.
        period: What has it look, once `handle_init` was called.
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
        self._spared = 0
        self._looks_spared = 0

    def handle_init(self) -> None:
        """Begin to look."""
        self.period = self.loop.periodic(self.look_after, self.loop_rate * 1000)
        self.period.start()

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Leave the events alone."""

    def handle_stop(self) -> None:
        """Look no more, and send what is left."""
        if self.period is not None:
            self.period.stop()
        super().handle_stop()

    def look_after(self) -> None:
        """Have a look. To be implemented."""
        raise NotImplementedError(f"{type(self).__qualname__} does not implement look_after")

    def _ask(self, command: str, **props: Any) -> dict[str, Any]:
        """Send a command as `call` does; that there is no reply is an error like others."""
        try:
            return self.call(command, **props)
        except exc.CallError as error:
            return {"status": "error", "reason": str(error)}

    def _tell(self, problem: str | None) -> None:
        """Warn of a problem; once, until it is another one or there was none."""
        if problem is not None and problem != self._problem:
            logger.warning("%s", problem)
        self._problem = problem

    def _be_well(self) -> None:
        """Note that all is well."""
        self._tell(None)
        self._spared = self._looks_spared = 0

    def _heal(self, name: str, why: str) -> bool:
        """Restart what fails, at this look or a later one. Arguments and result: see `_restart`.

        From one restart to the next twice as many looks go by, until all is well: what needs long
        to start would be restarted for ever otherwise.
        """
        if self._looks_spared > 0:
            self._looks_spared -= 1
            return False
        if not self._restart(name, why):
            return False
        self._spared = min(max(1, self._spared * 2), MOST_SPARED)
        self._looks_spared = self._spared
        return True

    def _restart(self, name: str, why: str) -> bool:
        """Restart a watcher, or all whose names a pattern fits; what is down stays down.

        Args:
            name: The watcher; a pattern fits none of the daemon's own, so no plugin restarts itself
                by "*", and forgets at what it was.
            why: What is wrong with it, for the log.

        Returns:
            Whether there was anything to restart.
        """
        reply = self._ask("status")
        if reply["status"] == "error":
            logger.warning("%s: %s, but it cannot be restarted: %s", name, why, reply["reason"])
            return False
        wanted = name.lower()
        fitting = [
            one
            for one in reply["statuses"]
            if one.lower() == wanted or (fnmatchcase(one.lower(), wanted) and not is_own(one))
        ]
        if not fitting:
            logger.warning("%s: %s, but there is no watcher of that name", name, why)
        active = [one for one in fitting if reply["statuses"][one] == "active"]
        for one in active:
            logger.warning("%s: %s, so it is restarted", one, why)
            self.cast("restart", name=one, match="simple", reason=why[:MAX_REASON])
        return bool(active)


class FullStats(BaseObserver):
    """Sends what the processes of every watcher use to a statsd. It runs on the plugin thread."""

    name = "full_stats"

    def look_after(self) -> None:
        """Ask for the figures of all processes, and send those of each watcher."""
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
        """Send the greatest and the sum of each figure of some processes, and their number."""
        figures = [Figures(row) for row in processes.values() if isinstance(row, dict)]
        self.statsd.gauge(f"{bucket}.watchers_num", len(figures))
        self._send(f"{bucket}.cpu", (one.cpu for one in figures))
        self._send(f"{bucket}.mem_pct", (one.mem for one in figures))
        self._send(f"{bucket}.mem", (one.size for one in figures))

    def _send(self, bucket: str, values: Iterable[Number | None]) -> None:
        known = [value for value in values if value is not None]
        if known:
            self.statsd.gauge(f"{bucket}_max", max(known))
            self.statsd.gauge(f"{bucket}_sum", round(sum(known), 3))


class Figures:
    """What a process uses, in numbers; None for what the daemon could not see. Immutable.

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
        sizes = [_size(one.get("mem_info1")) for one in rows]
        self.size = _sum(sizes)


def tree(row: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Yield a process and all that are below it."""
    yield row
    for child in row.get("children") or ():
        yield from tree(child)


def number(value: object) -> float | None:
    """Return a figure of `stats`, which is "N/A" where the daemon may not look."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _size(value: object) -> int | None:
    try:
        return human2bytes(str(value))
    except ValueError:
        return None


def _sum(values: Iterable[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
