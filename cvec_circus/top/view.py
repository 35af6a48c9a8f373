"""What a screen shows, as text, and what keys do to it. Nothing here knows a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cvec_circus.commands.render import duration
from cvec_circus.ctl.output import in_a_cell, width_of
from cvec_circus.view.facts import Facts, Row, WatcherFacts, number_of

TITLES = ("NAME", "STATE", "PROCS", "CPU%", "MEM%", "RSS", "AGE", "RESTARTS", "REASON")
RIGHT = frozenset({2, 3, 4, 5, 6, 7})
"""Columns of numbers, which end at the same place."""

GAP = "  "
LONGEST_NAME = 40
"""Columns that a name takes at most, so that a long one does not push out all others."""

HELP = (
    "n s c m a r   sort by name, state, CPU, memory, age, restarts; again: the other way round",
    "p             processes, or watchers only",
    "/             filter by name, state or reason; Esc takes the filter away",
    "up down       scroll, as PgUp, PgDn, Home and End do",
    "space         hold the screen still, and go on",
    "h ?           this",
    "q             leave",
)

Key = Callable[[WatcherFacts], Any]
SORTS: dict[str, tuple[str, Key, bool]] = {
    "n": ("name", lambda watcher: watcher.name.lower(), False),
    "s": ("state", lambda watcher: watcher.state, False),
    "c": ("cpu", lambda watcher: watcher.total("cpu"), True),
    "m": ("mem", lambda watcher: watcher.total("mem"), True),
    "a": ("age", lambda watcher: watcher.age or 0.0, True),
    "r": ("restarts", lambda watcher: watcher.restarts or 0, True),
}
"""Key, name, what is compared, and whether the greatest comes first."""

NAMES = tuple(name for name, _, _ in SORTS.values())


class Line(NamedTuple):
    """A line of the screen. Immutable.

    Attributes:
        text: What it says.
        style: "title", "columns", "watcher", "process", "note" or "prompt".
        state: Where in it a state stands: its first column, and the state; None for nowhere.
    """

    text: str
    style: str = "process"
    state: tuple[int, str] | None = None


class View:
    """What of the facts is shown, and how. Owned by the main thread.

    Attributes:
        sort: The key of `SORTS` that is sorted by.
        is_reversed: Whether the other way round.
        text: What is shown must hold this, in any case of letters.
        has_processes: Whether processes are shown below their watchers.
        is_held: Whether the screen is to stay as it is.
        is_done: Whether somebody wants to leave.
    """

    def __init__(self, sort: str = "cpu", text: str = "") -> None:
        """Begin at the top.

        Args:
            sort: One of `NAMES`.
            text: See the class.
        """
        self.sort = next(key for key, (name, _, _) in SORTS.items() if name == sort)
        self.is_reversed = False
        self.text = text
        self.has_processes = True
        self.is_held = False
        self.is_done = False
        self._shows_help = False
        self._typed: str | None = None
        self._first = 0
        self._page = 10

    # -- keys

    def key(self, key: str) -> None:
        """Do what a key stands for: a letter, or up, down, pageup, pagedown, home, end, enter,
        escape, backspace."""
        if self._typed is not None:
            self._type(key)
        elif self._shows_help:
            self._shows_help = False
            self.is_done = key == "q"
        elif key in SORTS:
            self.is_reversed = not self.is_reversed if key == self.sort else False
            self.sort = key
        else:
            self._command(key)

    def _command(self, key: str) -> None:
        steps = {"up": -1, "down": 1, "pageup": -self._page, "pagedown": self._page}
        if key in steps:
            self._first = max(0, self._first + steps[key])
        elif key == "home":
            self._first = 0
        elif key == "end":
            self._first = 1 << 30
        elif key == "p":
            self.has_processes = not self.has_processes
        elif key == " ":
            self.is_held = not self.is_held
        elif key == "/":
            self._typed = self.text
        elif key == "escape":
            self.text = ""
        elif key in ("h", "?"):
            self._shows_help = True
        elif key == "q":
            self.is_done = True

    def _type(self, key: str) -> None:
        assert self._typed is not None
        if key == "enter":
            self.text, self._typed = self._typed, None
            self._first = 0
        elif key == "escape":
            self._typed = None
        elif key == "backspace":
            self._typed = self._typed[:-1]
        elif len(key) == 1 and key.isprintable():
            self._typed += key

    # -- the screen

    def lines(self, facts: Facts, where: str, width: int, height: int) -> list[Line]:
        """Lay out a screen.

        Args:
            facts: What is known.
            where: Which daemon it is.
            width: Columns.
            height: Lines; no more are returned.
        """
        head = [Line(self._summary(facts, where), "title")]
        if facts.trouble:
            head.append(Line(facts.trouble, "note"))
        if self._shows_help:
            head += [Line(text, "note") for text in HELP]
            body: list[Line] = []
        else:
            columns, *body = self.table(facts)
            head.append(columns)
        foot = [Line(f"filter: {self._typed}_", "prompt")] if self._typed is not None else []
        room = max(0, height - len(head) - len(foot))
        self._page = max(1, room - 1)
        self._first = min(self._first, max(0, len(body) - room))
        shown = [*head, *body[self._first : self._first + room], *foot]
        return [_cut(line, width) for line in shown[:height]]

    def table(self, facts: Facts) -> list[Line]:
        """Lay out everything that is to be shown, of any width: the titles, and a line each."""
        rows = list(self._rows(facts))
        cells = [TITLES, *(row for _, row in rows)]
        widths = [max(width_of(row[column]) for row in cells) for column in range(len(TITLES) - 1)]
        lines = [Line(_joined(TITLES, widths), "columns")]
        for style, row in rows:
            at = widths[0] + len(GAP)
            state = (at, row[1]) if style == "watcher" and row[1] else None
            lines.append(Line(_joined(row, widths), style, state))
        return lines

    def _summary(self, facts: Facts, where: str) -> str:
        watchers = list(facts.watchers.values())
        count = sum(len(watcher.rows) for watcher in watchers)
        cpu = sum(watcher.total("cpu") for watcher in watchers)
        memory = sum(watcher.total("mem") for watcher in watchers)
        parts = [
            f"cvec_circus-top {where}",
            f"{len(watchers)} watchers",
            f"{count} processes",
            f"CPU {cpu:.1f} %",
            f"memory {memory:.1f} %",
            f"by {SORTS[self.sort][0]}{' reversed' if self.is_reversed else ''}",
        ]
        if self.text:
            parts.append(f"filter {self.text!r}")
        if self.is_held:
            parts.append("held")
        return ", ".join(parts)

    def _rows(self, facts: Facts) -> Iterator[tuple[str, tuple[str, ...]]]:
        for watcher in self._sorted(facts):
            yield "watcher", _watcher(watcher)
            if self.has_processes:
                for pid, row in self._processes(watcher):
                    yield "process", _process(pid, row)
        if facts.sockets and self._is_wanted("sockets"):
            yield "watcher", _cells("sockets")
            for socket in facts.sockets.values():
                reads = f"{socket.get('reads')} reads"
                yield "process", _cells(f"  {socket.get('address')}", reason=reads)

    def _sorted(self, facts: Facts) -> list[WatcherFacts]:
        wanted = [each for each in facts.watchers.values() if self._is_wanted(*_words(each))]
        _, compared, greatest_first = SORTS[self.sort]
        wanted.sort(key=lambda each: each.name.lower())
        wanted.sort(key=compared, reverse=greatest_first != self.is_reversed)
        return wanted

    def _is_wanted(self, *words: str) -> bool:
        return any(self.text.lower() in word.lower() for word in words)

    def _processes(self, watcher: WatcherFacts) -> list[tuple[str, Row]]:
        rows = list(watcher.rows.items())
        name, _, greatest_first = SORTS[self.sort]
        if name in ("cpu", "mem", "age"):
            rows.sort(
                key=lambda item: number_of(item[1], name) or 0.0,
                reverse=greatest_first != self.is_reversed,
            )
        return rows


def _words(watcher: WatcherFacts) -> tuple[str, ...]:
    return watcher.name, watcher.state, watcher.reason


def _watcher(watcher: WatcherFacts) -> tuple[str, ...]:
    wanted = "" if watcher.wanted is None else f"/{watcher.wanted}"
    running = len(watcher.rows) if watcher.running is None else watcher.running
    age = watcher.age
    return _cells(
        watcher.name,
        watcher.state or "-",
        f"{running}{wanted}",
        f"{watcher.total('cpu'):.1f}",
        f"{watcher.total('mem'):.1f}",
        "",
        "-" if age is None else duration(age),
        "-" if watcher.restarts is None else str(watcher.restarts),
        watcher.reason,
    )


def _process(pid: str, row: Row) -> tuple[str, ...]:
    cpu, memory, age = (number_of(row, key) for key in ("cpu", "mem", "age"))
    name = row.get("name") or row.get("cmdline", "")
    return _cells(
        f"  {pid} {name}",
        cpu="N/A" if cpu is None else f"{cpu:.1f}",
        memory="N/A" if memory is None else f"{memory:.1f}",
        resident=str(row.get("mem_info1", "")),
        age="N/A" if age is None else duration(age),
    )


def _cells(
    name: str,
    state: str = "",
    processes: str = "",
    cpu: str = "",
    memory: str = "",
    resident: str = "",
    age: str = "",
    restarts: str = "",
    reason: str = "",
) -> tuple[str, ...]:
    given = (name, state, processes, cpu, memory, resident, age, restarts, reason)
    cells = tuple(map(in_a_cell, given))
    return (shortened(cells[0], LONGEST_NAME), *cells[1:])


def _joined(row: tuple[str, ...], widths: list[int]) -> str:
    cells = []
    for column, width in enumerate(widths):
        blanks = " " * (width - width_of(row[column]))
        cells.append(blanks + row[column] if column in RIGHT else row[column] + blanks)
    return GAP.join([*cells, row[-1]]).rstrip()


def _cut(line: Line, width: int) -> Line:
    text = shortened(line.text, width)
    if line.state is not None and text != line.text:
        at, state = line.state
        if at + len(state) >= width:  # there is the mark, or nothing
            return Line(text, line.style)
    return line._replace(text=text)


def shortened(text: str, width: int) -> str:
    """Cut a text to so many columns; a mark shows that there was more."""
    if width_of(text) <= width:
        return text
    kept, left = [], width - 1
    for letter in text:  # once over it: a reason may be as long as somebody's exception
        left -= width_of(letter)
        if left < 0:
            break
        kept.append(letter)
    return f"{''.join(kept)}~" if width > 0 else ""
