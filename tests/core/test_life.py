"""The tables of lives and states: what is not in them cannot happen, and what is in them does."""

from __future__ import annotations

import itertools
import unittest
from unittest import mock

from cvec_circus.core.life import STATUS, STEPS, Life
from cvec_circus.core.process import PROCESS_STEPS, ManagedProcess, ProcessState
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import Cause
from tests.support.history import History
from tests.support.world import FakeWorld


class TestTables(unittest.TestCase):
    def test_every_step_of_a_process_that_is_not_in_the_table_asserts(self) -> None:
        for state, following in itertools.product(ProcessState, ProcessState):
            process = ManagedProcess("web", 1, Cause("config"))
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
        for life, following in itertools.product(Life, Life):
            watcher = FakeWorld().add()
            watcher.life = life
            with self.subTest(life=life, following=following):
                if following in STEPS[life]:
                    watcher.enter(following)
                    self.assertIs(watcher.life, following)
                else:
                    with self.assertRaisesRegex(AssertionError, f"cannot become {following.value}"):
                        watcher.enter(following)
                    self.assertIs(watcher.life, life)

    def test_every_life_has_a_word_of_the_wire_and_a_way_on(self) -> None:
        self.assertEqual(set(STATUS), set(Life))
        self.assertEqual(set(STEPS), set(Life))
        self.assertEqual(set().union(*STEPS.values()), set(Life))
        self.assertEqual(set(STATUS.values()), {"stopped", "starting", "active", "stopping"})

    def test_every_step_in_the_tables_is_taken_by_some_history(self) -> None:
        steps: set[tuple[ProcessState | Life, ProcessState | Life]] = set()
        for kind, stands in ((ManagedProcess, "state"), (Watcher, "life")):
            original = kind.enter

            def enter(self, state, original=original, stands=stands) -> None:
                steps.add((getattr(self, stands), state))
                original(self, state)

            patch = mock.patch.object(kind, "enter", enter)
            patch.start()
            self.addCleanup(patch.stop)
        for seed in range(60):
            history = History(seed)
            history.play(30)
            history.shut_down(foul=True)
        tables = {**PROCESS_STEPS, **STEPS}
        every = {(state, following) for state in tables for following in tables[state]}
        self.assertEqual(steps, every)

    def test_a_process_in_words(self) -> None:
        watcher = FakeWorld().add()
        self.assertEqual(repr(ManagedProcess("web", 1, Cause("x"))), "<web:1 pending pid=0>")
        self.assertEqual(repr(watcher), "<watcher web down 0 slots>")


if __name__ == "__main__":
    unittest.main()
