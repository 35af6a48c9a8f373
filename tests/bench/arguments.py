"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cvec_circus.exc import CircusError
from tests.bench import chart, machine
from tests.bench.growth import GROWTHS, SIZES, Curve
from tests.bench.page import page
from tests.bench.peers.subject import Subject
from tests.bench.report import show, table
from tests.bench.row import Row
from tests.bench.rows.table import ROWS
from tests.bench.run import MAKERS, Results, Run, subjects
from tests.bench.world import World, compile_child


def parser() -> argparse.ArgumentParser:
    """What it takes."""
    made = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    add = made.add_argument
    add("--against", metavar="PEER,...", help=f"of {', '.join(MAKERS)}; all, or floor if --quick")
    keys = ", ".join([*(row.key for row in ROWS), *(growth.key for growth in GROWTHS)])
    add("--only", metavar="ROW,...", help=f"of {keys}")
    add("--repeats", type=int, metavar="N", help="default: 3, or 1 if --quick")
    add("--quick", action="store_true", help="small sizes, over in less than a minute")
    add("--soak", type=float, default=60.0, metavar="SECONDS", help="of the plugins; default: 60")
    add("--json", type=Path, metavar="FILE", help="write every figure there")
    add("--rst", type=Path, metavar="FILE", help="write the tables there as reStructuredText")
    add("--chart", type=Path, metavar="FILE", help="draw ratios and growth there, as SVG")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print the table. Figures are shown, never asserted.

    Returns:
        The exit code; 1 when something of ours could not be measured at all.
    """
    given = parser().parse_args(argv)
    against = _words(given.against, "floor" if given.quick else ",".join(MAKERS), list(MAKERS))
    keys = [row.key for row in ROWS] + [growth.key for growth in GROWTHS]
    only = _words(given.only, ",".join(keys), keys)
    rows = [row for row in ROWS if row.key in only]
    measured, missing = subjects(against)
    print(machine.description())
    for subject in measured:
        print(f"  {subject.name} {subject.version()}: {subject.settings}")
    for name, why in missing.items():
        print(f"  {name}: not measured: {why}")
    with tempfile.TemporaryDirectory(prefix="cb-") as folder:
        child = compile_child(Path(folder))
        repeats = given.repeats or (1 if given.quick else 3)
        run = Run(measured, child, repeats, given.quick, given.soak)
        for row in rows:
            run.measure(row)
        curves = grow(only, child, given.quick, run.results.failures)
    print(*table(rows, run.results), sep="\n")
    print_growth(curves)
    if given.json:
        everything = {
            "machine": machine.description(),
            "subjects": {one.name: [one.version(), one.settings] for one in measured},
            **run.results.as_json(),
            "growth": curves,
        }
        given.json.write_text(json.dumps(everything, indent=1) + "\n")
    if given.rst:
        lines = page(about(measured), rows, run.results, curves)
        given.rst.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if given.chart:
        given.chart.write_text(picture(rows, run.results, curves), encoding="utf-8")
    return int(any(not _is_of_a_peer(place) for place in run.results.failures))


def about(subjects: Sequence[Subject]) -> str:
    """Name the machine, and the releases that were measured on it."""
    versions = {one.name.partition("/")[0]: one.version().rpartition("=")[2] for one in subjects}
    versions["cvec_circus"] = versions.pop("ours")
    versions.pop("floor", None)
    return ", ".join([machine.description(), *(" ".join(one) for one in versions.items())])


def _is_of_a_peer(place: str) -> bool:
    row, _, subject = place.partition("/")
    return subject != "ours" and row in {row.key for row in ROWS}


def _words(text: str | None, default: str, known: Sequence[str]) -> list[str]:
    words = [word.strip() for word in (text or default).split(",") if word.strip()]
    for word in words:
        if word not in known:
            parser().error(f"{word!r} is none of {', '.join(known)}")
    return words


def grow(
    only: Sequence[str], child: Path, quick: bool, failures: dict[str, str]
) -> dict[str, Curve]:
    """Measure the costs that are asked for at every size; note what cannot be measured."""
    curves: dict[str, Curve] = {}
    for growth in GROWTHS:
        for size in growth.quick_sizes if quick else SIZES:
            if growth.key in only:
                print(f"  {growth.key}: {size} ...", file=sys.stderr, flush=True)
                try:
                    with World(child, quick, 0.0) as world:
                        curves.setdefault(growth.key, {})[size] = growth.measure(world, size)
                except (OSError, TimeoutError, CircusError) as error:
                    failures[f"{growth.key}/{size}"] = str(error)
                    print(f"{growth.key} of {size}: not measured: {error}")
    return curves


def print_growth(curves: dict[str, Curve]) -> None:
    """Print the costs by size."""
    if not curves:
        return
    print("\nHow costs grow")
    for growth in GROWTHS:
        if growth.key in curves:
            shown = "   ".join(
                f"{size}: {show(value)}" for size, value in curves[growth.key].items()
            )
            print(f"    {growth.title} [{growth.unit}]:   {shown}")


def picture(rows: Sequence[Row], results: Results, curves: dict[str, Curve]) -> str:
    """Draw the results."""
    ratios = []
    for row in rows:
        for metric in row.metrics:
            medians = results.medians(metric)
            ours = medians.pop("ours", 0.0)
            if ours and metric.target is not None:
                more = metric.target.more
                worse = {
                    name: ours / value if more else value / ours
                    for name, value in medians.items()
                    if value
                }
                if worse:
                    ratios.append((metric.title, worse))
    lines = [
        (growth.title, growth.unit, curves[growth.key])
        for growth in GROWTHS
        if growth.key in curves
    ]
    return chart.draw(f"cvec_circus: {machine.description()}", ratios, lines)
