"""A stream with its pipes, isolated from the stream's exceptions."""

from __future__ import annotations

import contextlib
import fcntl
import sys
import termios
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.named import NamedTuple
from cvec_circus.stream.base import FINISHED, UNKNOWN, Source, Stream, Unfinished

if TYPE_CHECKING:
    from cvec_circus.stream.history import History
    from cvec_circus.stream.search import Search

Then = Callable[[], object]


F_SETPIPE_SZ = 1031  # fcntl has it from Python 3.10 on
LARGER_PIPE = 256 * 1024
LARGER_PIPES = 64
"""How many pipes are enlarged at a time. A flood in blocks of 4 KiB is up to 1.4 times as fast
through a larger pipe, at two thirds of our CPU time; but fs.pipe-user-pages-soft gives a user
64 MiB in all, and only tiny pipes beyond."""

GAP = b"-- cvec_circus: up to 64 KiB may be missing here, the daemon was killed --\n"
"""The line that marks where an earlier daemon may have read but not written output."""


class Wanted(NamedTuple):
    """An output as its watcher's options describe it. Immutable.

    Attributes:
        key: The caller's name for it, such as (watcher, "stdout").
        conf: The configuration of its stream, as for `base.make`.
        source: Whose output it is.
        history: Keeps the latest output; None to keep nothing.
    """

    key: Hashable
    conf: Mapping[str, Any]
    source: Source = UNKNOWN
    history: History | None = None


class Pipe:
    """The read end of one pipe. Owned by the thread of the pump that reads it.

    Attributes:
        key, pid: The output and the process that it was made for.
        output: Its destination; None on the way from one pump to another.
        larger: Whether it has been enlarged.
        part_at: When it is taken from its output, because only strays hold it open; None while the
            process lives, or something is left in its group.
        search: Looks for texts; None if there are none.
        is_marked: Whether the mark for possibly missing output is not needed.
        line: What a stream before had unfinished.
    """

    __slots__ = (
        *("fd", "is_marked", "key", "larger", "line", "output", "part_at", "pid"),
        *("search", "source"),
    )

    def __init__(
        self,
        key: Hashable,
        fd: int,
        pid: int,
        source: Source,
        search: Search | None = None,
        line: Unfinished = FINISHED,
    ) -> None:
        self.key = key
        self.fd = fd
        self.pid = pid
        self.source = source
        self.output: Output | None = None
        self.larger = False
        self.part_at: float | None = None
        self.search = search
        self.is_marked = not source.is_adopted
        self.line = line

    def enlarge(self) -> None:
        """Enlarge the pipe, if the user's limit of pages allows it."""
        self.larger = True
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.fd, F_SETPIPE_SZ, LARGER_PIPE)

    @property
    def filled(self) -> int:
        """Bytes that are in it. Any thread may ask."""
        size = bytearray(4)
        with contextlib.suppress(OSError):  # its reader has just closed it
            fcntl.ioctl(self.fd, termios.FIONREAD, size)
        return int.from_bytes(size, sys.byteorder)

    def marked(self, block: bytes) -> bytes:
        """Return a block with `GAP` behind its first line, the rest of one perhaps."""
        head, newline, rest = block.partition(b"\n")
        if not newline:
            return block
        self.is_marked = True
        return b"".join((head, newline, GAP, rest))


class Output:
    """The output of one key of the pump; called like a `Stream`. Owned by the pump thread.

    Attributes:
        key, conf, history: See `Wanted`.
        about: Its name in the log, such as "stdout of web".
        pipes: The pipes that have not ended, by file descriptor.
        deadline: When it is closed although some have not; None while it is not being closed.
        thens: Called when it is closed.
    """

    def __init__(self, wanted: Wanted, stream: Stream) -> None:
        """Open the stream."""
        self.key, self.conf, source, self.history = wanted
        self.pipes: dict[int, Pipe] = {}
        self.deadline: float | None = None
        self.thens: list[Then] = []
        self._stream = stream
        self._has_raised = False
        self._at_hand = 0
        self.about = f"{source.channel} of {source.watcher or self.key}"
        self._name = f"{source.watcher or self.key}: its stream for {source.channel}"
        self._channel = source.channel
        self._lost_before = 0  # by streams that this one has replaced
        self.reopen()

    @property
    def lost(self) -> int:
        """Bytes lost so far. Any thread may read it."""
        return self._lost_before + self._stream.lost

    @property
    def trouble(self) -> str:
        """See `Stream`. Any thread may read it."""
        return self._stream.trouble

    @property
    def unwritten(self) -> int:
        """Bytes in its pipes, and in the block that it writes just now. Any thread may read it."""
        return self._at_hand + sum(pipe.filled for pipe in list(self.pipes.values()))

    @property
    def waiting(self) -> bool:
        return self._stream.waiting

    def replace(self, conf: Mapping[str, Any], stream: Stream) -> None:
        """Switch to another stream."""
        self._guard(0, self._stream.close)
        self._lost_before += self._stream.lost
        self.conf, self._stream = conf, stream
        self.reopen()
        for pipe in self.pipes.values():
            self._guard(0, stream.begin, pipe.pid, pipe.source)

    def begin(self, pipe: Pipe) -> None:
        self.pipes[pipe.fd] = pipe
        self._guard(0, self._stream.begin, pipe.pid, pipe.source)
        line, pipe.line = pipe.line, FINISHED
        self._guard(len(line.held), self._stream.go_on, pipe.pid, line)

    def give_up(self, pipe: Pipe) -> None:
        """Let the stream that goes on with a pipe have what is unfinished."""
        pipe.line = self._stream.give_up(pipe.pid)

    def write(self, block: bytes, pipe: Pipe) -> None:
        if self.history is not None:
            self.history.append(block, pipe.pid, pipe.source.wid)
        self._at_hand = len(block)
        self._guard(len(block), self._stream.write, block, pipe.pid)
        self._at_hand = 0

    def finish(self, pipe: Pipe) -> None:
        if self.history is not None:
            self.history.finish(pipe.pid, pipe.source.wid)
        self._guard(0, self._stream.finish, pipe.pid)

    def look(self) -> None:
        self._guard(0, self._stream.look)

    def reopen(self) -> None:
        self._guard(0, self._stream.reopen)

    def close(self) -> None:
        """End the stream, and call the functions that wait for that."""
        self._guard(0, self._stream.close)
        self._stream.losses.settle()
        thens, self.thens = self.thens, []
        for then in thens:
            try:
                then()
            except Exception:
                logger.exception("%s: a call after its end failed", self._name)

    def _guard(self, size: int, fn: Callable[..., None], *args: Any) -> None:
        """Call the stream; an exception costs `size` bytes of its output, and nothing else."""
        try:
            fn(*args)
        except Exception as error:
            if not self._has_raised:
                self._has_raised = True
                logger.exception("%s raised an exception", self._name)
            self._stream.losses.count(size, f"its stream for {self._channel} raised {error!r}")
