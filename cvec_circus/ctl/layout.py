"""Tables for the terminal, the pipe or the file that they go to.

Only the last column of a table may be wide, and only as wide as what it holds: nothing is ever cut
off, because a name or a reason is there to be read and copied. Where a terminal is too narrow, a
note goes on a line of its own below its row, then the name on one above it, and if even that does
not fit, a row becomes a block with a cell a line. A word of a note that is longer than a line, as a
path may be, is left to the terminal to break, and does not change the table. What goes into a pipe
is aligned as well, but knows no width and no colours.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TextIO

from cvec_circus.commands.render import Table

_GAP = "  "
_INDENT = "    "
_COLOURS = {"active": "32", "starting": "33", "stopping": "33", "stopped": "31"}
_BOLD = "1"

#: What could move a terminal's cursor or change its colours, as text that only shows it. Names and
#: reasons come from whoever may talk to the daemon.
_CONTROLS = (*range(9), *range(11, 32), *range(127, 160))
_ESCAPES = {code: f"\\x{code:02x}" for code in _CONTROLS}
_IN_A_CELL = {**_ESCAPES, 10: "\\n", 9: "\\t"}


class Page(NamedTuple):
    """Immutable. What a text is laid out for.

    Attributes:
        width: Columns of the terminal; None where it is no terminal.
        colour: Whether colours are wanted.
    """

    width: int | None = None
    colour: bool = False


def page_of(stream: TextIO | None, environ: Mapping[str, str] = os.environ) -> Page:
    """Find out what a stream shows: a terminal of some width, or anything else.

    Colours are only for terminals that know them, and not where NO_COLOR is set to anything.
    """
    try:
        if stream is None or not stream.isatty():
            return Page()
        width = os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return Page()
    columns = environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        width = int(columns)
    colour = not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
    return Page(width, colour)


def plain(text: str) -> str:
    """Show control characters instead of sending them."""
    return text.translate(_ESCAPES)


def in_a_cell(text: str) -> str:
    """Show control characters instead of sending them, those that end a line or a cell too."""
    return text.translate(_IN_A_CELL)


def lay_out(table: Table, page: Page) -> str:
    """Lay a table out, without a blank at the end of any line."""
    clean = [[in_a_cell(cell) for cell in row] for row in table.rows]
    table = table._replace(rows=clean)
    if not table.titles:
        return "\n".join(_pairs(table, page))
    for lines in (_aligned, _with_notes_below, _with_names_above):
        text = list(lines(table, page))
        if page.width is None or all(_fits(line, page.width, table.note) for line in text):
            return "\n".join(text)
    return "\n".join(_blocks(table, page))


def _fits(line: str, width: int, has_notes: bool) -> bool:
    """Tell whether a terminal can show a line, or has to break a word of a note anyway."""
    if width_of(_bare(line)) <= width:
        return True
    return has_notes and line.startswith(_INDENT) and " " not in line.strip()


def _pairs(table: Table, page: Page) -> Iterator[str]:
    """Aligned for people only: in a pipe one blank stands between a key and its value."""
    widest = 0
    if page.width is not None:
        widest = max((width_of(key) for key, _ in table.rows), default=0)
    for key, text in table.rows:
        yield f"{_padded(key, widest)} {text}".rstrip()


def _aligned(table: Table, page: Page) -> Iterator[str]:
    """A row a line."""
    rows = [table.titles, *table.rows]
    widths = [max(map(width_of, column)) for column in zip(*rows)]
    for number, row in enumerate(rows):
        cells = [_padded(cell, width) for cell, width in zip(row, widths)]
        yield _coloured(_GAP.join(cells).rstrip(), cells, row, table, page, number == 0)


def _with_notes_below(table: Table, page: Page) -> Iterator[str]:
    """A row a line, and under it what is noted about it."""
    if not table.note:
        yield from _aligned(table, page)
        return
    short = table._replace(
        titles=table.titles[:-1], rows=[row[:-1] for row in table.rows], note=False
    )
    lines = _aligned(short, page)
    yield next(lines)
    for line, row in zip(lines, table.rows):
        yield line
        if row[-1]:
            yield from _wrapped(row[-1], page.width)


def _with_names_above(table: Table, page: Page) -> Iterator[str]:
    """The name of what rows are about, and under it those rows, pushed in, with their notes."""
    if table.marked == 0:
        yield from _with_notes_below(table, page)
        return
    narrow = None if page.width is None else page.width - len(_INDENT)
    former = None
    rest = table._replace(
        titles=table.titles[1:-1] if table.note else table.titles[1:],
        rows=[row[1:-1] if table.note else row[1:] for row in table.rows],
        marked=None if table.marked is None else table.marked - 1,
        note=False,
    )
    lines = _aligned(rest, page)
    yield _INDENT + next(lines)
    for line, row in zip(lines, table.rows):
        if row[0] != former:
            yield row[0]
        former = row[0]
        yield (_INDENT + line).rstrip()
        if table.note and row[-1]:
            yield from (_INDENT + note for note in _wrapped(row[-1], narrow))


def _blocks(table: Table, page: Page) -> Iterator[str]:
    """A cell a line, with an empty line between the rows."""
    widest = max(map(width_of, table.titles))
    for number, row in enumerate(table.rows):
        if number:
            yield ""
        for column, (title, cell) in enumerate(zip(table.titles, row)):
            if cell not in ("", "-"):
                shown = _state(cell, page) if column == table.marked else cell
                yield f"{_padded(title.lower(), widest)}{_GAP}{shown}"


def _wrapped(text: str, width: int | None) -> Iterator[str]:
    """A sentence in lines that are pushed in; a long word stays whole."""
    line = _INDENT
    for word in text.split(" "):
        if line.strip() and width and width_of(line) + width_of(word) > width:
            yield line.rstrip()
            line = _INDENT
        line += f"{word} "
    yield line.rstrip()


def _coloured(
    line: str, cells: Sequence[str], row: Sequence[str], table: Table, page: Page, is_head: bool
) -> str:
    """Colour the titles, and the state in a row."""
    if not page.colour:
        return line
    if is_head:
        return f"\x1b[{_BOLD}m{line}\x1b[0m"
    if table.marked is None:
        return line
    at = sum(len(cell) + len(_GAP) for cell in cells[: table.marked])
    state = row[table.marked]
    return line[:at] + _state(state, page) + line[at + len(state) :]


def _state(state: str, page: Page) -> str:
    colour = _COLOURS.get(state)
    return f"\x1b[{colour}m{state}\x1b[0m" if page.colour and colour else state


def _bare(line: str) -> str:
    """Take out the colours that were put in here: nothing else can have an escape in it."""
    while "\x1b" in line:
        before, _, rest = line.partition("\x1b")
        line = before + rest.partition("m")[2]
    return line


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))


def width_of(text: str) -> int:
    """Tell how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
