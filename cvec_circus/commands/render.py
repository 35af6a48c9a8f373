"""How replies look to people: plain text, aligned, one thing a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_COLUMNS = (
    ("PID", "pid"),
    ("NAME", "cmdline"),
    ("USER", "username"),
    ("NICE", "nice"),
    ("RSS", "mem_info1"),
    ("VMS", "mem_info2"),
    ("CPU%", "cpu"),
    ("MEM%", "mem"),
    ("CTIME", "ctime"),
    ("AGE", "age"),
)


def value(given: Any) -> str:
    """Show a value of an option: nothing for null, ``A=1,B=2`` for an object."""
    if given is None:
        return ""
    if isinstance(given, Mapping):
        return ",".join(f"{key}={value(given[key])}" for key in sorted(given))
    if isinstance(given, (list, tuple)):
        return " ".join(value(entry) for entry in given)
    return str(given)


def key_lines(mapping: Mapping[str, Any]) -> str:
    """Show ``key: value`` lines in the order of the keys."""
    return "\n".join(f"{key}: {value(mapping[key])}".rstrip() for key in sorted(mapping))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Show rows with their columns aligned to the left, two blanks between them."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )


def process_table(infos: Mapping[str, Mapping[Any, Any]]) -> str:
    """Show a process a line under the columns' names, with its watcher in front.

    Args:
        infos: Process info by pid, by the name of the watcher. Children follow their parents,
            pushed in by two blanks.
    """
    rows: list[list[str]] = [["WATCHER", *(title for title, _ in _COLUMNS)]]

    def add(name: str, process: Mapping[str, Any], depth: int) -> None:
        cells = [_cell(process.get(key, "")) for _, key in _COLUMNS]
        cells[0] = "  " * depth + cells[0]
        rows.append([name, *cells])
        for child in process.get("children") or ():
            add(name, child, depth + 1)

    for name in sorted(infos, key=str.lower):
        processes = infos[name]
        for process in processes.values():
            if isinstance(process, Mapping):
                add(name, process, 0)
        if not processes:
            rows.append([name, "-"])
    width = len(rows[0])
    return table([[*row, *[""] * (width - len(row))] for row in rows])


def _cell(given: Any) -> str:
    return f"{given:.1f}" if isinstance(given, float) else value(given)
