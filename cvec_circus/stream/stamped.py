"""Lines that begin with the time. Stamps are put into a block by one `bytes.replace`."""

from __future__ import annotations

from datetime import datetime

from cvec_circus.base.clock import Clock
from cvec_circus.stream.lines import Buffer, Lines


class StampedLines(Lines):
    """Lines that begin with `<time> [<pid>] | `. Owned by the pump thread.

    When an unfinished line ends the file, its process continues it there. When another process
    writes first, the line is broken off, and what follows of it is marked: `<time> [<pid>] |+ `.
    """

    def __init__(self, time_format: str, clock: Clock) -> None:
        """Make it for one stream.

        Args:
            time_format: As for strftime, in local time.
            clock: Tells the time.

        Raises:
            ValueError: The format is none.
        """
        super().__init__()
        self._format = time_format
        self._clock = clock
        # A second goes by between two calls of strftime, unless microseconds are to be seen.
        self._resolution = 1_000_000 if "%f" in time_format else 1
        self._tick = -1
        self._time = b""
        self._open: int | None = None
        self._broken: set[int] = set()
        self._now()

    def finish(self, pid: int) -> list[Buffer]:
        buffers = super().finish(pid)
        if self._open == pid:
            self._open = None
            buffers.append(b"\n")
        self._broken.discard(pid)
        return buffers

    def interrupt(self) -> bool:
        if self._open is None:
            return False
        self._broken.add(self._open)
        self._open = None
        return True

    def _finished(self, part: Buffer, lines: memoryview, pid: int) -> list[Buffer]:
        prefix = b"%s [%d] | " % (self._now(), pid)
        lead = self._lead(prefix, pid)
        self._open = None
        stamped = bytes(lines[:-1]).replace(b"\n", b"\n" + prefix)
        return [lead, part, stamped, b"\n"]

    def _unfinished(self, part: Buffer, pid: int) -> list[Buffer]:
        lead = self._lead(b"%s [%d] | " % (self._now(), pid), pid)
        self._open = pid
        return [lead, part]

    def _lead(self, prefix: bytes, pid: int) -> bytes:
        """Return what stands before the next thing that the process writes."""
        if self._open == pid:
            return b""
        if pid in self._broken:
            self._broken.discard(pid)
            prefix = prefix[:-1] + b"+ "
        if self._open is None:
            return prefix
        self._broken.add(self._open)
        return b"\n" + prefix

    def _now(self) -> bytes:
        now = self._clock.time()
        tick = int(now * self._resolution)
        if tick != self._tick:
            self._tick = tick
            text = datetime.fromtimestamp(now).strftime(self._format)
            self._time = text.encode("utf-8", "surrogateescape")
        return self._time
