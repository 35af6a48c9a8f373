"""Watchers that come and go: add, rm, rm nostop, and successors of the same name."""

from __future__ import annotations

import unittest

from cvec_circus import exc
from tests.support.world import IMMORTAL, FakeWorld


class RosterCase(unittest.TestCase):
    """A world in which a stop takes a second. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.stop_delay = 1.0
        self.roster = self.world.roster

    def remove(self, watcher, nostop: bool = False) -> list:
        outcomes, wait = self.world.wait()
        self.world.remove(watcher, "command:rm", nostop, wait)
        self.world.settle()
        return outcomes


class TestNames(RosterCase):
    def test_any_case_finds_a_watcher(self) -> None:
        watcher = self.world.add("One Shot")
        self.assertIs(self.roster.get("ONE shot"), watcher)
        self.assertIsNone(self.roster.get("two"))

    def test_names_with_the_same_topic_are_refused(self) -> None:
        self.world.add("One Shot")
        for name in ("One Shot", "one shot", "one_shot"):
            with self.subTest(name), self.assertRaises(exc.AlreadyExist):
                self.world.add(name)
        self.assertEqual(len(self.roster.watchers()), 1)

    def test_they_are_listed_by_name(self) -> None:
        for name in ("b", "c", "a"):
            self.world.add(name)
        self.assertEqual([watcher.name for watcher in self.roster.watchers()], ["a", "b", "c"])


class TestRemove(RosterCase):
    def test_it_is_off_the_list_at_once_and_answered_when_nothing_is_left(self) -> None:
        watcher = self.world.up()
        outcomes = self.remove(watcher)
        self.assertIsNone(self.roster.get("web"))
        self.assertEqual(outcomes, [])
        self.assertEqual(self.roster.all_watchers(), [watcher])
        self.world.advance(1)
        self.assertIsNone(outcomes[0].error)
        self.assertEqual(self.roster.all_watchers(), [])
        self.assertEqual(self.world.actions()[-4:], ["remove", "kill", "reap", "stop"])

    def test_of_a_stopped_watcher(self) -> None:
        watcher = self.world.add()
        outcomes = self.remove(watcher)
        self.assertIsNone(outcomes[0].error)
        self.assertEqual(self.world.actions(), ["add", "remove"])

    def test_it_is_not_down_before_the_removed_one_is(self) -> None:
        watcher = self.world.up()
        self.remove(watcher)
        self.assertFalse(self.roster.is_down)
        self.world.advance(1)
        self.assertTrue(self.roster.is_down)


class TestSuccessors(RosterCase):
    """A watcher of the same name, added while the old one is stopping."""

    def test_it_starts_when_the_old_one_is_gone(self) -> None:
        self.remove(self.world.up())
        self.world.up()
        self.world.advance(0.9)
        self.assertEqual(self.world.spawned, [100])
        self.world.advance(0.1)
        self.assertEqual(self.world.spawned, [100, 101])

    def test_the_name_in_another_case_is_the_same_name(self) -> None:
        self.remove(self.world.up("web"))
        self.world.up("WEB")
        self.assertEqual(self.world.spawned, [100])

    def test_a_third_one_waits_for_the_first_though_the_second_never_ran(self) -> None:
        first = self.world.up()
        self.remove(first)
        second = self.world.up()
        outcomes = self.remove(second)
        self.assertIsNone(outcomes[0].error)
        self.assertEqual(self.roster.all_watchers(), [first])
        self.world.up()
        self.assertEqual(self.world.spawned, [100])
        self.assertFalse(self.roster.is_down)
        self.world.advance(1)
        self.assertEqual(self.world.spawned, [100, 101])

    def test_the_end_of_the_daemon_covers_the_old_one(self) -> None:
        self.world.temper = "stubborn"
        first = self.world.up(graceful_timeout=30)
        self.remove(first)
        self.remove(self.world.up())
        outcomes, wait = self.world.wait()
        self.world.shut_down("signal:TERM", wait)
        self.world.settle()
        self.assertEqual(outcomes, [])
        self.roster.hurry()
        self.world.advance(0)
        self.assertIsNone(outcomes[0].error)

    def test_who_waits_for_it_hears_of_an_old_process_that_does_not_end(self) -> None:
        self.world.temper = IMMORTAL
        self.remove(self.world.up(graceful_timeout=1))
        outcomes, wait = self.world.wait()
        self.world.start([self.world.add()], "command:add", wait)
        self.world.advance(5.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        self.assertEqual(outcomes[0].error, "start of web: process 100 does not end")


class TestNostop(RosterCase):
    """`rm nostop`: the processes go on and are nobody's any more."""

    def test_nothing_is_signalled_ever_again(self) -> None:
        watcher = self.world.up(numprocesses=2, max_age=10)
        outcomes = self.remove(watcher, nostop=True)
        self.assertEqual(outcomes[0].error, None)
        self.assertEqual(outcomes[0].kept, [100, 101])
        self.world.advance(1000)
        self.world.shut_down("signal:TERM")
        self.roster.hurry()
        self.world.advance(100)
        self.assertEqual(self.world.signals, [])
        self.assertTrue(self.roster.is_down)
        self.assertIsNone(self.roster.next_at())

    def test_a_death_is_reaped_and_that_is_all(self) -> None:
        watcher = self.world.up()
        self.remove(watcher, nostop=True)
        self.world.die(100)
        self.world.advance(100)
        self.assertEqual(self.world.actions()[-2:], ["remove", "reap"])
        self.assertEqual(self.world.spawned, [100])

    def test_slots_that_wait_for_their_spawn_are_dropped(self) -> None:
        watcher = self.world.up(numprocesses=3, warmup_delay=5)
        self.remove(watcher, nostop=True)
        self.world.advance(100)
        self.assertEqual(self.world.spawned, [100])
        self.assertEqual(len(watcher.places.slots), 1)

    def test_without_a_process_the_streams_are_closed(self) -> None:
        self.world.refuse = OSError(11, "again")
        watcher = self.world.up()
        self.remove(watcher, nostop=True)
        self.assertEqual(self.world.streams, [("web", "open"), ("web", "close")])

    def test_one_that_is_stopping_is_stopped_all_the_same(self) -> None:
        watcher = self.world.up()
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        outcomes = self.remove(watcher, nostop=True)
        self.assertEqual(outcomes, [])
        self.world.advance(1)
        self.assertIsNone(outcomes[0].error)
        self.assertEqual(watcher.status, "stopped")

    def test_a_new_one_of_that_name_does_not_wait(self) -> None:
        self.remove(self.world.up(), nostop=True)
        self.world.up()
        self.assertEqual(self.world.spawned, [100, 101])

    def test_others_who_waited_are_answered(self) -> None:
        watcher = self.world.up(numprocesses=2, warmup_delay=5)
        outcomes, wait = self.world.wait(60)
        self.world.start([watcher], "command:start", wait)
        self.world.settle()
        self.remove(watcher, nostop=True)
        self.assertEqual(outcomes[0].error, "start of web abandoned: a later order removed it")
        self.assertIsNone(self.roster.next_at())


if __name__ == "__main__":
    unittest.main()
