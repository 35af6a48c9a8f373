"""Negative controls: a core that is broken on purpose does not get past the fuzz.

Each test takes one rule out of the core and expects some history to object. A check that cannot
fail would prove nothing.
"""

from __future__ import annotations

import re
import unittest
from collections.abc import Callable
from typing import Any
from unittest import mock

from cvec_circus.core.slots import Slots

from cvec_circus.core import campaign, converge, facts, roster, spawning, waiting
from cvec_circus.core.process import ProcessState
from cvec_circus.core.watcher import Watcher
from tests.core.test_fuzz import play
from tests.support.world import FakeWorld

SEEDS = range(1, 400)


def objection() -> str:
    """What the first history that objects has to say; "" if none does."""
    for seed in SEEDS:
        try:
            play(seed)
        except AssertionError as error:
            return str(error).splitlines()[-1]
    return ""


class TestControls(unittest.TestCase):
    def assert_objects(self, owner: Any, name: str, broken: Callable[..., Any], why: str) -> None:
        with mock.patch.object(owner, name, broken):
            self.assertTrue(re.search(why, text := objection()), text or "nobody objects")

    def test_the_core_as_it_is(self) -> None:
        self.assertEqual(objection(), "")

    def test_places_that_are_filled_again_and_again(self) -> None:
        def fill_places(watcher: Watcher, ports: Any) -> None:
            if watcher.places <= watcher.numprocesses:
                watcher.open_slot(ports.now(), "config")

        self.assert_objects(converge, "fill_places", fill_places, "without news")

    def test_spawns_that_nobody_is_asked_about(self) -> None:
        self.assert_objects(spawning, "may_spawn", lambda *args: True, "without leave")

    def test_starts_that_nobody_is_asked_about(self) -> None:
        self.assert_objects(converge, "passes", lambda *args: True, "before the start|starts with")

    def test_processes_that_are_not_judged(self) -> None:
        self.assert_objects(Slots, "put_on_trial", lambda *args: None, "have been judged")

    def test_a_death_that_is_reported_twice(self) -> None:
        left_something = facts.left_something

        def twice(watcher: Watcher, process: Any, ports: Any, by_itself: bool) -> None:
            ports.publish(watcher, "reap", "exit", process_pid=process.pid, exit_code=0)
            left_something(watcher, process, ports, by_itself)

        self.assert_objects(facts, "left_something", twice, "reap of")

    def test_successors_that_do_not_wait_for_what_is_left(self) -> None:
        ends = Slots.ends

        def too_early(slots: Slots, process: Any, state: ProcessState) -> None:
            ends(slots, process, state)
            slots.release_place(process)

        self.assert_objects(Slots, "ends", too_early, "a place that is not free")

    def test_processes_that_nobody_kills(self) -> None:
        self.assert_objects(converge, "kill", lambda *args: None, "no deadline|not down")

    def test_a_start_beside_a_predecessor(self) -> None:
        def step_stopped(watcher: Watcher, ports: Any) -> bool:
            watcher.predecessor = None
            return original(watcher, ports)

        original = converge.step_stopped
        steps = {**converge.STEPS, converge.WatcherState.STOPPED: step_stopped}
        with mock.patch.dict(converge.STEPS, steps):
            self.assertIn("predecessor", objection())

    def test_a_reply_that_is_forgotten(self) -> None:
        self.assert_objects(waiting, "not_up", lambda part: None, "0 answers")

    def test_a_reply_to_a_restart_that_never_comes_about(self) -> None:
        with mock.patch.object(waiting, "stayed_up", lambda part: False):
            self.assertIn("0 answers", self.objection_to(102055))

    def test_deadlines_of_slots_that_are_gone(self) -> None:
        def drop_pending(slots: Slots) -> None:
            if slots.pending:
                original(slots)

        original = Slots.drop_pending
        world = FakeWorld()
        world.spawns_a_turn = 1
        watcher = world.up(numprocesses=1)
        for size in (4, 3):
            world.resize(watcher, size, "command:set", None)
            world.begin_turn()
            world.roster.turn()
        world.stop([watcher], "command:stop", None)
        with mock.patch.object(Slots, "drop_pending", drop_pending):
            self.assertRaisesRegex(AssertionError, "come to rest", world.advance, 1)

    def test_helpers_that_nobody_releases(self) -> None:
        self.assert_objects(campaign, "_has_settled", lambda *args: False, "not down|not where")

    def test_an_order_that_is_not_looked_at(self) -> None:
        touch = roster.Roster.touch

        def seldom(self: roster.Roster, watcher: Watcher) -> None:
            if watcher.last_order != "stop":
                touch(self, watcher)

        self.assert_objects(roster.Roster, "touch", seldom, "without news")

    def objection_to(self, seed: int) -> str:
        try:
            play(seed)
        except AssertionError as error:
            return str(error).splitlines()[-1]
        return ""


if __name__ == "__main__":
    unittest.main()
