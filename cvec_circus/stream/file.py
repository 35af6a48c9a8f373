"""Streams that write to a file: rotating it by size, or following rotation by others."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cvec_circus import exc, logger
from cvec_circus.base.clock import Clock
from cvec_circus.base.overrides import warn_of_overrides
from cvec_circus.compat.file_names import FileNames
from cvec_circus.compat.members import Members
from cvec_circus.options.kinds import to_boolean, to_integer, to_text
from cvec_circus.stream.appendfile import AppendFile, Buffer, describe
from cvec_circus.stream.base import ALONE, Context, Unfinished, converted
from cvec_circus.stream.lines import (
    JsonLines,
    Lines,
    LineStream,
    PrefixedLines,
    StampedLines,
    moment,
)

CHECK_DELAY = 1.0
"""Seconds between two checks of the file, and between two attempts after a failure."""

NEVER_CALLED = frozenset(
    "_open _should_rollover _do_rollover _statfile _statfilename"
    " _compute_rollover _get_files_to_delete".split()
)
"""Methods that Circus' streams call on themselves, and these do not."""

ENDS = (("", ".gz"), (".gz", ""))
"""A backup may be compressed by now; both forms of the same number are the same file."""


class FileStream(FileNames, LineStream):
    """Appends the output of a watcher's processes to a file. Owned by the pump thread.

    Whatever happens to the file, the processes keep running: lost output is counted and logged once
    a minute, and writing resumes as soon as possible. A deleted file is created again; a renamed
    file is written to until `reopen`.

    Two streams may have one file, such as stdout and stderr of a watcher: each appends whole
    lines, and the one that finds the file rotated by the other follows.

    A subclass may override `__call__`, `write_data` and the methods that return the time of a line.

    Attributes:
        now, fromtimestamp: Return the time of a line as a datetime; the latter takes seconds since
            1970, and is called if there is no other `now`.
    """

    now = datetime.now
    fromtimestamp = datetime.fromtimestamp

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overrides(cls, NEVER_CALLED, "override __call__ or write_data, or set an option")

    def __init__(
        self,
        filename: str | os.PathLike[str] | None = None,
        max_bytes: int | str = 0,
        backup_count: int | str = 0,
        time_format: str | None = None,
        json: bool | str = False,
        compress: bool | str = False,
        *,
        context: Context = ALONE,
        **others: object,
    ) -> None:
        """Make the stream; the file is opened by `reopen` or the first write.

        Args:
            filename: Its directory must exist; the file gets mode 0666 less the umask. None is a
                new temporary file, unless it is a daemon's stream.
            max_bytes: The file is rotated before a write that would bring it to this size.
            backup_count: How many rotated files are kept; with 0 the file is never rotated, because
                that would discard it. As in Circus.
            time_format: As for strftime. Each line then begins with `<time> [<pid>] | `.
            json: Whether each line becomes a JSON object; its time is as `time_format` says, or in
                seconds since 1970.
            compress: Whether rotated files are compressed by gzip.
            context: The stream's clock, log and source.
            others: Not used. As in Circus.

        Raises:
            cvec_circus.exc.OptionError: A value is wrong.
            OSError: There is no place for a temporary file.
        """
        if filename is None and context is ALONE:
            filename = _temporary()
        self.filename = converted("filename", to_text, filename or "")
        if not self.filename:
            raise exc.OptionError("filename", "is missing")
        self._max_bytes = converted("max_bytes", to_integer, max_bytes, 0)
        self._backup_count = converted("backup_count", to_integer, backup_count, 0)
        self._time_format = time_format
        lines = converted("time_format", _make_lines, time_format, context.clock)
        if converted("json", to_boolean, json):
            lines = JsonLines(time_format, context.clock, context.source)
        super().__init__(lines, context)
        self._packing = None
        if converted("compress", to_boolean, compress):
            self._packing = importlib.import_module("cvec_circus.stream.packing")
        self._do = context.do
        self._clock = context.clock
        self._file = AppendFile(os.path.abspath(self.filename))
        self._rotates = self._max_bytes > 0 and self._backup_count > 0
        self._rotate_at = self._check_at = self._clock.monotonic()
        self._checked_size = 0
        self._ragged = self._is_losing = False
        self._is_wanted = False  # a file that could not be opened by `reopen`

    def __call__(self, data: Mapping[str, Any]) -> None:
        """Write something at once; see `Stream`."""
        self.write_data(data)

    def write_data(self, data: Mapping[str, Any]) -> None:
        """Write something at once, what `__call__` was called with."""
        if isinstance(self._lines, StampedLines):
            self._lines.moment = moment(self, data)
        super().__call__(data)

    def go_on(self, pid: int, line: Unfinished) -> None:
        super().go_on(pid, line)
        if line.is_open:
            self._ragged = False  # the file ends with it

    @property
    def trouble(self) -> str:
        is_open, trouble = self._file.is_open, self._file.trouble
        if self._is_wanted and not is_open:
            return f"cannot open {self.filename}: {trouble}"
        return f"cannot write to {self.filename}: {trouble}" if self._is_losing else ""

    def open(self) -> None:
        """Open the file, unless it is open."""
        if not self._file.is_open:
            self.reopen()

    def reopen(self) -> None:
        """Open the file by its name, which may lead to another one now."""
        self._is_wanted = True
        if self._file.open():
            self._begin()
        elif self._file.is_open:
            self.losses.note(
                f"cannot reopen {self.filename}: {self._file.trouble}; "
                "its output goes to the file opened before until this is fixed"
            )
        else:
            self.losses.note(
                f"cannot open {self.filename}: {self._file.trouble}; "
                "its output is lost until this is fixed"
            )

    def close(self) -> None:
        """Write held output, log losses, and close the file."""
        super().close()
        self._file.close()

    def _begin(self) -> None:
        """Begin with a file that was just opened."""
        self._is_wanted = False
        self._check_at = self._clock.monotonic() + CHECK_DELAY
        self._checked_size = self._file.size() if self._file.regular else 0
        if isinstance(self._lines, PrefixedLines) and self._lines.tail.open is None:
            self._ragged |= self._file.is_ragged()  # a daemon was killed that wrote to it

    def _put(self, buffers: list[Buffer]) -> None:
        self._follow()
        if self._ragged:
            buffers.insert(0, b"\n")
        self._write(buffers, sum(map(len, buffers)))

    def _follow(self) -> None:
        """Before a write: make sure that the right file is open."""
        if self._clock.monotonic() >= self._check_at:
            self._check()

    def _write(self, buffers: Sequence[Buffer], size: int) -> None:
        """Append buffers, after a rotation if one is due."""
        if self._rotates and self._file.is_open and self._file.movable:
            if self._file.size() + size >= self._max_bytes:
                self._append_rotating(b"".join(buffers))
                return
        self._append(buffers, size)

    def _append(self, buffers: Sequence[Buffer], size: int) -> None:
        lost = self._file.append(buffers, size) if self._file.is_open else size
        self._is_losing = lost > 0
        if lost < size:
            self._ragged = lost > 0
        if lost:
            # The next output must not continue a line whose end is missing.
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
        """Begin a new file; if that fails, keep the old one. Return whether there is one."""
        now = self._clock.monotonic()
        if now < self._rotate_at:
            return False
        try:
            self._move_away()
        except OSError as error:
            trouble = describe(error)
        else:
            if self._file.open():
                self._begin()
                return True
            trouble = self._file.trouble
        self._rotate_at = now + CHECK_DELAY
        self.losses.note(f"cannot rotate {self.filename}: {trouble}; it grows until this is fixed")
        return False

    def _move_away(self) -> None:
        """Give the file the name of a backup, unless another stream or logrotate has moved it."""
        if self._file.is_current():
            with self._renaming():
                shift(self._file.target(), self._backup_count)
            self._pack()

    def _renaming(self) -> contextlib.AbstractContextManager[Any]:
        """Keep the compressing thread from rotated files meanwhile."""
        if self._packing is None:
            return contextlib.nullcontext()
        return self._packing.renaming(self._file.target())  # type: ignore[no-any-return]

    def _pack(self) -> None:
        """Compress what was rotated, on a thread for that."""
        if self._packing is not None:
            self._do(self._pack_now, self._file.target())

    def _pack_now(self, filename: str) -> None:
        assert self._packing is not None
        try:
            self._packing.pack(filename)
        except OSError as error:
            logger.warning("cannot compress the backups of %s: %s", self.filename, describe(error))

    def _check(self) -> None:
        """Check before a write, at most once a second, that a file is open and still has a name."""
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
        """Leave a deleted file; output since the last check is lost."""
        unseen = self._file.size() - self._checked_size
        if unseen > 0:
            self._lose(unseen, "the file was deleted")
        self._file.close()
        if self._file.open():
            self._begin()

    def _lose(self, size: int, why: str) -> None:
        self.losses.count(size, f"cannot write to {self.filename}: {why}")


class FollowingFileStream(FileStream):
    """Appends to the file of a name, whichever file that is. Owned by the thread that calls it.

    A FileStream keeps writing to a moved file until `reopen`; this one checks before every write.
    """

    _follow_at = 0.0

    def _follow(self) -> None:
        if self._file.is_open and self._file.regular and not self._file.is_current():
            now = self._clock.monotonic()
            if now >= self._follow_at:
                self._follow_at = now + CHECK_DELAY
                self.reopen()
                if self._file.is_open and self._file.is_current():
                    self._follow_at = now  # it may be moved again before a second is over
        super()._follow()


class WatchedFileStream(Members, FollowingFileStream):
    """Follows its file, and never rotates it. Owned by the pump thread.

    As in Circus; `max_bytes` and `backup_count` are ignored.
    """

    _circus_class = "stream.file_stream.WatchedFileStream"

    def __init__(
        self, filename: Any = None, time_format: str | None = None, **options: Any
    ) -> None:
        """Make the stream; see FileStream."""
        super().__init__(filename, 0, 0, time_format, **without_size(options))
        self._follow_at = self._clock.monotonic()


def _temporary() -> str:
    """Make a new file, and return its name."""
    tempfile = importlib.import_module("tempfile")  # only programs that name none need it
    fd, name = tempfile.mkstemp()
    os.close(fd)
    return str(name)


def without_size(options: dict[str, Any]) -> dict[str, Any]:
    """Return options without those of a rotation by size."""
    return {k: v for k, v in options.items() if k not in ("max_bytes", "backup_count")}


def _make_lines(time_format: str | None, clock: Clock) -> Lines:
    return Lines() if time_format is None else StampedLines(to_text(time_format), clock)


def cut(data: bytes, start: int, room: int, empty: bool) -> int:
    """Return how far to write data from `start` on, before a file with so much room is full.

    That is the end of the data if it fits, else of the last line that fits; `start` when none does.
    A line that does not fit into an empty file is cut anywhere: another file would not help.
    """
    if len(data) - start <= room:
        return len(data)
    end = data.rfind(b"\n", start, start + max(room, 0)) + 1
    if end:
        return end
    return start + max(room, 1) if empty else start


def shift(filename: str, backup_count: int) -> None:
    """Rename a file to `.1`, after `.1` to `.2` and so on; drop the one at `.<backup_count>`.

    Every step is one atomic rename(2): whenever the machine stops, only the backup to drop is lost.

    Raises:
        OSError: A step failed; the file still has its name.
    """
    for number in range(backup_count - 1, 0, -1):
        for end, other in ENDS:
            with contextlib.suppress(FileNotFoundError):  # there are not so many yet
                os.replace(f"{filename}.{number}{end}", f"{filename}.{number + 1}{end}")
                os.unlink(f"{filename}.{number + 1}{other}")
    os.replace(filename, f"{filename}.1")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{filename}.1.gz")
