"""The end of all watchers: helpers last, and within a bound."""

from __future__ import annotations

import unittest

from cvec_circus.supervisor.campaign import Pace
from tests.support.world import IMMORTAL, STUBBORN, FakeWorld


class TestShutDown(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.stop_delay = 1.0
        self.roster = self.world.roster

    def shut_down(self) -> list:
        outcomes, wait = self.world.wait()
        self.world.shut_down("signal:TERM", wait)
        self.world.settle()
        return outcomes

    def test_helpers_hear_the_last_stop_of_everybody_else(self) -> None:
        self.world.up("a", helper=True)
        self.world.up("b", numprocesses=3)
        mark = len(self.world.events)
        outcomes = self.shut_down()
        self.world.advance(60)
        told = self.world.since(mark)
        self.assertLess(told.index(("b", "stop")), told.index(("a", "kill")))
        self.assertEqual(told[-1], ("a", "stop"))
        self.assertIsNone(outcomes[0].error)
        self.assertTrue(self.roster.is_down)
        self.assertEqual(
            {payload["cause"] for payload in self.world.payloads("reap")}, {"signal:TERM"}
        )

    def test_in_the_middle_of_a_start_of_100_with_warm_ups(self) -> None:
        for number in range(100):
            self.world.add(f"w{number}", numprocesses=3, warmup_delay=1, priority=number % 3)
        self.world.start(None, "config", None)
        self.world.advance(1.5)
        spawned = len(self.world.spawned)
        self.shut_down()
        self.world.advance(1)
        self.assertTrue(self.roster.is_down)
        self.assertEqual(len(self.world.spawned), spawned)

    def test_in_the_middle_of_a_restart(self) -> None:
        for number in range(10):
            self.world.up(f"w{number}")
        self.world.restart(None, "command:restart", None)
        self.world.advance(0.5)
        self.shut_down()
        self.world.advance(1)
        self.assertTrue(self.roster.is_down)
        self.assertEqual(len(self.world.spawned), 10)

    def test_in_the_middle_of_a_mass_death(self) -> None:
        self.world.spawns_a_turn = 1
        watcher = self.world.up(numprocesses=100)
        for pid in watcher.places.pids():
            self.world.die(pid)
        self.roster.turn()
        self.shut_down()
        self.world.advance(1)
        self.assertTrue(self.roster.is_down)
        self.assertEqual(sorted(self.world.spawned), sorted(self.world.reaped))

    def test_helpers_wait_for_a_watcher_that_is_being_removed(self) -> None:
        self.world.up("a", helper=True)
        watcher = self.world.up("b")
        self.world.remove(watcher, "command:rm", False, None)
        mark = len(self.world.events)
        self.shut_down()
        self.world.advance(60)
        told = self.world.since(mark)
        self.assertLess(told.index(("b", "stop")), told.index(("a", "kill")))

    def test_a_helper_has_5_seconds_at_most(self) -> None:
        self.world.temper = STUBBORN
        self.world.up("a", helper=True, graceful_timeout=30)
        self.shut_down()
        self.world.advance(4.9)
        self.assertFalse(self.roster.is_down)
        self.world.advance(0.1)
        self.assertTrue(self.roster.is_down)

    def test_also_one_that_was_being_stopped_before(self) -> None:
        self.world.temper = STUBBORN
        helper = self.world.up("a", helper=True, graceful_timeout=30)
        self.world.stop([helper], "command:stop", None)
        self.world.advance(1)
        self.shut_down()
        self.world.advance(5)
        self.assertTrue(self.roster.is_down)

    def test_hurry_kills_everybody_now(self) -> None:
        self.world.temper = STUBBORN
        self.world.leftovers = 60.0
        helper = self.world.up("a", helper=True)
        self.world.up("b", numprocesses=3)
        self.shut_down()
        self.assertEqual(helper.status, "active")
        self.roster.hurry()
        self.world.advance(0)
        self.assertTrue(self.roster.is_down)

    def test_a_second_order_waits_for_the_same_end(self) -> None:
        self.world.up()
        first, second = self.shut_down(), self.shut_down()
        self.world.advance(1)
        self.assertEqual([first[0].error, second[0].error], [None, None])
        self.assertEqual(self.world.actions().count("kill"), 1)

    def test_who_cannot_be_killed_is_named(self) -> None:
        self.world.temper = IMMORTAL
        self.world.up(graceful_timeout=1)
        outcomes = self.shut_down()
        self.world.advance(6)
        self.assertEqual(outcomes[0].error, "quit of web: process 100 does not end")

    def test_helpers_are_asked_though_the_others_are_not_down(self) -> None:
        self.world.temper = STUBBORN
        helper = self.world.up("a", helper=True)
        self.world.up("b", graceful_timeout=30)
        self.world.campaign.pace = Pace(shutdown_timeout=3.0)
        self.shut_down()
        self.world.advance(2.9)
        self.assertEqual(helper.status, "active")
        self.world.advance(0.1)
        self.assertEqual(helper.status, "stopping")
        left = "process 101 has not ended; SIGKILL in 27.0 s"
        late = f"b: is stopping ({left}); the others wait for it no longer"
        self.assertEqual([note for note in self.world.notes if "no longer" in note], [late])

    def test_at_the_latest_5_s_after_the_longest_graceful_timeout(self) -> None:
        self.world.answers["before_stop"] = None
        helper = self.world.up("a", helper=True, graceful_timeout=50)
        self.world.up("b", graceful_timeout=10, hooks=["before_stop"])
        self.world.up("c", graceful_timeout=20)
        self.shut_down()
        self.world.advance(24.9)
        self.assertEqual(helper.status, "active")
        self.world.advance(0.1)
        self.assertEqual(helper.status, "stopping")
        self.world.advance(1.0)
        self.assertFalse(self.roster.is_down)
        self.world.answer("before_stop")
        self.world.advance(1.0)
        self.assertTrue(self.roster.is_down)

    def test_a_hook_within_its_time_does_not_hold_up_the_helpers(self) -> None:
        self.world.answers["before_stop"] = None
        helper = self.world.up("a", helper=True)
        self.world.up("b", graceful_timeout=1, hooks=["before_stop"], hook_timeout=600)
        self.shut_down()
        self.world.advance(6.0)
        self.assertEqual(helper.status, "stopping")

    def test_who_still_waits_at_the_very_end_is_told_so(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.world.up()
        outcomes, wait = self.world.wait()
        self.world.stop([watcher], "command:stop", wait)
        self.world.settle()
        self.world.waits.refuse_all("the supervisor has stopped")
        self.assertEqual(outcomes[0].error, "the supervisor has stopped")
        self.world.advance(60)
        self.assertEqual(len(outcomes), 1)


if __name__ == "__main__":
    unittest.main()
