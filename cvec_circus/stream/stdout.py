"""The streams that write where the daemon itself writes."""

from __future__ import annotations

import os
import random
import select
import sys
from collections.abc import Callable
from typing import Any

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.stream.base import LineStream
from cvec_circus.stream.lines import Buffer, Lines
from cvec_circus.stream.losses import Losses
from cvec_circus.stream.stamped import StampedLines

COLORS = "red green yellow blue magenta cyan white".split()
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
END = b"\x1b[0m\n"


class StdoutStream(LineStream):
    """Writes to the standard output of the daemon. Owned by a pump thread of such streams alone.

    Whoever reads that output and stops to do so holds up these streams, and the processes that
    write to them, and nobody else.
    """

    def __init__(
        self,
        *,
        clock: Clock = SYSTEM,
        on_loss: Callable[[str], object] = logger.warning,
        **others: Any,
    ) -> None:
        """Make the stream.

        Args:
            clock: Tells the time.
            on_loss: Called with a line for the log when something cannot be written.
            others: Not used. As in Circus.
        """
        super().__init__(Lines(), Losses(clock, on_loss))
        self._clock = clock

    def _put(self, buffers: list[Buffer]) -> None:
        data = b"".join(buffers)
        try:
            rest, trouble = _write_out(data)
        except (OSError, ValueError) as error:  # ValueError: somebody has closed the file
            rest, trouble = len(data), str(error)
        if rest:
            self._losses.count(rest, f"cannot write to standard output: {trouble}")


class FancyStdoutStream(StdoutStream):
    """Writes there in colour, with a time before each line. Owned by the same thread."""

    def __init__(
        self, color: str | None = None, time_format: str | None = None, **options: Any
    ) -> None:
        """Make the stream.

        Args:
            color: A name in COLORS; any other is one of these by chance, as in Circus.
            time_format: As for strftime.
            options: See StdoutStream.

        Raises:
            ValueError: The format is none.
        """
        super().__init__(**options)
        number = COLORS.index(color if color in COLORS else random.choice(COLORS)) + 1
        self._lines = ColoredLines(time_format or TIME_FORMAT, self._clock, number)


class ColoredLines(StampedLines):
    """Lines as a FancyStdoutStream has them, those without text left out. Owned likewise."""

    def __init__(self, time_format: str, clock: Clock, color: int) -> None:
        super().__init__(time_format, clock)
        self._color = b"\x1b[0;3%d;40m" % color

    def _finished(self, part: Buffer, lines: memoryview, pid: int) -> list[Buffer]:
        prefix = b"%s%s [%d] | " % (self._color, self._now(), pid)
        texts = [text for text in (bytes(part) + bytes(lines)).split(b"\n") if text]
        return [prefix, (END + prefix).join(texts), END] if texts else []

    def _unfinished(self, part: Buffer, pid: int) -> list[Buffer]:
        return self._finished(part, memoryview(b""), pid)


def _write_out(data: bytes) -> tuple[int, str]:
    """Write to standard output; return how many bytes could not be, and why."""
    out = sys.stdout
    if out is None:
        return len(data), "there is none"
    try:
        fd = out.fileno()
    except (AttributeError, OSError):  # a program has put something of its own there
        out.write(data.decode("utf-8", "backslashreplace"))
        out.flush()
        return 0, ""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()
        except OSError as error:
            return len(rest), error.strerror or str(error)
    return 0, ""
