"""The tables of states: what is not in them cannot happen, and what is in them does."""

from __future__ import annotations

import itertools
import unittest
from unittest import mock

from cvec_circus.core.states import PROCESS_STEPS, WATCHER_STEPS, ProcessState, WatcherState

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from tests.support.history import History
from tests.support.world import FakeWorld


class TestTables(unittest.TestCase):
    def test_every_step_of_a_process_that_is_not_in_the_table_asserts(self) -> None:
        for state, following in itertools.product(ProcessState, ProcessState):
            process = ManagedProcess("web", 1, "config")
            process.state = state
            with self.subTest(state=state, following=following):
                if following in PROCESS_STEPS[state]:
                    process.enter(following)
                    self.assertIs(process.state, following)
                else:
                    with self.assertRaisesRegex(AssertionError, f"cannot become {following.value}"):
                        process.enter(following)
                    self.assertIs(process.state, state)

    def test_every_step_of_a_watcher_that_is_not_in_the_table_asserts(self) -> None:
        for state, following in itertools.product(WatcherState, WatcherState):
            watcher = FakeWorld().add()
            watcher.state = state
            with self.subTest(state=state, following=following):
                if following in WATCHER_STEPS[state]:
                    watcher.enter(following)
                else:
                    with self.assertRaisesRegex(AssertionError, f"cannot become {following.value}"):
                        watcher.enter(following)

    def test_every_step_in_the_tables_is_taken_by_some_history(self) -> None:
        steps: set[tuple[ProcessState | WatcherState, ProcessState | WatcherState]] = set()
        for kind in (ManagedProcess, Watcher):
            original = kind.enter

            def enter(self, state, original=original) -> None:
                steps.add((self.state, state))
                original(self, state)

            patch = mock.patch.object(kind, "enter", enter)
            patch.start()
            self.addCleanup(patch.stop)
        for seed in range(60):
            history = History(seed)
            history.play(30)
            history.shut_down(foul=True)
        tables = {**PROCESS_STEPS, **WATCHER_STEPS}
        every = {(state, following) for state in tables for following in tables[state]}
        self.assertEqual(steps, every)

    def test_a_process_in_words(self) -> None:
        watcher = FakeWorld().add()
        self.assertEqual(repr(ManagedProcess("web", 1, "x")), "<web:1 pending pid=0>")
        self.assertEqual(repr(watcher), "<watcher web stopped 0 slots>")


if __name__ == "__main__":
    unittest.main()
