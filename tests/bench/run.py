"""Every row, ours and the peers in turn, several times."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from cvec_circus.exc import CircusError
from tests.bench import machine
from tests.bench.peers.circus import Circus
from tests.bench.peers.floored import Floor
from tests.bench.peers.ours import Ours
from tests.bench.peers.runit import Runit
from tests.bench.peers.subject import Subject
from tests.bench.peers.supervisord import Supervisor
from tests.bench.row import Measured, Metric, Row
from tests.bench.world import World

MAKERS: dict[str, Callable[[], Sequence[Subject]]] = {
    "circus": lambda: (Circus("0.01"), Circus("1")),
    "supervisor": lambda: (Supervisor(),),
    "runit": lambda: (Runit(),),
    "floor": lambda: (Floor(),),
}


@dataclass
class Figures:
    """One metric of one subject, over the repeats. Owned by the main thread.

    Attributes:
        values: What was measured.
        others: Processors that others used meanwhile, for each value.
    """

    values: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """How far they are apart, as a share of the middle one."""
        return (max(self.values) - min(self.values)) / (self.median or 1.0)

    @property
    def disturbed(self) -> bool:
        """Whether others took part in at least half of the measurements."""
        return sum(share > machine.DISTURBED for share in self.others) * 2 >= len(self.others)


@dataclass
class Results:
    """What a run has found. Owned by the main thread.

    Attributes:
        figures: By metric, then by subject.
        failures: By row and subject: why there is no figure.
    """

    figures: dict[str, dict[str, Figures]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def note(self, subject: str, measured: Measured, others: float) -> None:
        """Add what was measured once."""
        for key, value in measured.items():
            figures = self.figures.setdefault(key, {}).setdefault(subject, Figures())
            figures.values.append(value)
            figures.others.append(others)

    def medians(self, metric: Metric) -> dict[str, float]:
        """The medians of a metric by subject."""
        found = self.figures.get(metric.key, {})
        return {subject: figures.median for subject, figures in found.items()}

    def as_json(self) -> dict[str, Any]:
        """All of it, in JSON's types."""
        return {
            "figures": {
                key: {
                    subject: {"values": figures.values, "others": figures.others}
                    for subject, figures in subjects.items()
                }
                for key, subjects in self.figures.items()
            },
            "failures": self.failures,
        }


class Run:
    """Measures rows. Owned by the main thread.

    Args:
        subjects: Ours and the peers.
        child: The program that is supervised.
        repeats: How often each is measured.
        quick: Whether it is to be over soon.
        soak: Seconds that the plugins run.
    """

    def __init__(
        self, subjects: Sequence[Subject], child: Path, repeats: int, quick: bool, soak: float
    ) -> None:
        self.subjects = subjects
        self.results = Results()
        self._child = child
        self._repeats = repeats
        self._quick = quick
        self._soak = soak

    def measure(self, row: Row) -> None:
        """Measure a row: each subject in turn, then all of them again."""
        wanted = [subject for subject in self.subjects if subject.name in ("ours", *row.subjects)]
        for _ in range(self._repeats):
            for subject in wanted:
                self._once(row, subject.name, lambda world, of=subject: row.measure(of, world))
            for name, reference in row.references.items():
                self._once(row, name, reference)

    def _once(self, row: Row, name: str, measure: Callable[[World], Measured]) -> None:
        print(f"  {row.key}: {name} ...", file=sys.stderr, flush=True)
        with World(self._child, self._quick, self._soak) as world, machine.Quiet() as quiet:
            try:
                measured = measure(world)
            except (OSError, ValueError, CircusError, subprocess.SubprocessError) as error:
                self.results.failures[f"{row.key}/{name}"] = f"{type(error).__name__}: {error}"
                return
        self.results.note(name, measured, quiet.others)


def subjects(against: Sequence[str]) -> tuple[list[Subject], dict[str, str]]:
    """Make ours and the peers of those names, and say which cannot be had."""
    found: list[Subject] = [Ours()]
    missing = {}
    for name in against:
        try:
            found += MAKERS[name]()
        except OSError as error:
            missing[name] = str(error)
    return found, missing
