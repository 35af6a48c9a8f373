"""Captured output, passed on line by line to the daemon's own output.

```
 pump:daemon ─► PassedStream of web, stdout ─┐
                PassedStream of api, stdout ─┴─► Outlet: a bounded queue ─► out:1 ─► descriptor 1
```

A terminal or a pipe may stop taking anything, forever. So a separate thread writes to it. While
that makes progress, `pump:daemon` waits for room, and so do the processes, as they would if they
wrote there themselves; but when nothing was taken for `PATIENCE` seconds, excess output is counted
and dropped until something is taken again.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from collections import deque

from cvec_circus.base.figures import counted
from cvec_circus.base.thread import Thread
from cvec_circus.stream.appendfile import Buffer, describe
from cvec_circus.stream.base import Context, Losses, Source
from cvec_circus.stream.lines import LineStream, PrefixedLines, Tail
from cvec_circus.system.terminal import Colours, takes_colours

ROOM = 1 << 20
"""Bytes that wait to be written, at most; a single piece may be larger."""

PATIENCE = 1.0
"""Seconds for which the pump waits for room."""

LOOK_DELAY = 1.0
"""Seconds between two checks for losses not logged yet."""

TOGETHER = 4096
"""Bytes in one write. Up to this size a pipe takes all or nothing, so no other writer's line can
get into the middle of one (PIPE_BUF in pipe(7))."""

FILES = {
    "stdout": (1, "the daemon's standard output"),
    "stderr": (2, "the daemon's standard error"),
}


class Outlet:
    """One of the daemon's own outputs, written on its own thread. Safe from any thread.

    Args:
        fd: Its number.
        name: Its name.
        context: Clock and log for losses.
        has_prefix: Whether each line begins with the name of its watcher, wherever it goes.
            Otherwise it does at a terminal.

    Attributes:
        label: Labels lines; None if they stay unchanged. Owned by the pump thread.
        tail: The unfinished end of the output. Owned by the pump thread.
    """

    def __init__(self, fd: int, name: str, context: Context, has_prefix: bool) -> None:
        is_terminal = os.isatty(fd)
        self.label = Label(is_terminal) if has_prefix or is_terminal else None
        self.tail = Tail()
        self.name = name
        self.fd = fd
        self._losses = Losses(context)
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._taken = 0
        self._stalled_at = -1
        self._has_ended = False
        self._thread: Thread | None = None

    def put(self, data: bytes) -> bool:
        """Queue something to write. Waits `PATIENCE` seconds at most; not at all during a stall.

        Returns:
            False if there is no room for it, or no thread.
        """
        with self._changed:
            if not (self._fits(data) or self._wait_for_room(data)) or not self._start():
                return False
            self._waiting.append(data)
            self._size += len(data)
            self._changed.notify_all()
            return True

    def _fits(self, data: bytes) -> bool:
        return not self._size or self._size + len(data) <= ROOM

    def _wait_for_room(self, data: bytes) -> bool:
        if self._stalled_at == self._taken:
            return False
        if self._changed.wait_for(lambda: self._fits(data), PATIENCE):
            return True
        self._stalled_at = self._taken  # until something more is taken
        return False

    def _start(self) -> bool:
        if self._thread is None or self._thread.has_ended:
            thread = Thread(self._run, f"out:{self.fd}")
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
        return True

    def end(self) -> None:
        """End the thread when the queue is written. Does not wait."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def join(self, timeout: float) -> int:
        """Wait for the thread's end; return how many bytes are not written."""
        thread = self._thread
        if thread is not None and thread.is_alive():
            thread.join(timeout)
        return self._size

    # What follows runs on the thread.

    def _run(self) -> None:
        regular = is_regular(self.fd)
        while True:
            with self._changed:
                while not (self._waiting or self._has_ended):
                    if not self._changed.wait(LOOK_DELAY if self._losses.waiting else None):
                        self._losses.look()
                if not self._waiting:
                    break
                data = self._waiting.popleft()
            for piece in [data] if regular else pieces(data):
                if lost := self._write(piece):
                    self._losses.count(*lost)
                with self._changed:
                    self._size -= len(piece)
                    self._taken += len(piece)
                    self._changed.notify_all()
        self._losses.settle()

    def _write(self, piece: memoryview | bytes) -> tuple[int, str] | None:
        """Write; return how many bytes are lost, and why."""
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[os.write(self.fd, rest) :]
            except BlockingIOError:
                poll = select.poll()
                poll.register(self.fd, select.POLLOUT)
                poll.poll()
            except OSError as error:
                return len(rest), f"cannot write to {self.name}: {describe(error)}"
        return None


class Outlets:
    """The outlets of a daemon: a single one if both descriptors are the same file, to keep the
    order of the two channels. Owned by the thread that made it."""

    def __init__(self, context: Context, has_prefix: bool) -> None:
        self._context = context
        self._has_prefix = has_prefix
        self._outlets: dict[str, Outlet] = {}

    def to(self, channel: str) -> Outlet:
        """Return the outlet of a channel."""
        outlet = self._outlets.get(channel)
        if outlet is None:
            fd, name = FILES[channel]
            others = self._outlets.values()
            outlet = next((one for one in others if is_same(one.fd, fd)), None)
            outlet = outlet or Outlet(fd, name, self._context, self._has_prefix)
            self._outlets[channel] = outlet
        return outlet

    def end(self, timeout: float) -> str:
        """Write the queues, for at most that many seconds; return a line about the rest."""
        outlets = list(dict.fromkeys(self._outlets.values()))
        for outlet in outlets:
            outlet.end()
        said = [
            f"{counted(size, 'byte')} to {one.name}"
            for one in outlets
            if (size := one.join(timeout))
        ]
        return ", ".join(said)


class Label:
    """The beginnings of lines. Owned by the pump thread.

    At a terminal they are coloured by watcher, and as wide as the widest so far.
    """

    def __init__(self, is_terminal: bool) -> None:
        self._colours = Colours(is_terminal and takes_colours())
        self._is_padded = is_terminal
        self._width = 0

    def widen(self, name: str) -> None:
        """Note a name."""
        self._width = max(self._width, len(name)) if self._is_padded else 0

    def prefix(self, watcher: str, name: str, is_rest: bool) -> bytes:
        """Return the prefix of a line."""
        text = f"{name.ljust(self._width)} |{'+' if is_rest else ''}"
        return f"{self._colours.paint(watcher, text)} ".encode("utf-8", "backslashreplace")


class PassedLines(PrefixedLines):
    """Lines for an outlet. Owned by the pump thread."""

    def __init__(self, tail: Tail, label: Label | None) -> None:
        super().__init__(tail)
        self._label = label
        self.names: dict[int, tuple[str, str]] = {}

    def _prefix(self, pid: int, is_rest: bool = False) -> bytes:
        if self._label is None:
            return b""
        return self._label.prefix(*self.names.get(pid, ("", "")), is_rest)


class PassedStream(LineStream):
    """Passes output on to an outlet. Owned by the pump thread that is for these streams alone."""

    def __init__(self, outlet: Outlet, context: Context) -> None:
        self._outlet = outlet
        self._passed = PassedLines(outlet.tail, outlet.label)
        super().__init__(self._passed, context)

    def begin(self, pid: int, source: Source) -> None:
        name = label(source.watcher, source.wid, source.has_others)
        self._passed.names[pid] = source.watcher, name
        if self._outlet.label is not None:
            self._outlet.label.widen(name)

    def finish(self, pid: int) -> None:
        super().finish(pid)
        self._passed.names.pop(pid, None)

    def _put(self, buffers: list[Buffer]) -> None:
        data = b"".join(buffers)
        if not self._outlet.put(data):
            self._outlet.tail.open = PrefixedLines(), 0  # it ends somewhere else: begin a line
            self.losses.count(len(data), f"{self._outlet.name} takes nothing")


def label(watcher: str, wid: int, has_others: bool) -> str:
    """Return the name to prefix a line with, including the slot if there are several."""
    return f"{watcher}.{wid}" if has_others and wid else watcher


def pieces(data: bytes) -> list[memoryview]:
    """Cut data at ends of lines into pieces for one write each."""
    view, start, found = memoryview(data), 0, []
    while start < len(data):
        end = start + TOGETHER
        if end < len(data):
            end = (data.rfind(b"\n", start, end) + 1) or end
        found.append(view[start:end])
        start = end
    return found


def is_same(first: int, second: int) -> bool:
    """Tell whether two numbers are the same file."""
    try:
        return os.path.sameopenfile(first, second)
    except OSError:
        return False


def is_regular(fd: int) -> bool:
    """Tell whether a number is that of a regular file."""
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return False
