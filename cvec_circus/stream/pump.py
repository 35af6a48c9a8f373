"""The thread that reads what the children write, and hands it to their streams."""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from cvec_circus import logger
from cvec_circus.base.complaints import tell_crash
from cvec_circus.base.thread import Thread
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.stream.base import Context
from cvec_circus.stream.output import Pipe
from cvec_circus.stream.reader import PipeReader

RETRY_DELAY = 1.0
"""Seconds to the next attempt after the system had no thread, file or memory."""

BEHIND_DELAY = 5.0
MOST_ORDERS = 256
"""A thread that has taken no order for this many seconds, and has more than this many queued,
hangs: its pipes are better lost, and counted, than kept open indefinitely."""

Later = Callable[[float, Callable[[], object]], object]
"""Calls a function after that many seconds, on another thread. Safe from any thread."""


class Pump:
    """Reads the children's pipes on a thread of its own. Safe from any thread.

    The thread starts with the first order. Orders are carried out one after the other; each method
    that gives one returns at once, with False once the pump has ended and nothing is done any more.
    While the system has no thread, orders wait, and what the children write waits in their pipes.
    A thread that dies is replaced, and loses only what it had just read.

    Args:
        context: Clock, log and source of its streams.
        later: Makes another attempt after a while.
        name: That of the thread.
        about: A description of its streams, for the log.
        spill: See `PipeReader`. Called on the pump's thread.

    Attributes:
        reader: What the thread does, by orders such as `do(reader.open, ...)`.
    """

    def __init__(
        self,
        context: Context,
        later: Later,
        name: str,
        about: str,
        spill: Callable[[Pipe], object] | None,
    ) -> None:
        self.name = name
        self.about = about
        self._clock = context.clock
        self._later = later
        self.reader = PipeReader(context, spill)
        self._wakeup: Wakeup | None = None
        self._lock = threading.RLock()
        self._orders: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._done = threading.Event()
        self._obeyed_at = 0.0
        self._obeyed = 0
        self._thread: Thread | None = None
        self._running = False
        self._has_run = False
        self._ended = False
        self._not_before = self._crashed_at = float("-inf")
        self._refusal = ""
        self._died_of = ""  # the last one, before it could read

    @property
    def is_needed(self) -> bool:
        """Whether it has ever had anything to do."""
        return bool(self._has_run or self._orders or self._done.is_set())

    @property
    def is_behind(self) -> bool:
        """Whether it hangs, and has enough to do already."""
        is_late = self._clock.monotonic() > self._obeyed_at + BEHIND_DELAY
        return len(self._orders) > MOST_ORDERS and is_late

    @property
    def steps(self) -> int:
        """A number that grows while it makes progress."""
        return self._obeyed + self.reader.steps

    @property
    def unwritten(self) -> dict[str, int]:
        """Roughly how many bytes it has not written, by output: "stdout of web"."""
        found = self.reader.unwritten
        for _, args in tuple(self._orders):
            if args and isinstance(args[0], Pipe):
                watcher, channel, *_ = args[0].source
                about = f"{channel} of {watcher or args[0].key}"
                found[about] = found.get(about, 0) + args[0].filled
        return {about: size for about, size in found.items() if size}

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._done.is_set()

    def take(self, pipe: Pipe) -> bool:
        """Read a pipe to its end, for the stream of its key, which must be open.

        The pipe belongs to the pump from now on, whatever happens.
        """
        return self.do_with(pipe, self._begin, self.reader.take)

    def discard(self, pipe: Pipe) -> bool:
        """Read a pipe to its end, and drop its output."""
        return self.do_with(pipe, self._begin, self.reader.discard)

    def hand_over(self, key: Hashable, other: Pump) -> bool:
        """Close a stream at once; another pump reads its pipes for a stream of the same key."""
        return self.do(self._hand_over, key, other)

    def pause(self) -> None:
        """Let orders wait for `resume` or `stop` if no thread has started yet."""
        with self._lock:
            self._not_before = float("inf")

    def resume(self) -> None:
        """Carry out what has waited since `pause`."""
        with self._lock:
            self._not_before = float("-inf")
        if self._orders:
            self._start()

    def stop(self, drain_timeout: float) -> bool:
        """Close all streams and the thread; pipes have that many seconds to end."""
        self.resume()
        return not self._give_up() and self.do(self.reader.close_all, drain_timeout)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end, `timeout` seconds at most; return whether it has ended.

        A thread that was never needed counts as ended.
        """
        return not self.is_needed or self._done.wait(timeout)

    def do(self, fn: Callable[..., object], *args: Any) -> bool:
        """Call a function on the thread; return False once it has ended."""
        with self._lock:
            if self._ended:
                return False
            if not self._orders:
                self._obeyed_at = self._clock.monotonic()
            self._orders.append((fn, args))
            if self._running and self._wakeup is not None:
                self._wakeup.set()
        if not self._running:
            self._start()
        return True

    def do_with(self, pipe: Pipe, fn: Callable[..., object], *args: Any) -> bool:
        """Call a function with a pipe, as by `do`; after the end the pipe is closed."""
        if self.do(fn, pipe, *args):
            return True
        os.close(pipe.fd)
        return False

    def _give_up(self) -> bool:
        """End it if no thread was ever needed, or none is available; return whether that is so."""
        with self._lock:
            if self.is_needed and (self._running or not self._refusal):
                return False
            self._ended = True
        for _, args in self._orders:
            if args and isinstance(args[0], Pipe):
                os.close(args[0].fd)
        self._orders.clear()
        self._done.set()
        return True

    def _start(self) -> None:
        """Start a thread unless there is one, or it is too soon. Ends soon: see `Thread.start`."""
        with self._lock:
            is_there = self._thread is not None and not self._thread.has_ended
            now = self._clock.monotonic()
            if self._ended or is_there or now < self._not_before:
                return
            thread = Thread(self._run, self.name)
            try:
                thread.start()
            except RuntimeError as error:
                is_first, self._refusal = not self._refusal, str(error)
                self._not_before = now + RETRY_DELAY
            else:
                # Looked at again by `_start`: one that is late may die before its first step.
                is_first, self._thread = False, thread
        self._later(RETRY_DELAY, self._start)
        if is_first:
            said = "%s: no thread to read output now: %s; it waits in its pipes"
            logger.warning(said, self.name, self._refusal)

    # What follows runs on the pump's thread.

    def _run(self) -> None:
        with self._lock:
            if self._running or self._ended:
                return  # too late
            self._running = self._has_run = True
            self._refusal = ""
        try:
            wakeup = self._serve()
        except BaseException as error:
            self._crash(error)
        else:
            with self._lock:
                self._ended = True
                self._running = False
            try:
                self._obey()
                self.reader.shut()
                wakeup.close()
            finally:
                self._done.set()

    def _serve(self) -> Wakeup:
        """Read, and carry out orders, until the end. Called again after a crash."""
        if self._wakeup is None:
            self._wakeup = Wakeup()
        wakeup = self._wakeup
        self.reader.begin(wakeup)
        self._died_of = ""
        self._obey()
        while not self.reader.has_ended:
            if self.reader.turn():
                wakeup.clear()
                self._obey()
        return wakeup

    def _obey(self) -> None:
        while self._orders:
            fn, args = self._orders.popleft()
            self._obeyed_at = self._clock.monotonic()
            self._obeyed += 1
            try:
                fn(*args)
            except Exception as error:
                tell_crash(self.name, error, fn.__name__.strip("_"))

    def _crash(self, error: BaseException) -> None:
        """Start another thread, at once or, after a second crash, in a moment."""
        now = self._clock.monotonic()
        is_second = now < self._crashed_at + RETRY_DELAY
        with self._lock:
            self._running = False
            self._crashed_at = now
            self._thread = None  # so that another one may start beside this one
            if is_second:
                self._not_before = now + RETRY_DELAY
        try:
            before, self._died_of = self._died_of, repr(error)
            if not (is_second or self._died_of == before):
                name = f"thread {self.name} ({self.about})"
                logger.error("%s died of %s; another one replaces it", name, self._died_of)
                logger.debug("where %s died", name, exc_info=error)
        finally:
            if is_second:
                self._later(RETRY_DELAY, self._start)
            else:
                self._start()

    def _begin(self, pipe: Pipe, take: Callable[[Pipe], None]) -> None:
        """Begin to read a pipe; while the system has no memory for that, try again later."""
        try:
            take(pipe)
        except (OSError, MemoryError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EPERM, errno.EBADF):
                os.close(pipe.fd)
                raise  # it is not a pipe
            self._later(RETRY_DELAY, partial(self.do_with, pipe, self._begin, take))

    def _hand_over(self, key: Hashable, other: Pump) -> None:
        for pipe in self.reader.give_away(key):
            other.take(pipe)
