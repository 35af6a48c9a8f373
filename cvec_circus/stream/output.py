"""A stream with the pipes that lead to it, and a fence around what it may raise."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.stream.load import Stream
from cvec_circus.stream.losses import Losses
from cvec_circus.stream.source import Source

if TYPE_CHECKING:
    from cvec_circus.stream.history import History

Then = Callable[[], object]


class Pipe:
    """The read end of one pipe. Owned by the thread of the pump that reads it.

    Attributes:
        key: The output that it was made for.
        fd: It.
        pid: The process that it was made for.
        source: Whose output it is.
        output: Where its content goes; None on the way from one pump to another.
        larger: Whether it has been enlarged.
        part_at: When it is taken from its output, because only strays hold it open; None while the
            process lives, or something is left in its group.
    """

    __slots__ = ("fd", "key", "larger", "output", "part_at", "pid", "source")

    def __init__(self, key: Hashable, fd: int, pid: int, source: Source) -> None:
        self.key = key
        self.fd = fd
        self.pid = pid
        self.source = source
        self.output: Output | None = None
        self.larger = False
        self.part_at: float | None = None


class Output:
    """What one key of the pump stands for. Owned by the pump thread.

    Attributes:
        key: The key.
        conf: The configuration of the stream.
        pipes: The pipes that have not ended, by file descriptor.
        deadline: When it is closed although some have not; None while it is not being closed.
        thens: What is called when it is closed.
        history: Keeps what was written last; None if nobody wants it.
    """

    def __init__(
        self,
        key: Hashable,
        conf: Mapping[str, Any],
        stream: Stream,
        faults: Losses,
        history: History | None = None,
    ) -> None:
        """Open the stream.

        Args:
            key: See the class.
            conf: Likewise.
            stream: Not opened yet.
            faults: Counts what is lost because the stream raises.
            history: See the class.
        """
        self.key = key
        self.history = history
        self.conf = conf
        self.pipes: dict[int, Pipe] = {}
        self.deadline: float | None = None
        self.thens: list[Then] = []
        self._stream = stream
        self._faults = faults
        self._lost_before = 0  # what the streams have lost that this one replaced
        self.reopen()

    @property
    def lost(self) -> int:
        """Bytes lost so far. Any thread may read it."""
        return self._lost_before + self._faults.total + self._stream.lost

    @property
    def waiting(self) -> bool:
        """Whether the stream has something to do in a second."""
        return self._stream.waiting

    def replace(self, conf: Mapping[str, Any], stream: Stream) -> None:
        """Go on with another stream."""
        self._guard(0, self._stream.close)
        self._lost_before += self._stream.lost
        self.conf, self._stream = conf, stream
        self.reopen()

    def write(self, block: bytes, pid: int) -> None:
        """Hand the stream a block."""
        if self.history is not None:
            self.history.append(block, pid)
        self._guard(len(block), self._stream.write, block, pid)

    def finish(self, pid: int) -> None:
        """Tell the stream that a process' pipe has ended."""
        if self.history is not None:
            self.history.finish(pid)
        self._guard(0, self._stream.finish, pid)

    def look(self) -> None:
        """Let the stream do what is due."""
        self._guard(0, self._stream.look)

    def reopen(self) -> None:
        """Have the stream open its file."""
        self._guard(0, self._stream.reopen)

    def close(self) -> None:
        """End the stream, and tell those who wait for it."""
        self._guard(0, self._stream.close)
        self._faults.settle()
        thens, self.thens = self.thens, []
        for then in thens:
            try:
                then()
            except Exception:
                logger.exception("a call after the end of the stream of %r has failed", self.key)

    def _guard(self, size: int, fn: Callable[..., None], *args: Any) -> None:
        """Call the stream; what it raises costs it `size` bytes, and nobody else anything."""
        try:
            fn(*args)
        except Exception as error:
            if not self._faults.total:
                logger.exception("the stream of %r has a fault", self.key)
            self._faults.count(size, f"the stream of {self.key!r} has raised {error!r}")
