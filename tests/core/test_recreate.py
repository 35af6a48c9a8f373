"""Rollouts of programs that cannot run beside each other: first the old process ends."""

from __future__ import annotations

import unittest

from cvec_circus.core.watcher import Watcher
from tests.core.test_rollouts import RolloutCase


class TestRecreate(RolloutCase):
    def test_the_old_options_are_spawned_again(self) -> None:
        watcher = self.up(singleton=True)
        outcomes = self.set(watcher, cmd="broken")
        self.world.advance(0.5)
        self.assertEqual(self.world.pids(watcher), [101])
        self.world.die(101, 1)
        self.world.settle()
        self.assertIn("the options of before are back", self.error(outcomes))
        self.assertEqual((self.world.pids(watcher), watcher.options.cmd), ([102], "run"))

    def test_one_place_at_a_time_and_the_first_failure_ends_it(self) -> None:
        watcher = self.up(numprocesses=3, rollout="recreate")
        outcomes = self.reload(watcher)
        self.world.advance(0.5)
        self.world.die(103, 1)
        self.world.settle()
        said = self.error(outcomes)
        self.assertTrue(said.endswith("; 2 of 3 old processes were kept"), said)
        (told,) = self.world.payloads("rollback")
        self.assertEqual(told["kept"], [101, 102])
        self.world.advance(5)
        self.assertEqual(self.world.pids(watcher)[:2], [101, 102])
        self.assertEqual(self.world.reaped, [100, 103])

    def test_one_that_hangs_has_ended_before_the_old_options_are_spawned(self) -> None:
        watcher = self.up(ready={"a": "notify"}, ready_timeout=5, rollout="recreate")
        outcomes = self.set(watcher, cmd="broken")
        self.world.advance(0.3)
        self.assertEqual(self.world.pids(watcher), [101])
        self.world.stop_delay = 2.0
        self.world.advance(5)
        self.assertIn("the options of before are back", self.error(outcomes))
        self.assertEqual(self.world.spawned, [100, 101])  # it is still there
        self.world.advance(2.5)
        self.assertEqual((self.world.pids(watcher), watcher.options.cmd), ([102], "run"))
        self.world.probed(102)
        self.world.advance(1)
        self.assertTrue(watcher.is_ready)
        self.assertEqual(self.world.spawned, [100, 101, 102])

    def test_a_check_that_the_old_process_answers(self) -> None:
        """It would prove a new process that is broken, and end the old one for it."""
        watcher = self.up(ready={"a": "http://127.0.0.1:8000/"})
        outcomes = self.reload(watcher)
        self.assertEqual(self.world.pids(watcher), [])
        self.world.advance(0.3)
        self.assertEqual(self.world.pids(watcher), [101])
        self.world.probed(101)
        self.world.settle()
        self.assertEqual([(one.error, one.gap) for one in outcomes], [(None, ["web"])])
        self.assertEqual(self.world.payloads("reload"), [{"cause": "command:reload", "gap": True}])
        outcomes = self.set(watcher, cmd="broken")
        self.world.advance(0.3)
        self.world.die(102, 1)
        self.world.settle()
        self.assertIn("the options of before are back", self.error(outcomes))
        self.world.advance(1)
        self.assertEqual((self.world.pids(watcher), watcher.options.cmd), ([103], "run"))

    def test_a_check_that_each_process_answers_itself(self) -> None:
        own = {"a": "http://127.0.0.1:80$(circus.wid)/"}
        foreign = {"a": "tcp://127.0.0.1:5432", "b": "notify"}
        for options in (
            {"ready": own},
            {"ready": foreign},
            {"ready": {"a": "tcp://127.0.0.1:1"}, "rollout": "surge"},
            {"ready": {"a": "tcp://127.0.0.1:1"}, "use_sockets": True},
        ):
            with self.subTest(options):
                self.setUp()
                watcher = self.up(**options)
                self.reload(watcher)
                self.assertEqual(self.world.pids(watcher), [100, 101])

    def test_a_program_that_cannot_run_beside_itself_is_tried_once_more(self) -> None:
        watcher = self.up()
        outcomes = self.reload(watcher)
        self.world.advance(0.3)
        self.world.die(101, 1)  # Address already in use
        self.world.advance(0.3)
        self.assertEqual((self.world.pids(watcher), self.world.reaped), ([102], [101, 100]))
        self.assertEqual(outcomes, [])
        self.world.advance(1)
        self.assertEqual([(one.error, one.gap) for one in outcomes], [(None, ["web"])])
        self.assertEqual(self.world.payloads("reload"), [{"cause": "command:reload", "gap": True}])

    def test_once(self) -> None:
        watcher = self.up()
        outcomes = self.reload(watcher)
        self.world.die(101, 1)
        self.world.advance(0.3)
        self.world.die(102, 1)
        self.world.settle()
        self.assertTrue(self.error(outcomes).endswith("no old process was left"))
        self.assertIsNone(watcher.rollout)

    def test_never_where_it_can_run_beside_itself(self) -> None:
        for options in ({"use_sockets": True}, {"ready": {"a": "notify"}}, {"rollout": "surge"}):
            with self.subTest(options):
                self.setUp()
                watcher = self.up(**options)
                self.reload(watcher)
                self.world.die(101, 1)
                self.world.advance(5)
                self.assertEqual(self.world.pids(watcher), [100])


class TestOnceMore(RolloutCase):
    """A rollout that has failed before: some places have no process that is ready."""

    def reload_broken(self, watcher: Watcher, good: list[int]) -> None:
        """Reload a program that exits before it is ready."""
        outcomes = self.reload(watcher)
        for _ in range(20):
            self.world.advance(0.5)
            for pid in {*self.world.pids(watcher)} - {*good}:
                self.world.die(pid, 6)
            self.world.settle()
        self.assertIn("exited with 6", self.error(outcomes))

    def test_what_is_not_ready_goes_first(self) -> None:
        for size, options, kept in (
            (4, {"max_surge": 0, "max_unavailable": "50%"}, [102, 103]),
            (4, {"max_unavailable": 2}, [102, 103]),
            (3, {"rollout": "recreate"}, [101, 102]),
        ):
            with self.subTest(options):
                self.setUp()
                watcher = self.up(numprocesses=size, ready={"a": "notify"}, **options)
                self.reload_broken(watcher, kept)
                for _ in range(3):
                    self.world.advance(0.5)
                    while len(self.world.pids(watcher)) < size:
                        self.world.advance(0.05)  # those that are not ready run at this moment
                    self.reload_broken(watcher, kept)
                    ready = [one.pid for one in watcher.places.fresh if one.is_ready]
                    self.assertEqual(sorted(ready), kept)
                self.world.ready_after = 0.3
                outcomes = self.reload(watcher)
                self.world.advance(20)
                self.assertEqual([one.error for one in outcomes], [None])
                self.assertTrue(watcher.is_ready)

    def test_one_whose_check_fails_goes_first(self) -> None:
        watcher = self.up(numprocesses=3, ready={"a": "notify"}, rollout="recreate")
        self.world.probed(101, "check a: HTTP 500")
        self.reload(watcher)
        self.assertEqual([one.pid for one in watcher.places.ending], [101])


if __name__ == "__main__":
    unittest.main()
