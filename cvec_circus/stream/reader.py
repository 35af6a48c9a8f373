"""Reading many pipes in turn, closing them in time.

One epoll over all of them: a turn reads at most 64 KiB of each pipe that has something, so that a
flood of one does not keep the others waiting. While nothing comes, nothing wakes the thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus import logger
from cvec_circus.base.clock import LONGEST_POLL, Clock
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.stream.load import Stream
from cvec_circus.stream.losses import Losses
from cvec_circus.stream.output import Output, Pipe, Then

if TYPE_CHECKING:
    from cvec_circus.stream.history import History

BLOCK = 64 * 1024

LOOK_DELAY = 1.0
"""Seconds from something being held back, or unsaid, to the first look at it."""

F_SETPIPE_SZ = 1031  # fcntl has it from Python 3.10 on
LARGER_PIPE = 256 * 1024
LARGER_PIPES = 64
"""How many pipes are enlarged at a time. A flood in blocks of 4 KiB is up to 1.4 times as fast
through a larger pipe, at two thirds of our CPU time; but fs.pipe-user-pages-soft gives a user
64 MiB in all, and only tiny pipes beyond."""

LAST_BLOCKS = 16
"""How many blocks are read of a pipe whose time is over: as much as the largest pipe can hold."""


class PipeReader:
    """The pipes and the outputs they lead to. Owned by the pump thread, except for `lost`."""

    def __init__(self, clock: Clock, wakeup: Wakeup) -> None:
        """Make it without any output.

        Args:
            clock: Tells the time.
            wakeup: Ends the sleep in `turn`. It stays the caller's.
        """
        self._clock = clock
        self._wakeup = wakeup
        self._epoll = select.epoll()
        self._epoll.register(wakeup.fd, select.EPOLLIN)
        self._pipes: dict[int, Pipe] = {}
        self._outputs: dict[Hashable, Output] = {}
        self._closing: list[Output] = []
        self._larger_pipes = 0
        self._look_at: float | None = None

    @property
    def lost(self) -> dict[Hashable, int]:
        """Bytes lost by each output that is not being closed. Safe from any thread."""
        return {key: output.lost for key, output in list(self._outputs.items())}

    @property
    def is_empty(self) -> bool:
        """Whether every output is closed."""
        return not self._outputs and not self._closing

    def open(
        self,
        key: Hashable,
        conf: Mapping[str, Any],
        stream: Stream,
        faults: Losses,
        history: History | None = None,
    ) -> None:
        """Open an output; one of that key gets the new stream unless its own is the same."""
        output = self._outputs.get(key)
        if output is None:
            self._outputs[key] = output = Output(key, conf, stream, faults, history)
        elif output.conf != conf:
            output.replace(conf, stream)
        output.history = history
        self._attend(output)

    def add(self, key: Hashable, fd: int, pid: int) -> None:
        """Read a pipe from now on, and close it in the end."""
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
        pipe = self._pipes[fd] = Pipe(fd, pid, output)
        output.pipes.append(pipe)

    def reopen(self, key: Hashable | None) -> None:
        """Have the file of one output, or of all, opened anew."""
        for output in self._all():
            if key is None or key == output.key:
                output.reopen()
                self._attend(output)

    def close(self, key: Hashable, drain_timeout: float, then: Then | None) -> None:
        """Close an output when its pipes have ended, or in drain_timeout seconds."""
        output = self._outputs.pop(key, None)
        if output is not None:
            self._closing.append(output)
        else:
            output = next((closing for closing in self._closing if closing.key == key), None)
        if output is None:
            if then is not None:
                then()
            return
        if then is not None:
            output.thens.append(then)
        self._close_by(output, drain_timeout)

    def give_away(self, key: Hashable) -> list[tuple[int, int]]:
        """Close an output, and return its pipes, as pairs of the read end and the process."""
        output = self._outputs.pop(key, None)
        if output is None:
            return []
        pipes = [(pipe.fd, pipe.pid) for pipe in output.pipes]
        for pipe in output.pipes:
            self._epoll.unregister(pipe.fd)
            del self._pipes[pipe.fd]
            self._larger_pipes -= pipe.larger
        output.pipes.clear()
        output.close()
        return pipes

    def close_all(self, drain_timeout: float) -> None:
        """Close every output in that way, those that are being closed too."""
        self._closing += self._outputs.values()
        self._outputs.clear()
        for output in list(self._closing):
            self._close_by(output, drain_timeout)

    def shut(self) -> None:
        """Close whatever is open at once, and the epoll."""
        for output in self._all():
            self._end(output)
        self._outputs.clear()
        self._epoll.close()

    def turn(self) -> bool:
        """Sleep until something is to be done, and do it.

        Returns:
            Whether the wake-up is set.
        """
        woken = False
        for fd, _ in self._epoll.poll(self._timeout()):
            pipe = self._pipes.get(fd)
            if pipe is None:
                woken = True
            elif not self._read(pipe):
                output = pipe.output
                if output.deadline is not None and not output.pipes:
                    self._end(output)
        if self._closing or self._look_at is not None:
            self._keep_deadlines(self._clock.monotonic())
        return woken

    def _close_by(self, output: Output, drain_timeout: float) -> None:
        deadline = self._clock.monotonic() + drain_timeout
        output.deadline = deadline if output.deadline is None else min(output.deadline, deadline)
        if not output.pipes:
            self._end(output)

    def _all(self) -> list[Output]:
        return [*self._outputs.values(), *self._closing]

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
                self._end(output)
        if self._look_at is not None and self._look_at <= now:
            self._look_at = None
            for output in self._all():
                if output.waiting:
                    output.look()
                    self._attend(output)

    def _attend(self, output: Output) -> None:
        """Look at the output in a second if it has something to do by then."""
        if self._look_at is None and output.waiting:
            self._look_at = self._clock.monotonic() + LOOK_DELAY

    def _read(self, pipe: Pipe) -> bool:
        """Read a block of a pipe; return False when there is no more by now, or ever."""
        try:
            block = os.read(pipe.fd, BLOCK)
        except BlockingIOError:
            return False
        except OSError:  # EIO: the other side of a terminal is gone
            block = b""
        if not block:
            self._drop(pipe)
            return False
        if len(block) == BLOCK and not pipe.larger and self._larger_pipes < LARGER_PIPES:
            self._enlarge(pipe)
        pipe.output.write(block, pipe.pid)
        self._attend(pipe.output)
        return True

    def _enlarge(self, pipe: Pipe) -> None:
        """Give more room to a pipe that was found full."""
        pipe.larger = True
        self._larger_pipes += 1
        with contextlib.suppress(OSError):  # the user has all the pages that there may be
            fcntl.fcntl(pipe.fd, F_SETPIPE_SZ, LARGER_PIPE)

    def _drop(self, pipe: Pipe) -> None:
        self._epoll.unregister(pipe.fd)
        os.close(pipe.fd)
        del self._pipes[pipe.fd]
        pipe.output.pipes.remove(pipe)
        self._larger_pipes -= pipe.larger
        pipe.output.finish(pipe.pid)
        self._attend(pipe.output)

    def _end(self, output: Output) -> None:
        """Close an output, after reading what is in its pipes by now."""
        for pipe in list(output.pipes):
            for _ in range(LAST_BLOCKS):
                if not self._read(pipe):
                    break
            if pipe in output.pipes:
                self._drop(pipe)
        if output in self._closing:
            self._closing.remove(output)
        output.close()
