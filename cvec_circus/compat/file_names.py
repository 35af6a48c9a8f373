"""What classes derived from Circus' file streams read and call of them, beside what is public."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class FileNames:
    """The inner names of a file stream in Circus. Owned by the thread that calls the stream."""

    filename: str
    _file: Any
    open: Callable[[], None]
    _rotate: Callable[[], bool]

    @property
    def _filename(self) -> str:
        """The name of the file."""
        return self.filename

    def _open(self) -> Any:
        """Open the file, and return it."""
        self.open()
        return self._file

    def _should_rollover(self, raw_data: Any) -> bool:
        """Return False: a write rotates the file by itself when that is due."""
        return False

    def _do_rollover(self) -> None:
        """Rotate the file now."""
        self.open()
        self._rotate()


class TextFile:
    """What such a class writes to by itself. Owned by the thread that writes."""

    _filename: str
    trouble: str
    fileno: Callable[[], int]
    open: Callable[[], bool]
    size: Callable[[], int]
    append: Callable[[Sequence[Any], int], int]

    @property
    def name(self) -> str:
        """The absolute name of the file."""
        return self._filename

    @property
    def closed(self) -> bool:
        """Whether it is not open; `write` opens it."""
        return self.fileno() < 0

    def write(self, text: str) -> int:
        """Append text, and return its length.

        Raises:
            OSError: Not all of it could be written.
        """
        data = text.encode(errors="backslashreplace")
        if (self.closed and not self.open()) or self.append([data], len(data)):
            raise OSError(f"cannot write to {self._filename}: {self.trouble}")
        return len(text)

    def flush(self) -> None:
        """Do nothing: `write` has written everything."""

    def tell(self) -> int:
        """Return the size of the file, at whose end everything is written."""
        return self.size()
