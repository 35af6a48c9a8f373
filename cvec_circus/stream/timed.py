"""The stream that rotates its file by time."""

from __future__ import annotations

import os
import re
import time
from typing import Any

from cvec_circus.options.kinds import to_boolean, to_choice, to_integer
from cvec_circus.options.stream import WHENS
from cvec_circus.stream.base import converted
from cvec_circus.stream.file import FileStream, without_size

DAY = 86400
LENGTHS = {"S": 1, "M": 60, "H": 3600, "D": DAY, "midnight": DAY}
SUFFIXES = {"S": "%Y%m%d%H%M%S", "M": "%Y%m%d%H%M", "H": "%Y%m%d%H"}


class TimedRotatingFileStream(FileStream):
    """Appends to a file, and rotates it to a name with its time when its period is over.

    Owned by the pump thread.

    A file is rotated before the first write after its period, as by Circus. An existing one counts
    from its last change. Days and weeks end at midnight, however long that day is. When the clock
    is set back to before the file began, the file begins anew by that time.
    """

    def __init__(
        self,
        filename: Any = None,
        backup_count: int | str = 0,
        time_format: str | None = None,
        rotate_when: str | None = None,
        rotate_interval: int | str = 1,
        utc: bool | str = False,
        **options: Any,
    ) -> None:
        """Make the stream; see FileStream for the other arguments.

        Args:
            filename, time_format, options: See there.
            backup_count: How many rotated files are kept; all with 0.
            rotate_when: S, M, H, D, W0 (Monday) to W6 or midnight, in any case.
            rotate_interval: How many seconds, minutes and so on a file lasts.
            utc: Whether days and names are those of UTC.

        Raises:
            cvec_circus.exc.OptionError: A value is wrong.
        """
        self._when = converted("rotate_when", to_choice, rotate_when, *WHENS)
        self._count = converted("rotate_interval", to_integer, rotate_interval, 1)
        self._utc = converted("utc", to_boolean, utc)
        super().__init__(filename, 0, backup_count, time_format, **without_size(options))
        self._ends_at_midnight = self._when in ("midnight", *WHENS[4:11])
        self._length = self._count * LENGTHS.get(self._when, 7 * DAY)
        self._suffix = SUFFIXES.get(self._when, "%Y%m%d")
        digits = len(time.strftime(self._suffix))
        self._ours = re.compile(rf"\d{{{digits}}}(\.\d+)?(\.gz)?")
        self._began_at = 0.0
        self._ends_at: float | None = None

    def _begin(self) -> None:
        super()._begin()
        if self._ends_at is None and self._file.movable:
            at = self._clock.time()
            if self._file.size():
                at = min(at, os.fstat(self._file.fileno()).st_mtime)
            self._begin_period(at)

    def _begin_period(self, at: float) -> None:
        """Treat the file as one that was begun at that time."""
        self._began_at = at
        self._ends_at = self._end_after(at)

    def _write(self, buffers: Any, size: int) -> None:
        if self._ends_at is not None:
            now = self._clock.time()
            if now < self._began_at:
                self._begin_period(now)  # the clock was set back
            elif now >= self._ends_at and self._file.is_open and self._rotate():
                self._begin_period(now)
        self._append(buffers, size)

    def _move_away(self) -> None:
        assert self._ends_at is not None
        target = self._file.target()
        if self._file.is_current():
            with self._renaming():
                os.rename(target, self._backup_name(target, self._ends_at))
            self._pack()
        with self._renaming():
            self._discard(target)

    def _end_after(self, at: float) -> float:
        """Return when a file that was written to at that time ends."""
        if not self._ends_at_midnight:
            return at // 1 + self._length
        if self._when == "midnight":
            return self._midnight(at, self._count)
        day = int(self._when[1])
        ahead = (day - self._broken_down(at).tm_wday - 1) % 7 + 1
        return self._midnight(at, ahead + 7 * (self._count - 1))

    def _midnight(self, at: float, days: int) -> float:
        """Return the beginning of the day that many days after the one of that time."""
        if self._utc:
            return (at // DAY + days) * DAY
        parts = time.localtime(at)
        midnight = (parts.tm_year, parts.tm_mon, parts.tm_mday + days, 0, 0, 0, 0, 0, -1)
        return time.mktime(midnight)

    def _broken_down(self, at: float) -> time.struct_time:
        return time.gmtime(at) if self._utc else time.localtime(at)

    def _backup_name(self, target: str, ends_at: float) -> str:
        """Return an unused name for a file that ends then: its beginning."""
        began_at = ends_at - self._length
        if self._ends_at_midnight:
            began_at = self._midnight(ends_at, -self._length // DAY)
        name = f"{target}.{time.strftime(self._suffix, self._broken_down(began_at))}"
        chosen, number = name, 0
        while os.path.lexists(chosen) or os.path.lexists(f"{chosen}.gz"):
            number += 1
            chosen = f"{name}.{number}"
        return chosen

    def _discard(self, target: str) -> None:
        """Delete the oldest backups beyond `backup_count`.

        One from the future counts as older than all others: the clock has been set back since.
        """
        if not self._backup_count:
            return
        folder, base = os.path.split(target)
        start = len(base) + 1
        found = [
            name
            for name in os.listdir(folder)
            if name.startswith(f"{base}.") and self._ours.fullmatch(name, start)
        ]
        latest = int(time.strftime(self._suffix, self._broken_down(self._clock.time())))

        def age(name: str) -> tuple[bool, list[int]]:
            numbers = [int(n) for n in re.findall(r"\d+", name[start:])]
            return numbers[0] <= latest, numbers

        for name in sorted(found, key=age)[: -self._backup_count]:
            os.unlink(os.path.join(folder, name))
