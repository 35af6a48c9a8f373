"""Reading many pipes in turn, closing them in time.

One epoll covers all: a turn reads at most 64 KiB of each readable pipe, so a flood in one does not
delay the others. While nothing arrives, nothing wakes the thread.

A pipe is read to its end, whatever happens to its output: a program must not die of SIGPIPE because
an option has changed. A pipe leaves its output earlier in two cases: the output is closed, and its
time to drain is over; or only strays of the pipe's process hold it open. Such a pipe is spilled:
handed to the reader that discards what it reads.
"""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from cvec_circus import logger
from cvec_circus.base.clock import LONGEST_POLL
from cvec_circus.base.wakeup import Wakeup
from cvec_circus.stream.base import Context, Nowhere, Stream, make
from cvec_circus.stream.output import LARGER_PIPES, Output, Pipe, Then, Wanted

BLOCK = 64 * 1024
LOOK_DELAY = 1.0
"""Seconds before output held back, or losses not logged yet, are first checked."""

STRAY_DELAY = 1.0
"""Seconds that the output of strays is still written, after the end of their process."""

MOST_STRAYS = 256
"""How many pipes are kept open for strays."""

LAST_BLOCKS = 16
"""How many blocks are read from a pipe whose time is over: as much as the largest pipe holds."""


class PipeReader:
    """The pipes and the outputs they lead to. Owned by the pump thread, but for the properties.

    Args:
        context: What the streams work with.
        spill: Takes each pipe that leaves its output before it has ended; without it such a pipe is
            closed.

    Attributes:
        steps: How many blocks were written, and outputs closed. Any thread may read it.
    """

    def __init__(self, context: Context, spill: Callable[[Pipe], object] | None) -> None:
        self._context = context
        self._clock = context.clock
        self._spill = spill
        self._pipes: dict[int, Pipe] = {}
        self._by_writer: dict[tuple[Hashable, int], Pipe] = {}
        self._outputs: dict[Hashable, Output] = {}
        self._closing: list[Output] = []
        self._parting: deque[Pipe] = deque()
        self._discarded = Output(Wanted(None, {}), Nowhere(context))
        self._strays: dict[int, Pipe] = {}
        self._larger_pipes = 0
        self._look_at: float | None = None
        self._is_ending = False
        self.steps = 0

    @property
    def outputs(self) -> dict[Hashable, Output]:
        """The outputs that are not being closed, by key. Safe from any thread."""
        return dict(self._outputs)

    @property
    def unwritten(self) -> dict[str, int]:
        """Bytes that wait to be written, by output. Safe from any thread."""
        return {output.about: output.unwritten for output in self._all()}

    @property
    def has_ended(self) -> bool:
        """Whether `close_all` was called, and every output is closed."""
        return self._is_ending and not self._closing

    def begin(self, wakeup: Wakeup) -> None:
        """Begin to read, or resume after a crash. The wake-up ends the sleep in `turn`.

        Raises:
            OSError: The system has no descriptor, or no memory.
        """
        epoll = select.epoll()
        epoll.register(wakeup.fd, select.EPOLLIN)
        self._epoll = epoll
        for fd, pipe in list(self._pipes.items()):
            try:
                epoll.register(fd, select.EPOLLIN)
            except OSError:
                self._forget(pipe)
        for output in self._all():
            self._attend(output)

    def open(self, wanted: Wanted, stream: Stream | None = None) -> None:
        """Open an output, with a given stream or one made from its configuration.

        An existing output of that key is kept; it gets another stream if the configuration differs.
        One that is being closed is not touched. If a stream cannot be made, its output is lost, and
        counted.
        """
        if self._is_ending:
            return
        context = self._context._replace(source=wanted.source)
        output = self._outputs.get(wanted.key)
        if output is None:
            stream = stream or self._make(wanted.conf, context)
            self._outputs[wanted.key] = output = Output(wanted, stream)
        elif output.conf != wanted.conf:
            output.replace(wanted.conf, stream or self._make(wanted.conf, context))
        output.history = wanted.history
        self._attend(output)

    def _make(self, conf: Mapping[str, Any], context: Context) -> Stream:
        try:
            return make(conf, context)
        except Exception as error:
            channel = context.source.channel
            return Nowhere(context, f"the stream of {channel} cannot be made: {error}")

    def take(self, pipe: Pipe) -> None:
        """Read a pipe from now on, to its end, for the output of its key.

        Raises:
            OSError: It cannot be polled. It stays the caller's.
        """
        output = self._outputs.get(pipe.key)
        if output is not None:
            self._read_from_now_on(pipe, output)
            self._attend(output)
            if pipe.part_at is not None:
                self._part_later(pipe)
            return
        said = "%s: no stream is open for the %s of process %d; what it writes is lost"
        watcher, channel, *_ = pipe.source
        logger.error(said, watcher or pipe.key, channel, pipe.pid)
        self._give(pipe)

    def discard(self, pipe: Pipe) -> None:
        """Read a pipe from now on, to its end, and drop what comes. Raises: as `take`."""
        self._read_from_now_on(pipe, self._discarded)
        if pipe.part_at is not None:
            self._keep_stray(pipe)

    def take_back(self, key: Hashable) -> list[Pipe]:
        """Detach and return the pipes of a stream that are discarded while their processes live."""
        found = self._discarded.pipes.values()
        pipes = [pipe for pipe in found if pipe.key == key and pipe.part_at is None]
        for pipe in pipes:
            self._detach(pipe)
        return pipes

    def release(self, key: Hashable, pid: int) -> None:
        """Spill a pipe soon, if it does not end: only strays are left of its process."""
        pipe = self._by_writer.get((key, pid))
        if pipe is not None and pipe.part_at is None:
            self._part_later(pipe)

    def catch_up(self, key: Hashable, pids: Iterable[int], then: Then) -> None:
        """Read the remaining output of ended processes, and call `then`."""
        try:
            for pipe in filter(None, [self._by_writer.get((key, pid)) for pid in pids]):
                self._drain(pipe)
                self._end_of(pipe)
        finally:
            then()  # who asks waits for it, whatever could not be read yet

    def reopen(self, key: Hashable | None = None) -> None:
        """Reopen the destination of one output, or of all."""
        for output in self._all():
            if key is None or key == output.key:
                output.reopen()
                self._attend(output)

    def close(self, key: Hashable, drain_timeout: float, then: Then | None = None) -> None:
        """Close an output when its pipes have ended, then call `then`, at once if there is none.

        After that many seconds it is closed even if something, usually a grandchild, still holds a
        pipe open. The pipe's content is read first; then the pipe is spilled.
        """
        output = self._outputs.pop(key, None)
        if output is not None:
            self._closing.append(output)
        else:
            output = next((closing for closing in self._closing if closing.key == key), None)
        if output is not None:
            if then is not None:
                output.thens.append(then)
            self._close_by(output, drain_timeout)
        elif then is not None:
            then()

    def give_away(self, key: Hashable) -> list[Pipe]:
        """Close an output at once, and return its pipes, which are the caller's now."""
        output = self._outputs.pop(key, None)
        return [] if output is None else self._emptied(output)

    def surrender(self) -> list[Pipe]:
        """Close every output at once, open no other, and return all pipes, with the lines that are
        unfinished. Unread, but for those whose time to be written is nearly over."""
        self._is_ending = True
        for output in self._all():
            for pipe in list(output.pipes.values()):
                if pipe.part_at is not None or output in self._closing:
                    self._drain(pipe)
                else:
                    output.give_up(pipe)
        outputs, self._outputs, self._closing = self._all(), {}, []
        return self._emptied(*outputs, self._discarded)

    def _emptied(self, *outputs: Output) -> list[Pipe]:
        pipes = [pipe for output in outputs for pipe in output.pipes.values()]
        for pipe in pipes:
            self._detach(pipe)
        for output in outputs:
            output.close()
        return pipes

    def close_all(self, drain_timeout: float) -> None:
        """Close every output likewise, and open no more."""
        self._is_ending = True
        self._closing += self._outputs.values()
        self._outputs.clear()
        for output in list(self._closing):
            self._close_by(output, drain_timeout)

    def shut(self) -> None:
        """Close whatever is open at once, and the epoll."""
        self._spill = None
        for output in [*self._all(), self._discarded]:
            self._end(output)
        self._outputs.clear()
        self._epoll.close()

    def turn(self) -> bool:
        """Sleep until something is due, and do it. Return whether the wake-up is set."""
        woken = False
        for fd, _ in self._epoll.poll(self._timeout()):
            pipe = self._pipes.get(fd)
            if pipe is None:
                woken = True
            elif not self._read(pipe):
                self._end_of(pipe)
        if self._closing or self._parting or self._look_at is not None:
            self._keep_deadlines(self._clock.monotonic())
        return woken

    def _end_of(self, pipe: Pipe) -> None:
        """Close an output that is to be closed, if that was the last of its pipes."""
        output = pipe.output
        if output is not None and output.deadline is not None and not output.pipes:
            self._end(output)

    def _read_from_now_on(self, pipe: Pipe, output: Output) -> None:
        os.set_blocking(pipe.fd, False)
        self._epoll.register(pipe.fd, select.EPOLLIN)
        self._pipes[pipe.fd] = pipe
        self._by_writer[pipe.key, pipe.pid] = pipe
        self._larger_pipes += pipe.larger
        pipe.output = output
        output.begin(pipe)

    def _part_later(self, pipe: Pipe) -> None:
        pipe.part_at = self._clock.monotonic() + STRAY_DELAY
        self._parting.append(pipe)

    def _close_by(self, output: Output, drain_timeout: float) -> None:
        deadline = self._clock.monotonic() + drain_timeout
        output.deadline = deadline if output.deadline is None else min(output.deadline, deadline)
        if not output.pipes:
            self._end(output)

    def _all(self) -> list[Output]:
        return [*self._outputs.values(), *self._closing]

    def _timeout(self) -> float | None:
        """Return the seconds until something is due; None when nothing is."""
        instants = [self._look_at, *(output.deadline for output in self._closing)]
        if self._parting:
            instants.append(self._parting[0].part_at)
        due = min((instant for instant in instants if instant is not None), default=None)
        if due is None:
            return None
        return min(max(due - self._clock.monotonic(), 0.0), LONGEST_POLL)

    def _keep_deadlines(self, now: float) -> None:
        for output in list(self._closing):
            if output.deadline is not None and output.deadline <= now:
                self._end(output)
        while self._parting and (self._parting[0].part_at or 0.0) <= now:
            pipe = self._parting.popleft()
            if self._pipes.get(pipe.fd) is pipe:
                self._part(pipe)
        if self._look_at is not None and self._look_at <= now:
            self._look_at = None
            for output in self._all():
                if output.waiting:
                    output.look()
                    self._attend(output)

    def _attend(self, output: Output) -> None:
        """Check the output in a second if it may have something to do."""
        if self._look_at is None and output.waiting:
            self._look_at = self._clock.monotonic() + LOOK_DELAY

    def _read(self, pipe: Pipe) -> bool:
        """Read a block of a pipe; return False when there is no more for now, or ever."""
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
            pipe.enlarge()
            self._larger_pipes += 1
        if pipe.search is not None and not pipe.search.feed(block):
            pipe.search = None
        output = pipe.output
        assert output is not None
        output.write(block if pipe.is_marked else pipe.marked(block), pipe)
        self.steps += 1
        self._attend(output)
        return True

    def _drain(self, pipe: Pipe) -> None:
        """Read what is in a pipe by now."""
        for _ in range(LAST_BLOCKS):
            if not self._read(pipe):
                break

    def _drop(self, pipe: Pipe) -> None:
        """Close a pipe."""
        self._detach(pipe)
        os.close(pipe.fd)
        self._finish(pipe)

    def _part(self, pipe: Pipe) -> None:
        """Take a pipe from its output, after reading its content, if it is still open."""
        if pipe.output is self._discarded:
            self._keep_stray(pipe)
            return
        self._drain(pipe)
        if self._pipes.get(pipe.fd) is pipe:
            self._detach(pipe)
            self._finish(pipe)
            self._give(pipe)

    def _finish(self, pipe: Pipe) -> None:
        assert pipe.output is not None
        pipe.output.finish(pipe)
        self._attend(pipe.output)

    def _give(self, pipe: Pipe) -> None:
        if self._spill is not None:
            self._spill(pipe)
        else:
            os.close(pipe.fd)

    def _keep_stray(self, pipe: Pipe) -> None:
        """Count a pipe that strays hold, and close the oldest when there are too many."""
        self._strays[pipe.fd] = pipe
        if len(self._strays) > MOST_STRAYS:
            oldest = next(iter(self._strays.values()))
            said = "%s: closing the %s that process %d has left to its strays: %d are open already"
            watcher, channel, *_ = oldest.source
            logger.warning(said, watcher, channel, oldest.pid, MOST_STRAYS)
            self._drop(oldest)

    def _detach(self, pipe: Pipe) -> None:
        """Stop reading a pipe. Its file descriptor may be closed after that."""
        self._forget(pipe)
        self._epoll.unregister(pipe.fd)

    def _forget(self, pipe: Pipe) -> None:
        del self._pipes[pipe.fd]  # first, so that a crash in here closes no file of another's
        assert pipe.output is not None
        pipe.output.pipes.pop(pipe.fd, None)
        self._strays.pop(pipe.fd, None)
        if self._by_writer.get((pipe.key, pipe.pid)) is pipe:
            del self._by_writer[pipe.key, pipe.pid]
        self._larger_pipes -= pipe.larger

    def _end(self, output: Output) -> None:
        """Close an output, after reading the content of its pipes."""
        release = self._drop if output is self._discarded else self._part
        for pipe in list(output.pipes.values()):
            release(pipe)
        if output in self._closing:
            self._closing.remove(output)
        output.close()
        self.steps += 1
