"""Hooks that are taken away, or let go of, while an answer of theirs is waited for."""

from __future__ import annotations

import unittest

from cvec_circus.core.watcher import Watcher
from tests.support.world import FakeWorld

NO = "hook says no"


class TestTakenAway(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()

    def held(self, hook: str, **options: object) -> Watcher:
        """A watcher that is up, with a hook that does not answer."""
        self.world.answers[hook] = None
        watcher = self.world.up(hooks=[hook], **options)
        self.world.advance(0)
        return watcher

    def take_away(self, watcher: Watcher) -> None:
        self.world.set_options(watcher, {"hooks": {}}, "command:set", None)
        self.world.advance(0)

    def test_what_decides_about_a_start(self) -> None:
        for hook in ("before_start", "after_start", "before_spawn", "after_spawn"):
            with self.subTest(hook):
                self.world = FakeWorld()
                watcher = self.held(hook)
                self.assertEqual(watcher.status, "starting")
                self.assertEqual(
                    self.world.why(watcher), f"waits for the answer of its hook {hook}"
                )
                self.take_away(watcher)
                self.assertEqual(watcher.status, "active")
                self.assertEqual(self.world.why(watcher), "")
                self.world.answer(hook, NO)
                self.world.advance(1)
                self.assertEqual(watcher.status, "active")
                self.assertEqual(len(self.world.spawned), 1)

    def test_what_a_stop_waits_for(self) -> None:
        watcher = self.held("before_stop")
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(10)
        self.assertEqual(watcher.status, "stopping")
        self.take_away(watcher)
        self.world.advance(1)
        self.assertEqual(watcher.status, "stopped")

    def test_the_warm_up_is_still_waited_for(self) -> None:
        watcher = self.held("before_spawn", numprocesses=3, warmup_delay=2)
        self.take_away(watcher)
        self.assertEqual(len(self.world.spawned), 1)
        self.world.advance(2)
        self.assertEqual(len(self.world.spawned), 2)
        self.world.advance(2)
        self.assertEqual(watcher.status, "active")

    def test_one_that_comes_back_is_asked_again(self) -> None:
        watcher = self.held("before_spawn")
        self.take_away(watcher)
        self.world.answers.clear()
        self.world.set_options(watcher, {"hooks": {"before_spawn": None}}, "x", None)
        self.world.resize(watcher, 2, "command:incr", None)
        self.world.advance(0)
        self.assertEqual(len(self.world.spawned), 1)
        self.world.answer("before_spawn")
        self.world.advance(0)
        self.assertEqual(len(self.world.spawned), 2)

    def test_the_next_one_of_a_name_says_what_it_waits_for(self) -> None:
        before = self.held("before_stop")
        self.world.remove(before, "command:rm", False, None)
        watcher = self.world.up()
        outcomes, wait = self.world.wait(1.0)
        self.world.start([watcher], "command:start", wait)
        self.world.advance(2)
        why = "waits for the end of the one that was removed: "
        why += "waits for the answer of its hook before_stop"
        said = f"start timed out after 1 s: web is waiting ({why})"
        self.assertEqual([outcome.error for outcome in outcomes], [said])
        self.world.answer("before_stop")
        self.world.advance(1)
        self.assertEqual((watcher.status, self.world.why(watcher)), ("active", ""))

    def test_what_was_let_go_of_gets_no_signal_any_more(self) -> None:
        watcher = self.held("before_signal", graceful_timeout=5)
        self.world.kill(watcher, watcher.places.leaders(), None, None, None)
        self.world.advance(0)
        self.world.remove(watcher, "command:rm", True, None)
        self.world.answer("before_signal")
        self.world.advance(10)
        self.assertEqual(self.world.signals, [])
        self.assertEqual(list(self.world.alive), self.world.spawned)


if __name__ == "__main__":
    unittest.main()
