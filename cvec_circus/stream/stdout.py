"""Streams that write to the daemon's own output."""

from __future__ import annotations

import os
import random
import select
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cvec_circus.stream.appendfile import Buffer, describe
from cvec_circus.stream.base import ALONE, Context
from cvec_circus.stream.lines import Lines, LineStream, StampedLines, moment

COLORS = "red green yellow blue magenta cyan white".split()
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
END = b"\x1b[0m\n"


class StdoutStream(LineStream):
    """Writes to the standard output of the daemon. Owned by a pump thread of such streams alone.

    If the reader of that output stops, it blocks only these streams and the processes that write to
    them.
    """

    def __init__(
        self,
        *,
        context: Context = ALONE,
        **others: Any,
    ) -> None:
        """Make the stream. Other options are not used, as in Circus."""
        super().__init__(Lines(), context)

    def _put(self, buffers: list[Buffer]) -> None:
        data = b"".join(buffers)
        try:
            rest, trouble = _write_out(data)
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            rest, trouble = len(data), str(error)
        if rest:
            self.losses.count(rest, f"cannot write to standard output: {trouble}")


class _StandardOutput:
    """Stands for `sys.stdout`, whatever that is at the time. Safe from any thread."""

    def __get__(self, stream: object, owner: type) -> Any:
        return sys.stdout


class FancyStdoutStream(StdoutStream):
    """Writes there in colour, with a time before each line. Owned by the same thread.

    A subclass may override what it could in Circus' class.

    Attributes:
        colors: The names of colours.
        out: What it writes to when it is called.
        now, fromtimestamp: Return the time of a line as a datetime; the latter takes seconds since
            1970, and is called if there is no other `now`.
        time_format: As for strftime.
        color_code: The number of its colour, from 1.
    """

    colors = COLORS
    out = _StandardOutput()
    now = datetime.now
    fromtimestamp = datetime.fromtimestamp

    def __init__(
        self,
        color: str | None = None,
        time_format: str | None = None,
        *,
        context: Context = ALONE,
        **others: Any,
    ) -> None:
        """Make the stream.

        Args:
            color: A name in COLORS; for any other, one of these is chosen at random, as in Circus.
            time_format: As for strftime.
            context: What the stream works with.
            others: Not used. As in Circus.

        Raises:
            ValueError: strftime rejects the format.
        """
        super().__init__(context=context)
        color = color if color in self.colors else random.choice(self.colors)
        self.color_code = self.colors.index(color) + 1
        self.time_format = time_format or TIME_FORMAT
        self._lines = ColoredLines(self.time_format, context.clock)
        self._lines.color = self._color().encode()

    def _color(self) -> str:
        return f"\x1b[3{self.color_code}m"

    def prefix(self, data: Mapping[str, Any]) -> str:
        """Return the prefix of each line of what it is called with."""
        return f"{self._color()}{moment(self, data).strftime(self.time_format)} [{data['pid']}] | "

    def __call__(self, data: Mapping[str, Any]) -> None:
        """Write something at once, without empty lines; see `Stream`."""
        text = data["data"]
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        for line in filter(None, text.split("\n")):
            self.out.write(f"{self.prefix(data)}{line}{END.decode()}")
        self.out.flush()


class ColoredLines(StampedLines):
    """Lines as a FancyStdoutStream has them, those without text left out. Owned likewise."""

    color = b""

    def _finished(self, part: Buffer, lines: memoryview, pid: int) -> list[Buffer]:
        prefix = b"%s%s [%d] | " % (self.color, self._now(), pid)
        texts = [text for text in (bytes(part) + bytes(lines)).split(b"\n") if text]
        return [prefix, (END + prefix).join(texts), END] if texts else []

    def _unfinished(self, part: Buffer, pid: int) -> list[Buffer]:
        return self._finished(part, memoryview(b""), pid)


def _write_out(data: bytes) -> tuple[int, str]:
    """Write to standard output; return how many bytes could not be written, and why."""
    out = sys.stdout
    if out is None:
        return len(data), "there is none"
    try:
        fd = out.fileno()
    except (AttributeError, OSError):  # a program has put an object of its own there
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
            return len(rest), describe(error)
    return 0, ""
