"""Replies on the standard output: as JSON, or in words and tables for people.

Nothing in a table is ever cut off, because a name or a reason is there to be read and copied. Only
the last column is as wide as what it holds. Where a terminal is too narrow, notes go on a line of
their own below the row, then names on one above, and if even that does not fit, a row becomes a
block with a cell a line. A word of a note that is longer than a line, as a path may be, is left to
the terminal to break. A pipe gets what circusctl prints, which scripts read; with ``--table`` the
tables, aligned as well, without a width and colours.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, TextIO

from cvec_circus.base.named import NamedTuple
from cvec_circus.base.patterns import regex
from cvec_circus.commands.render import Table
from cvec_circus.exc import ERROR, OutputError
from cvec_circus.options.secrets import conceal_text

if TYPE_CHECKING:
    from argparse import Namespace

    from cvec_circus.commands.base import Command, Fields

_GAP = "  "
_INDENT = "    "
_SHORTEST = 8
"""Columns that are left of what is cut, at least."""
_GREEN, _YELLOW, _RED = "32", "33", "31"
_COLOURS = {
    **dict.fromkeys(("active", "up"), _GREEN),
    **dict.fromkeys(("starting", "stopping", "waiting", "reloading"), _YELLOW),
    **dict.fromkeys(("stopped", "unready", "backoff", "failed", "invalid"), _RED),
}
"""By the state or the phase; what has completed needs none."""
_BOLD = "1"
_COLOURED = regex("\x1b\\[[0-9]+m")

_CONTROLS = (*range(9), *range(11, 32), *range(127, 160))
_DIRECTIONS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_ESCAPES = {
    **{code: f"\\x{code:02x}" for code in _CONTROLS},
    **{code: f"\\u{code:04x}" for code in _DIRECTIONS},
}
"""What could move a terminal's cursor, change its colours or turn the rest of a line round, as text
that only shows it: names and reasons come from any client of the daemon."""

_IN_A_CELL = {**_ESCAPES, 10: "\\n", 9: "\\t"}


# -- streams


def conceals(options: Namespace) -> bool:
    """Tell whether a person reads the standard output, who may not want to see secrets."""
    is_open = options.json or options.prettify or options.show_secrets
    return not is_open and page_of(sys.stdout).width is not None


def show(command: Command, reply: Fields, options: Namespace) -> None:
    """Print a reply that is not an error on the standard output.

    A terminal gets words and tables for people; a pipe what circusctl prints, for scripts, unless
    `options` ask for the former by `table`. Remarks stand below the words for people, and go to the
    standard error where a script reads the output.
    """
    if options.json or options.prettify:
        _say_json(reply, options)
        return
    page = page_of(sys.stdout)
    is_for_people = options.table or page.width is not None
    hides = conceals(options)
    try:
        chosen = command.chosen(reply, options.local, is_for_people)
        shown = command.concealed(chosen) if hides else chosen
        words = command.words(shown) if is_for_people else command.script(shown)
        if hides and shown is chosen:  # else each value is by itself: joined, one ends another
            words = _concealed(words)
        text = plain(words) if isinstance(words, str) else lay_out(words, page)
        remarks = list(command.remarks(reply))
    except (KeyError, TypeError, AttributeError, ValueError):
        text, remarks = json.dumps(reply), []  # of another shape: the daemon's version is another
    say(text)
    for remark in remarks:
        if is_for_people:
            say(plain(conceal_text(remark) if hides else remark))
        else:
            complain(_open(remark, options))


def show_error(reply: Fields, reason: str, options: Namespace) -> None:
    """Print a reply that is an error: as JSON, or each line of its reason on the standard error."""
    if options.json or options.prettify:
        _say_json(reply, options)
    else:
        complain(_open("\n".join(f"{ERROR}{line}" for line in reason.splitlines()), options))


def _say_json(reply: Fields, options: Namespace) -> None:
    a_value_a_line = options.prettify
    say(json.dumps(reply, indent=2 if a_value_a_line else None, sort_keys=a_value_a_line))


def _open(text: str, options: Namespace) -> str:
    """Hide what may be a secret in a text for the standard error, if that is a terminal."""
    is_open = options.show_secrets or page_of(sys.stderr).width is None
    return text if is_open else conceal_text(text)


def _concealed(words: str | Table) -> str | Table:
    if isinstance(words, str):
        return conceal_text(words)
    return words._replace(rows=[list(map(conceal_text, row)) for row in words.rows])


def say(text: str, end: str = "\n") -> bool:
    """Print to the standard output; escape what its encoding cannot show.

    Returns:
        False if there is no reader: it has left, as `head` does, or the output is closed.

    Raises:
        OutputError: It cannot be written.
    """
    if sys.stdout is None:
        return False
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), end=end, flush=True)
    except OSError as problem:
        # Flushing the rest at exit would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(problem, BrokenPipeError):
            return False
        raise OutputError(f"the output cannot be written: {problem.strerror}") from None
    return True


def pipe() -> int | None:
    """Return the number of the standard output if it is a pipe: its reader may leave."""
    try:
        fd = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    return fd if stat.S_ISFIFO(os.fstat(fd).st_mode) else None


def complain(text: str) -> None:
    """Print a line to the standard error, if it is open."""
    if sys.stderr is not None:
        print(plain(text), file=sys.stderr)


def plain(text: str) -> str:
    """Escape what controls a terminal, but for line feeds and tabs."""
    return text.translate(_ESCAPES)


def in_a_cell(text: str) -> str:
    """Escape what controls a terminal, with what ends a line or a cell."""
    return text.translate(_IN_A_CELL)


# -- tables


class Page(NamedTuple):
    """What a text is laid out for. Immutable."""

    width: int | None = None  # columns of the terminal; None if it is not a terminal
    colour: bool = False


def page_of(stream: TextIO | None, environ: Mapping[str, str] = os.environ) -> Page:
    """Find out whether a stream is a terminal, how wide, and whether it takes colours.

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


def lay_out(table: Table, page: Page) -> str:
    """Lay a table out, without blanks at the ends of lines."""
    table = table._replace(rows=[[in_a_cell(cell) for cell in row] for row in table.rows])
    if not table.titles:
        return "\n".join(_pairs(table, page))
    cut, named = partial(_cut, _aligned), partial(_cut, _with_names_above)
    for lines in (_aligned, _with_notes_below, cut, _with_names_above, named, _blocks):
        text = list(lines(table, page))
        if page.width is None or all(_fits(line, page.width, table.note) for line in text):
            break
    return "\n".join([*text, *table.below])


def _fits(line: str, width: int, has_notes: bool) -> bool:
    """Tell whether a line fits, or is one long word of a note, which the terminal may break."""
    if width_of(_COLOURED.sub("", line)) <= width:
        return True
    return has_notes and line.startswith(_INDENT) and " " not in line.strip()


def _pairs(table: Table, page: Page) -> Iterator[str]:
    """A key and its value a line; aligned on a terminal, with one blank between in a pipe."""
    widest = 0
    if page.width is not None:
        widest = max((width_of(key) for key, _ in table.rows), default=0)
    for key, text in table.rows:
        yield f"{_padded(key, widest)} {text}".rstrip()


def _aligned(table: Table, page: Page) -> Iterator[str]:
    """A row a line."""
    widths = [max(map(width_of, column)) for column in zip(table.titles, *table.rows)]
    aligned = [_to_the_right if n in table.numbers else _padded for n in range(len(widths))]
    titles = (align(cell, width) for align, cell, width in zip(aligned, table.titles, widths))
    yield _coloured(_GAP.join(titles).rstrip(), _BOLD, page)
    for row in table.rows:
        cells = [align(cell, width) for align, cell, width in zip(aligned, row, widths)]
        if table.marked is not None:
            state = row[table.marked]
            cells[table.marked] = _state(state, page) + cells[table.marked][len(state) :]
        yield _GAP.join(cells).rstrip()


def _with_notes_below(table: Table, page: Page) -> Iterator[str]:
    """A row a line, and its note below."""
    if not table.note:
        yield from _aligned(table, page)
        return
    short = table._replace(titles=table.titles[:-1], rows=[row[:-1] for row in table.rows])
    lines = _aligned(short, page)
    yield next(lines)
    for line, row in zip(lines, table.rows):
        yield line
        yield from _wrapped(row[-1], page.width)


def _with_names_above(table: Table, page: Page) -> Iterator[str]:
    """A name a line; below it, indented, its rows and their notes."""
    if table.marked == 0:
        yield from _with_notes_below(table, page)
        return
    inner = slice(1, -1 if table.note else None)
    rest = table._replace(
        titles=table.titles[inner],
        rows=[row[inner] for row in table.rows],
        marked=None if table.marked is None else table.marked - 1,
        numbers=[column - 1 for column in table.numbers],
    )
    narrow = None if page.width is None else page.width - len(_INDENT)
    lines = _aligned(rest, page)
    yield _INDENT + next(lines)
    former = None
    for line, row in zip(lines, table.rows):
        if row[0] != former:
            yield row[0]
        former = row[0]
        yield (_INDENT + line).rstrip()
        if table.note:
            yield from (_INDENT + note for note in _wrapped(row[-1], narrow))


def _cut(lay: Callable[[Table, Page], Iterator[str]], table: Table, page: Page) -> Iterator[str]:
    """The same as `lay` with the cells of one column cut, if enough of them is left."""
    if table.cut is None or page.width is None:
        return lay(table, page)
    excess = max(width_of(_COLOURED.sub("", line)) for line in lay(table, page)) - page.width
    left = max(width_of(row[table.cut]) for row in table.rows) - excess
    if left < _SHORTEST:
        return lay(table, page)
    rows = [
        [shortened(cell, left) if n == table.cut else cell for n, cell in enumerate(row)]
        for row in table.rows
    ]
    return lay(table._replace(rows=rows), page)


def _blocks(table: Table, page: Page) -> Iterator[str]:
    """A cell a line, with an empty line between the rows."""
    widest = max(map(width_of, table.titles))
    for number, row in enumerate(table.rows):
        if number:
            yield ""
        for column, (title, cell) in enumerate(zip(table.titles, row)):
            if cell not in ("", "-"):
                shown = _state(cell, page) if column == table.marked else cell.strip()
                yield f"{_padded(title.lower(), widest)}{_GAP}{shown}"


def _wrapped(text: str, width: int | None) -> Iterator[str]:
    """The indented lines of a note, if there is one; a long word stays whole."""
    line = _INDENT
    for word in text.split(" ") if text else ():
        if line.strip() and width and width_of(line) + width_of(word) > width:
            yield line.rstrip()
            line = _INDENT
        line += f"{word} "
    if text:
        yield line.rstrip()


def _state(state: str, page: Page) -> str:
    return _coloured(state, _COLOURS.get(state.partition(" ")[0]), page)


def _coloured(text: str, colour: str | None, page: Page) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if page.colour and colour else text


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))


def _to_the_right(text: str, width: int) -> str:
    return " " * (width - width_of(text)) + text


def shortened(text: str, width: int) -> str:
    """Cut a text to a number of columns; a mark shows that there was more."""
    if width_of(text) <= width:
        return text
    kept, left = [], width - 1
    for letter in text:  # in one pass: a reason may be as long as an exception
        left -= width_of(letter)
        if left < 0:
            break
        kept.append(letter)
    return f"{''.join(kept)}~" if width > 0 else ""


def width_of(text: str) -> int:
    """Count the columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
