"""What every class of streams has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def call(fn: Callable[..., object], *args: Any) -> None:
    """Call a function, where there is no other thread for it."""
    fn(*args)


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
