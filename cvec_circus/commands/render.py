"""Replies rendered for people: texts and tables, which `ctl.output` lays out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cvec_circus.base.figures import duration
from cvec_circus.base.named import NamedTuple
from cvec_circus.system.signals import to_name
from cvec_circus.wire.outcome import lasting

_TITLES = ("WATCHER", "PID", "NAME", "USER", "NICE", "RSS", "VMS", "CPU%", "MEM%", "CTIME", "AGE")
_NAME = _TITLES.index("NAME")
_NUMBERS = (1, *range(4, len(_TITLES)))
_LINE = "{pid}  {cmdline} {username} {nice} {mem_info1} {mem_info2} {cpu} {mem} {ctime}"
"""A process as circusctl prints it."""


class Table(NamedTuple):
    """Rows of cells under the titles of their columns. Immutable.

    Attributes:
        titles: () for rows of a key and its value.
        marked: The column of states, which are coloured.
        note: Whether the last column is a sentence, and mostly empty.
        numbers: The columns that are aligned to the right.
        cut: The column whose cells may be cut where the others leave no room.
        below: Lines under it.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: int | None = None
    note: bool = False
    numbers: Sequence[int] = ()
    cut: int | None = None
    below: Sequence[str] = ()


def check_lines(checks: Mapping[str, Any]) -> Iterator[str]:
    """Render the checks of processes, by pid: state, for how long, and the last answer."""
    for pid, rows in checks.items():
        yield f"checks of process {pid}:"
        for row in rows:
            since = f" for {duration(row['for'])}" if row.get("for") is not None else ""
            took = f" in {lasting(row['took'])}" if row.get("took") else ""
            answer = f": {row['answer']}{took}" if row.get("answer") else ""
            what = f"{row['family']}.{row['name']} ({row['check']})"
            yield f"    {what} {row['state']}{since}{answer}"


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


def option_lines(mapping: Mapping[str, Any]) -> str:
    """Render options for scripts, as circusctl prints them: in their order, each as Python has it.

    Only nothing and `env` are rendered.
    """
    rendered = {
        key: value(one) if one is None or key == "env" else one for key, one in mapping.items()
    }
    return "\n".join(f"{key}: {one}" for key, one in rendered.items())


def by_name(mapping: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Sort by name, whatever the case."""
    return sorted(mapping.items(), key=lambda item: item[0].lower())


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
    rows = []
    for name, processes in by_name(infos):
        found = [row for info in processes.values() for row in _rows(name, info, 0)]
        rows.extend(found or [[name, "-", *[""] * (len(_TITLES) - 2)]])
    if list(infos) == [""]:
        numbers = [column - 1 for column in _NUMBERS]
        return Table(_TITLES[1:], [row[1:] for row in rows], numbers=numbers, cut=_NAME - 1)
    return Table(_TITLES, rows, numbers=_NUMBERS, cut=_NAME)


def _rows(name: str, process: Any, depth: int) -> Iterator[list[str]]:
    if not isinstance(process, Mapping):
        return  # Circus gives a sentence for a process that has just vanished
    pid, user, nice, rss, vms, ctime = (
        value(process.get(key))
        for key in ("pid", "username", "nice", "mem_info1", "mem_info2", "ctime")
    )
    ctime += "0" if ctime.endswith(".0") else ""  # as many digits in each row
    cpu, memory, age = (process.get(key) for key in ("cpu", "mem", "age"))
    yield [
        name,
        pid,
        f"{'  ' * depth}{shown_name(process)}",
        *(user, nice, rss, vms),
        _fraction(cpu, 1),
        _fraction(memory, 3),
        _hundredths(ctime),
        duration(age) if isinstance(age, (int, float)) else value(age),
    ]
    for child in process.get("children") or ():
        yield from _rows(name, child, depth + 1)


def _hundredths(ctime: str) -> str:
    """Return a processor time with both digits: Circus leaves a last 0 out."""
    whole, dot, fraction = ctime.partition(".")
    return f"{whole}{dot}{fraction:0<2}" if dot else ctime


def _fraction(given: Any, digits: int) -> str:
    return f"{given:.{digits}f}" if isinstance(given, float) else value(given)


def shown_name(process: Mapping[str, Any]) -> str:
    """Return what people call a process; Circus tells only its program, such as an interpreter."""
    return value(process.get("command") or process.get("cmdline"))


def process_lines(process: Any) -> list[str]:
    """Render a process and its children for scripts, a line each, as circusctl prints them."""
    if not isinstance(process, Mapping):
        return [str(process)]
    return [_LINE.format_map(one) for one in (process, *(process.get("children") or ()))]
