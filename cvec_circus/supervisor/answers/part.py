"""A part: one watcher's share of an answer that waits for the end of an order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any, Optional

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.outcome import Death

DONE = ""
"""It is so."""

WAIT = "wait"
"""The word of a client that waits for a state; nothing is ordered."""

Verdict = Optional[str]

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})

ANY_SIZE = range(sys.maxsize)
"""The sizes of an order that wants no number of processes."""


class Part:
    """One watcher's share of an answer, noted before the order. Owned by the supervisor thread.

    Attributes:
        order: The word for the order.
        reached: Returns the verdict on it.
        before: The pids of the watcher at that time.
        processes: Those that must be gone.
        life: The life of the watcher in which it has to be filled.
        failures: How many of its rollouts had failed by then.
        gaps: How many had had a gap.
        proves: Whether its processes must be proved, too.
        had_proved: Whether one of them was, so that a rollout which fails goes back.
        since: The pid and the instant of its last death by then.
        options: Those that a rollout brings about, with the values that the order wants.
        sizes: The numbers of processes with which the order has its wish.
        cause: Where the watcher's goal came from, once the order had been applied.
        generation: The newest one of the watcher by then.
        kind: Equal parts of a watcher come to their end together, and with the same verdict.
    """

    __slots__ = (
        *("before", "cause", "failures", "gaps", "generation", "had_proved", "kind", "life"),
        *("options", "order", "processes", "proves", "reached", "since", "sizes", "wanted_up"),
        "watcher",
    )

    def __init__(
        self,
        order: str,
        reached: Callable[[Part], Verdict],
        watcher: Watcher,
        before: frozenset[int],
        processes: tuple[ManagedProcess, ...],
        options: Mapping[str, Any] = NO_OPTIONS,
        sizes: range = ANY_SIZE,
        goes_down: bool = False,
        proves: bool = False,
    ) -> None:
        self.order, self.reached, self.options, self.sizes = order, reached, options, sizes
        stays_up = watcher.is_running and not (goes_down or watcher.goal.cycle)
        self.watcher = watcher
        self.life = watcher.lives if stays_up else watcher.lives + 1
        self.before = before
        self.wanted_up = watcher.goal.up
        self.processes = processes
        self.gaps = watcher.gaps
        self.failures = watcher.failed.number if watcher.failed else 0
        self.proves = proves
        there = (*watcher.places.fresh, *watcher.places.stale)
        self.had_proved = any(process.proved for process in there)
        self.since = mark(watcher.places.last_death) if self.proves else None
        self.note_order()

    @property
    def title(self) -> str:
        """The order and its watcher, as an error begins."""
        return f"{self.order} {'for' if self.order == WAIT else 'of'} {self.watcher.name}"

    def note_order(self) -> None:
        """Note which order this is, once that has been applied."""
        watcher = self.watcher
        self.cause, self.generation = watcher.goal.cause, watcher.settings.newest
        # The processes, which may be ten thousand, take long to compare.
        same = id(self.processes), id(self.options)
        self.kind: Hashable = (
            *(self.order, self.reached, self.life, self.wanted_up, self.failures),
            *(self.proves, self.had_proved, self.since, self.sizes),
            *(self.generation, self.cause, *same),
        )


def mark(death: Death | None) -> tuple[int, float] | None:
    """Return what tells a death from others."""
    return None if death is None else (death.pid, death.at)
