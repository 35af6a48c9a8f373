"""Thresholds and verdicts, exact."""

from __future__ import annotations

import json
import unittest

from cvec_circus.options.checks import Check
from cvec_circus.probes.connection import Result
from cvec_circus.probes.record import Record, Verdict

GOOD = Result("", "HTTP 200", 0.25)
BAD = Result("HTTP 500 from there", "HTTP 500", 0.5)
VOID = Result("", "cannot probe: no file left", 0.0, True)


class RecordTest(unittest.TestCase):
    def record(self, family: str = "live") -> Record:
        return Record(family, "a", Check("http", "there/"), 100.0)

    def test_the_third_failure_in_a_row_counts(self) -> None:
        record = self.record()
        for result, holds in (
            *((BAD, None), (BAD, None), (GOOD, True), (BAD, True), (BAD, True), (GOOD, True)),
            *((BAD, True), (BAD, True), (BAD, False), (BAD, False), (GOOD, True)),
        ):
            record.take(result, 3, 101.0)
            self.assertIs(record.holds, holds)

    def test_one_that_says_nothing_changes_nothing(self) -> None:
        record = self.record()
        for result, failures in ((BAD, 1), (VOID, 1), (BAD, 2), (VOID, 2), (GOOD, 0), (VOID, 0)):
            record.take(result, 3, 101.0)
            self.assertEqual(record.failures, failures)
        self.assertIs(record.holds, True)
        self.assertEqual((record.answer, record.took), ("cannot probe: no file left", None))

    def test_what_people_see(self) -> None:
        record = self.record()
        shown = record.row(100.5)
        self.assertEqual(json.loads(json.dumps(shown)), shown)
        self.assertEqual((shown["state"], shown["took"], shown["for"]), ("not yet", None, 0.5))
        record.take(BAD, 1, 101.0)
        record.take(BAD, 1, 102.0)
        shown = record.row(103.0)
        self.assertEqual(
            shown,
            {
                "name": "a",
                "family": "live",
                "check": "http://there/",
                "state": "fails",
                "answer": "HTTP 500",
                "failures": 2,
                "took": 0.5,
                "for": 2.0,
            },
        )
        self.assertEqual(record.trouble, "live check a failed: HTTP 500 from there")


class WellTest(unittest.TestCase):
    """For how long all checks of `live` had held before they failed."""

    def well_for(self, *runs: tuple[float, Result]) -> float:
        record = Record("live", "a", Check("http", "there/"), 100.0)
        verdict = Verdict(True)
        for at, result in runs:
            record.take(result, 2, at)
            verdict.look([record, Record("live", "b", Check("notify"), 100.0)])
        self.assertTrue(verdict.trouble)
        return verdict.well_for

    def test_up_to_the_first_failure_after_a_run_that_succeeded(self) -> None:
        for runs, seconds in (
            ([(101.0, BAD), (102.0, BAD)], 0.0),
            ([(110.0, GOOD), (120.0, BAD), (130.0, BAD)], 20.0),
            ([(110.0, BAD), (120.0, GOOD), (130.0, VOID), (140.0, BAD), (150.0, BAD)], 40.0),
            ([(110.0, VOID), (120.0, BAD), (130.0, VOID), (140.0, BAD)], 0.0),
        ):
            with self.subTest(runs):
                self.assertEqual(self.well_for(*runs), seconds)


class VerdictTest(unittest.TestCase):
    def setUp(self) -> None:
        self.one = Record("ready", "one", Check("fd", "3"), 0.0)
        self.two = Record("ready", "two", Check("fd", "4"), 0.0)

    def look(self, verdict: Verdict, record: Record, result: Result) -> str | None:
        record.take(result, 1, 0.0)
        return verdict.look([self.one, self.two])

    def test_ready_when_all_hold_at_once_and_then_each_change(self) -> None:
        verdict = Verdict(False)
        self.assertIsNone(self.look(verdict, self.one, GOOD))
        self.assertIsNone(self.look(verdict, self.one, BAD))
        self.assertIsNone(self.look(verdict, self.two, GOOD))
        self.assertEqual(self.look(verdict, self.one, GOOD), "")
        self.assertIsNone(self.look(verdict, self.one, GOOD))
        said = "check two: HTTP 500 from there"
        self.assertEqual(self.look(verdict, self.two, BAD), said)
        self.assertIsNone(self.look(verdict, self.one, BAD))
        self.assertIsNone(self.look(verdict, self.two, GOOD))
        self.assertEqual(self.look(verdict, self.one, GOOD), "")

    def test_live_of_one_that_is_doubted(self) -> None:
        for second, said in ((GOOD, ""), (BAD, "check two: HTTP 500 from there")):
            self.setUp()
            verdict = Verdict(True, is_doubted=True)
            self.assertIsNone(verdict.look([self.one, self.two]))
            self.assertIsNone(self.look(verdict, self.one, GOOD))
            self.assertEqual(self.look(verdict, self.two, second), said)
        self.assertEqual(Verdict(True, is_doubted=True).look([]), "")  # they were taken away

    def test_live_is_good_until_one_fails(self) -> None:
        verdict = Verdict(True)
        self.assertIsNone(self.look(verdict, self.one, GOOD))
        self.assertIsNotNone(self.look(verdict, self.two, BAD))
        self.assertEqual(verdict.look([self.one]), "")  # the other one was taken away
