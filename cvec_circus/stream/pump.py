"""The thread that reads what the children write, and hands it to their streams."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.stream.base import call
from cvec_circus.stream.load import Stream, make
from cvec_circus.stream.losses import Losses
from cvec_circus.stream.output import Then
from cvec_circus.stream.reader import PipeReader
from cvec_circus.stream.source import Source

if TYPE_CHECKING:
    from cvec_circus.stream.history import History

DRAIN_TIMEOUT = 1.0
"""Seconds that a stream waits for pipes that something else than its processes holds open."""


def log_crash(error: BaseException, description: str) -> None:
    """Say that something has ended the thread."""
    logger.critical("%s has crashed", description, exc_info=error)


class Pump:
    """Reads the children's pipes on a thread of its own. Safe from any thread.

    The thread starts with the first order. Orders are carried out one after the other; each method
    returns at once, with False once the pump has ended and nothing is done any more.

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
        name: str = "pump",
        about: str = "files",
    ) -> None:
        """Make a pump, without its thread.

        Args:
            clock: Tells it and its streams the time.
            on_loss: Called on the pump's thread with a line for the log when output is lost.
            on_crash: Called on the pump's thread, with the exception and a description, when
                something ends it that should not.
            do: Calls a function that takes long, on another thread if there is one.
            name: That of the thread.
            about: What its streams are, for the log.
        """
        self._do = do
        self.name = name
        self.about = about
        self._clock = clock
        self._on_loss = on_loss
        self._on_crash = on_crash
        self._lock = threading.RLock()
        self._orders: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._thread: threading.Thread | None = None
        self._reader: PipeReader
        self._wakeup: Wakeup
        self._stopping = False
        self._ended = False

    @property
    def lost(self) -> dict[Hashable, int]:
        """Bytes lost by each open stream."""
        return {} if self._thread is None else self._reader.lost

    def open(
        self,
        key: Hashable,
        conf: Mapping[str, Any],
        source: Source | None = None,
        history: History | None = None,
    ) -> bool:
        """Have a stream under a key.

        One that is there already is kept if its configuration is the same, else replaced; its
        pipes then lead to the new one. One that is being closed is not touched.

        Args:
            key: The caller's name for it, such as (watcher id, "stdout").
            conf: As for `load.make`.
            source: Whose output it is.
            history: Keeps what was written last, as long as the stream is there.

        Raises:
            cvec_circus.exc.OptionError: The configuration will not do.
        """
        stream = make(conf, self._clock, self._on_loss, self._do, source or Source())
        return self._order(self._open, key, dict(conf), stream, history)

    def add(self, key: Hashable, fd: int, pid: int) -> bool:
        """Read a pipe to its end, for the stream of that key, which must be open.

        Args:
            key: The stream.
            fd: The read end; it belongs to the pump from now on, whatever happens.
            pid: The process that writes to it.
        """
        if self._order(self._add, key, fd, pid):
            return True
        os.close(fd)
        return False

    def reopen(self, key: Hashable | None = None) -> bool:
        """Have the files opened anew, those of all streams unless a key is given."""
        return self._thread is not None and self._order(self._reopen, key)

    def close(
        self, key: Hashable, drain_timeout: float = DRAIN_TIMEOUT, then: Then | None = None
    ) -> bool:
        """Have a stream closed when all its pipes have ended.

        Args:
            key: The stream; when there is none, only `then` is called.
            drain_timeout: Seconds after which it is closed although something, usually a
                grandchild, still holds a pipe open. What is in the pipe is read before.
            then: Called on the pump's thread when that is done.
        """
        return self._order(self._close, key, drain_timeout, then)

    def hand_over(self, key: Hashable, other: Pump) -> bool:
        """Have a stream closed at once, and its pipes read by another pump for its stream."""
        return self._order(self._hand_over, key, other)

    def stop(self, drain_timeout: float = DRAIN_TIMEOUT) -> bool:
        """Have all streams closed, as by `close`, and the thread end after that."""
        with self._lock:
            if self._thread is not None:
                return self._order(self._stop, drain_timeout)
            self._ended = True
            return False

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether it has ended, or was never needed.
        """
        thread = self._thread
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _order(self, fn: Callable[..., None], *args: Any) -> bool:
        with self._lock:
            if self._ended:
                return False
            if self._thread is None:
                self._start()
            self._orders.append((fn, args))
            self._wakeup.set()
            return True

    def _start(self) -> None:
        wakeup = Wakeup()
        try:
            reader = PipeReader(self._clock, wakeup)
        except OSError:
            wakeup.close()
            raise
        thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._wakeup, self._reader = wakeup, reader
        try:
            thread.start()
        except RuntimeError:  # the system gives us no thread
            reader.shut()
            wakeup.close()
            raise
        self._thread = thread

    # What follows runs on the pump's thread.

    def _run(self) -> None:
        try:
            while not (self._stopping and self._reader.is_empty):
                if self._reader.turn():
                    self._wakeup.clear()
                    self._obey()
        except BaseException as error:
            self._on_crash(error, "the pump")
        finally:
            with self._lock:
                self._ended = True
            self._obey()
            self._reader.shut()
            self._wakeup.close()

    def _obey(self) -> None:
        while self._orders:
            fn, args = self._orders.popleft()
            try:
                fn(*args)
            except Exception:
                logger.exception("the pump cannot carry out %s%r", fn.__name__[1:], args)

    def _open(
        self, key: Hashable, conf: Mapping[str, Any], stream: Stream, history: History | None
    ) -> None:
        if not self._stopping:
            self._reader.open(key, conf, stream, Losses(self._clock, self._on_loss), history)

    def _add(self, key: Hashable, fd: int, pid: int) -> None:
        self._reader.add(key, fd, pid)

    def _reopen(self, key: Hashable | None) -> None:
        self._reader.reopen(key)

    def _hand_over(self, key: Hashable, other: Pump) -> None:
        for fd, pid in self._reader.give_away(key):
            other.add(key, fd, pid)

    def _close(self, key: Hashable, drain_timeout: float, then: Then | None) -> None:
        self._reader.close(key, drain_timeout, then)

    def _stop(self, drain_timeout: float) -> None:
        self._stopping = True
        self._reader.close_all(drain_timeout)
