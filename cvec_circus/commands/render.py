"""Replies rendered for people: texts and tables, which `ctl.output` lays out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cvec_circus.system.signals import to_name

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
"""Title, key, and the format of a fraction."""


class Table(NamedTuple):
    """Rows of cells under the titles of their columns. Immutable."""

    titles: Sequence[str]  # () for rows of a key and its value
    rows: Sequence[Sequence[str]]
    marked: int | None = None  # the column of states, which are coloured
    note: bool = False  # whether the last column is a sentence, and mostly empty


def value(given: Any) -> str:
    """Render a value of an option: nothing for null, ``A=1,B=2`` for an object."""
    if given is None:
        return ""
    if isinstance(given, Mapping):
        return ",".join(f"{key}={value(given[key])}" for key in sorted(given))
    if isinstance(given, (list, tuple)):
        return " ".join(value(entry) for entry in given)
    return str(given)


def option(name: str, given: Any) -> str:
    """Render the value of an option; watchers that a watcher waits for as a file lists them."""
    if name == "depends_on" and isinstance(given, Mapping):
        return ", ".join(f"{one}:{need}" if need else one for one, need in given.items())
    if name == "part_of" and isinstance(given, (list, tuple)):
        return ", ".join(given)
    return value(given)


def key_lines(mapping: Mapping[str, Any]) -> Table:
    """Render ``key: value`` lines in the order of the keys."""
    return Table((), [(f"{key}:", option(key, mapping[key])) for key in sorted(mapping)])


def by_name(mapping: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Sort by name, whatever the case."""
    return sorted(mapping.items(), key=lambda item: item[0].lower())


def duration(seconds: float) -> str:
    """Render a duration in seconds in its largest unit, or the two largest from an hour on."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m"
    if whole < 86400:
        return f"{whole // 3600} h {whole // 60 % 60} m"
    return f"{whole // 86400} d {whole // 3600 % 24} h"


def ending(exit_code: int | None, oom: bool = False) -> str:
    """Render an exit code; None stands for a status that other code has collected.

    With `oom` it was the kernel that has killed the process, for memory.
    """
    if oom:
        return "OOM kill"
    if exit_code is None:
        return "status lost"
    return f"exit {exit_code}" if exit_code >= 0 else f"SIG{to_name(-exit_code)}"


def process_table(infos: Mapping[str, Mapping[Any, Any]]) -> Table:
    """Render a process a line, with its watcher in front; children are indented below parents.

    Args:
        infos: Process info by pid, by the name of the watcher; a lone "" leaves that column out.
    """
    titles, rows = ["WATCHER", *(title for title, _, _ in _COLUMNS)], []
    for name, processes in by_name(infos):
        found = [row for info in processes.values() for row in _rows(name, info, 0)]
        rows.extend(found or [[name, "-", *[""] * (len(_COLUMNS) - 1)]])
    if list(infos) == [""]:
        return Table(titles[1:], [row[1:] for row in rows])
    return Table(titles, rows)


def _rows(name: str, process: Any, depth: int) -> Iterator[list[str]]:
    if not isinstance(process, Mapping):
        return  # Circus gives a sentence for a process that has just vanished
    found = [(process.get(key), how) for _, key, how in _COLUMNS]
    cells = [format(one, how) if isinstance(one, float) else value(one) for one, how in found]
    cells[0] = "  " * depth + cells[0]
    yield [name, *cells]
    for child in process.get("children") or ():
        yield from _rows(name, child, depth + 1)
