"""Turning blocks from several pipes into whole lines of one stream.

A pipe is read 64 KiB at a time, which may end within a line. When several processes share a stream,
another process' output must not split that line, so whatever follows the last newline of a block is
held back until its line is complete. Nothing is done per line: a block is cut at its last newline,
and time stamps are put into it by one `bytes.replace`.

A held part is written unfinished when it grows beyond `LONGEST_HELD`, when its pipe ends, and after
two calls of `overdue`, which the pump makes a second apart: a prompt, or progress dots, must show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cvec_circus.base.clock import Clock
from cvec_circus.base.overrides import overridden
from cvec_circus.stream.appendfile import Buffer
from cvec_circus.stream.base import Context, Source, Stream, Unfinished

LONGEST_HELD = 64 * 1024


class Lines:
    """Unchanged lines. Owned by the stream's thread."""

    def __init__(self) -> None:
        self._held: dict[int, bytearray] = {}
        self._seen: set[int] = set()

    @property
    def waiting(self) -> bool:
        """Whether a part of a line is held back."""
        return bool(self._held)

    def feed(self, block: bytes, pid: int) -> list[Buffer]:
        """Take a block and return what can be written now, as buffers for writev."""
        cut = block.rfind(b"\n") + 1
        if not cut:
            return self._hold_more(block, pid)
        part = self._held.pop(pid, b"")
        self._seen.discard(pid)
        lines = memoryview(block)
        if cut < len(block):
            self._held[pid] = bytearray(lines[cut:])
            lines = lines[:cut]
        return self._finished(part, lines, pid)

    def finish(self, pid: int) -> list[Buffer]:
        """Return the rest of a process whose pipe has ended."""
        part = self._held.pop(pid, None)
        self._seen.discard(pid)
        return self._unfinished(part, pid) if part else []

    def give_up(self, pid: int) -> Unfinished:
        """See `Stream`."""
        self._seen.discard(pid)
        return Unfinished(bytes(self._held.pop(pid, b"")))

    def go_on(self, pid: int, line: Unfinished) -> None:
        """See `Stream`."""
        if line.held:
            self._held[pid] = bytearray(line.held)

    def overdue(self) -> list[Buffer]:
        """Return parts held since the last call, although their lines have no end yet."""
        buffers: list[Buffer] = []
        for pid in self._seen:
            buffers += self._unfinished(self._held.pop(pid), pid)
        self._seen = set(self._held)
        return buffers

    def rest(self) -> list[Buffer]:
        """Return everything held: nothing more will come."""
        return [buffer for pid in list(self._held) for buffer in self.finish(pid)]

    def interrupt(self) -> bool:
        """Note that a write failed; return whether the file now ends within one of our lines."""
        return False

    def _hold_more(self, block: bytes, pid: int) -> list[Buffer]:
        part = self._held.setdefault(pid, bytearray())
        part += block
        if len(part) <= LONGEST_HELD:
            return []
        del self._held[pid]
        self._seen.discard(pid)
        return self._unfinished(part, pid)

    def _finished(self, part: Buffer, lines: memoryview, pid: int) -> list[Buffer]:
        """Return whole lines; `part` is the beginning of the first one."""
        return [part, lines] if part else [lines]

    def _unfinished(self, part: Buffer, pid: int) -> list[Buffer]:
        """Return a part of a line whose end may follow."""
        return [part]


class Tail:
    """The unfinished end of an output of several `PrefixedLines`. Owned by their streams' thread.

    Attributes:
        open: Whose line is not finished: which lines, and the process.
    """

    open: tuple[PrefixedLines, int] | None = None


class PrefixedLines(Lines):
    """Lines with a prefix. Owned by the stream's thread.

    If the output ends with an unfinished line, its process continues it. If another process writes
    first, the line is split, and its rest begins a new line, with a mark.
    """

    def __init__(self, tail: Tail | None = None) -> None:
        super().__init__()
        self.tail = tail or Tail()
        self._broken: set[int] = set()

    def finish(self, pid: int) -> list[Buffer]:
        buffers = super().finish(pid)
        if self.tail.open == (self, pid):
            self.tail.open = None
            buffers.append(b"\n")
        self._broken.discard(pid)
        return buffers

    def give_up(self, pid: int) -> Unfinished:
        is_open, is_broken = self.tail.open == (self, pid), pid in self._broken
        if is_open:
            self.tail.open = None
        self._broken.discard(pid)
        return Unfinished(super().give_up(pid).held, is_open, is_broken)

    def go_on(self, pid: int, line: Unfinished) -> None:
        super().go_on(pid, line)
        if line.is_open:
            self.tail.open = self, pid
        if line.is_broken:
            self._broken.add(pid)

    def interrupt(self) -> bool:
        if self.tail.open is None:
            return False
        self._break_off()
        self.tail.open = None
        return True

    def _prefix(self, pid: int, is_rest: bool = False) -> bytes:
        """Return the prefix of a line; `is_rest` if it continues a split line."""
        raise NotImplementedError

    def _finished(self, part: Buffer, lines: memoryview, pid: int) -> list[Buffer]:
        prefix = self._prefix(pid)
        lead = self._lead(prefix, pid)
        self.tail.open = None
        if not prefix:
            return [lead, part, lines]
        return [lead, part, bytes(lines[:-1]).replace(b"\n", b"\n" + prefix), b"\n"]

    def _unfinished(self, part: Buffer, pid: int) -> list[Buffer]:
        lead = self._lead(self._prefix(pid), pid)
        self.tail.open = self, pid
        return [lead, part]

    def _lead(self, prefix: bytes, pid: int) -> bytes:
        """Return the text before the next output of the process."""
        if self.tail.open == (self, pid):
            return b""
        if pid in self._broken:
            self._broken.discard(pid)
            prefix = self._prefix(pid, is_rest=True)
        if self.tail.open is None:
            return prefix
        self._break_off()
        return b"\n" + prefix

    def _break_off(self) -> None:
        assert self.tail.open is not None
        lines, pid = self.tail.open
        lines._broken.add(pid)


def moment(stream: Any, data: Mapping[str, Any]) -> datetime:
    """Return the time of what a stream was called with, by the methods of Circus' streams."""
    if "timestamp" in data and not overridden(type(stream), ("now",)):
        return stream.fromtimestamp(data["timestamp"])  # type: ignore[no-any-return]
    return stream.now()  # type: ignore[no-any-return]


class StampedLines(PrefixedLines):
    """Lines that begin with `<time> [<pid>] | `, marked `|+ `. Owned by the stream's thread.

    Attributes:
        moment: The time of what is fed next; None for the present.
    """

    moment: datetime | None = None

    def __init__(self, time_format: str, clock: Clock) -> None:
        """Make it for one stream; the format is for strftime, in local time.

        Raises:
            ValueError: strftime rejects the format.
        """
        super().__init__()
        self._format = time_format
        self._clock = clock
        # A second goes by between two calls of strftime, unless the format shows microseconds.
        self._resolution = 1_000_000 if "%f" in time_format else 1
        self._tick = -1
        self._time = b""
        self._now()

    def _prefix(self, pid: int, is_rest: bool = False) -> bytes:
        return b"%s [%d] |%s " % (self._now(), pid, b"+" if is_rest else b"")

    def _now(self) -> bytes:
        if self.moment is not None:
            return self.moment.strftime(self._format).encode("utf-8", "surrogateescape")
        now = self._clock.time()
        tick = int(now * self._resolution)
        if tick != self._tick:
            self._tick = tick
            text = datetime.fromtimestamp(now).strftime(self._format)
            self._time = text.encode("utf-8", "surrogateescape")
        return self._time


class JsonLines(Lines):
    """Each line becomes `{"time", "watcher", "stream", "pid", "text"}`. Owned likewise.

    Bytes that are not UTF-8 are shown as `\\xff`. A part that goes out before its line has an end
    also has `"partial": true`. The time is in seconds since 1970 unless there is a format.
    """

    def __init__(self, time_format: str | None, clock: Clock, source: Source) -> None:
        super().__init__()
        self._format = time_format
        self._clock = clock
        self._source = source

    def _finished(self, part: Buffer, lines: memoryview, pid: int) -> list[Buffer]:
        return [self._objects((bytes(part) + bytes(lines)[:-1]).split(b"\n"), pid, {})]

    def _unfinished(self, part: Buffer, pid: int) -> list[Buffer]:
        return [self._objects([bytes(part)], pid, {"partial": True})]

    def _objects(self, texts: list[bytes], pid: int, more: dict[str, bool]) -> bytes:
        now = self._clock.time()
        row = {
            "time": datetime.fromtimestamp(now).strftime(self._format) if self._format else now,
            "watcher": self._source.watcher,
            "stream": self._source.channel,
            "pid": pid,
        }
        rows = [
            json.dumps({**row, "text": text.decode("utf-8", "backslashreplace"), **more})
            for text in texts
        ]
        return "\n".join([*rows, ""]).encode()


class LineStream(Stream):
    """A stream that writes lines, as `lines` makes them. Owned by the thread that reads."""

    def __init__(self, lines: Lines, context: Context) -> None:
        super().__init__(context)
        self._lines = lines

    @property
    def waiting(self) -> bool:
        return self._lines.waiting or super().waiting

    def write(self, block: bytes, pid: int) -> None:
        self._put_if_any(self._lines.feed(block, pid))

    def finish(self, pid: int) -> None:
        self._put_if_any(self._lines.finish(pid))

    def give_up(self, pid: int) -> Unfinished:
        return self._lines.give_up(pid)

    def go_on(self, pid: int, line: Unfinished) -> None:
        self._lines.go_on(pid, line)

    def look(self) -> None:
        self._put_if_any(self._lines.overdue())
        super().look()

    def close(self) -> None:
        self._put_if_any(self._lines.rest())
        super().close()

    def _put_if_any(self, buffers: list[Buffer]) -> None:
        if buffers:
            self._put(buffers)

    def _put(self, buffers: list[Buffer]) -> None:
        """Write buffers, or count them as lost."""
        raise NotImplementedError
