"""What people are shown of a reply: texts and tables, which `ctl` lays out for where they go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cvec_circus.system.signals import to_name

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


class Table(NamedTuple):
    """Immutable. Rows with cells under the titles of their columns.

    Attributes:
        titles: Of the columns; () for lines of a key and its value.
        rows: The cells, as many in each as there are titles.
        marked: The column whose cells are states, and coloured as such.
        note: Whether the last column is a sentence, and mostly empty.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: int | None = None
    note: bool = False


def value(given: Any) -> str:
    """Show a value of an option: nothing for null, ``A=1,B=2`` for an object."""
    if given is None:
        return ""
    if isinstance(given, Mapping):
        return ",".join(f"{key}={value(given[key])}" for key in sorted(given))
    if isinstance(given, (list, tuple)):
        return " ".join(value(entry) for entry in given)
    return str(given)


def key_lines(mapping: Mapping[str, Any]) -> Table:
    """Show ``key: value`` lines in the order of the keys."""
    return Table((), [(f"{key}:", value(mapping[key])) for key in sorted(mapping)])


def by_name(mapping: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what there is by name in the order of the names, whatever their case."""
    return sorted(mapping.items(), key=lambda item: item[0].lower())


def duration(seconds: float) -> str:
    """Show how long something takes or took, as precisely as a person wants to know it."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m"
    if whole < 86400:
        return f"{whole // 3600} h {whole // 60 % 60} m"
    return f"{whole // 86400} d {whole // 3600 % 24} h"


def ending(exit_code: int | None) -> str:
    """Say how a process ended; None stands for a status that somebody else has collected."""
    if exit_code is None:
        return "status lost"
    return f"exit {exit_code}" if exit_code >= 0 else f"SIG{to_name(-exit_code)}"


def process_table(infos: Mapping[str, Mapping[Any, Any]]) -> Table:
    """Show a process a line under the columns' names, with its watcher in front.

    Args:
        infos: Process info by pid, by the name of the watcher; a lone "" leaves that column out.
            Children follow their parents, pushed in by two blanks.
    """
    titles, rows = ["WATCHER", *(title for title, _, _ in _COLUMNS)], []
    for name, processes in by_name(infos):
        found = [row for info in processes.values() for row in _rows(name, info, 0)]
        rows.extend(found or [[name, "-", *[""] * (len(_COLUMNS) - 1)]])
    if list(infos) == [""]:
        return Table(titles[1:], [row[1:] for row in rows])
    return Table(titles, rows)


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
