"""Scheduling: when a job runs next, and what happens to a run that is due during another.

A watcher with a `schedule` is always wanted up, and waits between its runs. The desk that knows the
calendar works out its next run as an instant of the monotonic clock. Missed, skipped and queued
runs are reported.
"""

from __future__ import annotations

from cvec_circus.core.life import RUNNING
from cvec_circus.core.spawning import Spawner
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import NONE, SCHEDULE


class Scheduler(Spawner):
    """Begins runs. Owned by the supervisor thread."""

    def keep_time(self, watcher: Watcher) -> None:
        """Work out the next run of a watcher that has none, and begin one that is due."""
        run, schedule = watcher.run, watcher.options.schedule
        if not (watcher.goal.up and schedule):
            watcher.due_cause = NONE
            if run is not None:
                watcher.run, watcher.missed = None, ""
                if watcher.goal.word != "quit":  # a missed one is reported
                    self.ports.timetable.forget(watcher)
        elif run is None or run.schedule != schedule:
            watcher.run = self.ports.timetable.next_run(watcher, watcher.last_run)
        elif run.at <= self.now():
            self._comes(watcher)
            watcher.last_run, watcher.missed = run, ""
            watcher.run = self.ports.timetable.next_run(watcher, run)

    def _comes(self, watcher: Watcher) -> None:
        """Begin a run, or do what `overlap` says if another one has not ended."""
        assert watcher.run is not None
        told = f"the run of {watcher.run.text}"
        if watcher.is_due:
            self.note(watcher, f"{told} is skipped: the one before it has not begun")
        elif watcher.life not in RUNNING:
            watcher.due_cause = SCHEDULE
        elif watcher.options.overlap == "skip":
            self.note(watcher, f"{told} is skipped: the one before it has not ended")
        else:
            watcher.due_cause = SCHEDULE
            if watcher.options.overlap == "replace" and watcher.wants_to_run:
                why = f"it is time for {told}"
                watcher.goal = watcher.goal._replace(cycle=True, cause=SCHEDULE._replace(why=why))
