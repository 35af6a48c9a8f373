"""The last bytes that the processes of a watcher have written to one channel.

A pump appends each block as it was read; nothing is done per line. Lines are made when somebody
asks for them. A place in what was ever written is a number of bytes from its beginning, so whoever
has read to some place can ask for what came after it, and is told how much of that is gone.

A small block is copied to the end of a page, behind a head that says when and whose: it costs what
it is long, and 17 bytes. To keep what `os.read` returns would cost much more: a short block begins
a piece of 64 KiB whose rest no other block fits in. Large blocks are kept as they are, for to copy
them would show in the speed of a flood.
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from cvec_circus.base.clock import Clock

PAGE = 4 * 1024
LARGE = 16 * 1024

LONGEST_LINE = 32 * 1024
"""Bytes of a line that are shown; of one that is longer, the last ones."""

_HEAD = struct.Struct("<dII?")


class Line(NamedTuple):
    """A line. Immutable.

    Attributes:
        end: The place behind it.
        at: When its beginning was read, in seconds since 1970.
        pid: Whose it is.
        text: The bytes, without the newline.
        is_cut: Whether its beginning is missing: no longer there, or too long.
        has_end: Whether its end is there.
    """

    end: int
    at: float
    pid: int
    text: bytes
    is_cut: bool = False
    has_end: bool = True


class _Record(NamedTuple):
    """A block. Immutable. `is_first` tells whether it begins a line."""

    end: int
    at: float
    pid: int
    block: bytes
    is_first: bool

    @property
    def start(self) -> int:
        """The place of its first byte."""
        return self.end - len(self.block)


class _Page:
    """Some blocks. Owned by the history. Once there is a page behind it, it does not change."""

    __slots__ = ("content", "end")

    def __init__(self, content: bytearray | tuple[float, int, bytes, bool], end: int) -> None:
        self.content = content
        self.end = end

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return len(self.content if isinstance(self.content, bytearray) else self.content[2])

    def records(self) -> list[_Record]:
        """Take it apart."""
        if isinstance(self.content, tuple):
            return [_Record(self.end, *self.content)]
        found, at = [], 0
        while at < len(self.content):
            time, pid, size, is_first = _HEAD.unpack_from(self.content, at)
            at += _HEAD.size
            found.append((time, pid, bytes(self.content[at : at + size]), is_first))
            at += size
        end, records = self.end, []
        for row in reversed(found):
            records.append(_Record(end, *row))
            end -= len(row[2])
        return records[::-1]


class History:
    """What was written last to one channel. Safe from any thread: pumps write, others read.

    Attributes:
        limit: How many bytes are kept; memory for one more block may be in use. Not less than 1.
        end: The place behind the last byte.
    """

    __slots__ = ("_clock", "_lock", "_open", "_pages", "_size", "_waiting", "end", "limit")

    def __init__(self, limit: int, clock: Clock) -> None:
        """Make it empty: memory is taken as something is written."""
        self.limit = limit
        self.end = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._pages: deque[_Page] | None = None
        self._size = 0
        self._open: set[int] = set()  # the processes that are within a line
        self._waiting: list[Callable[[], object]] = []

    def append(self, block: bytes, pid: int) -> None:
        """Keep what was read from the pipe of a process."""
        at = self._clock.time()
        with self._lock:
            self._append(block, pid, at)
            if self._size > self.limit:
                self._discard()
            waiting = self._waiting
            if waiting:
                self._waiting = []
        for tell in waiting:
            tell()

    def finish(self, pid: int) -> None:
        """Learn that the pipe of a process has ended: what it wrote last is a line."""
        if pid in self._open:
            self.append(b"\n", pid)

    def _append(self, block: bytes, pid: int, at: float) -> None:
        is_first = pid not in self._open
        if block[-1] == 10:  # a newline
            if not is_first:
                self._open.discard(pid)
        elif is_first:
            self._open.add(pid)
        self.end += len(block)
        if self._pages is None:
            self._pages = deque()
        if len(block) >= LARGE:
            self._pages.append(_Page((at, pid, block, is_first), self.end))
            self._size += len(block)
            return
        last = self._pages[-1].content if self._pages else ()
        if not isinstance(last, bytearray) or len(last) >= PAGE:
            last = bytearray()
            self._pages.append(_Page(last, self.end))
        last += _HEAD.pack(at, pid, len(block), is_first)
        last += block
        self._pages[-1].end = self.end
        self._size += _HEAD.size + len(block)

    def _discard(self) -> None:
        """Let go of the oldest pages that are not needed for the limit."""
        assert self._pages is not None
        while self._size - self._pages[0].size >= self.limit:
            self._size -= self._pages.popleft().size

    def when_beyond(self, place: int, tell: Callable[[], object]) -> None:
        """Have a function called once, on any thread, when something is there behind a place."""
        with self._lock:
            if self.end <= place:
                self._waiting.append(tell)
                return
        tell()

    def last(self, count: int) -> tuple[int, list[Line]]:
        """Return so many lines from the end; one that has no end yet may be among them.

        Returns:
            The place to go on from, and the lines.
        """
        end, pages = self._snapshot()
        records: list[_Record] = []
        newlines = 0
        while pages and newlines <= count:
            records[:0] = found = pages.pop().records()
            newlines += sum(record.block.count(b"\n") for record in found)
        lines = list(_lines([records], pages, -1))
        return end, lines[max(0, len(lines) - count) :]

    def after(self, place: int) -> tuple[int, int, Iterator[Line]]:
        """Return the lines that end behind a place, in the order of their ends.

        Args:
            place: One that was returned before; 0 for all there is.

        Returns:
            How many bytes behind that place are no longer there, the place to go on from after all
            of the lines, and these.
        """
        end, pages = self._snapshot()
        place = 0 if place > end else place
        start = pages[0].records()[0].start if pages else end
        behind: list[_Page] = []
        while pages and pages[-1].end > place:
            behind.append(pages.pop())
        found = (page.records() for page in reversed(behind))
        return max(0, start - place), end, _lines(found, pages, place)

    def _snapshot(self) -> tuple[int, list[_Page]]:
        with self._lock:
            pages = list(self._pages or ())
            if pages and isinstance(pages[-1].content, bytearray):
                pages[-1] = _Page(bytearray(pages[-1].content), pages[-1].end)
            return self.end, pages


def _lines(found: Iterable[list[_Record]], before: list[_Page], place: int) -> Iterator[Line]:
    """Yield the lines that end behind a place, then those that have no end yet.

    Args:
        found: Records, in which the ends are. No more is taken of them than is needed.
        before: What was there before, where the beginnings may be.
        place: See above.
    """
    parts: dict[int, _Part] = {}
    known: set[int] = set()
    for records in found:
        for record in records:
            end, at, pid, block, is_first = record
            if pid not in known:
                known.add(pid)
                if not is_first:
                    parts[pid] = _beginning(record, before)
            part = parts.pop(pid, None) or _Part(at, True)
            *texts, rest = block.split(b"\n")
            line_end = record.start
            for text in texts:
                line_end += len(text) + 1
                if line_end > place:
                    yield part.line(line_end, pid, text)
                part = _Part(at, True)
            if rest:
                part.texts.append(rest)
                part.end = end
                parts[pid] = part
    for pid, part in sorted(parts.items(), key=lambda item: item[1].end):
        yield part.line(part.end, pid, b"")._replace(has_end=False)


class _Part:
    """The beginning of a line. Belongs to whoever puts lines together."""

    def __init__(self, at: float, has_beginning: bool) -> None:
        self.at = at
        self.has_beginning = has_beginning
        self.texts: list[bytes] = []
        self.end = 0

    def line(self, end: int, pid: int, text: bytes) -> Line:
        """Put its end to it."""
        if self.texts:
            text = b"".join([*self.texts, text])
        is_cut = not self.has_beginning or len(text) > LONGEST_LINE
        return Line(end, self.at, pid, text[-LONGEST_LINE:], is_cut)


def _beginning(first: _Record, before: list[_Page]) -> _Part:
    """Find the beginning of the line that a record goes on with."""
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
