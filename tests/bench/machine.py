"""What the machine tells: who used its processors, and what a process costs."""

from __future__ import annotations

import os
import platform
import resource
from dataclasses import dataclass
from pathlib import Path

from cvec_circus.base.clock import SYSTEM

TICK = 1.0 / os.sysconf("SC_CLK_TCK")

DISTURBED = 0.10
"""Processors used by others above which a measurement is marked: a tenth of one."""


def busy() -> float:
    """Return the processor seconds of everybody since the machine began, stolen time included."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _, _, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK


def own() -> float:
    """Return the processor seconds of this process and of all that it has collected."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


@dataclass
class Quiet:
    """Around a measurement: what others did meanwhile. Owned by whoever measures.

    Attributes:
        others: Processors that others used in the mean.
        load: The load average of the last minute at the end.
    """

    others: float = 0.0
    load: float = 0.0

    def __enter__(self) -> Quiet:
        self._began = SYSTEM.monotonic()
        self._busy, self._own = busy(), own()
        return self

    def __exit__(self, *details: object) -> None:
        elapsed = max(SYSTEM.monotonic() - self._began, TICK)
        others = (busy() - self._busy) - (own() - self._own)
        # Both are counted in ticks, so short measurements get two of them for nothing.
        self.others = max(0.0, others - 2 * TICK) / elapsed
        self.load = os.getloadavg()[0]

    @property
    def disturbed(self) -> bool:
        """Whether somebody else took part."""
        return self.others > DISTURBED


def cpu(pid: int) -> float:
    """Return the processor seconds of a process, threads included, to the nanosecond."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def switches(pid: int) -> int:
    """Return how often the threads of a process were switched to."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if "ctxt_switches" in line:
                total += int(line.split()[1])
    return total


def pss(pid: int) -> float:
    """Return the proportional set size in MiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise OSError("smaps_rollup has no Pss")


def rss(pid: int) -> float:
    """Return the resident set size in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def fds(pid: int) -> int:
    """Return how many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    """Return how many threads it has."""
    return len(os.listdir(f"/proc/{pid}/task"))


def zombies(pid: int) -> int:
    """Return how many dead children it has not collected."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            count += fields[0] == "Z" and fields[1] == str(pid)
    return count


def description() -> str:
    """Say in a line what this runs on."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kernel = platform.release().partition("-")[0]
    return (
        f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {kernel}, "
        f"Python {platform.python_version()}"
    )
