"""The thread that reads what the children write, and hands it to their streams."""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base import threads
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.stream.base import Lost, call
from cvec_circus.stream.load import Stream, make
from cvec_circus.stream.losses import Losses
from cvec_circus.stream.output import Pipe, Then
from cvec_circus.stream.reader import PipeReader
from cvec_circus.stream.source import Source

if TYPE_CHECKING:
    from cvec_circus.stream.history import History

DRAIN_TIMEOUT = 1.0
"""Seconds that a stream waits for pipes that something else than its processes holds open."""

RETRY_DELAY = 1.0
"""Seconds to the next attempt at what the system has no thread, file or memory for."""

BIRTH_TIMEOUT = 10.0
"""Seconds after which a thread that was started and has done nothing is taken for dead."""

Later = Callable[[float, Callable[[], object]], object]
"""Calls a function in so many seconds, on another thread. It may be called on any thread."""


def log_crash(error: BaseException, description: str) -> None:
    """Say that something has ended the thread."""
    logger.error("%s has died of %r; another thread goes on", description, error)
    logger.debug("where %s died", description, exc_info=error)


def never(delay: float, fn: Callable[[], object]) -> None:
    """Leave it to the next order to try again, where nothing can tell the time."""


class Pump:
    """Reads the children's pipes on a thread of its own. Safe from any thread.

    The thread starts with the first order. Orders are carried out one after the other; each method
    returns at once, with False once the pump has ended and nothing is done any more. Nothing waits
    for the thread: while the system has none, orders wait, and what the children write waits in
    their pipes. A thread that dies is replaced, and loses only what it had just read.

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
        self.name = name
        self.about = about
        self._clock = clock
        self._on_loss = on_loss
        self._on_crash = on_crash
        self._do = do
        self._later = later
        self._spill = spill
        self._lock = threading.RLock()
        self._orders: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._done = threading.Event()
        self._wakeup: Wakeup | None = None
        self._reader: PipeReader | None = None
        self._running = False
        self._stopping = False
        self._ended = False
        self._born_by: float | None = None
        self._crashed_at: float | None = None
        self._refusal = ""

    @property
    def lost(self) -> dict[Hashable, int]:
        """Bytes lost by each open stream."""
        reader = self._reader
        return {} if reader is None else reader.lost

    def do(self, fn: Callable[..., object], *args: Any) -> bool:
        """Have a function called on the pump's thread."""
        with self._lock:
            if self._ended:
                return False
            self._orders.append((fn, args))
            if self._running and self._wakeup is not None:
                self._wakeup.set()
        if not self._running:
            self._start()
        return True

    def open(
        self,
        key: Hashable,
        conf: Mapping[str, Any],
        source: Source | None = None,
        history: History | None = None,
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
        """
        return self.do(self._open, key, dict(conf), source or Source(), history)

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
        with self._lock:
            if self.is_needed and not (self._refusal and not self._running):
                return self.do(self._stop, drain_timeout)
            self._ended = True
        self._abandon()
        return False

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether it has ended, or was never needed.
        """
        return not self.is_needed or self._done.wait(timeout)

    @property
    def is_needed(self) -> bool:
        """Whether there has been anything to do."""
        return bool(self._running or self._reader or self._orders or self._done.is_set())

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._done.is_set()

    def take_back(self, key: Hashable) -> list[Pipe]:
        """Return the discarded pipes of a stream whose processes live. On the pump's thread."""
        assert self._reader is not None
        return self._reader.take_back(key)

    def take_by(self, fn: Callable[[Pipe], object], pipe: Pipe) -> bool:
        """Have a function called with a pipe, as by `do`; after the end the pipe is closed."""
        if self.do(fn, pipe):
            return True
        os.close(pipe.fd)
        return False

    def _start(self) -> None:
        """Start a thread unless there is one, or may be in a moment. Never waits."""
        with self._lock:
            now = self._clock.monotonic()
            is_due = self._born_by is None or now >= self._born_by
            if self._running or self._ended or not is_due:
                return
            self._born_by = now + BIRTH_TIMEOUT
        thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._later(BIRTH_TIMEOUT, self._start_if_needed)
        try:
            threads.start(thread, self._refused)
        except RuntimeError as error:
            self._refused(error)

    def _refused(self, error: Exception) -> None:
        """Learn that the system has no thread. Nothing is logged here: see `threads.start`."""
        with self._lock:
            is_first, self._refusal = not self._refusal, str(error)
            self._born_by = self._clock.monotonic() + RETRY_DELAY
        self._later(RETRY_DELAY, partial(self._try_again, is_first))

    def _try_again(self, is_first: bool) -> None:
        if is_first and self._refusal:
            said = "%s: no thread to read output now: %s; it waits in its pipes"
            logger.warning(said, self.name, self._refusal)
        self._start_if_needed()

    def _start_if_needed(self) -> None:
        if self.is_needed:
            self._start()

    def _abandon(self) -> None:
        """Let go of what a thread that never came should have read."""
        for _, args in self._orders:
            for pipe in args:
                if isinstance(pipe, Pipe):
                    os.close(pipe.fd)
        self._orders.clear()
        self._done.set()

    # What follows runs on the pump's thread.

    def _run(self) -> None:
        with self._lock:
            if self._running or self._ended:
                return  # another one was started, because this one came so late
            self._running = True
            self._born_by, self._refusal = None, ""
        try:
            reader, wakeup = self._prepare()
            self._obey()
            while not (self._stopping and reader.is_empty):
                if reader.turn():
                    wakeup.clear()
                    self._obey()
        except BaseException as error:
            self._crash(error)
        else:
            self._end(reader, wakeup)

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

    def _crash(self, error: BaseException) -> None:
        """Have another thread go on, at once or, after a second crash, in a moment."""
        now = self._clock.monotonic()
        is_second = self._crashed_at is not None and now < self._crashed_at + RETRY_DELAY
        with self._lock:
            self._running = False
            self._crashed_at = now
            self._born_by = now + RETRY_DELAY if is_second else None
        try:
            if not is_second:
                self._on_crash(error, f"the thread {self.name} ({self.about})")
        finally:
            if is_second:
                self._later(RETRY_DELAY, self._start)
            else:
                self._start()

    def _end(self, reader: PipeReader, wakeup: Wakeup) -> None:
        with self._lock:
            self._ended = True
            self._running = False
        try:
            self._obey()
            reader.shut()
            wakeup.close()
        finally:
            self._done.set()

    def _obey(self) -> None:
        while self._orders:
            fn, args = self._orders.popleft()
            try:
                fn(*args)
            except Exception:
                logger.exception("the pump cannot carry out %s%r", fn.__name__[1:], args)

    def _open(
        self, key: Hashable, conf: Mapping[str, Any], source: Source, history: History | None
    ) -> None:
        if self._reader is not None and not self._stopping:
            faults = Losses(self._clock, self._on_loss)
            making = partial(self._make, conf, source)
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
