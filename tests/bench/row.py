"""A row of the table: what is measured, on whom, and what ours is to reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable

from tests.bench.peers.subject import Subject
from tests.bench.world import World

Measured = dict[str, float]
Measure = Callable[[Subject, World], Measured]
Reference = Callable[[World], Measured]


@dataclass(frozen=True)
class Target:
    """What the median of ours has to reach. Immutable.

    Attributes:
        limit: The worst value that will do; None for none.
        ratios: The worst ratio to another subject's median, by its name.
        more: Whether more is better.
        spread: How far the repeats may be apart, as a share of their median; None for any.
    """

    limit: float | None = None
    ratios: Mapping[str, float] = field(default_factory=dict)
    more: bool = False
    spread: float | None = None

    def misses(self, medians: Mapping[str, float], spread: float = 0.0) -> list[str]:
        """Say each condition that does not hold, given the medians and the spread of ours."""
        ours = medians["ours"]
        found = []
        if self.limit is not None and self._worse(ours, self.limit):
            found.append(f"wanted {self._sign} {self.limit:g}")
        for name, ratio in self.ratios.items():
            if name in medians and medians[name] and self._worse(ours, ratio * medians[name]):
                found.append(
                    f"wanted {self._sign} {ratio:g} x {name}, is {ours / medians[name]:.2f}"
                )
        if self.spread is not None and spread > self.spread:
            found.append(f"wanted a spread <= {self.spread:.0%}, is {spread:.0%}")
        return found

    @property
    def _sign(self) -> str:
        return ">=" if self.more else "<="

    def _worse(self, value: float, bound: float) -> bool:
        return value < bound if self.more else value > bound

    def __str__(self) -> str:
        parts = [] if self.limit is None else [f"{self._sign} {self.limit:g}"]
        parts += [f"{self._sign} {ratio:g} x {name}" for name, ratio in self.ratios.items()]
        if self.spread is not None:
            parts.append(f"spread <= {self.spread:.0%}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Metric:
    """One figure. Immutable."""

    key: str
    title: str
    unit: str
    target: Target | None = None


@dataclass(frozen=True)
class Row:
    """A measurement and its figures. Immutable.

    Attributes:
        key: What `--only` takes.
        measure: Called with each subject in turn.
        metrics: The figures it returns, by key.
        subjects: Names of the peers that can do it; ours always can.
        references: What else is measured beside, by name.
    """

    key: str
    measure: Measure
    metrics: tuple[Metric, ...]
    subjects: tuple[str, ...] = ()
    references: Mapping[str, Reference] = field(default_factory=dict)
