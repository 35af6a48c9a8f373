"""The screen as lines of text, and the keys that change it. Nothing here knows a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cvec_circus.base.figures import counted, duration, size_text
from cvec_circus.base.named import NamedTuple
from cvec_circus.commands.render import shown_name
from cvec_circus.ctl.output import in_a_cell, shortened, width_of
from cvec_circus.options.secrets import conceal_text
from cvec_circus.view.facts import Facts, Row, WatcherFacts, number_of, tree_of

TITLES = {
    "name": "NAME",
    "state": "STATE",
    "processes": "PROCS",
    "cpu": "CPU%",
    "memory": "MEM%",
    "resident": "RSS",
    "age": "AGE",
    "restarts": "RESTARTS",
    "reason": "REASON",
}
NUMBERS = range(2, 8)
"""Columns that are aligned to the right."""

GAP = "  "
LONGEST_NAME, SHORTEST_NAME = 40, 16
"""Columns that a name takes at most, so that a long one does not push out the others: the latter
where there is little room."""

REASON_WIDTH = 12
"""Columns that are left to reasons where there is little room."""

HELP = (
    "n s c m a r   sort by name, state, CPU, memory, age, restarts; again: reverse",
    "p             processes, or watchers only",
    "/             filter by name, state or reason; Esc clears the filter",
    "up down       scroll, as PgUp, PgDn, Home and End do",
    "space         freeze the screen, and go on",
    "h ?           this help",
    "q             quit",
)

Key = Callable[[WatcherFacts], Any]
SORTS: dict[str, tuple[str, Key, bool]] = {
    "n": ("name", lambda watcher: watcher.name.lower(), False),
    "s": ("state", lambda watcher: watcher.stands, False),
    "c": ("cpu", lambda watcher: watcher.total("cpu"), True),
    "m": ("mem", lambda watcher: watcher.total("mem"), True),
    "a": ("age", lambda watcher: watcher.age or 0.0, True),
    "r": ("restarts", lambda watcher: watcher.restarts or 0, True),
}
"""By key: the name, what is compared, and whether the greatest comes first."""

NAMES = tuple(name for name, _, _ in SORTS.values())


class Line(NamedTuple):
    """A line of the screen. Immutable."""

    text: str
    style: str = "process"  # or "title", "columns", "watcher", "note", "prompt"
    state: tuple[int, str] | None = None  # its first column and the state, if it shows one


class Screen:
    """Which facts are shown, and how. Owned by the main thread.

    Attributes:
        sort: The key of `SORTS` to sort by.
        text: The filter: what a name, state or reason must contain, whatever the case.
        is_held: Whether the screen is frozen.
        is_done: Whether to quit.
        encoding: That of the terminal.
    """

    def __init__(self, sort: str = "cpu", text: str = "", conceals: bool = False) -> None:
        """Begin at the top, sorted by one of `NAMES` and filtered by a text; `conceals` hides what
        may be a secret in reasons."""
        self._conceals = conceals
        self.sort = next(key for key, (name, _, _) in SORTS.items() if name == sort)
        self.is_reversed = False
        self.text = text
        self.has_processes = True
        self.is_held = False
        self.is_done = False
        self.encoding = "utf-8"
        self._shows_help = False
        self._typed: str | None = None
        self._first = 0
        self._page = 10

    # -- keys

    def key(self, key: str) -> None:
        """Take a letter, or up, down, pageup, pagedown, home, end, enter, escape, backspace."""
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
        """Lay out a screen of `width` columns, `height` lines at most; `where` is the endpoint."""
        head = [Line(self._summary(facts, where), "title")]
        if facts.trouble:
            head.append(Line(facts.trouble, "note"))
        if self._shows_help:
            head += [Line(text, "note") for text in HELP]
            body: list[Line] = []
        else:
            columns, *body = self.table(facts, width)
            head.append(columns)
        foot = [Line(f"filter: {self._typed}_", "prompt")] if self._typed is not None else []
        room = max(0, height - len(head) - len(foot))
        self._page = max(1, room - 1)
        self._first = min(self._first, max(0, len(body) - room))
        shown = [*head, *body[self._first : self._first + room], *foot]
        return [_cut(line, width) for line in shown[:height]]

    def table(self, facts: Facts, width: int | None = None) -> list[Line]:
        """Lay out all that is shown: the titles, and a line each. Lines may be longer than `width`,
        for which names are shortened."""
        rows = [(style, tuple(map(self._shown, row))) for style, row in self._rows(facts)]
        titles = tuple(TITLES.values())
        columns = zip(titles, *(row for _, row in rows))
        *widths, reasons = (max(map(width_of, column)) for column in columns)
        most = LONGEST_NAME
        if width is not None:
            others = sum(widths[1:]) + min(reasons, REASON_WIDTH) + len(GAP) * len(widths)
            most = min(most, max(width - others, SHORTEST_NAME))
        rows = [(style, (shortened(row[0], most), *row[1:])) for style, row in rows]
        widths[0] = min(widths[0], most)
        lines = [Line(_joined(titles, widths), "columns")]
        for style, row in rows:
            state = (widths[0] + len(GAP), row[1]) if style == "watcher" and row[1] else None
            lines.append(Line(_joined(row, widths), style, state))
        return [*lines, *self._sockets(facts, width)]

    def _summary(self, facts: Facts, where: str) -> str:
        watchers = list(facts.watchers.values())
        count = sum(1 for watcher in watchers for _ in watcher.all_rows())
        cpu = sum(watcher.total("cpu") for watcher in watchers)
        memory = sum(watcher.total("mem") for watcher in watchers)
        parts = [
            f"cvec_circus-top {where}",
            counted(facts.count(), "watcher"),
            counted(count, "process"),
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
        name, compared, greatest_first = SORTS[self.sort]
        reverse = greatest_first != self.is_reversed
        shown = [
            each
            for each in facts.watchers.values()
            if self._is_wanted(each.name, each.state, each.stands, each.reason)
        ]
        shown.sort(key=lambda each: each.name.lower())
        shown.sort(key=compared, reverse=reverse)
        for watcher in shown:
            reason = conceal_text(watcher.reason) if self._conceals else watcher.reason
            yield "watcher", _watcher(watcher, reason)
            processes = list(watcher.rows.items()) if self.has_processes else []
            if name in ("cpu", "mem", "age"):
                processes.sort(key=lambda item: number_of(item[1], name) or 0.0, reverse=reverse)
            for _, row in processes:
                for one, depth in tree_of(row):
                    yield "process", _process(one, depth)

    def _sockets(self, facts: Facts, width: int | None) -> Iterator[Line]:
        """Yield a line for each listening socket, whose address no column bounds."""
        if not (facts.sockets and self._is_wanted("sockets")):
            return
        yield Line("sockets", "watcher")
        rows = [
            (self._shown(in_a_cell(str(socket.get("address")))), _reads(socket.get("reads")))
            for socket in facts.sockets.values()
        ]
        widest, rest = (max(map(width_of, column)) for column in zip(*rows))
        if width is not None:
            widest = min(widest, max(width - rest - 2 * len(GAP), SHORTEST_NAME))
        for address, reads in rows:
            address = shortened(address, widest)
            yield Line(f"{GAP}{address}{' ' * (widest - width_of(address))}{GAP}{reads:>{rest}}")

    def _shown(self, text: str) -> str:
        """Return a text without the letters that the terminal has not."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def _is_wanted(self, *words: str) -> bool:
        return any(self.text.lower() in word.lower() for word in words)


def _watcher(watcher: WatcherFacts, reason: str) -> tuple[str, ...]:
    wanted = "" if watcher.wanted is None else f"/{watcher.wanted}"
    running = len(watcher.rows) if watcher.running is None else watcher.running
    age = watcher.age
    return _cells(
        watcher.name,
        state=watcher.stands or "-",
        processes=f"{running}{wanted}",
        cpu=f"{watcher.total('cpu'):.1f}",
        memory=f"{watcher.total('mem'):.1f}",
        resident=size_text(watcher.resident) if watcher.rows else "-",
        age="-" if age is None else duration(age),
        restarts="-" if watcher.restarts is None else str(watcher.restarts),
        reason=reason,
    )


def _process(row: Row, depth: int) -> tuple[str, ...]:
    cpu, memory, age = (number_of(row, key) for key in ("cpu", "mem", "age"))
    name = row.get("name") or shown_name(row)
    return _cells(
        f"{'  ' * (depth + 1)}{row.get('pid', '')} {name}",
        cpu="N/A" if cpu is None else f"{cpu:.1f}",
        memory="N/A" if memory is None else f"{memory:.1f}",
        resident=str(row.get("mem_info1", "")),
        age="N/A" if age is None else duration(age),
    )


def _reads(count: Any) -> str:
    return counted(count, "read") if isinstance(count, int) else "N/A reads"


def _cells(name: str, **others: str) -> tuple[str, ...]:
    """Make a row of the cells that are given by the keys of `TITLES`."""
    given = {**others, "name": name}
    return tuple(in_a_cell(given.get(key, "")) for key in TITLES)


def _joined(row: tuple[str, ...], widths: list[int]) -> str:
    cells = []
    for column, width in enumerate(widths):
        blanks = " " * (width - width_of(row[column]))
        cells.append(blanks + row[column] if column in NUMBERS else row[column] + blanks)
    return GAP.join([*cells, row[-1]]).rstrip()


def _cut(line: Line, width: int) -> Line:
    text = shortened(line.text, width)
    if line.state is not None and text != line.text:
        at, state = line.state
        if at + len(state) >= width:  # shows the truncation mark, or nothing
            return Line(text, line.style)
    return line._replace(text=text)
