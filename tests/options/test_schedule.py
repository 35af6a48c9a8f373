"""Schedules: what they may be, and when they come where the clock is changed twice a year."""

from __future__ import annotations

import itertools
import sys
import unittest
from datetime import datetime, timezone
from unittest import mock
from zoneinfo import ZoneInfo

import cronsim

from cvec_circus.options.schedule import NICKNAMES, Calendar, to_schedule

BERLIN = ZoneInfo("Europe/Berlin")
"""Forward at 2026-03-29 02:00, back at 2026-10-25 03:00."""


class TestForms(unittest.TestCase):
    def test_lines_of_cron(self) -> None:
        lines = ("*/5 * * * *", "0 3 * * MON-FRI", "0 0 L * *", "0 0 29 2 *", "30 4 1,15 * 5")
        for line in lines:
            with self.subTest(line):
                self.assertEqual(to_schedule(line), line)
        self.assertEqual(to_schedule("  0  3 * *\t* "), "0 3 * * *")

    def test_what_is_none(self) -> None:
        form = "write MINUTE HOUR DAY MONTH WEEKDAY"
        for given, said in (
            ("61 * * * *", f"'61 * * * *' is not a schedule (bad minute): {form}"),
            ("* * * *", f"'* * * *' is not a schedule (wrong number of fields): {form}"),
            ("@daily", "'@daily' is not a schedule (wrong number of fields): write 0 0 * * *"),
            ("@reboot", f"'@reboot' is not a schedule (wrong number of fields): {form}"),
            ("0 0 30 2 *", "'0 0 30 2 *' never comes: no month in it has that day"),
            ("0 0 31 4,JUN *", "'0 0 31 4,JUN *' never comes: no month in it has that day"),
            ("0 0 32 2 *", f"'0 0 32 2 *' is not a schedule (bad day-of-month): {form}"),
            ("0 0 30 13 *", f"'0 0 30 13 *' is not a schedule (bad month): {form}"),
            (5, "5 is not text"),
        ):
            with self.subTest(given), self.assertRaises(ValueError) as caught:
                to_schedule(given)
            self.assertEqual(str(caught.exception), said)

    def test_lines_in_place_of_nicknames(self) -> None:
        for line in NICKNAMES.values():
            self.assertEqual(to_schedule(line), line)

    def test_one_that_never_comes(self) -> None:
        with self.assertRaisesRegex(ValueError, r"'0 0 \*/30 2 MON#5' never comes"):
            to_schedule("0 0 */30 2 MON#5")

    def test_without_cronsim(self) -> None:
        with mock.patch.dict(sys.modules, {"cronsim": None}):
            with self.assertRaisesRegex(ValueError, r"pip install 'cvec_circus\[schedule\]'"):
                to_schedule("* * * * *")

    def test_seconds_with_an_older_cronsim(self) -> None:
        wrong = cronsim.CronSimError("Wrong number of fields")
        with mock.patch.object(cronsim, "CronSim", side_effect=wrong):
            with self.assertRaisesRegex(ValueError, "^'0 0 3 .*' has seconds, which need a newer"):
                to_schedule("0 0 3 * * *")


class TestDaylightSaving(unittest.TestCase):
    def runs(self, schedule: str, first: datetime, count: int = 3) -> list[str]:
        """Return when it comes after a moment, each time asked anew as the daemon does it."""
        found, wall = [], first.timestamp()
        for _ in range(count):
            coming = Calendar(BERLIN).next_after(schedule, wall)
            self.assertGreater(coming, wall)
            wall = coming
            found.append(Calendar(BERLIN).shown(wall)[len("2026-03-") :])
        return found

    def test_an_hour_that_is_not_there(self) -> None:
        """A job at a time runs right after the gap; one in steps of minutes never was in it."""
        first = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
        expected = ["29 03:00 CEST", "30 02:30 CEST", "31 02:30 CEST"]
        self.assertEqual(self.runs("30 2 * * *", first), expected)
        first = datetime(2026, 3, 29, 1, 20, tzinfo=BERLIN)
        expected = ["29 01:30 CET", "29 03:00 CEST", "29 03:30 CEST"]
        self.assertEqual(self.runs("*/30 * * * *", first), expected)

    def test_an_hour_that_comes_twice(self) -> None:
        """A job at a time runs once, in the first of the two; one in steps of minutes in both."""
        first = datetime(2026, 10, 24, 12, tzinfo=BERLIN)
        expected = ["25 02:30 CEST", "26 02:30 CET", "27 02:30 CET"]
        self.assertEqual(self.runs("30 2 * * *", first), expected)
        first = datetime(2026, 10, 25, 1, 40, tzinfo=BERLIN)
        expected = ["25 02:00 CEST", "25 02:30 CEST", "25 02:00 CET", "25 02:30 CET"]
        self.assertEqual(self.runs("*/30 * * * *", first, 4), expected)

    def test_asked_within_the_second_of_the_two(self) -> None:
        first = datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)
        self.assertEqual(self.runs("30 2 * * *", first, 1), ["26 02:30 CET"])

    def test_it_always_goes_on(self) -> None:
        hours = itertools.product((0, 1), range(0, 60, 7))
        for fold, minute in hours:
            first = datetime(2026, 10, 25, 2, minute, tzinfo=BERLIN, fold=fold)
            self.runs("15,45 * * * *", first)
            self.runs("15 2,3 * * *", first)


class TestZone(unittest.TestCase):
    def test_what_tz_may_say(self) -> None:
        july = datetime(2026, 7, 1, tzinfo=timezone.utc).timestamp()
        for name, shown in (
            ("Asia/Tokyo", "2026-07-01 09:00 JST"),
            (":Europe/Berlin", "2026-07-01 02:00 CEST"),
            ("", "2026-07-01 00:00 UTC"),
        ):
            self.assertEqual(Calendar.local(name).shown(july), shown)
        here = Calendar.local(None).shown(july)
        self.assertEqual(Calendar.local("/etc/localtime").shown(july), here)

    def test_what_is_no_zone(self) -> None:
        for name in ("Nowhere/Nope", "CET-1CEST,M3.5.0", "../../etc/passwd"):
            with self.subTest(name), self.assertRaisesRegex(ValueError, "names no zone"):
                Calendar.local(name)
        with self.assertRaises(FileNotFoundError):
            Calendar.local("/no/such/zone")
