"""Blocks as they come out of several pipes, turned into whole lines of one file.

A pipe is read 64 KiB at a time, wherever in a line that ends. When several processes share a
stream, the end of such a line must not have another process' output before it, so what comes after
the last newline of a block is held back until its line is complete. Nothing is done per line: a
block is cut at its last newline.

A held part goes out unfinished when it grows beyond `LONGEST_HELD`, when its pipe ends, and when it
has seen two calls of `overdue`, which the pump makes a second apart: a prompt, or progress dots,
must show.
"""

from __future__ import annotations

from typing import Union

LONGEST_HELD = 64 * 1024

Buffer = Union[bytes, bytearray, memoryview]


class Lines:
    """Lines as they are, byte for byte. Owned by the pump thread."""

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
        """Return what is left of a process whose pipe has ended."""
        part = self._held.pop(pid, None)
        self._seen.discard(pid)
        return self._unfinished(part, pid) if part else []

    def overdue(self) -> list[Buffer]:
        """Return what has been held since the last call, although its line has no end yet."""
        buffers: list[Buffer] = []
        for pid in self._seen:
            buffers += self._unfinished(self._held.pop(pid), pid)
        self._seen = set(self._held)
        return buffers

    def rest(self) -> list[Buffer]:
        """Return all that is held: nothing more will come."""
        buffers: list[Buffer] = []
        for pid in list(self._held):
            buffers += self.finish(pid)
        return buffers

    def interrupt(self) -> bool:
        """Learn that a write has failed; return whether the file now ends within a line of ours."""
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
