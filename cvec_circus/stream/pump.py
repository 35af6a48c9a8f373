"""The thread that reads what the children write, and hands it to their streams.

One epoll over all the pipes: a turn reads at most 64 KiB of each pipe that has something, so that
a flood of one does not keep the others waiting. While nothing comes, nothing wakes the thread.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from cvec_circus import logger
from cvec_circus.base.clock import LONGEST_POLL, SYSTEM, Clock
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.stream.load import Stream, make
from cvec_circus.stream.losses import Losses

BLOCK = 64 * 1024
LAST_BLOCKS = 16
"""How many blocks are read of a pipe whose time is over: as much as the largest pipe holds."""

LOOK_DELAY = 1.0
DRAIN_TIMEOUT = 1.0

Then = Callable[[], object]


class _Pipe:
    """The read end of one pipe. Owned by the pump thread."""

    __slots__ = ("fd", "output", "pid")

    def __init__(self, fd: int, pid: int, output: _Output) -> None:
        self.fd = fd
        self.pid = pid
        self.output = output


class _Output:
    """A stream, and the pipes that lead to it. Owned by the pump thread."""

    def __init__(self, key: Hashable, conf: dict[str, Any], stream: Stream, faults: Losses) -> None:
        self.key = key
        self.conf = conf
        self.stream = stream
        self.faults = faults  # what was lost because a stream raised
        self.lost_before = 0  # what the streams lost that this one has replaced
        self.pipes: list[_Pipe] = []
        self.deadline: float | None = None
        self.thens: list[Then] = []

    @property
    def lost(self) -> int:
        return self.lost_before + self.faults.total + self.stream.lost


def _log_crash(error: BaseException, description: str) -> None:
    logger.critical("%s has crashed", description, exc_info=error)


class Pump:
    """Reads the children's pipes on a thread of its own. Safe from any thread.

    The thread starts with the first order. Orders are carried out one after the other; each method
    returns at once, with False once the pump has ended and nothing is done any more.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM,
        on_loss: Callable[[str], object] = logger.warning,
        on_crash: Callable[[BaseException, str], object] = _log_crash,
    ) -> None:
        """Make a pump, without its thread.

        Args:
            clock: Tells it and its streams the time.
            on_loss: Called on the pump's thread with a line for the log when output is lost.
            on_crash: Called on the pump's thread, with the exception and a description, when
                something ends it that should not.
        """
        self._clock = clock
        self._on_loss = on_loss
        self._on_crash = on_crash
        self._lock = threading.RLock()
        self._orders: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._ended = False
        self._thread: threading.Thread | None = None
        # All below is the thread's own.
        self._wakeup: Wakeup
        self._epoll: select.epoll
        self._pipes: dict[int, _Pipe] = {}
        self._outputs: dict[Hashable, _Output] = {}
        self._closing: list[_Output] = []
        self._look_at: float | None = None
        self._stopping = False

    @property
    def lost(self) -> dict[Hashable, int]:
        """Bytes lost by each open stream."""
        return {key: output.lost for key, output in list(self._outputs.items())}

    def open(self, key: Hashable, conf: Mapping[str, Any]) -> bool:
        """Have a stream under a key.

        One that is there already is kept if its configuration is the same, else replaced; its
        pipes then lead to the new one. One that is being closed is not touched.

        Args:
            key: The caller's name for it, such as (watcher id, "stdout").
            conf: As for `load.make`.

        Raises:
            cvec_circus.exc.OptionError: The configuration will not do.
        """
        stream = make(conf, self._clock, self._on_loss)
        return self._order(self._open, key, dict(conf), stream)

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
        return self._order(self._reopen, key)

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

    def stop(self, drain_timeout: float = DRAIN_TIMEOUT) -> bool:
        """Have all streams closed, as by `close`, and the thread end."""
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
        wakeup, epoll = Wakeup(), select.epoll()
        try:
            epoll.register(wakeup.fd, select.EPOLLIN)
            self._wakeup, self._epoll = wakeup, epoll
            thread = threading.Thread(target=self._run, name="pump", daemon=True)
            thread.start()
        except BaseException:
            epoll.close()
            wakeup.close()
            raise
        self._thread = thread

    # What follows runs on the pump's thread.

    def _run(self) -> None:
        try:
            while self._outputs or self._closing or not self._stopping:
                self._turn()
        except BaseException as error:
            self._on_crash(error, "the pump")
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._ended = True
        self._obey()
        for output in [*self._outputs.values(), *self._closing]:
            self._end_output(output)
        self._outputs.clear()
        self._epoll.close()
        self._wakeup.close()

    def _turn(self) -> None:
        for fd, _ in self._epoll.poll(self._timeout()):
            pipe = self._pipes.get(fd)
            if pipe is not None:
                self._read(pipe)
            elif fd == self._wakeup.fd:
                self._wakeup.clear()
                self._obey()
        if self._closing or self._look_at is not None:
            self._keep_deadlines(self._clock.monotonic())

    def _timeout(self) -> float | None:
        """Return the seconds until something is due; None when nothing is."""
        instants = [output.deadline for output in self._closing if output.deadline is not None]
        if self._look_at is not None:
            instants.append(self._look_at)
        if not instants:
            return None
        return min(max(min(instants) - self._clock.monotonic(), 0.0), LONGEST_POLL)

    def _keep_deadlines(self, now: float) -> None:
        for output in list(self._closing):
            if output.deadline is not None and output.deadline <= now:
                self._end_output(output)
        if self._look_at is not None and self._look_at <= now:
            self._look_at = None
            for output in [*self._outputs.values(), *self._closing]:
                if output.stream.waiting:
                    self._guard(output, 0, output.stream.look)

    def _obey(self) -> None:
        while self._orders:
            fn, args = self._orders.popleft()
            try:
                fn(*args)
            except Exception:
                logger.exception("the pump cannot carry out %s%r", fn.__name__, args)

    def _open(self, key: Hashable, conf: dict[str, Any], stream: Stream) -> None:
        output = self._outputs.get(key)
        if self._stopping or (output is not None and output.conf == conf):
            return
        if output is None:
            faults = Losses(self._clock, self._on_loss)
            output = self._outputs[key] = _Output(key, conf, stream, faults)
        else:
            self._guard(output, 0, output.stream.close)
            output.lost_before += output.stream.lost
            output.conf, output.stream = conf, stream
        self._guard(output, 0, stream.reopen)

    def _add(self, key: Hashable, fd: int, pid: int) -> None:
        output = self._outputs.get(key)
        if output is None:
            os.close(fd)
            logger.error("no stream is open for %r of process %d: closed its pipe", key, pid)
            return
        try:
            os.set_blocking(fd, False)
            self._epoll.register(fd, select.EPOLLIN)
        except OSError:
            os.close(fd)
            raise
        pipe = self._pipes[fd] = _Pipe(fd, pid, output)
        output.pipes.append(pipe)

    def _reopen(self, key: Hashable | None) -> None:
        for output in [*self._outputs.values(), *self._closing]:
            if key is None or key == output.key:
                self._guard(output, 0, output.stream.reopen)

    def _close(self, key: Hashable, drain_timeout: float, then: Then | None) -> None:
        output = self._outputs.pop(key, None)
        if output is None:
            output = next((closing for closing in self._closing if closing.key == key), None)
        else:
            self._closing.append(output)
        if output is None:
            if then is not None:
                then()
            return
        if then is not None:
            output.thens.append(then)
        deadline = self._clock.monotonic() + drain_timeout
        if output.deadline is None or deadline < output.deadline:
            output.deadline = deadline
        if not output.pipes:
            self._end_output(output)

    def _stop(self, drain_timeout: float) -> None:
        self._stopping = True
        for key in list(self._outputs):
            self._close(key, drain_timeout, None)

    def _read(self, pipe: _Pipe) -> bool:
        """Read a block of a pipe; return whether there may be more."""
        try:
            block = os.read(pipe.fd, BLOCK)
        except BlockingIOError:
            return False
        output = pipe.output
        if block:
            self._guard(output, len(block), output.stream.write, block, pipe.pid)
            return True
        self._drop(pipe)
        if output.deadline is not None and not output.pipes:
            self._end_output(output)
        return False

    def _drop(self, pipe: _Pipe) -> None:
        """Close a pipe of ours."""
        self._epoll.unregister(pipe.fd)
        os.close(pipe.fd)
        del self._pipes[pipe.fd]
        pipe.output.pipes.remove(pipe)
        self._guard(pipe.output, 0, pipe.output.stream.finish, pipe.pid)

    def _end_output(self, output: _Output) -> None:
        """Close a stream, after what is in its pipes by now."""
        output.deadline = None
        for pipe in list(output.pipes):
            for _ in range(LAST_BLOCKS):
                if not self._read(pipe):
                    break
            if pipe in output.pipes:
                self._drop(pipe)
        self._guard(output, 0, output.stream.close)
        output.faults.settle()
        if output in self._closing:
            self._closing.remove(output)
        for then in output.thens:
            try:
                then()
            except Exception:
                logger.exception("a call after the end of the stream of %r has failed", output.key)

    def _guard(self, output: _Output, size: int, fn: Callable[..., None], *args: Any) -> None:
        """Call a stream: what it raises costs it `size` bytes, and nobody else anything."""
        try:
            fn(*args)
        except Exception as error:
            if not output.faults.total:
                logger.exception("the stream of %r has a fault", output.key)
            output.faults.count(size, f"the stream of {output.key!r} raised {error!r}")
        if self._look_at is None and output.stream.waiting:
            self._look_at = self._clock.monotonic() + LOOK_DELAY
