"""Writing what `readers.lines` reads: keys with their values, and what is said beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cvec_circus.config.findings import Findings
from cvec_circus.config.readers.lines import is_remark, parse
from cvec_circus.options.option import Option
from cvec_circus.system.signals import to_name

DEFAULT = "default"


class Row(NamedTuple):
    """A key to write. Immutable.

    Attributes:
        key: The key.
        text: Its value.
        origin: Where it comes from.
        is_note: Whether it is only told, and not to be read again.
    """

    key: str
    text: str
    origin: str = DEFAULT
    is_note: bool = False


def section_lines(section: str, rows: Iterable[Row]) -> Iterator[str]:
    """Yield the lines of a section; those from one origin stand together."""
    yield ""
    yield f"[{section}]"
    origin = ""
    for row in rows:
        if row.origin != origin:
            origin = row.origin
            yield f"# {printable(origin)}"
        if row.is_note:
            yield f"# {printable(f'{row.key} = {row.text}')}".rstrip()
            continue
        lines = key_lines(row.key, row.text)
        if is_remark(lines[0]):
            # At the margin it would be a remark, and anywhere else it would continue the line
            # above; right after a header it is neither.
            yield f"[{section}]"
            lines[0] = f"  {lines[0]}"
        yield from lines


def key_lines(key: str, text: str) -> list[str]:
    """Return the lines for a key and its value."""
    first, *rest = text.split("\n")
    return [f"{key} = {first}".rstrip(), *(f"  {line}" for line in rest)]


def can_be_written(text: str) -> bool:
    """Tell whether a value would be read as it is written."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    entries = parse("\n".join(["[s]", *key_lines("k", text)]), "", Findings())
    return [entry[1:3] for entry in entries] == [(None, ""), ("k", text)]


def text_of(option: Option, value: Any) -> str | None:
    """Return a typed value as a file has it; None if a file gives it in another form."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return None
    if option.kind == "umask":
        return f"{value:03o}"
    if option.kind == "signal":
        return to_name(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def printable(text: str) -> str:
    """Return text on one line, with what a terminal would act upon written out."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
