"""The table, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.bench.row import Metric, Row
from tests.bench.run import Figures, Results

HEAD = ("", "min", "median", "max", "ratio", "")


def table(rows: Sequence[Row], results: Results) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        "min / median / max of the repeats; ratio: the subject's median to ours;"
        " ~ marks a figure that other programs on the machine disturbed"
    )
    for row in rows:
        for metric in row.metrics:
            if metric.key in results.figures:
                yield from _metric(metric, results)
        for place, why in results.failures.items():
            if place.startswith(f"{row.key}/"):
                yield f"    {place}: not measured: {why}"


def _metric(metric: Metric, results: Results) -> Iterator[str]:
    yield ""
    unit = f" [{metric.unit}]" if metric.unit else ""
    wanted = f"   target: {metric.target}" if metric.target else ""
    yield f"{metric.title}{unit}{wanted}"
    found = results.figures[metric.key]
    ours = found["ours"].median if "ours" in found else 0.0
    for name, figures in found.items():
        yield _line(name, figures, ours, verdict(metric, results) if name == "ours" else "")


def _line(name: str, figures: Figures, ours: float, said: str) -> str:
    low, middle, high = (
        show(value) for value in (min(figures.values), figures.median, max(figures.values))
    )
    ratio = f"{figures.median / ours:.2f} x" if ours and name != "ours" else ""
    mark = "~" if figures.disturbed else " "
    return f"    {name:<12}{mark}{low:>10}{middle:>10}{high:>10}{ratio:>12}   {said}".rstrip()


def verdict(metric: Metric, results: Results) -> str:
    """Say whether the target holds."""
    medians = results.medians(metric)
    if metric.target is None or "ours" not in medians:
        return ""
    misses = metric.target.misses(medians, results.figures[metric.key]["ours"].spread)
    said = f"MISSES: {'; '.join(misses)}" if misses else "holds"
    judged = [name for name in ("ours", *metric.target.ratios) if name in medians]
    if any(results.figures[metric.key][name].disturbed for name in judged):
        said += " (disturbed)"
    return said


def show(value: float) -> str:
    """Write a figure with three digits that count."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"
