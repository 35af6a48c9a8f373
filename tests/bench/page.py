"""The tables as reStructuredText, for docs/benchmark.rst."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.bench.growth import GROWTHS, Curve
from tests.bench.report import show, verdict
from tests.bench.row import Metric, Row
from tests.bench.run import Figures, Results

PEERS = ("circus", "supervisor", "runit", "floor")


def page(
    about: str, rows: Sequence[Row], results: Results, curves: Mapping[str, Curve]
) -> Iterator[str]:
    """Yield the lines: what was measured on, a table of the metrics, and one of the costs."""
    yield f"Measured on {about}."
    yield ""
    yield from _metrics(rows, results)
    if curves:
        yield ""
        yield from _growths(curves)


def _metrics(rows: Sequence[Row], results: Results) -> Iterator[str]:
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield ""
    yield from _row(["what", "ours", *PEERS, "beside it", "target", ""])
    for row in rows:
        for metric in row.metrics:
            if "ours" in results.figures.get(metric.key, {}):
                yield from _row(_cells(metric, results))


def _growths(curves: Mapping[str, Curve]) -> Iterator[str]:
    sizes = sorted({size for curve in curves.values() for size in curve})
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield ""
    yield from _row(["cost", *map(str, sizes)])
    for growth in GROWTHS:
        if growth.key in curves:
            curve = curves[growth.key]
            shown = [show(curve[size]) if size in curve else "" for size in sizes]
            yield from _row([f"{growth.title}, {growth.unit}", *shown])


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
