"""ResourceWatcher: restarts a watcher whose processes use too much, or too little, for too long, or
replaces only that process."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Union

from cvec_circus import logger
from cvec_circus.base.named import NamedTuple
from cvec_circus.commands.kinds import MAX_REASON
from cvec_circus.exc import OptionError
from cvec_circus.options.kinds import human2bytes
from cvec_circus.plugins.statsd import BaseObserver, Figures, Number, tree

PARENT = "parent"
"""Stands for the processes of the watcher together."""

Index = Union[int, str]
"""What is judged: `PARENT`, or the pid of a process or child."""


class ResourceWatcher(BaseObserver):
    """Restarts a watcher whose processes use too much, or too little, for too long.

    Its methods run on the plugin thread, except `handle_stop`.

    Options:
        watcher: The watcher to check; without it the plugin does not run.
        service: The same, under its old name.
        max_cpu: The most processor time that a process may use, in percent of one processor; 0 for
            no limit.
        min_cpu: A process must use more than this; 0 objects only to an idle process.
        max_mem: The most memory it may use: in percent of all memory, or a size such as `500M`; 0
            for no limit.
        min_mem: The least memory it must use, likewise.
        health_threshold: The limit for the mean of two figures, the greatest shares of a processor
            and of memory; 0 for no limit.
        max_count: How often in a row a limit may be exceeded before the plugin acts.
        process_children: Whether the descendants of the processes are judged too, each by itself. A
            child that exceeds a limit gets a signal instead of a restart.
        child_signal: That signal, by name or number.
        sum_children: Whether the figures of a process include its descendants.
        per_process: Whether each process is judged by itself, and replaced alone.

    Attributes:
        watcher: The watcher to check.
        max_mem: The upper limit of memory.
        min_mem: The lower limit.
    """

    _in_vain = "_collect_data _process_index _remove_index _reset_index"
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
        "child_signal": "signal(default=TERM)",
        "sum_children": "boolean(default=False)",
        "per_process": "boolean(default=False)",
    }

    def __init__(self, *args: Any, **config: Any) -> None:
        """See CircusPlugin; raises OptionError for an invalid value as well."""
        super().__init__(*args, **config)
        given = self.config
        if given["service"] is not None:
            logger.warning("service: renamed to watcher")
        self.watcher: str = given["watcher"] or given["service"]
        if not self.watcher:
            raise OptionError("watcher", "missing; it names the watcher to check")
        self.max_mem = Memory.read("max_mem", given["max_mem"])
        least = given["min_mem"]
        self.min_mem = None if least is None else Memory.read("min_mem", least)
        self.child_signal: int = given["child_signal"]
        self._known: set[Index] = set()
        self._leaving: set[int] = set()  # processes that were asked to end, and still exist
        self._counts: dict[Index, dict[str, tuple[int, str]]] = {}  # how often, and the last why

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        """Judge a process again if it stays because its successor failed."""
        _, action, msg = self.split_data(data)
        event = self.load_message(msg)
        if action == "rollback" and event["watcher"].lower() == self.watcher.lower():
            self._leaving.difference_update(event["kept"])

    def look_after(self) -> None:
        """Judge the watcher, and each of its processes' children if that is configured."""
        reply = self._ask("stats", name=self.watcher)
        if reply["status"] == "error":
            self._count("error")
            self._tell(f"{self.watcher}: there are no figures: {reply['reason']}")
            return
        self._tell(None)
        rows = [row for row in reply["info"].values() if isinstance(row, dict)]
        pids: set[int] = {row["pid"] for row in rows}
        self._leaving &= pids
        parents = self._judge_all(rows)
        self._known = {*pids, *parents}
        left = {PARENT, *self._known}
        self._counts = {index: one for index, one in self._counts.items() if index in left}
        most = self.config["max_count"]
        for index, counts in list(self._counts.items()):
            if any(count > most for count, _ in counts.values()):
                self._act(index, parents.get(index))

    def _judge_all(self, rows: Sequence[Mapping[str, Any]]) -> dict[Index, int]:
        """Judge all processes concerned, and return the parents of the children among them."""
        if self.config["per_process"]:
            for row in rows:
                if row["pid"] not in self._leaving:
                    self._judge(row["pid"], [row])
        else:
            self._judge(PARENT, rows)
        parents: dict[Index, int] = {}
        for row in rows if self.config["process_children"] else ():
            for child in tree(row):
                if child is not row:
                    parents[child["pid"]] = row["pid"]
                    self._judge(child["pid"], [child])
        return parents

    def _judge(self, index: Index, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count the limits that some processes exceed, and forget the others."""
        before = self._counts.get(index, {})
        self._counts[index] = now = {}
        for what, why in self._wrong(rows).items():
            self._count(what)
            now[what] = before.get(what, (0, ""))[0] + 1, why

    def _wrong(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Return the exceeded limits, each with a sentence; unknown figures exceed none."""
        max_cpu, min_cpu = self.config["max_cpu"], self.config["min_cpu"]
        health = self.config["health_threshold"]
        figures = [(Figures(row, self.config["sum_children"]), row["pid"]) for row in rows]
        cpu = max(_known((one.cpu, pid) for one, pid in figures), default=None)
        mem = max(_known((one.mem, pid) for one, pid in figures), default=None)
        # The daemon reports 0 % CPU for a process that is new.
        older = ((one.cpu, pid) for one, pid in figures if pid in self._known)
        idle = min(_known(older), default=None)
        found = {}
        if max_cpu and cpu and cpu[0] > max_cpu:
            found["over_cpu"] = f"pid {cpu[1]} used {cpu[0]:g} % CPU, limit {max_cpu:g} %"
        if min_cpu is not None and idle and idle[0] <= min_cpu:
            found["under_cpu"] = f"pid {idle[1]} used {idle[0]:g} % CPU, minimum {min_cpu:g} %"
        for one, pid in figures:
            used = self.max_mem.used(one)
            if self.max_mem.amount and used is not None and used > self.max_mem:
                found["over_memory"] = f"pid {pid} used {used}, limit {self.max_mem}"
            least = self.min_mem
            used = least and least.used(one)
            if least and used and (used < least or used.amount == least.amount == 0):
                found["under_memory"] = f"pid {pid} used {used}, minimum {least}"
        if health and cpu and mem and (cpu[0] + mem[0]) / 2 > health:
            worst = f"{cpu[0]:g} % CPU and {mem[0]:g} % memory"
            found["over_health"] = f"used {worst}, limit {health:g} % on average"
        return found

    def _act(self, index: Index, parent: int | None) -> None:
        """Restart the watcher, replace a process, or send a signal to a child of one."""
        if index != PARENT and parent is None and self._leaving:
            return  # one at a time: the remaining processes do the work
        counts = self._counts.pop(index)
        why = "; ".join(f"{why}, {checks(count)}" for count, why in counts.values())
        if isinstance(index, str):
            if not self._restart(self.watcher, why):
                return
        elif parent is None:
            if not self._replace(index, why):
                return
        else:
            logger.warning("%s: child %s signalled: %s", self.watcher, index, why)
            self.cast(
                "signal",
                name=self.watcher,
                signum=self.child_signal,
                pid=parent,
                childpid=index,
                reason=f"child {index}: {why}"[:MAX_REASON],
            )
        self._count("restarting")

    def _replace(self, pid: int, why: str) -> bool:
        """Replace a process of a watcher, if that is active; return whether it is."""
        if self._ask("status", name=self.watcher)["status"] != "active":
            return False
        self._leaving.add(pid)
        logger.warning("%s: process %d replaced: %s", self.watcher, pid, why)
        self.cast("kill", name=self.watcher, pid=pid, surge=True, reason=why[:MAX_REASON])
        return True

    def _count(self, what: str) -> None:
        self.statsd.increment(f"_resource_watcher.{self.watcher}.{what}")


class Memory(NamedTuple):
    """An amount of memory: in per cent of all memory if `is_share`, else in bytes. Immutable."""

    amount: float
    is_share: bool

    @classmethod
    def read(cls, key: str, given: object) -> Memory:
        """Read "90", which is per cent, or "1.5G"; raises OptionError."""
        text = str(given).strip()
        share = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*%?", text, re.ASCII)
        if share is not None:
            if float(share[1]) > 100:
                logger.warning("%s: %s is in percent; if it is a size, write %sM", key, text, text)
            return cls(float(share[1]), True)
        try:
            return cls(human2bytes(text), False)
        except ValueError:
            raise OptionError(key, f"{text!r} is neither percent nor a size like 1.5G") from None

    def used(self, figures: Figures) -> Memory | None:
        """Return the use of a process in the same unit; None if it is unknown."""
        amount = figures.mem if self.is_share else figures.size
        return None if amount is None else Memory(amount, self.is_share)

    def __str__(self) -> str:
        return f"{self.amount:g} % memory" if self.is_share else f"{self.amount / 2**20:.4g} MB"


def checks(count: int) -> str:
    """Say how often in a row a limit was exceeded."""
    return "1 check" if count == 1 else f"{count} checks in a row"


def _known(pairs: Iterable[tuple[Number | None, int]]) -> list[tuple[Number, int]]:
    return [(value, pid) for value, pid in pairs if value is not None]
