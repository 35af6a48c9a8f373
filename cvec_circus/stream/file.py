"""The stream that writes to a file, with rotation by size and time stamps if asked for."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Sequence
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.base.clock import SYSTEM, Clock
from cvec_circus.options.kinds import to_boolean, to_integer, to_text
from cvec_circus.stream.appendfile import AppendFile, describe
from cvec_circus.stream.base import LineStream, call, converted
from cvec_circus.stream.jsonlines import JsonLines
from cvec_circus.stream.lines import Buffer, Lines
from cvec_circus.stream.losses import Losses
from cvec_circus.stream.rotation import cut, shift
from cvec_circus.stream.source import Source
from cvec_circus.stream.stamped import StampedLines

CHECK_DELAY = 1.0
"""Seconds between two looks at the file, and between two attempts at what has failed."""


class FileStream(LineStream):
    """Appends the output of a watcher's processes to a file. Owned by the pump thread.

    Whatever happens to the file, the processes run on: what cannot be written is counted, said
    once a minute, and writing goes on when it can. A file that somebody deleted is made anew; one
    that somebody renamed is written on until `reopen`.

    Two streams may have one file, such as stdout and stderr of a watcher: each appends whole
    lines, and the one that finds the file rotated by the other follows.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str] = "",
        max_bytes: int | str = 0,
        backup_count: int | str = 0,
        time_format: str | None = None,
        json: bool | str = False,
        compress: bool | str = False,
        *,
        clock: Clock = SYSTEM,
        do: Callable[..., object] = call,
        source: Source = Source(),  # noqa: B008 - immutable
        on_loss: Callable[[str], object] = logger.warning,
        **others: object,
    ) -> None:
        """Make the stream; the file is opened by `reopen` or the first write.

        Args:
            filename: Its directory must exist; the file gets mode 0666 less the umask.
            max_bytes: The file is rotated before a write that would bring it to this size.
            backup_count: How many rotated files are kept; with 0 the file is never rotated, for
                that would discard it. As in Circus.
            time_format: As for strftime. Each line then begins with `<time> [<pid>] | `.
            json: Whether each line becomes a JSON object; its time is as `time_format` says, or in
                seconds since 1970.
            compress: Whether rotated files are compressed by gzip.
            clock: Tells the time.
            do: Calls a function that takes long, on another thread if there is one.
            source: Whose output it is.
            on_loss: Called on the pump thread with a line for the log.
            others: Not used. As in Circus.

        Raises:
            cvec_circus.exc.OptionError: A value that will not do.
        """
        self.filename = converted("filename", to_text, filename)
        if not self.filename:
            raise exc.OptionError("filename", "is missing")
        self._max_bytes = converted("max_bytes", to_integer, max_bytes, 0)
        self._backup_count = converted("backup_count", to_integer, backup_count, 0)
        lines = converted("time_format", _make_lines, time_format, clock)
        if converted("json", to_boolean, json):
            lines = JsonLines(time_format, clock, source)
        super().__init__(lines, Losses(clock, on_loss))
        self._packing = None
        if converted("compress", to_boolean, compress):
            self._packing = importlib.import_module("cvec_circus.stream.packing")
        self._do = do
        self._clock = clock
        self._file = AppendFile(os.path.abspath(self.filename))
        self._rotates = self._max_bytes > 0 and self._backup_count > 0
        self._rotate_at = self._check_at = clock.monotonic()
        self._checked_size = 0
        self._ragged = False
        self._is_wanted = False  # a file that could not be opened by `reopen`

    def reopen(self) -> None:
        """Open the file by its name, which may lead to another one now."""
        self._is_wanted = True
        if self._file.open():
            self._begin()
        elif self._file.is_open:
            self._losses.note(
                f"cannot reopen {self.filename}: {self._file.trouble}; "
                "the file that was opened before is written on until that is mended"
            )
        else:
            self._losses.note(
                f"cannot open {self.filename}: {self._file.trouble}; "
                "output is lost until that is mended"
            )

    def close(self) -> None:
        """Write what is held back, say what is unsaid, and close the file."""
        super().close()
        self._file.close()

    def _begin(self) -> None:
        """Take up a file that was just opened."""
        self._is_wanted = False
        self._check_at = self._clock.monotonic() + CHECK_DELAY
        self._checked_size = self._file.size() if self._file.regular else 0

    def _put(self, buffers: list[Buffer]) -> None:
        self._follow()
        if self._ragged:
            buffers.insert(0, b"\n")
        self._write(buffers, sum(map(len, buffers)))

    def _follow(self) -> None:
        """Before a write: see to it that the file is the right one."""
        if self._clock.monotonic() >= self._check_at:
            self._check()

    def _write(self, buffers: Sequence[Buffer], size: int) -> None:
        """Append buffers, after a rotation if one is due."""
        if self._rotates and self._file.is_open and self._file.regular:
            if self._file.size() + size >= self._max_bytes:
                self._append_rotating(b"".join(buffers))
                return
        self._append(buffers, size)

    def _append(self, buffers: Sequence[Buffer], size: int) -> None:
        lost = self._file.append(buffers, size) if self._file.is_open else size
        if lost < size:
            self._ragged = lost > 0
        if lost:
            # What comes next must not go on in the middle of a line whose end is missing.
            self._ragged |= self._lines.interrupt()
            self._lose(lost, self._file.trouble)

    def _append_rotating(self, data: bytes) -> None:
        """Write to as many files as it takes."""
        start = 0
        while start < len(data):
            end = len(data)
            if self._file.is_open:
                size = self._file.size()
                # One byte less, because Circus does not let a file reach max_bytes.
                end = cut(data, start, self._max_bytes - 1 - size, empty=size == 0)
                if end == start and not self._rotate():
                    end = len(data)
            if end > start:
                self._append([data[start:end]], end - start)
            start = end

    def _rotate(self) -> bool:
        """Begin a new file; where that cannot be done, the old one grows on."""
        now = self._clock.monotonic()
        if now < self._rotate_at:
            return False
        try:
            # Otherwise somebody has moved it: another stream on the same file, or logrotate.
            if self._file.is_current():
                with self._renaming():
                    shift(self._file.target(), self._backup_count)
                self._pack()
        except OSError as error:
            trouble = describe(error)
        else:
            if self._file.open():
                self._begin()
                return True
            trouble = self._file.trouble
        self._rotate_at = now + CHECK_DELAY
        self._losses.note(f"cannot rotate {self.filename}: {trouble}; it grows on")
        return False

    def _renaming(self) -> contextlib.AbstractContextManager[Any]:
        """Keep rotated files where they are for whoever compresses them."""
        if self._packing is None:
            return contextlib.nullcontext()
        return self._packing.renaming(self._file.target())  # type: ignore[no-any-return]

    def _pack(self) -> None:
        """Have what was rotated compressed, soon."""
        if self._packing is not None:
            self._do(self._pack_now, self._file.target())

    def _pack_now(self, filename: str) -> None:
        """On the thread for that."""
        assert self._packing is not None
        try:
            self._packing.pack(filename)
        except OSError as error:
            logger.warning("cannot compress what was %s: %s", self.filename, describe(error))

    def _check(self) -> None:
        """Once a second at most, before a write: is there a file, and has it still a name?"""
        self._check_at = self._clock.monotonic() + CHECK_DELAY
        if (self._is_wanted or not self._file.is_open) and self._file.open():
            self._begin()
        elif not self._file.is_open:
            return
        elif self._file.is_gone():
            self._forsake()
        elif self._file.regular:
            self._checked_size = self._file.size()

    def _forsake(self) -> None:
        """Leave a file that was deleted; what went into it since the last look is lost."""
        unseen = self._file.size() - self._checked_size
        if unseen > 0:
            self._lose(unseen, "somebody deleted the file")
        self._file.close()
        if self._file.open():
            self._begin()

    def _lose(self, size: int, why: str) -> None:
        self._losses.count(size, f"cannot write to {self.filename}: {why}")


def _make_lines(time_format: str | None, clock: Clock) -> Lines:
    return Lines() if time_format is None else StampedLines(to_text(time_format), clock)
