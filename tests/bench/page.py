"""The table as reStructuredText, for docs/benchmark.rst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.bench.report import show, verdict
from tests.bench.row import Metric, Row
from tests.bench.run import Figures, Results

PEERS = ("circus", "supervisor", "floor")


def page(rows: Sequence[Row], results: Results) -> Iterator[str]:
    """Yield the lines of a list-table: a row for each metric that was measured."""
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield ""
    yield from _row(["what", "ours", *PEERS, "beside it", "target", ""])
    for row in rows:
        for metric in row.metrics:
            if "ours" in results.figures.get(metric.key, {}):
                yield from _row(_cells(metric, results))


def _row(cells: Sequence[str]) -> Iterator[str]:
    for number, cell in enumerate(cells):
        yield f"   {'*' if number == 0 else ' '} - {cell}".rstrip()


def _cells(metric: Metric, results: Results) -> list[str]:
    found = dict(results.figures[metric.key])
    ours = found.pop("ours")
    unit = f", {metric.unit}" if metric.unit else ""
    title = metric.title.replace("`", "``")
    cells = [f"{title}{unit}", f"**{_figure(ours)}**"]
    cells += [_figure(found.pop(peer)) if peer in found else "" for peer in PEERS]
    cells.append(", ".join(f"{name} {_figure(figures)}" for name, figures in found.items()))
    said = verdict(metric, results)
    target = str(metric.target or "").replace("<=", "≤").replace(">=", "≥")
    return [*cells, target, f"{said.partition(':')[0].split()[0].lower()}" if said else ""]


def _figure(figures: Figures) -> str:
    mark = " ~" if figures.disturbed else ""
    low, high = show(min(figures.values)), show(max(figures.values))
    spread = f" ({low} to {high})" if low != high else ""
    return f"{show(figures.median)}{spread}{mark}"
