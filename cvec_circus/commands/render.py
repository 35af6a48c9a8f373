"""How replies look to people: plain text, aligned, one thing a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Title, key, and how a fraction is shown.
_COLUMNS = (
    ("PID", "pid", ""),
    ("NAME", "cmdline", ""),
    ("USER", "username", ""),
    ("NICE", "nice", ""),
    ("RSS", "mem_info1", ""),
    ("VMS", "mem_info2", ""),
    ("CPU%", "cpu", ".1f"),
    ("MEM%", "mem", ".3f"),
    ("CTIME", "ctime", ""),
    ("AGE", "age", ".1f"),
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
        infos: Process info by pid, by the name of the watcher; a lone "" leaves that column out.
            Children follow their parents, pushed in by two blanks.
    """
    rows = [["WATCHER", *(title for title, _, _ in _COLUMNS)]]
    for name in sorted(infos, key=str.lower):
        found = [row for info in infos[name].values() for row in _rows(name, info, 0)]
        rows.extend(found or [[name, "-", *[""] * (len(_COLUMNS) - 1)]])
    if list(infos) == [""]:
        rows = [row[1:] for row in rows]
    return table(rows)


def _rows(name: str, process: Any, depth: int) -> Iterator[list[str]]:
    """Make the row of a process and those of its children."""
    if not isinstance(process, Mapping):
        return  # Circus gives a sentence for a process that has just vanished
    cells = [_cell(process.get(key), how) for _, key, how in _COLUMNS]
    cells[0] = "  " * depth + cells[0]
    yield [name, *cells]
    for child in process.get("children") or ():
        yield from _rows(name, child, depth + 1)


def _cell(given: Any, how: str) -> str:
    return format(given, how) if isinstance(given, float) else value(given)
