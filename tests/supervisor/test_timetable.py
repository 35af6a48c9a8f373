"""The desk of the calendar: instants, clocks that are set, and the file of runs."""

from __future__ import annotations

import json
import os
import select
import sys
import time
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Facts, Missed, Rescheduled
from cvec_circus.core.goal import Run
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.supervisor.chores import Chore
from cvec_circus.supervisor.timetable import TimetableDesk
from cvec_circus.system.clock_set import ClockSet
from tests.support.clock import FakeClock
from tests.support.daemon import folder
from tests.support.leaks import LeakCheckedTestCase
from tests.support.nightly import NIGHTLY

NOON = 1_780_315_200.0  # 2026-06-01 12:00 UTC


def job(schedule: str = "0 * * * *", name: str = "job") -> Watcher:
    """Make one that is to be up."""
    watcher = Watcher(name, WATCHER_OPTIONS.complete({"cmd": "run", "schedule": schedule}))
    watcher.goal = watcher.goal._replace(up=True)
    return watcher


class Desk(TimetableDesk):
    """A desk, with what it works on. Owned by the test."""

    def __init__(self, test: unittest.TestCase, wall: float, path: Path | None = None) -> None:
        self.time = FakeClock(wall=wall)
        self.loop, self.facts = Loop(self.time), Facts()
        self.chore = Chore(self.loop, "runs")
        super().__init__(self.loop, self.facts, self.chore, path and str(path))
        test.addCleanup(self.end)

    def give(self, watcher: Watcher, last: Run | None = None) -> Run:
        """Give a watcher its next run, as the core does."""
        watcher.run = self.next_run(watcher, last)
        return watcher.run

    def work(self) -> None:
        """Let the thread do what it has to do, and take its answer, until there is nothing."""
        while self._is_writing or not self._is_read:
            self.chore.do(self.loop.post, self.loop.stop)
            self.loop.run()

    def told(self) -> list[str]:
        """Return what the core was told of missed runs."""
        return [fact.text for fact in self.facts if isinstance(fact, Missed)]

    def end(self) -> None:
        self.chore.stop()
        self.chore.join(5)
        self.close()
        self.loop.close()


class TimetableCase(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        patch = mock.patch.dict(os.environ, TZ="Europe/Berlin")
        patch.start()
        self.addCleanup(patch.stop)


class TestTime(TimetableCase):
    def test_the_next_run(self) -> None:
        desk = Desk(self, NOON - 0.25)
        first = desk.give(job())
        self.assertEqual((first.at, first.wall), (1000.25, NOON))
        self.assertEqual(first.text, "2026-06-01 14:00 CEST")
        # Woken up a bit early, or late, it is the next one that comes next.
        for now in (NOON - 0.001, NOON, NOON + 0.3):
            desk.time.wall = now
            self.assertEqual(desk.give(job(), first).wall, NOON + 3600)

    @unittest.skipUnless(
        sys.version_info >= (3, 10), "cronsim has seconds where Python is 3.10 or later"
    )
    def test_seconds(self) -> None:
        desk = Desk(self, NOON + 1)
        self.assertEqual(desk.give(job("*/10 * * * * *")).text, "2026-06-01 14:00:10 CEST")

    def set_clock(self, by: float) -> tuple[Desk, Watcher]:
        """Set the clock at 12:59:50, ten seconds before a run."""
        desk, watcher = Desk(self, NOON + 3590), job()
        desk.give(watcher)
        desk.time.wall += by
        desk.clock_was_set()
        return desk, watcher

    def test_a_clock_that_is_set_forward(self) -> None:
        desk, _ = self.set_clock(5)
        [fact] = desk.facts
        assert isinstance(fact, Rescheduled)
        self.assertEqual((fact.run.at, fact.run.wall), (1005, NOON + 3600))

    def test_over_a_run(self) -> None:
        desk, _ = self.set_clock(2 * 3600)
        [fact] = desk.facts
        assert isinstance(fact, Rescheduled)
        self.assertEqual((fact.run.at, fact.run.wall), (1000, NOON + 3600))  # now

    def test_far_over_a_run(self) -> None:
        desk, _ = self.set_clock(24 * 3600)
        missed, fact = desk.facts
        assert isinstance(missed, Missed) and isinstance(fact, Rescheduled)
        run = "2026-06-01 15:00 CEST"
        self.assertEqual(
            missed.text, f"the clock was set, or the machine slept, over its run of {run}"
        )
        self.assertEqual((fact.run.at, fact.run.wall), (1010, NOON + 25 * 3600))

    def test_back_over_a_run_that_has_come(self) -> None:
        desk, watcher = Desk(self, NOON), job()
        watcher.last_run = Run(1000, NOON, "", "0 * * * *")
        for back, expected in ((1800, NOON + 3600), (5 * 3600, NOON - 4 * 3600)):
            desk.time.wall = NOON - back
            self.assertEqual(desk.give(watcher, watcher.last_run).wall, expected)

    def test_no_such_zone(self) -> None:
        desk = Desk(self, NOON - 1)
        with mock.patch.dict(os.environ, TZ="No/Where"):
            with self.assertLogs("cvec_circus", "WARNING") as log:
                run = desk.give(job())
        self.assertIn("TZ=No/Where: it names no zone", log.output[0])
        self.assertEqual(run.text, "2026-06-01 12:00 UTC")


class TestClockSet(LeakCheckedTestCase):
    def test_nothing_is_told_while_it_goes_on(self) -> None:
        watch = ClockSet()
        self.addCleanup(watch.close)
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        self.assertEqual(poll.poll(0), [])
        watch.read()
        self.assertEqual(poll.poll(0), [])
        self.assertFalse(os.get_inheritable(watch.fileno()))

    @unittest.skipUnless(NIGHTLY, "it sets the clock, to what it is")
    def test_a_clock_that_is_set(self) -> None:
        watch = ClockSet()
        self.addCleanup(watch.close)
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))
        self.assertEqual(len(poll.poll(10_000)), 1)
        watch.read()
        self.assertEqual(poll.poll(0), [])


class TestFile(TimetableCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = folder(self) / "runs.json"

    def written(self) -> object:
        return json.loads(self.path.read_text())

    def after(self, hours: float, watcher: Watcher, row: object) -> Desk:
        """A desk of a daemon that starts hours after noon, with what another one has written."""
        self.path.write_text(json.dumps(row))
        desk = Desk(self, NOON + 3600 * hours, self.path)
        desk.give(watcher)
        desk.work()
        return desk

    def test_what_comes_next_is_written_down(self) -> None:
        desk, web = Desk(self, NOON + 1, self.path), job("0 0 * * *", "web")
        desk.give(job())
        desk.give(web)
        desk.work()
        expected = {
            "job": ["0 * * * *", NOON + 3600],
            "web": ["0 0 * * *", NOON + 10 * 3600],
        }
        self.assertEqual(self.written(), expected)
        desk.forget(web)
        desk.forget(web)
        desk.work()
        self.assertEqual(self.written(), {"job": ["0 * * * *", NOON + 3600]})
        self.assertEqual(
            (desk.told(), [one.name for one in self.path.parent.iterdir()]), ([], ["runs.json"])
        )

    def test_what_was_missed(self) -> None:
        row = {"job": ["0 * * * *", NOON]}
        one = "its run of 2026-06-01 14:00 CEST was missed while the daemon was down"
        self.assertEqual(self.after(0.5, job(), row).told(), [one])
        three = "3 of its runs were missed while the daemon was down, the last at 2026-06-01 16:00"
        self.assertEqual(self.after(2.5, job(), row).told(), [f"{three} CEST"])
        [many] = self.after(1000, job(), row).told()
        self.assertIn("more than 100 of its runs were missed", many)
        run = Run(0.0, NOON, "", "0 * * * *")  # of a ledger; the calendar is not loaded yet
        self.assertEqual(Desk(self, NOON + 1800).missed(run), one)
        self.assertEqual(Desk(self, NOON - 1800).missed(run), "")
        self.assertEqual(self.written(), {"job": ["0 * * * *", NOON + 1001 * 3600]})

    def test_what_was_not(self) -> None:
        for row in (
            {},
            {"job": ["0 * * * *", NOON + 3600]},
            {"job": ["30 * * * *", NOON - 1800]},  # another schedule
            {"other": ["0 * * * *", NOON]},
        ):
            with self.subTest(row):
                self.assertEqual(self.after(0.5, job(), row).told(), [])

    def test_a_file_that_is_none(self) -> None:
        for row in (7, {"job": 5}, {"job": ["x"]}, {"job": ["0 * * * *", "x"]}):
            with self.subTest(row), self.assertLogs("cvec_circus", "WARNING") as log:
                desk = self.after(0.5, job(), row)
            self.assertIn(f"schedule_file {self.path} cannot be read", log.output[0])
            self.assertEqual(desk.told(), [])
            self.assertEqual(self.written(), {"job": ["0 * * * *", NOON + 3600]})

    def test_a_file_that_cannot_be_written(self) -> None:
        desk = Desk(self, NOON, self.path / "no" / "folder")
        with self.assertLogs("cvec_circus", "WARNING") as log:
            desk.give(job())
            desk.work()
        self.assertIn("cannot be written: No such file or directory", log.output[0])

    def test_a_write_that_hangs_holds_one_more(self) -> None:
        desk, watcher = Desk(self, NOON, self.path), job()
        desk.give(watcher)
        desk.work()
        with mock.patch.object(desk.chore, "do_soon") as do_soon:
            for _ in range(100):
                desk.give(watcher)
            do_soon.assert_called_once()
            desk._was_written("")
            desk._was_written("")
        self.assertEqual(do_soon.call_count, 2)


if __name__ == "__main__":
    unittest.main()
