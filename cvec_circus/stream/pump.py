"""The thread that reads what the children write, and hands it to their streams."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.stream.base import Lost, call
from cvec_circus.stream.load import Stream, make
from cvec_circus.stream.losses import Losses
from cvec_circus.stream.orders import RETRY_DELAY, Later, Orders, log_crash, never
from cvec_circus.stream.output import Pipe, Then
from cvec_circus.stream.reader import PipeReader
from cvec_circus.stream.source import Source

if TYPE_CHECKING:
    from cvec_circus.stream.history import History

DRAIN_TIMEOUT = 1.0
"""Seconds that a stream waits for pipes that something else than its processes holds open."""


class Pump(Orders):
    """Reads the children's pipes on a thread of its own. Safe from any thread.

    The thread starts with the first order. Orders are carried out one after the other; each method
    returns at once, with False once the pump has ended and nothing is done any more. While the
    system has no thread, orders wait, and what the children write waits in their pipes. A thread
    that dies is replaced, and loses only what it had just read.

    Attributes:
        name: That of the thread.
        about: What its streams are.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM,
        on_loss: Callable[[str], object] = logger.warning,
        on_crash: Callable[[BaseException, str], object] = log_crash,
        do: Callable[..., object] = call,
        later: Later = never,
        name: str = "pump",
        about: str = "files",
        spill: Callable[[Pipe], object] | None = None,
    ) -> None:
        """Make a pump, without its thread.

        Args:
            clock: Tells it and its streams the time.
            on_loss: Called on the pump's thread with a line for the log when output is lost.
            on_crash: Called on the pump's thread, with the exception and a description, when
                something ends it that should not.
            do: Calls a function that takes long, on another thread if there is one.
            later: Calls what tries again after a while.
            name: That of the thread.
            about: What its streams are, for the log.
            spill: Called on the pump's thread with each pipe that its output is done with before it
                has ended. Without it such a pipe is closed.
        """
        super().__init__(clock, on_crash, later, name, about)
        self._on_loss = on_loss
        self._do = do
        self._spill = spill
        self._wakeup: Wakeup | None = None
        self._reader: PipeReader | None = None
        self._stopping = False

    @property
    def lost(self) -> dict[Hashable, int]:
        """Bytes lost by each open stream."""
        reader = self._reader
        return {} if reader is None else reader.lost

    def open(
        self,
        key: Hashable,
        conf: Mapping[str, Any],
        source: Source | None = None,
        history: History | None = None,
        stream: Stream | None = None,
    ) -> bool:
        """Have a stream under a key.

        One that is there already is kept if its configuration is the same, else replaced; its
        pipes then lead to the new one. One that is being closed is not touched. Of one that cannot
        be made the output is lost, and counted.

        Args:
            key: The caller's name for it, such as (watcher id, "stdout").
            conf: As for `load.make`.
            source: Whose output it is.
            history: Keeps what was written last, as long as the stream is there.
            stream: The stream, instead of one that is made by `conf`.
        """
        return self.do(self._open, key, dict(conf), source or Source(), history, stream)

    def add(self, key: Hashable, fd: int, pid: int, source: Source | None = None) -> bool:
        """Read a pipe to its end, for the stream of that key, which must be open.

        Args:
            key: The stream.
            fd: The read end; it belongs to the pump from now on, whatever happens.
            pid: The process that writes to it.
            source: Whose output it is.
        """
        return self.take(Pipe(key, fd, pid, source or Source()))

    def take(self, pipe: Pipe) -> bool:
        """Read a pipe, as by `add`."""
        return self.take_by(self._take, pipe)

    def discard(self, pipe: Pipe) -> bool:
        """Read a pipe to its end, and drop what comes."""
        return self.take_by(self._discard, pipe)

    def release(self, key: Hashable, pid: int) -> bool:
        """Have a pipe spilled soon, if it does not end: nothing is left of its process."""
        return self.do(self._release, key, pid)

    def reopen(self, key: Hashable | None = None) -> bool:
        """Have the files opened anew, those of all streams unless a key is given."""
        return self.is_needed and self.do(self._reopen, key)

    def close(
        self, key: Hashable, drain_timeout: float = DRAIN_TIMEOUT, then: Then | None = None
    ) -> bool:
        """Have a stream closed when all its pipes have ended.

        Args:
            key: The stream; when there is none, only `then` is called.
            drain_timeout: Seconds after which it is closed although something, usually a
                grandchild, still holds a pipe open. What is in the pipe is read before; then the
                pipe is spilled.
            then: Called on the pump's thread when that is done.
        """
        return self.do(self._close, key, drain_timeout, then)

    def hand_over(self, key: Hashable, other: Pump) -> bool:
        """Have a stream closed at once, and its pipes read by another pump for its stream."""
        return self.do(self._hand_over, key, other)

    def stop(self, drain_timeout: float = DRAIN_TIMEOUT) -> bool:
        """Have all streams closed, as by `close`, and the thread end after that."""
        return not self._give_up() and self.do(self._stop, drain_timeout)

    def take_back(self, key: Hashable) -> list[Pipe]:
        """Return the discarded pipes of a stream whose processes live. On the pump's thread."""
        assert self._reader is not None
        return self._reader.take_back(key)

    # What follows runs on the pump's thread.

    def _wake(self) -> None:
        if self._wakeup is not None:
            self._wakeup.set()

    def _serve(self) -> None:
        reader, wakeup = self._prepare()
        self._obey()
        while not (self._stopping and reader.is_empty):
            if reader.turn():
                wakeup.clear()
                self._obey()

    def _prepare(self) -> tuple[PipeReader, Wakeup]:
        if self._reader is not None and self._wakeup is not None:
            self._reader.renew()
            return self._reader, self._wakeup
        wakeup = Wakeup()
        try:
            reader = PipeReader(self._clock, wakeup, self._spill)
        except OSError:
            wakeup.close()
            raise
        with self._lock:
            self._wakeup, self._reader = wakeup, reader
        return reader, wakeup

    def _finish(self) -> None:
        assert self._reader is not None and self._wakeup is not None
        self._obey()
        self._reader.shut()
        self._wakeup.close()

    def _open(
        self,
        key: Hashable,
        conf: Mapping[str, Any],
        source: Source,
        history: History | None,
        stream: Stream | None,
    ) -> None:
        if self._reader is not None and not self._stopping:
            faults = Losses(self._clock, self._on_loss)
            making = partial(self._make, conf, source) if stream is None else lambda: stream
            self._reader.open(key, conf, making, faults, history)

    def _make(self, conf: Mapping[str, Any], source: Source) -> Stream:
        try:
            return make(conf, self._clock, self._on_loss, self._do, source)
        except Exception as error:
            why = f"{source.watcher}: the stream of {source.channel} cannot be made: {error}"
            return Lost(Losses(self._clock, self._on_loss), why)

    def _take(self, pipe: Pipe) -> None:
        assert self._reader is not None
        self._try_to(self._reader.take, pipe, self.take)

    def _discard(self, pipe: Pipe) -> None:
        assert self._reader is not None
        self._try_to(self._reader.discard, pipe, self.discard)

    def _try_to(
        self, fn: Callable[[Pipe], None], pipe: Pipe, again: Callable[[Pipe], object]
    ) -> None:
        """Begin to read a pipe; where the system has no memory for that, in a while."""
        try:
            fn(pipe)
        except (OSError, MemoryError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EBADF):
                os.close(pipe.fd)
                raise  # it is no pipe
            self._later(RETRY_DELAY, partial(again, pipe))

    def _release(self, key: Hashable, pid: int) -> None:
        assert self._reader is not None
        self._reader.release(key, pid)

    def _reopen(self, key: Hashable | None) -> None:
        assert self._reader is not None
        self._reader.reopen(key)

    def _hand_over(self, key: Hashable, other: Pump) -> None:
        assert self._reader is not None
        for pipe in self._reader.give_away(key):
            other.take(pipe)

    def _close(self, key: Hashable, drain_timeout: float, then: Then | None) -> None:
        assert self._reader is not None
        self._reader.close(key, drain_timeout, then)

    def _stop(self, drain_timeout: float) -> None:
        self._stopping = True
        assert self._reader is not None
        self._reader.close_all(drain_timeout)
