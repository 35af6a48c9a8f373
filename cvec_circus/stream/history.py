"""The latest output of a watcher's processes to one channel.

A pump appends each block as it was read; nothing is done per line. Lines are made when a client
asks for them. A place is the number of bytes written before it, so a client that has read up to a
place can ask for what follows, and learns how much of that is gone.

All histories of a daemon number their blocks in the order in which they were read, so the lines of
several can be put in order: see `Arrivals` and `stream.merging`.

A small block is copied to the end of a page, behind a header of 23 bytes with its time, number and
process. Keeping what `os.read` returns would cost much more memory: a short block begins a piece of
64 KiB whose rest no other block can use. Large blocks are kept without a copy, because copying
would slow down a flood.
"""

from __future__ import annotations

import itertools
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus.base.clock import Clock
from cvec_circus.base.named import NamedTuple

if TYPE_CHECKING:
    from cvec_circus.system.handover import Handover, Inherited

PAGE = 4 * 1024
LARGE = 16 * 1024

LONGEST_LINE = 32 * 1024
"""Bytes of a line that are shown: the last ones if it is longer."""

ROOM = 64 * 1024
"""The numbers that a block takes, one for each byte: no block that is read is larger."""

_HEAD = struct.Struct("<dIIIH?")
_MOST_BLOCKS = 2**32


class Line(NamedTuple):
    """A line. Immutable."""

    end: int
    """The place behind it."""
    at: float
    """When its beginning was read, in seconds since 1970."""
    pid: int
    text: bytes
    """Without the newline."""
    is_cut: bool = False
    """Whether its beginning is missing: no longer there, or too long."""
    has_end: bool = True
    wid: int = 0
    """The slot of the process; 0 if that is not known."""
    number: int = 0
    """That of its last byte, in the order in which all histories of the daemon were written."""


class Arrivals:
    """The order in which blocks come to all histories of a daemon. Safe from any thread.

    A history takes a number while it holds its own lock, so a reader that takes one and then reads
    each history finds every block with a smaller number.

    Attributes:
        next: Returns a number greater than all before. Its block may have the next `ROOM` ones.
        tell: Called once, perhaps twice, on any thread, when the next block has come.
    """

    __slots__ = ("next", "tell")

    def __init__(self) -> None:
        self.next = itertools.count(ROOM, ROOM).__next__
        self.tell: Callable[[], object] | None = None


class _Record(NamedTuple):
    """A block. Immutable. `is_first` tells whether it begins a line; its bytes have the numbers
    behind `number`."""

    end: int
    at: float
    pid: int
    block: bytes
    is_first: bool
    wid: int
    number: int


class _Page:
    """Some blocks. Owned by the history. Once there is a page behind it, it does not change.

    `content` is a large block, or small ones with their headers. `start` and `end` are places;
    `first` is the number of its first block, `last` that of its last byte.
    """

    __slots__ = ("content", "end", "first", "last", "start")

    def __init__(
        self, content: bytearray | _Record, start: int, end: int, first: int, last: int
    ) -> None:
        self.content = content
        self.start = start
        self.end = end
        self.first = first
        self.last = last

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return len(self.content if isinstance(self.content, bytearray) else self.content.block)

    def hand_over(self, out: Handover) -> list[Any]:
        content = self.content
        place = [self.start, self.end, self.first, self.last]
        if isinstance(content, bytearray):
            return [out.block(bytes(content)), None, *place]
        end, at, pid, block, is_first, wid, number = content
        return [out.block(block), [end, at, pid, is_first, wid, number], *place]

    @classmethod
    def taken_over(cls, inherited: Inherited, row: Sequence[Any]) -> _Page:
        place, about, *rest = row
        block = inherited.block(place)
        if about is None:
            return cls(bytearray(block), *rest)
        end, at, pid, is_first, wid, number = about
        return cls(_Record(end, at, pid, block, is_first, wid, number), *rest)

    def records(self) -> list[_Record]:
        """Return the blocks."""
        if isinstance(self.content, _Record):
            return [self.content]
        records, end, at = [], self.start, 0
        while at < len(self.content):
            time, pid, wid, blocks, size, is_first = _HEAD.unpack_from(self.content, at)
            at += _HEAD.size
            end += size
            block = bytes(self.content[at : at + size])
            number = self.first + blocks * ROOM
            records.append(_Record(end, time, pid, block, is_first, wid, number))
            at += size
        return records


class History:
    """The latest output to one channel. Safe from any thread: pumps write, others read.

    Attributes:
        limit: How many bytes are kept; memory for one more block may be in use. Not less than 1.
        end: The place behind the last byte.
        newest: The number of the last byte, 0 before the first.
        dropped: That of the last byte that is gone, 0 before the first.
    """

    __slots__ = (
        *("_arrivals", "_clock", "_lock", "_open", "_pages", "_size", "_waiting"),
        *("dropped", "end", "limit", "newest"),
    )

    def __init__(self, limit: int, clock: Clock, arrivals: Arrivals | None = None) -> None:
        """Make it empty: memory is allocated when something is written. `arrivals` orders its
        blocks among those of others."""
        self.limit = limit
        self.end = 0
        self.newest = self.dropped = 0
        self._arrivals = arrivals or Arrivals()
        self._clock = clock
        self._lock = threading.Lock()
        self._pages: deque[_Page] | None = None
        self._size = 0
        self._open: set[int] = set()  # the processes that are within a line
        self._waiting: list[Callable[[], object]] = []

    def append(self, block: bytes, pid: int, wid: int = 0) -> None:
        """Keep a block read from the pipe of a process."""
        at = self._clock.time()
        with self._lock:
            pages = self._append(block, pid, wid, at)
            while self._size > self.limit and self._size - pages[0].size >= self.limit:
                page = pages.popleft()
                self._size -= page.size
                self.dropped = page.last
            waiting = self._waiting
            if waiting:
                self._waiting = []
        for tell in waiting:
            tell()
        arrivals = self._arrivals
        if (any_tell := arrivals.tell) is not None:
            arrivals.tell = None
            any_tell()

    def finish(self, pid: int, wid: int = 0) -> None:
        """Note that the pipe of a process has ended, which ends its last line."""
        if pid in self._open:
            self.append(b"\n", pid, wid)

    def _append(self, block: bytes, pid: int, wid: int, at: float) -> deque[_Page]:
        is_first = pid not in self._open
        if block[-1] == 10:  # a newline
            self._open.discard(pid)
        elif is_first:
            self._open.add(pid)
        start = self.end
        self.end += len(block)
        number = self._arrivals.next()
        self.newest = number + len(block)
        if self._pages is None:
            self._pages = deque()
        pages = self._pages
        if len(block) >= LARGE:
            record = _Record(self.end, at, pid, block, is_first, wid, number)
            pages.append(_Page(record, start, self.end, number, self.newest))
            self._size += len(block)
            return pages
        page = pages[-1] if pages else None
        content = page.content if page is not None else b""
        blocks = 0 if page is None else (number - page.first) // ROOM
        if not isinstance(content, bytearray) or len(content) >= PAGE or blocks >= _MOST_BLOCKS:
            content, blocks = bytearray(), 0
            page = _Page(content, start, start, number, number)
            pages.append(page)
        content += _HEAD.pack(at, pid, wid, blocks, len(block), is_first)
        content += block
        assert page is not None
        page.end, page.last = self.end, self.newest
        self._size += _HEAD.size + len(block)
        return pages

    def hand_over(self, out: Handover) -> dict[str, Any]:
        """Hand all of it to the program that is to be executed."""
        end, pages = self._snapshot()
        return {
            "limit": self.limit,
            "end": end,
            "newest": self.newest,
            "dropped": self.dropped,
            "open": sorted(self._open),
            "pages": [page.hand_over(out) for page in pages],
        }

    def take_over(self, inherited: Inherited, state: Mapping[str, Any]) -> None:
        """Resume from what was handed over, before anything is written."""
        self.end, self.newest, self.dropped = state["end"], state["newest"], state["dropped"]
        self._open = set(state["open"])
        self._pages = deque(_Page.taken_over(inherited, row) for row in state["pages"])
        self._size = sum(page.size for page in self._pages)

    def when_beyond(self, place: int, tell: Callable[[], object]) -> None:
        """Call a function once, on any thread, when there is output after a place."""
        with self._lock:
            if self.end <= place:
                self._waiting.append(tell)
                return
        tell()

    def last(self, count: int, floor: int = 0, pid: int | None = None) -> tuple[int, list[Line]]:
        """Return the place to continue from, and that many lines from the end.

        A line that has no end yet may be among them.

        Args:
            count: How many lines.
            floor: No line is wanted with a smaller number.
            pid: The process whose lines are wanted; those of all by default.
        """
        end, pages = self._snapshot()
        records: list[_Record] = []
        newlines = 0
        while pages and newlines <= count and pages[-1].last > floor:
            found = pages.pop().records()
            if pid is not None:
                found = [record for record in found if record.pid == pid]
            records[:0] = found
            newlines += sum(record.block.count(b"\n") for record in found)
        lines = list(_lines([records], pages, -1))
        return end, lines[max(0, len(lines) - count) :]

    def after(self, place: int) -> tuple[int, int, Iterator[Line]]:
        """Return the lines that end after a place, in the order of their ends.

        The place is one that was returned before, or 0. The lines are preceded by the number of
        lost bytes after it, and the place to continue from.
        """
        end, pages = self._snapshot()
        place = 0 if place > end else place
        start = pages[0].start if pages else end
        behind: list[_Page] = []
        while pages and pages[-1].end > place:
            behind.append(pages.pop())
        found = (page.records() for page in reversed(behind))
        return max(0, start - place), end, _lines(found, pages, place)

    def behind(self, number: int, horizon: int) -> Iterator[Line]:
        """Return the lines whose ends came after a number, in order, then those that have no end
        yet. Output after the horizon is ignored."""
        _, pages = self._snapshot()
        behind: list[_Page] = []
        while pages and pages[-1].last > number:
            behind.append(pages.pop())
        found = ([r for r in page.records() if r.number < horizon] for page in reversed(behind))
        return (line for line in _lines(found, pages, -1) if line.number > number)

    def bound(self, number: int) -> int:
        """Return a lower bound for the numbers of lines after the given one."""
        with self._lock:
            return next((max(p.first, number) for p in self._pages or () if p.last > number), 0)

    def _snapshot(self) -> tuple[int, list[_Page]]:
        with self._lock:
            pages = list(self._pages or ())
            last = pages[-1] if pages else None
            if last is not None and isinstance(last.content, bytearray):
                content = bytearray(last.content)
                pages[-1] = _Page(content, last.start, last.end, last.first, last.last)
            return self.end, pages


def _lines(found: Iterable[list[_Record]], before: list[_Page], place: int) -> Iterator[Line]:
    """Yield the lines that end after a place, then those that have no end yet.

    The ends are in the records `found`, taken as they are needed; beginnings may be on the pages
    `before`.
    """
    parts: dict[int, _Part] = {}
    known: set[int] = set()
    for records in found:
        for record in records:
            end, at, pid, block, is_first, wid, number = record
            if pid not in known:
                known.add(pid)
                if not is_first:
                    parts[pid] = _beginning(record, before)
            part = parts.pop(pid, None) or _Part(at, True)
            *texts, rest = block.split(b"\n")
            begin = line_end = end - len(block)
            for text in texts:
                line_end += len(text) + 1
                if line_end > place:
                    yield part.line(line_end, pid, text, wid, number + line_end - begin)
                part = _Part(at, True)
            if rest:
                part.texts.append(rest)
                part.end, part.wid, part.number = end, wid, number + len(block)
                parts[pid] = part
    for pid, part in sorted(parts.items(), key=lambda item: item[1].end):
        line = part.line(part.end, pid, b"", part.wid, part.number)
        yield line._replace(has_end=False)


class _Part:
    """The beginning of a line that is being put together."""

    def __init__(self, at: float, has_beginning: bool) -> None:
        self.at = at
        self.has_beginning = has_beginning
        self.texts: list[bytes] = []
        self.end = self.wid = self.number = 0

    def line(self, end: int, pid: int, text: bytes, wid: int, number: int) -> Line:
        """Return the line with this end."""
        if self.texts:
            text = b"".join([*self.texts, text])
        is_cut = not self.has_beginning or len(text) > LONGEST_LINE
        return Line(end, self.at, pid, text[-LONGEST_LINE:], is_cut, True, wid, number)


def _beginning(first: _Record, before: list[_Page]) -> _Part:
    """Find the beginning of the line that a record continues."""
    part = _Part(first.at, False)
    for page in reversed(before):
        for record in reversed(page.records()):
            if record.pid == first.pid:
                _, newline, text = record.block.rpartition(b"\n")
                part.texts.insert(0, text)
                part.at = record.at
                if newline or record.is_first:
                    part.has_beginning = True
                    return part
    return part
