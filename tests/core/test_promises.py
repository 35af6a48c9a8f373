"""Promises that hold at every instant of a replacement, over many random circumstances."""

from __future__ import annotations

import random
import unittest
from typing import Any

from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import Cause
from tests.support.watchful import WatchfulWorld
from tests.support.world import OBEDIENT, STUBBORN

SEEDS = range(150)


class CountingWorld(WatchfulWorld):
    """A world that counts, at every spawn and every kill. Owned by the test's thread.

    Attributes:
        least: The fewest processes that nobody had asked to end, since the count began.
        most: The most processes that were there, with what dead ones had left behind.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.counted: Watcher | None = None
        self.least = self.most = 0

    def count(self, watcher: Watcher) -> None:
        """Begins to count."""
        self.counted = watcher
        self.least = self.most = len(self.alive)

    def publish(self, watcher: Watcher, action: str, cause: Cause, **payload: Any) -> None:
        super().publish(watcher, action, cause, **payload)
        if watcher is self.counted:
            serving = len([pid for pid in self.alive if pid not in self.asked])
            self.least = min(self.least, serving)
            self.most = max(self.most, len(self.alive) + len(self.groups))


class TestPromises(unittest.TestCase):
    """Random options and tempers; nobody dies by himself."""

    def each(self, **options: object):
        """Yields a world and a watcher that is up in it, for each seed."""
        for seed in SEEDS:
            rng = random.Random(seed)
            world = CountingWorld(seed)
            world.spawns_a_turn = rng.choice([0, 1, 2])
            world.stop_delay = rng.choice([0.0, 0.3, 4.0])
            world.temper = rng.choice([OBEDIENT, STUBBORN])
            world.leftovers = rng.choice([None, 0.2, 10.0])
            chosen = {
                "numprocesses": rng.randint(1, 5),
                "warmup_delay": rng.choice([0, 0.5]),
                "graceful_timeout": rng.choice([0, 1, 3]),
                **options,
            }
            watcher = world.up(**chosen)
            world.advance(60)
            with self.subTest(seed=seed, **chosen):
                yield world, watcher, rng

    def test_a_graceful_reload_never_falls_below_numprocesses(self) -> None:
        for world, watcher, rng in self.each():
            world.count(watcher)
            for _ in range(rng.randint(1, 3)):
                world.reload([watcher], "command:reload", False, None)
                world.advance(rng.choice([0.0, 1.0, 100.0]))
            world.advance(200)
            self.assertEqual(world.least, watcher.goal.numprocesses)
            self.assertIsNone(watcher.rollout)

    def test_nor_does_it_run_more_than_two_generations(self) -> None:
        for world, watcher, _ in self.each():
            world.count(watcher)
            for _ in range(10):
                world.reload([watcher], "command:reload", False, None)
                world.advance(0.3)
            world.advance(200)
            self.assertLessEqual(world.most, 2 * watcher.goal.numprocesses)

    def test_a_sequential_reload_never_exceeds_numprocesses(self) -> None:
        for world, watcher, rng in self.each():
            world.count(watcher)
            for _ in range(rng.randint(1, 3)):
                world.reload([watcher], "command:reload", True, None)
                world.advance(rng.choice([0.0, 1.0, 100.0]))
            world.advance(500)
            self.assertLessEqual(world.most, watcher.goal.numprocesses)
            self.assertGreaterEqual(world.least, watcher.goal.numprocesses - 1)
            self.assertIsNone(watcher.rollout)

    def test_a_singleton_is_one_whatever_is_ordered(self) -> None:
        for world, watcher, rng in self.each(numprocesses=1, singleton=True):
            world.count(watcher)
            for _ in range(10):
                world.reload([watcher], "command:reload", rng.random() < 0.5, None)
                if rng.random() < 0.3:
                    world.restart([watcher], "command:restart", None)
                world.advance(rng.choice([0.0, 1.0, 10.0]))
            world.advance(100)
            self.assertEqual(world.most, 1)

    def test_max_age_takes_one_at_a_time(self) -> None:
        for world, watcher, _ in self.each(max_age=70, max_age_variance=5):
            world.count(watcher)
            world.advance(60)
            self.assertEqual(world.least, watcher.goal.numprocesses)
            self.assertLessEqual(world.most, watcher.goal.numprocesses + 1)

    def test_restart_of_all_spawns_nothing_before_everything_is_down(self) -> None:
        for world, watcher, rng in self.each():
            for number in range(3):
                world.up(f"w{number}", helper=number == 2, graceful_timeout=rng.choice([0, 2]))
            world.advance(10)
            old, mark = set(world.alive), len(world.events)
            self.assertTrue(old)
            spawn = world.spawn

            def checked(
                watcher: Watcher, process: ManagedProcess, world=world, old=old, spawn=spawn
            ) -> int:
                self.assertFalse(old & {*world.alive, *world.groups}, "not everything is down")
                return spawn(watcher, process)

            world.spawn = checked  # type: ignore[method-assign]
            world.restart(None, "command:restart", None)
            world.advance(100)
            told = [action for _, action in world.since(mark)]
            self.assertEqual((told.count("stop"), told.count("start")), (4, 4))

    def test_every_waiting_reply_is_answered_at_the_latest_when_all_is_done(self) -> None:
        for world, watcher, rng in self.each():
            answers = []
            for _ in range(20):
                outcomes, wait = world.wait()
                answers.append(outcomes)
                word = rng.choice(["start", "stop", "restart", "reload", "resize"])
                if word == "resize":
                    world.resized.add(watcher)
                    world.resize(watcher, rng.randint(0, 5), "command:incr", wait)
                elif word == "reload":
                    world.reload([watcher], "command:reload", rng.random() < 0.5, wait)
                else:
                    getattr(world, word)([watcher], f"command:{word}", wait)
                world.advance(rng.choice([0.0, 0.0, 0.5, 5.0]))
            world.advance(500)
            self.assertEqual([len(outcomes) for outcomes in answers], [1] * 20)


if __name__ == "__main__":
    unittest.main()
