"""What a plugin's code raises again and again: first the traceback, then lines with a count."""

from __future__ import annotations

import errno
import unittest
from typing import Any, Callable

from cvec_circus.base import complaints
from cvec_circus.base.complaints import Complaints
from tests.runtime.loop_case import LoopCase


def fail(text: str = "no") -> None:
    raise ValueError(text)


class BrokenError(Exception):
    """Cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class TestComplaints(unittest.TestCase):
    def setUp(self) -> None:
        self.timers: list[tuple[float, Callable[..., object], Any]] = []
        self.complaints = Complaints("plugin:p", lambda *given: self.timers.append(given))

    def tell(self, call: Callable[[], object] = fail, place: str = "handle_recv") -> None:
        try:
            call()
        except Exception as error:
            self.complaints.tell(error, place)

    def pass_time(self) -> None:
        timers, self.timers = self.timers, []
        for delay, fn, argument in timers:
            self.assertEqual(delay, complaints.INTERVAL)
            fn(argument)

    def test_the_first_is_whole_and_others_are_counted(self) -> None:
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            for number in range(1000):
                self.tell(lambda: fail(f"{number}\nand more"))  # noqa: B023
            self.assertEqual(len(logs.output), 1)
            self.assertIn("plugin:p: handle_recv raised\nTraceback", logs.output[0])
            self.assertEqual(len(self.timers), 1)
            self.pass_time()
            self.tell()
            self.pass_time()
            self.pass_time()
        rest = [record.getMessage() for record in logs.records[1:]]
        said = "plugin:p: handle_recv raised"
        self.assertEqual(rest[0], f"{said} 999 more times: ValueError: 999 and more")
        self.assertEqual(rest[1:], [f"{said} once more: ValueError: no"])
        self.assertEqual(self.timers, [])

    def test_a_line_in_place_of_the_traceback(self) -> None:
        with self.assertLogs("cvec_circus", "DEBUG") as logs:
            for _ in range(2):
                try:
                    fail()
                except ValueError as error:
                    self.complaints.tell(error, "hook x", "failed", "why it is so")
        [line, whole] = logs.output
        self.assertEqual(line, "ERROR:cvec_circus:plugin:p: hook x failed: why it is so")
        self.assertTrue(whole.startswith("DEBUG:cvec_circus:plugin:p: hook x failed\nTraceback"))
        self.pass_time()

    def test_another_place_and_another_error_are_told_at_once(self) -> None:
        def also() -> None:
            raise ValueError("no")

        with self.assertLogs("cvec_circus", "ERROR") as logs:
            for call in (fail, also, lambda: fail(5 // 0)):
                self.tell(call)
            self.tell(place="handle_stats")
            self.complaints.tell(BrokenError(), "look")
            self.complaints.tell(BrokenError(), "look")
            self.complaints.tell_rest()
        self.assertEqual(len(logs.output), 6)
        self.assertIn(
            "look raised once more: tests.base.test_complaints.BrokenError", logs.output[5]
        )

    def test_the_end_tells_the_rest_once(self) -> None:
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            for _ in range(3):
                self.tell()
            self.complaints.tell_rest()
            self.complaints.tell_rest()
            self.pass_time()
        self.assertEqual(len(logs.output), 2)
        self.assertIn("raised 2 more times", logs.output[1])

    def test_what_is_remembered_is_bounded(self) -> None:
        with self.assertLogs("cvec_circus", "ERROR"):
            for number in range(complaints.MOST * 3):
                self.tell(place=f"f{number}")
        self.assertLessEqual(len(self.complaints._kinds), complaints.MOST)


class TestCrashes(unittest.TestCase):
    def test_what_is_short_is_a_line(self) -> None:
        for error, shown in (
            (OSError(errno.EMFILE, "Too many"), "Too many"),
            (MemoryError(), "no"),
        ):
            with self.assertLogs("cvec_circus", "ERROR") as logs:
                complaints.tell_crash("sampling", error, "sweep")
            (line,) = logs.output
            self.assertIn("sampling: sweep could not continue: ", line)
            self.assertIn(shown, line)
            self.assertNotIn("Traceback", line)

    def test_a_fault_of_ours_is_whole(self) -> None:
        try:
            fail()
        except ValueError as error:
            with self.assertLogs("cvec_circus", "ERROR") as logs:
                complaints.tell_crash("sampling", error, "sweep")
        self.assertIn("sampling: sweep failed\nTraceback", logs.output[0])


class TestLoop(LoopCase):
    def test_every_way_into_a_plugin_is_bounded(self) -> None:
        with self.assertLogs("cvec_circus", "ERROR") as logs:
            self.start()
            for _ in range(50):
                self.loop.add_callback(fail)
                self.loop.call_later(0, fail)
                self.loop.run_in_thread(fail)
                self.loop.run_in_thread(int, then=lambda result, error: fail())
            self.until_idle()
            self.until_jobs_are_done()
            self.end()
        whole = [line for line in logs.output if "Traceback" in line]
        self.assertLessEqual(len(whole), 3)
        self.assertLessEqual(len(logs.output), 2 * len(whole))

    def until_jobs_are_done(self) -> None:
        """Wait until all that was asked for before has been done, on whatever thread."""
        for _ in range(4):
            self.wait_for(lambda done: self.loop.run_in_thread(int, then=lambda *_: done()))


if __name__ == "__main__":
    unittest.main()
