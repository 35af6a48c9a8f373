"""What every class of streams has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cvec_circus import exc
from cvec_circus.stream.lines import Buffer, Lines
from cvec_circus.stream.losses import Losses

T = TypeVar("T")


def call(fn: Callable[..., object], *args: Any) -> None:
    """Call a function, where there is no other thread for it."""
    fn(*args)


def converted(option: str, convert: Callable[..., T], value: object, *args: object) -> T:
    """Convert what a stream is made with.

    Raises:
        cvec_circus.exc.OptionError: The value will not do.
    """
    try:
        return convert(value, *args)
    except ValueError as error:
        raise exc.OptionError(option, str(error)) from None


class BlockStream:
    """A stream that takes blocks of bytes. Owned by the thread that reads the pipes.

    A program that makes one by itself calls it like any stream of Circus:
    `stream({"data": b"...", "pid": 123})`.
    """

    def __call__(self, data: Mapping[str, Any]) -> None:
        """Write something at once, whether its last line is complete or not.

        Args:
            data: `data` is what to write, as bytes or text; `pid` is who wrote it.
        """
        block, pid = data["data"], data.get("pid", 0)
        self.write(block.encode() if isinstance(block, str) else block, pid)
        self.finish(pid)

    @property
    def lost(self) -> int:
        """Bytes that could not be written. Any thread may read it."""
        return 0

    @property
    def waiting(self) -> bool:
        """Whether `look` has something to do in a second."""
        return False

    def write(self, block: bytes, pid: int) -> None:
        """Take what was read from the pipe of a process."""
        raise NotImplementedError

    def finish(self, pid: int) -> None:
        """Learn that the pipe of a process has ended."""

    def look(self) -> None:
        """Do what is due: called once a second while something is waiting."""

    def reopen(self) -> None:
        """Open what it writes to, or open it anew."""

    def close(self) -> None:
        """Write what is held back and end."""


class Nowhere(BlockStream):
    """Drops everything: for output that is only kept in memory. Owned likewise."""

    def write(self, block: bytes, pid: int) -> None:
        """Drop it."""


class CountingStream(BlockStream):
    """A stream that counts what it cannot write. Owned by the thread that reads the pipes.

    Args:
        losses: Counts, and says so.
    """

    def __init__(self, losses: Losses) -> None:
        self._losses = losses

    @property
    def lost(self) -> int:
        """Bytes that could not be written. Any thread may read it."""
        return self._losses.total

    @property
    def waiting(self) -> bool:
        """Whether `look` has something to do in a second."""
        return self._losses.waiting

    def look(self) -> None:
        """Log what is lost."""
        self._losses.look()

    def close(self) -> None:
        """Log what is lost and not logged yet."""
        self._losses.settle()


class Lost(CountingStream):
    """Counts everything as lost: for output whose stream cannot be made. Owned likewise.

    Args:
        losses: Counts, and says so.
        why: The reason, for the log.
    """

    def __init__(self, losses: Losses, why: str) -> None:
        super().__init__(losses)
        self._why = why

    def write(self, block: bytes, pid: int) -> None:
        """Count it."""
        self._losses.count(len(block), self._why)

    def reopen(self) -> None:
        """Say why there will be nothing."""
        self._losses.note(f"{self._why}; its output is lost")


class LineStream(CountingStream):
    """A stream that writes lines, and counts what it cannot write. Owned like any other.

    Args:
        lines: Makes what is written of what is read.
        losses: Counts, and says so.
    """

    def __init__(self, lines: Lines, losses: Losses) -> None:
        super().__init__(losses)
        self._lines = lines

    @property
    def waiting(self) -> bool:
        """Whether `look` has something to do in a second."""
        return self._lines.waiting or super().waiting

    def write(self, block: bytes, pid: int) -> None:
        """Take what was read from the pipe of a process."""
        self._put_if_any(self._lines.feed(block, pid))

    def finish(self, pid: int) -> None:
        """Learn that the pipe of a process has ended: its last line needs no newline."""
        self._put_if_any(self._lines.finish(pid))

    def look(self) -> None:
        """Do what is due: called once a second while something is waiting."""
        self._put_if_any(self._lines.overdue())
        super().look()

    def close(self) -> None:
        """Write what is held back and say what is unsaid."""
        self._put_if_any(self._lines.rest())
        super().close()

    def _put_if_any(self, buffers: list[Buffer]) -> None:
        if buffers:
            self._put(buffers)

    def _put(self, buffers: list[Buffer]) -> None:
        """Write something, or count it as lost."""
        raise NotImplementedError
