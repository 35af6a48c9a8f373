"""Looking after the files by which the daemon is found: they are made again if they were deleted.

A program may unlink its socket when it ends, though the socket is the daemon's, and tidying
programs delete what they take for old. So the files are looked at when processes come and go, and
once a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.supervisor.chores import Chore
from cvec_circus.system import mounts
from cvec_circus.system.own_file import Finding, OwnFile

DELAY = 0.01
"""Seconds between a death and the look: the successor comes first, and clients wait no longer."""

PAUSE = 0.2
"""Seconds between two looks, at least."""

PERIOD = 60.0
"""Seconds between two looks without one."""


class OwnFiles:
    """The files by which the daemon is found. Owned by the supervisor thread.

    Looking is done on the thread that also binds new sockets, so that no path is missed while one
    socket gives it to another. Files on a server, which may be gone, are not looked at.

    Args:
        loop: The supervisor's loop.
        chore: The thread.
        listed: Returns the files to look after at that moment.
    """

    def __init__(self, loop: Loop, chore: Chore, listed: Callable[[], Iterable[OwnFile]]) -> None:
        self._loop, self._chore, self._listed = loop, chore, listed
        self._others: list[OwnFile] = []
        self._told: dict[OwnFile, str] = {}  # the last line about each that is not as it should be
        self._is_due = self._is_looking = self._is_wanted = False
        self._not_before = 0.0

    def begin(self) -> None:
        """Look once a minute from now on."""
        self._loop.call_later(PERIOD, self._each_minute)

    def add(self, one: OwnFile) -> None:
        """Look after one more."""
        self._others.append(one)

    def soon(self) -> None:
        """Look in a moment, once for all calls until then."""
        if not self._is_due:
            self._is_due = True
            at = max(self._loop.clock.monotonic() + DELAY, self._not_before)
            self._loop.call_at(at, self._look)

    def _each_minute(self) -> None:
        self.soon()
        self.begin()

    def _look(self) -> None:
        self._is_due = False
        self._not_before = self._loop.clock.monotonic() + PAUSE
        there = [(one, one.file) for one in (*self._listed(), *self._others)]
        files = [(one, file) for one, file in there if file]
        self._is_wanted = self._is_looking  # it may have looked before what this is about
        if files and not self._is_looking:
            self._is_looking = True
            self._chore.do_soon(self._look_after, files)

    def _look_after(self, files: Sequence[tuple[OwnFile, str]]) -> None:
        """On the chore's thread. It wakes the supervisor once if all is well."""
        well: list[OwnFile] = []
        try:
            try:
                table = mounts.read()
            except (OSError, MemoryError):
                return  # there is no file left to read it with; the next look is in a minute
            for one, file in files:
                mount = mounts.find(file, table)
                if mount is not None and mount.is_remote:
                    continue
                finding = one.look_after()
                if finding is None:
                    well.append(one)
                else:
                    self._loop.post(self._found, one, finding)
        finally:
            self._loop.post(self._looked, well)

    def _found(self, one: OwnFile, finding: Finding) -> None:
        told = self._told.pop(one, "")
        if finding.renew is not None:
            finding.renew()
        if not finding.is_over:
            self._told[one] = finding.text
        if finding.text != told:
            logger.warning("%s", finding.text)

    def _looked(self, well: Sequence[OwnFile]) -> None:
        for one in well:
            self._told.pop(one, None)
        self._is_looking = False
        if self._is_wanted:
            self.soon()
