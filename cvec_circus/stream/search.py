"""Looking for texts in the lines that a process writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

HEAD = 4096
"""Bytes of the beginning of a line that are searched."""


class Sought:
    """The texts to find in all outputs of one process, until each has been found once.

    Safe from any thread: pumps search, the owner makes it.

    Args:
        texts: The texts to find, by a name for each.
        found: Called with a name when its text has appeared, on the thread of a pump.
    """

    def __init__(self, texts: Mapping[str, bytes], found: Callable[[str], object]) -> None:
        self.texts = dict(texts)
        self._found = found

    def find(self, name: str) -> None:
        """Note that a text has appeared; if two threads do so at once, one counts."""
        if self.texts.pop(name, None) is not None:
            self._found(name)


class Search:
    """Looks for texts in one output. Owned by the pump thread that reads it.

    A text may span blocks. Only the first 4 KiB of a line count, which bounds the cost of a block:
    beyond that a line is looked at once.
    """

    __slots__ = ("_head", "_size", "_sought")

    def __init__(self, sought: Sought) -> None:
        self._sought = sought
        self._head = b""  # the last bytes of an unfinished line, as far as they may begin a text
        self._size = 0  # bytes of that line so far

    def feed(self, block: bytes) -> bool:
        """Search a block; return whether any text is still missing."""
        texts = list(self._sought.texts.items())
        if not texts:
            return False
        begins = self._size - len(self._head)  # where in its line the first byte stands
        content = self._head + block
        for name, text in texts:
            if _has(content, text, begins):
                self._sought.find(name)
        newline = content.rfind(b"\n")
        self._size = len(content) + begins if newline < 0 else len(content) - newline - 1
        longest = max(len(text) for _, text in texts) - 1
        kept = min(longest, self._size, len(content)) if self._size < HEAD else 0
        self._head = content[len(content) - kept :]
        return bool(self._sought.texts)


def _has(content: bytes, text: bytes, begins: int) -> bool:
    """Tell whether a text is in the first part of a line.

    Args:
        content: What the lines consist of.
        text: The text to find.
        begins: Where in its line the content begins.
    """
    at = content.find(text)
    while at >= 0:
        line = content.rfind(b"\n", 0, at) + 1
        place = at - line + (0 if line else begins)
        if place + len(text) <= HEAD:
            return True
        end = content.find(b"\n", at)
        at = content.find(text, end) if end >= 0 else -1
    return False
