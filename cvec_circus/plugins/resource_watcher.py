"""ResourceWatcher: restarts a watcher whose processes use too much, or too little, for too long."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from cvec_circus import logger
from cvec_circus.exc import OptionError
from cvec_circus.options.kinds import human2bytes, to_signal
from cvec_circus.plugins.statsd import BaseObserver, Figures, Number, tree

PARENT = "parent"
"""Stands for the processes of the watcher together, beside the pids of single children."""

_SHARE = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*%?", re.ASCII)


class ResourceWatcher(BaseObserver):
    """Restarts a watcher whose processes use too much, or too little, for too long.

    Its methods run on the plugin thread, but `handle_stop`.

    Options:
        watcher: The watcher to look after; without it the plugin does not run.
        service: The same, under its old name.
        max_cpu: How much of a processor a process may use, in per cent; 0 is no limit.
        min_cpu: What it has to use more than; 0 is wrong only for a process that does nothing.
        max_mem: How much memory it may use: in per cent of all, or a size such as `500M`; 0 is no
            limit.
        min_mem: How much it has to use at least, likewise.
        health_threshold: What the mean of both may be, of the greatest shares of a processor and of
            memory; 0 is no limit.
        max_count: How often in a row a figure may be wrong; at the next time something is done.
        process_children: Whether the children of the processes, and those below, are judged too,
            each by itself. One that is wrong gets a signal; the watcher is not restarted.
        child_signal: That signal, by name or number.
        sum_children: Whether what a process uses is what it uses together with all below it.

    Attributes:
        watcher: The watcher to look after.
        max_mem: The greatest amount of memory that is allowed.
        min_mem: The smallest.
    """

    name = "resource_watcher"
    schema: ClassVar[Mapping[str, str]] = {
        **BaseObserver.schema,
        "watcher": "string(default=None)",
        "service": "string(default=None)",
        "max_cpu": "float(min=0, default=90.0)",
        "max_mem": "pass(default=90)",
        "min_cpu": "float(min=0, default=None)",
        "min_mem": "pass(default=None)",
        "health_threshold": "float(min=0, default=75.0)",
        "max_count": "integer(min=0, default=3)",
        "process_children": "boolean(default=False)",
        "child_signal": "pass(default=TERM)",
        "sum_children": "boolean(default=False)",
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """See CircusPlugin; raises OptionError for a value that makes no sense as well."""
        super().__init__(*args, **config)
        given = self.config
        if given["service"] is not None:
            logger.warning("service: it is called watcher now")
        self.watcher: str = given["watcher"] or given["service"]
        if not self.watcher:
            raise OptionError("watcher", "missing; it names the watcher to look after")
        self.max_mem = Memory.read("max_mem", given["max_mem"])
        least = given["min_mem"]
        self.min_mem = None if least is None else Memory.read("min_mem", least)
        try:
            self.child_signal = to_signal(given["child_signal"])
        except ValueError as error:
            raise OptionError("child_signal", str(error)) from None
        self._known: set[int] = set()
        self._counts: dict[object, Counter[str]] = {}

    def look_after(self) -> None:
        """Look at the watcher, and at each of its processes' children if that is wanted."""
        reply = self._ask("stats", name=self.watcher)
        if reply["status"] == "error":
            self._count("error")
            self._tell(f"{self.watcher}: there are no figures: {reply['reason']}")
            return
        self._tell(None)
        rows = [row for row in reply["info"].values() if isinstance(row, dict)]
        below = [(child, row["pid"]) for row in rows for child in tree(row) if child is not row]
        if not self.config["process_children"]:
            below = []
        self._judge(PARENT, rows)
        for child, _ in below:
            self._judge(child["pid"], [child])
        parents = {child["pid"]: parent for child, parent in below}
        for index in [one for one, counts in self._counts.items() if self._is_enough(counts)]:
            self._act(index, parents.get(index))
        self._known = {row["pid"] for row in rows} | set(parents)
        self._counts = {
            index: counts
            for index, counts in self._counts.items()
            if index == PARENT or index in parents
        }

    def _judge(self, index: object, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count what is wrong with some processes, and forget what is right by now."""
        counts = self._counts.setdefault(index, Counter())
        wrong = self._wrong(rows)
        for what in wrong:
            self._count(what)
        self._counts[index] = Counter({what: counts[what] + 1 for what in wrong})

    def _wrong(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Return what is wrong; of what there is not, or may not be looked at, nothing is."""
        given = self.config
        figures = [Figures(row, given["sum_children"]) for row in rows]
        # Of a process that is new the daemon tells 0 % processor time.
        older = [one for row, one in zip(rows, figures) if row["pid"] in self._known]
        cpu, mem = _most(one.cpu for one in figures), _most(one.mem for one in figures)
        least_cpu = _least(one.cpu for one in older)
        found = {
            "over_cpu": given["max_cpu"] and cpu is not None and cpu > given["max_cpu"],
            "under_cpu": given["min_cpu"] is not None
            and least_cpu is not None
            and least_cpu <= given["min_cpu"],
            "over_memory": any(self.max_mem.is_below(one) for one in figures),
            "under_memory": self.min_mem is not None
            and any(self.min_mem.is_above(one) for one in figures),
            "over_health": given["health_threshold"]
            and cpu is not None
            and mem is not None
            and (cpu + mem) / 2 > given["health_threshold"],
        }
        return [what for what, is_so in found.items() if is_so]

    def _is_enough(self, counts: Counter[str]) -> bool:
        return any(count > self.config["max_count"] for count in counts.values())

    def _act(self, index: object, parent: int | None) -> None:
        """Restart the watcher, or send a signal to a child of one of its processes."""
        counts = self._counts.pop(index)
        why = ", ".join(f"{what} {count} times in a row" for what, count in counts.items())
        if index == PARENT:
            if not self._restart(self.watcher, why):
                return
        else:
            logger.warning("%s: child %s: %s, so it gets a signal", self.watcher, index, why)
            self.cast(
                "signal",
                name=self.watcher,
                signum=self.child_signal,
                pid=parent,
                childpid=index,
                reason=f"child {index}: {why}",
            )
        self._count("restarting")

    def _count(self, what: str) -> None:
        self.statsd.increment(f"_resource_watcher.{self.watcher}.{what}")


class Memory(NamedTuple):
    """A limit of memory. Immutable.

    Attributes:
        amount: How much.
        is_share: Whether that is in per cent of all memory; otherwise it is in bytes.
    """

    amount: float
    is_share: bool

    @classmethod
    def read(cls, key: str, given: object) -> Memory:
        """Read "90", which is per cent, or "1.5G".

        Raises:
            OptionError: It is neither.
        """
        text = str(given).strip()
        share = _SHARE.fullmatch(text)
        if share is not None:
            if float(share[1]) > 100:
                logger.warning("%s: %s is in per cent; if it is a size, write %sM", key, text, text)
            return cls(float(share[1]), True)
        try:
            return cls(human2bytes(text), False)
        except ValueError:
            raise OptionError(key, f"{text!r} is neither per cent nor a size like 1.5G") from None

    def is_below(self, figures: Figures) -> bool:
        """Whether a process uses more. More than nothing is no limit."""
        used = figures.mem if self.is_share else figures.size
        return bool(self.amount) and used is not None and used > self.amount

    def is_above(self, figures: Figures) -> bool:
        """Whether a process uses less; with a limit of nothing, whether it uses nothing."""
        used = figures.mem if self.is_share else figures.size
        return used is not None and (used < self.amount or used == self.amount == 0)


def _most(values: Iterable[Number | None]) -> Number | None:
    return max((value for value in values if value is not None), default=None)


def _least(values: Iterable[Number | None]) -> Number | None:
    return min((value for value in values if value is not None), default=None)
