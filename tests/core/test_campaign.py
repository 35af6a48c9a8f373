"""Orders to all watchers: who is asked when, and what orders in between change about it."""

from __future__ import annotations

import unittest

from tests.support.world import IMMORTAL, STUBBORN, FakeWorld


class CampaignCase(unittest.TestCase):
    """A world in which a stop takes a second. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.stop_delay = 1.0
        self.roster = self.world.roster

    def told(self, *actions: str, mark: int = 0) -> list[str]:
        """Who did that, in order: "w1", or "w1 stop" when several actions are asked for."""
        return [
            name if len(actions) == 1 else f"{name} {action}"
            for name, action in self.world.since(mark)
            if action in actions
        ]

    def start_all(self) -> None:
        self.world.start(None, "config", None)
        self.world.settle()

    def mark(self) -> int:
        return len(self.world.events)


class TestStartAll(CampaignCase):
    def test_higher_priorities_first_equal_ones_as_they_were_added(self) -> None:
        for name, priority in (("c", 0), ("e", 5), ("a", 0), ("d", 9), ("b", 5)):
            self.world.add(name, priority=priority)
        outcomes, wait = self.world.wait()
        self.world.start(None, "config", wait)
        self.world.settle()
        self.assertEqual(self.told("start"), ["d", "e", "b", "c", "a"])
        self.assertEqual([outcome.error for outcome in outcomes], [None])

    def test_stopped_in_the_opposite_order(self) -> None:
        for name, priority in (("c", 0), ("e", 5), ("a", 0), ("d", 9), ("b", 5)):
            self.world.up(name, priority=priority)
        _, wait = self.world.wait()
        mark = self.mark()
        self.world.stop(None, "command:stop", wait)
        self.world.settle()
        self.assertEqual(self.told("kill", mark=mark), ["c", "a", "e", "b", "d"])

    def test_the_lower_ones_wait_until_the_higher_ones_are_active(self) -> None:
        self.world.add("high", priority=1, numprocesses=2, warmup_delay=5)
        self.world.add("low")
        self.start_all()
        self.world.advance(4.9)
        self.assertEqual(self.told("spawn"), ["high"])
        self.world.advance(0.1)
        self.assertEqual(self.told("spawn"), ["high", "high", "low"])

    def test_given_up_for_good(self) -> None:
        high = self.world.add(
            "high", priority=1, fatal_exit_codes=[2], numprocesses=2, warmup_delay=5
        )
        low = self.world.add("low")
        self.start_all()
        self.world.die(100, 2)
        self.world.settle()
        self.assertEqual(high.status, "stopped")
        self.assertEqual(low.status, "active")

    def test_the_warmup_delay_of_the_arbiter_lies_between_two_watchers(self) -> None:
        self.world = FakeWorld(warmup_delay=2.0)
        self.roster = self.world.roster
        for name, priority in (("a", 0), ("b", 0), ("c", 1)):
            self.world.add(name, priority=priority)
        self.start_all()
        starts = []
        for _ in range(3):
            starts.append(self.told("start"))
            self.world.advance(2)
        self.assertEqual(starts, [["c"], ["c", "a"], ["c", "a", "b"]])

    def test_nobody_waits_for_those_that_are_up_already(self) -> None:
        self.world = FakeWorld(warmup_delay=2.0)
        self.roster = self.world.roster
        for name in "abc":
            self.world.up(name)
        self.world.add("d")
        self.start_all()
        self.assertIn("d", self.told("start"))

    def test_stopped_ones_without_autostart_are_left_alone(self) -> None:
        stopped = self.world.add("a", autostart=False)
        running = self.world.up("b", autostart=False)
        self.start_all()
        self.assertEqual(stopped.status, "stopped")
        self.assertEqual(running.status, "active")

    def test_an_order_that_names_them_starts_them(self) -> None:
        for order in ("start", "restart"):
            with self.subTest(order):
                named = [self.world.add(f"{order}{n}", autostart=False) for n in range(2)]
                getattr(self.world, order)(named, f"command:{order}", None)
                self.world.settle()
                self.assertEqual([watcher.status for watcher in named], ["active", "active"])

    def test_a_named_order_goes_ahead_of_the_queue(self) -> None:
        self.world.add("high", priority=1, numprocesses=2, warmup_delay=5)
        low = self.world.add("low")
        lower = self.world.add("lower", priority=-1)
        self.start_all()
        self.world.start([lower], "command:start", None)
        self.world.settle()
        self.assertEqual(lower.status, "active")
        self.assertEqual(low.status, "stopped")
        self.world.advance(5)
        self.assertEqual(low.status, "active")
        self.assertEqual(self.told("start").count("lower"), 1)

    def test_named_orders_do_not_let_the_lower_ones_off_early(self) -> None:
        for word in ("start", "reload", "restart"):
            with self.subTest(word):
                self.setUp()
                high = self.world.add("high", priority=1, numprocesses=2, warmup_delay=5)
                low = self.world.add("low")
                self.start_all()
                order = getattr(self.world, word)
                options = [False] if word == "reload" else []
                order([high], f"command:{word}", *options, None)
                self.world.advance(4)
                self.assertEqual(low.status, "stopped")
                self.world.advance(60)
                self.assertEqual(high.status, "active")
                self.assertEqual(low.status, "active")

    def test_a_named_stop_lets_the_lower_ones_off_when_it_is_down(self) -> None:
        high = self.world.add("high", priority=1, numprocesses=2, warmup_delay=5)
        low = self.world.add("low")
        self.start_all()
        self.world.stop([high], "command:stop", None)
        self.world.advance(0.9)
        self.assertEqual(low.status, "stopped")
        self.world.advance(0.1)
        self.assertEqual(low.status, "active")

    def test_a_named_stop_takes_one_out_of_the_queue(self) -> None:
        self.world.add("high", priority=1, numprocesses=2, warmup_delay=5)
        low = self.world.add("low")
        self.start_all()
        self.world.stop([low], "command:stop", None)
        self.world.advance(60)
        self.assertEqual(low.status, "stopped")

    def test_one_that_is_removed_is_not_waited_for(self) -> None:
        high = self.world.add("high", priority=1, numprocesses=2, warmup_delay=5)
        low = self.world.add("low")
        self.start_all()
        self.world.remove(high, "command:rm", False, None)
        self.world.settle()
        self.assertEqual(low.status, "active")

    def test_a_reload_of_all_keeps_to_the_priorities(self) -> None:
        self.world.add("high", priority=1, numprocesses=2, warmup_delay=5)
        low = self.world.add("low")
        self.start_all()
        self.world.reload(None, "signal:HUP", False, None)
        self.world.advance(4)
        self.assertEqual(low.status, "stopped")
        self.world.advance(60)
        self.assertEqual(low.status, "active")

    def test_a_reload_of_all_starts_those_that_gave_up_by_priority(self) -> None:
        high = self.world.add("high", priority=1, numprocesses=2, warmup_delay=5)
        low = self.world.add("low")
        for watcher in (high, low):
            watcher.give_up("no such file")
        self.world.reload(None, "signal:HUP", False, None)
        self.world.advance(4)
        self.assertEqual(low.status, "stopped")
        self.world.advance(60)
        self.assertEqual(low.status, "active")

    def test_a_reload_of_all_starts_nothing_that_is_not_wanted(self) -> None:
        self.world.add("never", autostart=False)
        stopped = self.world.up("stopped")
        self.world.stop([stopped], "command:stop", None)
        self.world.advance(5)
        mark = self.mark()
        self.world.reload(None, "signal:HUP", False, None)
        self.world.advance(5)
        self.assertEqual(self.world.since(mark), [])
        self.world.reload([stopped], "command:reload", False, None)
        self.world.advance(5)
        self.assertEqual(stopped.status, "active")


class TestStopAll(CampaignCase):
    def test_all_are_asked_at_once_helpers_when_the_others_are_down(self) -> None:
        self.world.up("a", helper=True)
        self.world.up("b")
        self.world.up("c")
        mark = self.mark()
        self.world.stop(None, "command:stop", None)
        self.world.advance(10)
        self.assertEqual(
            self.told("kill", "stop", mark=mark),
            ["b kill", "c kill", "b stop", "c stop", "a kill", "a stop"],
        )

    def test_who_would_start_last_is_asked_first(self) -> None:
        for name, priority in (("a", 5), ("b", 0), ("c", 9)):
            self.world.up(name, priority=priority)
        mark = self.mark()
        self.world.stop(None, "command:stop", None)
        self.world.settle()
        self.assertEqual(self.told("kill", mark=mark), ["b", "a", "c"])

    def test_a_helper_goes_on_until_its_turn(self) -> None:
        self.world.stop_delay = 5.0
        helper = self.world.up("a", helper=True)
        self.world.up("b")
        self.world.stop(None, "command:stop", None)
        self.world.advance(3)
        self.world.die(helper.places.pids()[0])
        self.world.settle()
        self.assertEqual(len(helper.places.pids()), 1)
        self.world.advance(60)
        self.assertTrue(self.roster.is_down)

    def test_a_named_start_is_not_waited_for(self) -> None:
        self.world.up("a", helper=True)
        other = self.world.up("b")
        self.world.stop(None, "command:stop", None)
        self.world.start([other], "command:start", None)
        self.world.advance(1)
        self.assertEqual(self.told("stop"), ["a"])
        self.assertEqual(other.status, "active")

    def test_nor_is_a_process_that_cannot_be_killed(self) -> None:
        helper = self.world.up("a", helper=True)
        self.world.up("b", graceful_timeout=1)
        self.world.temper = IMMORTAL
        self.world.stop(None, "command:stop", None)
        self.world.advance(5.9)
        self.assertEqual(len(helper.places.fresh), 1)
        self.world.temper = "obedient"
        self.world.advance(2)
        self.assertEqual(helper.status, "stopped")


class TestRestartAll(CampaignCase):
    def test_all_are_down_before_one_is_up(self) -> None:
        for name, priority in (("a", 5), ("b", 0)):
            self.world.up(name, priority=priority)
        self.world.up("c", helper=True, priority=1)
        mark = self.mark()
        self.world.restart(None, "command:restart", None)
        self.world.advance(60)
        self.assertEqual(
            self.told("stop", "spawn", mark=mark),
            ["b stop", "a stop", "c stop", "a spawn", "c spawn", "b spawn"],
        )

    def test_one_that_takes_long_holds_all_back(self) -> None:
        self.world.up("a")
        slow = self.world.up("b", graceful_timeout=20)
        self.world.temper = STUBBORN
        self.world.restart(None, "command:restart", None)
        self.world.settle()
        self.world.die(100, -15)
        self.world.advance(19.9)
        self.assertEqual(self.world.spawned, [100, 101])
        self.world.advance(0.1)
        self.assertEqual(self.told("start"), ["a", "b", "a", "b"])
        self.assertEqual(slow.status, "active")

    def test_one_that_cannot_be_killed_only_itself(self) -> None:
        other = self.world.up("a")
        stuck = self.world.up("b", graceful_timeout=1)
        self.world.temper = IMMORTAL
        self.world.restart(None, "command:restart", None)
        self.world.settle()
        self.world.die(100, -15)
        self.world.advance(6)
        self.assertEqual(other.status, "active")
        self.assertEqual(stuck.status, "stopping")

    def test_stopped_ones_come_up_with_the_others(self) -> None:
        self.world.up("a")
        self.world.add("b")
        self.world.add("c", autostart=False)
        self.world.restart(None, "command:restart", None)
        self.world.settle()
        self.assertEqual(self.told("spawn"), ["a"])
        self.world.advance(1)
        self.assertEqual(self.told("spawn"), ["a", "a", "b"])

    def test_a_named_stop_in_between_stays_down(self) -> None:
        self.world.up("a")
        watcher = self.world.up("b")
        self.world.restart(None, "command:restart", None)
        self.world.settle()
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(60)
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(self.told("start"), ["a", "b", "a"])

    def test_a_reload_of_all_in_between_changes_nothing(self) -> None:
        self.world.up("a")
        self.world.up("b", helper=True)
        mark = self.mark()
        self.world.restart(None, "command:restart", None)
        self.world.settle()
        self.world.reload(None, "signal:HUP", False, None)
        self.world.advance(60)
        self.assertEqual(
            self.told("kill", "stop", "spawn", mark=mark),
            ["a kill", "a stop", "b kill", "b stop", "a spawn", "b spawn"],
        )

    def test_once_more_in_the_middle_of_it_shares_one_cycle(self) -> None:
        self.world.up("a")
        self.world.up("b")
        first, wait = self.world.wait()
        self.world.restart(None, "command:restart", wait)
        self.world.advance(0.5)
        second, wait = self.world.wait()
        self.world.restart(None, "command:restart", wait)
        self.world.advance(60)
        self.assertEqual([first[0].error, second[0].error], [None, None])
        self.assertEqual(len(self.world.spawned), 4)

    def test_a_stop_of_all_in_the_middle_of_it_wins(self) -> None:
        watchers = [self.world.up(name) for name in "abc"]
        self.world.restart(None, "command:restart", None)
        self.world.advance(0.5)
        self.world.stop(None, "command:stop", None)
        self.world.advance(60)
        self.assertEqual([w.status for w in watchers], ["stopped"] * 3)
        self.assertEqual(len(self.world.spawned), 3)

    def test_a_helper_that_is_starting_is_not_taken_for_restarted(self) -> None:
        helper = self.world.up("a", helper=True, numprocesses=2, warmup_delay=1)
        self.world.up("b", graceful_timeout=20)
        self.world.temper = STUBBORN
        outcomes, wait = self.world.wait()
        self.world.restart(None, "command:restart", wait)
        self.world.advance(19)
        self.assertEqual(helper.status, "active")
        self.assertEqual(outcomes, [])
        self.world.temper = "obedient"
        self.world.advance(60)
        self.assertEqual(outcomes[0].kept, [])
        self.assertEqual(len(outcomes[0].started), 3)


if __name__ == "__main__":
    unittest.main()
