"""The desk that knows the calendar: when jobs run next, and which runs were missed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Facts, Missed, Rescheduled
from cvec_circus.core.goal import Run
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.chores import Chore

if TYPE_CHECKING:
    from cvec_circus.options.schedule import Calendar
    from cvec_circus.system.clock_set import ClockSet

LATE = 3 * 3600.0
"""Seconds. A clock that is set forward over a run by no more makes it come at once; one that is set
back by no more does not make it come again. As Debian's cron does it."""

MOST_MISSED = 100
"""How many missed runs of a job are counted."""

Row = tuple[str, float]
"""A schedule, and when it comes next, in seconds since 1970."""


class TimetableDesk:
    """Works out the runs of jobs. Owned by the supervisor thread, but for the file of runs.

    With a file, each job's next run is written into it before it comes, so that a daemon that
    starts later knows which ones it has missed. The file is read once, when there is a first job.

    Args:
        loop: The supervisor's loop.
        facts: Takes what the core needs to know.
        chore: The thread that reads and writes the file.
        path: The file, absolute; None for none.
    """

    def __init__(self, loop: Loop, facts: Facts, chore: Chore, path: str | None) -> None:
        self._loop, self._facts, self._chore, self._path = loop, facts, chore, path
        self._runs: dict[Watcher, Run] = {}
        self._calendar: Calendar | None = None  # loaded with the first job
        self._clock_set: ClockSet | None = None
        self._is_read = self._is_writing = self._is_new = False

    def next_run(self, watcher: Watcher, last: Run | None) -> Run:
        """See `core.ports.Timetable`."""
        schedule = str(watcher.options.schedule)
        wall = self._loop.clock.time()
        after = max(wall, last.wall) if last is not None and wall > last.wall - LATE else wall
        run = self._runs[watcher] = self._run(schedule, after)
        self._write()
        return run

    def missed(self, run: Run) -> str:
        """See `core.ports.Timetable`."""
        return self._missed(run.schedule, run.wall)

    def forget(self, watcher: Watcher) -> None:
        """See `core.ports.Timetable`; it may be called twice."""
        if self._runs.pop(watcher, None) is not None:
            self._write()

    def close(self) -> None:
        """Let go of the file that tells when the clock is set."""
        if self._clock_set is not None:
            self._clock_set.close()

    # -- time

    def _begun(self) -> Calendar:
        """Return the calendar, and load what only jobs need for the first one."""
        if self._calendar is None:
            self._calendar = self._begin()
        return self._calendar

    def _begin(self) -> Calendar:
        from cvec_circus.options.schedule import Calendar
        from cvec_circus.system.clock_set import ClockSet

        name = os.environ.get("TZ")
        try:
            calendar = Calendar.local(name)
        except (OSError, ValueError) as error:
            calendar = Calendar()
            where = "/etc/localtime" if name is None else f"TZ={name}"
            logger.warning("%s: %s; the times of schedules are UTC", where, error)
        try:
            self._clock_set = ClockSet()
        except OSError as error:
            logger.warning("%s; when the clock is set, schedules will not notice", error)
        else:
            self._loop.add_reader(self._clock_set, self._see)
        if self._path is not None:
            self._chore.do_soon(self._read, self._path)
        return calendar

    def _run(self, schedule: str, after: float) -> Run:
        clock, calendar = self._loop.clock, self._begun()
        wall = calendar.next_after(schedule, after)
        at = clock.monotonic() + wall - clock.time()
        return Run(at, wall, calendar.shown(wall), schedule)

    def _see(self) -> None:
        assert self._clock_set is not None
        self._clock_set.read()
        self.clock_was_set()

    def clock_was_set(self) -> None:
        """Work all runs out again, as the wall clock is now."""
        now = self._loop.clock.time()
        for watcher, run in list(self._runs.items()):
            late = now - run.wall
            if 0 <= late <= LATE:
                soon = run._replace(at=self._loop.clock.monotonic())
                self._facts.append(Rescheduled(watcher, soon))
                continue
            if late > 0:
                text = f"the clock was set, or the machine slept, over its run of {run.text}"
                self._facts.append(Missed(watcher, text))
            new = self.next_run(watcher, watcher.last_run)
            self._facts.append(Rescheduled(watcher, new))

    # -- the file of runs

    def _read(self, path: str) -> None:
        """On the chore's thread."""
        rows: dict[str, Row] = {}
        try:
            with open(path, encoding="utf-8") as file:
                written = dict(json.load(file))
            rows = {name: (str(row[0]), float(row[1])) for name, row in written.items()}
        except FileNotFoundError:
            pass  # the first time
        except (OSError, ValueError, TypeError, LookupError) as error:
            logger.warning("schedule_file %s cannot be read: %s", path, error)
        self._loop.post(self._was_read, rows)

    def _was_read(self, rows: Mapping[str, Row]) -> None:
        self._is_read = True
        for watcher, run in self._runs.items():
            schedule, wall = rows.get(watcher.name, ("", 0.0))
            if schedule == run.schedule and (missed := self._missed(schedule, wall)):
                self._facts.append(Missed(watcher, missed))
        self._write()

    def _missed(self, schedule: str, wall: float) -> str:
        """Say which runs have come from one on until now, "" for none."""
        calendar, now, count, last = self._begun(), self._loop.clock.time(), 0, ""
        while wall <= now and count < MOST_MISSED:
            count, last = count + 1, calendar.shown(wall)
            wall = calendar.next_after(schedule, wall)
        if not count:
            return ""
        if count == 1:
            return f"its run of {last} was missed while the daemon was down"
        many = f"{count} of its runs" if wall > now else f"more than {count} of its runs"
        since = f"the last at {last}" if wall > now else f"those up to {last} are counted"
        return f"{many} were missed while the daemon was down, {since}"

    def _write(self) -> None:
        """Write the file soon: one that is being written is written once more, however often."""
        self._is_new = True
        if self._path is None or not self._is_read or self._is_writing:
            return
        self._is_writing, self._is_new = True, False
        rows = {one.name: [run.schedule, run.wall] for one, run in self._runs.items()}
        self._chore.do_soon(self._save, self._path, json.dumps(rows, indent=1))

    def _save(self, path: str, text: str) -> None:
        """On the chore's thread."""
        part = f"{path}.new"
        failure = ""
        try:
            with open(part, "w", encoding="utf-8") as file:
                file.write(text + "\n")
            os.replace(part, path)
        except OSError as error:
            failure = f"schedule_file {path} cannot be written: {error.strerror}"
            with contextlib.suppress(OSError):
                os.unlink(part)
        self._loop.post(self._was_written, failure)

    def _was_written(self, failure: str) -> None:
        self._is_writing = False
        if failure:
            logger.warning("%s", failure)
        if self._is_new:
            self._write()
