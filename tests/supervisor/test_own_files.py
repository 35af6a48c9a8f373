"""When the files by which the daemon is found are looked at, and what is logged."""

from __future__ import annotations

import unittest
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest import mock

from cvec_circus.base.loop import Loop
from cvec_circus.supervisor import own_files
from cvec_circus.supervisor.own_files import DELAY, PAUSE, PERIOD, OwnFiles
from cvec_circus.system import mounts
from cvec_circus.system.own_file import Finding, made_again, taken
from tests.support.clock import FakeClock


class FakeFile:
    """A file whose fate the test decides."""

    def __init__(self, file: str = "/run/x") -> None:
        self.file = file
        self.looks = 0
        self.found: Finding | None = None

    def look_after(self) -> Finding | None:
        self.looks += 1
        return self.found


class TestOwnFiles(unittest.TestCase):
    def setUp(self) -> None:
        self.clock = FakeClock()
        self.loop = Loop(self.clock, "test")
        self.addCleanup(self.loop.close)
        self.jobs: list[Any] = []
        chore: Any = SimpleNamespace(do_soon=lambda fn, *args: self.jobs.append(partial(fn, *args)))
        self.one = FakeFile()
        self.files = OwnFiles(self.loop, chore, lambda: [self.one, FakeFile("")])

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.loop.post(self.loop.stop)
        self.loop.run()

    def work(self) -> None:
        """Do what the thread would do, and take what it posts."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job()
        self.advance(0.0)

    def test_calls_share_a_look(self) -> None:
        for _ in range(5):
            self.files.soon()
        self.advance(DELAY)
        self.assertEqual(len(self.jobs), 1)
        self.work()
        self.assertEqual(self.one.looks, 1)
        self.files.soon()
        self.advance(DELAY)
        self.assertEqual(self.jobs, [])
        self.advance(PAUSE)
        self.assertEqual(len(self.jobs), 1)

    def test_what_happens_during_a_look_is_looked_at_afterwards(self) -> None:
        self.files.soon()
        self.advance(DELAY)
        self.files.soon()
        self.advance(PAUSE)
        self.assertEqual(len(self.jobs), 1)
        self.work()
        self.advance(PAUSE + DELAY)
        self.assertEqual(len(self.jobs), 1)

    def test_once_a_minute(self) -> None:
        self.files.begin()
        for number in range(1, 4):
            self.advance(PERIOD)
            self.advance(DELAY)
            self.work()
            self.assertEqual(self.one.looks, number)

    def test_without_a_file_no_thread_is_asked(self) -> None:
        self.one.file = ""
        self.files.soon()
        self.advance(DELAY)
        self.assertEqual(self.jobs, [])

    def test_a_file_on_a_server_is_not_looked_at(self) -> None:
        table = mounts.parse("1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /run rw - nfs4 b rw\n")
        with mock.patch.object(own_files.mounts, "read", return_value=table):
            self.look()
        self.assertEqual(self.one.looks, 0)

    def look(self) -> None:
        self.files.soon()
        self.advance(DELAY + PAUSE)
        self.work()

    def test_what_lasts_is_logged_once(self) -> None:
        self.one.found = taken("it", "/run/x")
        with self.assertLogs("cvec_circus") as logs:
            self.look()
            self.look()
            self.one.found = None
            self.look()
            self.one.found = taken("it", "/run/x")
            self.look()
        self.assertEqual(len(logs.records), 2)

    def test_what_was_done_is_logged_each_time(self) -> None:
        renewed: list[int] = []
        self.one.found = made_again("it", "/run/x", lambda: renewed.append(1))
        with self.assertLogs("cvec_circus") as logs:
            self.look()
            self.look()
        self.assertEqual((len(logs.records), len(renewed)), (2, 2))


if __name__ == "__main__":
    unittest.main()
