"""Negative controls: a core that is broken on purpose does not get past the fuzz.

Each test takes one rule out of the core and expects some history to object. A check that cannot
fail would prove nothing.
"""

from __future__ import annotations

import re
import unittest
from typing import Any
from unittest import mock

from cvec_circus.core.conditions import Predecessor
from cvec_circus.core.converge import Steps
from cvec_circus.core.ending import Ender
from cvec_circus.core.goal import Rollout
from cvec_circus.core.places import Places
from cvec_circus.core.process import ProcessState, Purpose
from cvec_circus.core.spawning import Spawner
from cvec_circus.core.watcher import Watcher
from cvec_circus.core.watchers import Watchers
from cvec_circus.supervisor.answers import verdicts
from cvec_circus.supervisor.campaign import Campaign
from cvec_circus.wire.cause import EXIT
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
    def assert_objects(self, owner: Any, name: str, broken: Any, why: str) -> None:
        with mock.patch.object(owner, name, broken):
            self.assertTrue(re.search(why, text := objection()), text or "nobody objects")

    def test_the_core_as_it_is(self) -> None:
        self.assertEqual(objection(), "")

    def test_places_that_are_filled_again_and_again(self) -> None:
        def fill_places(self: Any, watcher: Watcher) -> None:
            if watcher.places.held <= watcher.goal.numprocesses:
                watcher.places.open_slot(self.now(), EXIT)

        self.assert_objects(Spawner, "fill_places", fill_places, "without news")

    def test_spawns_that_nobody_is_asked_about(self) -> None:
        self.assert_objects(Spawner, "may_spawn", lambda *args: True, "without leave")

    def test_starts_that_nobody_is_asked_about(self) -> None:
        self.assert_objects(Steps, "passes", lambda *args: True, "before the start|starts with")

    def test_processes_that_are_not_judged(self) -> None:
        has_all = property(lambda one: one.is_full and not one.places.awaited)
        self.assert_objects(Watcher, "has_all", has_all, "have been judged")

    def test_a_death_that_is_reported_twice(self) -> None:
        keep_leftover = Ender.keep_leftover

        def twice(self: Any, watcher: Watcher, process: Any) -> None:
            told = {"process_pid": process.pid, "exit_code": 0}
            self.publish(watcher, "reap", EXIT, **told)
            keep_leftover(self, watcher, process)

        self.assert_objects(Ender, "keep_leftover", twice, "reap of")

    def test_successors_that_do_not_wait_for_what_is_left(self) -> None:
        ends = Places.ends

        def too_early(places: Places, process: Any, state: ProcessState) -> None:
            ends(places, process, state)
            places.release(process)

        self.assert_objects(Places, "ends", too_early, "a place that is not free")

    def test_processes_that_nobody_kills(self) -> None:
        self.assert_objects_to_deadline(Purpose.KILL, "no deadline|not down", left=False)

    def test_leftovers_that_nobody_kills(self) -> None:
        self.assert_objects_to_deadline(Purpose.KILL, "no deadline|not down", left=True)

    def test_leftovers_that_are_never_let_go_of(self) -> None:
        self.assert_objects_to_deadline(Purpose.COMPLAIN, "no deadline|not down")

    def test_spawns_whose_time_never_comes(self) -> None:
        self.assert_objects_to_deadline(Purpose.SPAWN, "forgotten|not where")

    def assert_objects_to_deadline(
        self, purpose: Purpose, why: str, left: bool | None = None
    ) -> None:
        """A deadline of that kind comes and nothing is done about it; with `left`, of what is left
        of a process, or not."""
        meet = Steps.meet

        def forgets(self: Steps, watcher: Watcher, process: Any, due: Purpose) -> None:
            is_meant = left is None or left is (process.state is ProcessState.LEFTOVER)
            if not (due is purpose and is_meant):
                meet(self, watcher, process, due)

        self.assert_objects(Steps, "meet", forgets, why)

    def test_a_start_beside_a_predecessor(self) -> None:
        self.assert_objects(Predecessor, "is_met", lambda one: True, "predecessor")

    def test_rollouts_that_do_not_end(self) -> None:
        why = "a reload that does not end|0 answers"
        self.assert_objects(Steps, "end_rollout", lambda *args: False, why)

    def test_old_processes_that_go_too_early(self) -> None:
        def all_of_them(self: Steps, watcher: Watcher) -> int:
            return len(watcher.places.stale)

        self.assert_objects(Steps, "spare", all_of_them, "goes, and only")

    def test_old_processes_that_do_not_wait_for_their_successors(self) -> None:
        def bystanders(self: Steps, watcher: Watcher, rollout: Rollout) -> int:
            return rollout.is_partial

        self.assert_objects(Steps, "_bystanders", bystanders, "no other has come")

    def test_ready_processes_that_go_before_others(self) -> None:
        self.assert_objects(Places, "worth", lambda *args: 0, "goes, and .* stay")

    def test_a_core_that_is_read_again_and_not_looked_at(self) -> None:
        restore = Watchers.restore

        def unseen(self: Watchers, state: Any) -> list[Watcher]:
            all_watchers = restore(self, state)
            self._dirty.clear()
            return all_watchers

        self.assert_objects(Watchers, "restore", unseen, "waits for nothing|not where")

    def test_a_reply_that_is_forgotten(self) -> None:
        self.assert_objects(verdicts, "not_up", lambda part: None, "0 answers")

    def test_a_reply_to_a_restart_that_never_comes_about(self) -> None:
        with mock.patch.object(verdicts, "stayed_up", lambda part: False):
            self.assertIn("0 answers", self.objection_to(102055))

    def test_deadlines_of_slots_that_are_gone(self) -> None:
        def drop_pending(places: Places) -> None:
            if places.pending:
                original(places)

        original = Places.drop_pending
        world = FakeWorld()
        world.spawns_a_turn = 1
        watcher = world.up(numprocesses=1)
        for size in (4, 3):
            world.resize(watcher, size, "command:set", None)
            world.begin_turn()
            world.roster.turn()
        world.stop([watcher], "command:stop", None)
        with mock.patch.object(Places, "drop_pending", drop_pending):
            self.assertRaisesRegex(AssertionError, "come to rest", world.advance, 1)

    def test_helpers_that_nobody_releases(self) -> None:
        self.assert_objects(
            Campaign, "advance", lambda *args: ([], None), "not down|not where|without"
        )

    def test_an_order_that_is_not_looked_at(self) -> None:
        touch = Watchers.touch

        def seldom(self: Watchers, *watchers: Watcher) -> None:
            touch(self, *(watcher for watcher in watchers if watcher.goal.word != "stop"))

        self.assert_objects(Watchers, "touch", seldom, "without news|is not done")

    def objection_to(self, seed: int) -> str:
        try:
            play(seed)
        except AssertionError as error:
            return str(error).splitlines()[-1]
        return ""


if __name__ == "__main__":
    unittest.main()
