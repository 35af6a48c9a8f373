"""What processes wrote last is kept with their deaths, within bounds."""

from __future__ import annotations

import os
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

from cvec_circus.base.loop import Loop
from cvec_circus.core.facts import Facts, Written
from cvec_circus.core.places import DEATHS
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.supervisor.output import last_words
from cvec_circus.supervisor.output.last_words import LINES, LONGEST_LINE, LastWords
from cvec_circus.supervisor.output.outputs import OutputDesk
from cvec_circus.wire.outcome import Death


class FakeHistories:
    """What each process has written, by pid. Owned by the test's thread."""

    def __init__(self) -> None:
        self.lines: dict[int, list[str]] = {}

    def last_output(self, watcher: Watcher, pid: int, count: int) -> list[str]:
        return self.lines.get(pid, [])[-count:]


class FakeOutputs:
    """The desk of outputs. Owned by the test's thread."""

    def __init__(self) -> None:
        self.kept = 1000
        self.histories = FakeHistories()
        self.hangs = False

    def catch_up(self, watcher: Watcher, pids: Iterable[int], then: Callable[[], object]) -> None:
        if not self.hangs:
            then()

    def size(self, watcher: Watcher, channel: str) -> int:
        return self.kept


class TestLastWords(unittest.TestCase):
    def setUp(self) -> None:
        self.loop = Loop()
        self.addCleanup(self.loop.close)
        self.facts = Facts()
        self.outputs: Any = FakeOutputs()
        self.words = LastWords(self.loop, self.facts, self.outputs)
        self.watcher = Watcher("web", WATCHER_OPTIONS.complete({"cmd": "run"}))

    def told(self) -> list[Written]:
        """Run the loop for a while, in which it tells of all that was expected."""
        self.loop.call_later(0.06, self.loop.post, self.loop.stop)
        self.loop.run()
        return [fact for fact in self.facts if isinstance(fact, Written)]

    def test_what_came_after_the_death_too(self) -> None:
        self.assertTrue(self.words.expect(self.watcher, 7))
        self.outputs.histories.lines[7] = ["one", "two"]
        self.assertEqual(self.told(), [Written(self.watcher, 7, ("one", "two"))])

    def test_what_is_not_read_in_time_is_left_out(self) -> None:
        self.outputs.hangs = True
        with mock.patch.object(last_words, "PATIENCE", 0.01):
            self.words.expect(self.watcher, 7)
            self.assertEqual(self.told(), [Written(self.watcher, 7, ())])

    def test_what_is_not_kept_is_not_expected(self) -> None:
        self.outputs.kept = 0
        self.assertFalse(self.words.expect(self.watcher, 7))
        self.assertEqual(self.told(), [])
        self.assertEqual(self.words.of(self.watcher, 7), ())

    def test_bounds(self) -> None:
        for pid in range(1000):
            self.outputs.histories.lines[pid] = ["x" * 10_000] * 50
            self.words.expect(self.watcher, pid)
        told = self.told()
        self.assertEqual([fact.pid for fact in told], list(range(1000 - DEATHS, 1000)))
        self.assertEqual([len(line) for line in told[0].lines], [LONGEST_LINE] * LINES)

    def test_of_one_that_runs_and_of_one_that_has_ended(self) -> None:
        self.outputs.histories.lines = {7: ["now"], 8: ["reused"]}
        deaths = self.watcher.places.deaths
        deaths.append(Death(1, 8, 1, "exit", 0.0, is_awaited=True))
        self.assertEqual(self.words.said(self.watcher, 7), "now")
        self.assertIsNone(self.words.said(self.watcher, 8))
        lines = ("zero", "one", "two", "", "then", " ")
        deaths[0] = deaths[0]._replace(is_awaited=False, output=lines)
        self.assertEqual(self.words.said(self.watcher, 8), "one | two | then")
        lines = ('  File "app.py", line 7', "    oops(", "        ~~~~^", "SyntaxError: ...")
        deaths[0] = deaths[0]._replace(output=lines)
        self.assertEqual(
            self.words.said(self.watcher, 8), 'File "app.py", line 7 | oops( | SyntaxError: ...'
        )


class TestReading(unittest.TestCase):
    def test_a_watcher_that_stops_with_its_last_process(self) -> None:
        """Its streams are closed in the turn of the death, before the pump has read the rest."""
        loop, may_go_on = Loop(), threading.Event()
        self.addCleanup(loop.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        options = {"cmd": "run", "stdout_stream": {"filename": f"{folder.name}/log"}}
        watcher, process = Watcher("job", WATCHER_OPTIONS.complete(options)), mock.Mock(wid=1)
        outputs = OutputDesk(loop, mock.Mock())
        self.addCleanup(outputs.join)
        self.addCleanup(outputs.end)
        self.addCleanup(may_go_on.set)
        outputs.open(watcher)
        outputs.pumps._main.do(may_go_on.wait)
        read_fd, write_fd = os.pipe()
        os.write(write_fd, b"said\n")
        os.close(write_fd)
        outputs.add(watcher, process, "stdout", read_fd, 7)
        outputs.close(watcher)
        told: list[object] = []

        def has_read() -> None:
            told.append(outputs.last_output(watcher, 7, LINES))
            loop.stop()

        outputs.catch_up(watcher, [7], has_read)
        self.assertEqual(told, [])
        may_go_on.set()
        loop.run()
        self.assertEqual(told, [["said"]])


if __name__ == "__main__":
    unittest.main()
