"""Waiting replies of start, stop, restart and reload: when they are answered, and with what."""

from __future__ import annotations

import errno
import unittest

from tests.core.waiting_case import WaitingCase
from tests.support.world import IMMORTAL

MISSING = FileNotFoundError(errno.ENOENT, "no such file")


class TestStart(WaitingCase):
    def test_when_every_place_has_been_filled(self) -> None:
        watcher = self.world.add(numprocesses=2, warmup_delay=5)
        outcomes = self.order("start", [watcher])
        self.world.advance(4.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        self.assertEqual(self.assert_done(outcomes).started, [100, 101])

    def test_at_once_when_it_is_up(self) -> None:
        watcher = self.world.up()
        outcome = self.assert_done(self.order("start", [watcher]))
        self.assertEqual((outcome.started, outcome.kept), ([], [100]))

    def test_nobody_chosen_is_done(self) -> None:
        self.world.add(autostart=False)
        self.assert_done(self.order("start", None))

    def test_all_of_them(self) -> None:
        self.world.add("a")
        self.world.add("b", numprocesses=2, warmup_delay=5)
        outcomes = self.order("start", None)
        self.assertEqual(outcomes, [])
        self.world.advance(5)
        self.assertEqual(self.assert_done(outcomes).started, [100, 101, 102])
        self.assertEqual(outcomes[0].numprocesses, 3)

    def test_overtaken_by_stop(self) -> None:
        watcher = self.world.add("w1", numprocesses=2, warmup_delay=5)
        outcomes = self.order("start", [watcher])
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.assert_fails(outcomes, "start of w1 abandoned: a later order stopped it")

    def test_overtaken_in_the_same_turn(self) -> None:
        watcher = self.world.add("w1")
        outcomes, wait = self.world.wait()
        self.world.start([watcher], "command:start", wait)
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.assert_fails(outcomes, "start of w1 abandoned: a later order stopped it")
        self.assertEqual(self.world.spawned, [])

    def test_overtaken_by_rm_and_by_quit(self) -> None:
        watcher = self.world.add("w1", numprocesses=2, warmup_delay=5)
        outcomes = self.order("start", [watcher])
        self.world.remove(watcher, "command:rm", False, None)
        self.world.settle()
        self.assert_fails(outcomes, "start of w1 abandoned: a later order removed it")
        watcher = self.world.add("w2", numprocesses=2, warmup_delay=5)
        outcomes = self.order("start", [watcher])
        self.world.shut_down("command:quit")
        self.world.settle()
        self.assert_fails(outcomes, "start of w2 abandoned: the daemon is stopping")

    def test_given_up(self) -> None:
        self.world.refuse = MISSING
        outcomes = self.order("start", [self.world.add(max_retry=1)])
        self.assert_fails(outcomes, "web gave up: [Errno 2] no such file (1 attempt)")

    def test_after_a_process_that_does_not_end(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(graceful_timeout=1)
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        outcomes = self.order("start", [watcher])
        self.world.advance(5.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        self.assert_fails(outcomes, "start of web: process 100 does not end")
        self.assert_fails(self.order("start", [watcher]), "start of web: process 100 does not end")

    def test_a_one_shot_has_started_even_when_it_has_ended(self) -> None:
        watcher = self.world.add(respawn=False)
        outcomes, wait = self.world.wait()
        self.world.start([watcher], "command:start", wait)
        self.world.settle()
        self.world.die(100)
        self.world.settle()
        self.assert_done(outcomes)


class TestStop(WaitingCase):
    def test_when_nothing_is_left(self) -> None:
        self.world.leftovers = 2.0
        watcher = self.world.up(numprocesses=2)
        outcomes = self.order("stop", [watcher])
        self.world.advance(2.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        self.assertEqual(self.assert_done(outcomes).stopped, [100, 101])

    def test_at_once_when_it_is_down(self) -> None:
        self.assert_done(self.order("stop", [self.world.add()]))

    def test_overtaken_by_start(self) -> None:
        watcher = self.world.up("w1")
        outcomes = self.order("stop", [watcher])
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assert_fails(outcomes, "stop of w1 abandoned: a later order started it")

    def test_a_process_that_does_not_end_is_named(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(numprocesses=2, graceful_timeout=1)
        outcomes = self.order("stop", [watcher])
        self.world.advance(6)
        self.assert_fails(outcomes, "stop of web: processes 100, 101 do not end")

    def test_identical_orders_share_one_cycle(self) -> None:
        watcher = self.world.up()
        first, second = self.order("stop", [watcher]), self.order("stop", [watcher])
        self.world.advance(1)
        self.assert_done(first)
        self.assert_done(second)
        self.assertEqual(self.world.actions().count("kill"), 1)


class TestRestart(WaitingCase):
    def test_when_it_is_up_again(self) -> None:
        watcher = self.world.up(numprocesses=2)
        outcomes = self.order("restart", [watcher])
        self.world.advance(0.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        outcome = self.assert_done(outcomes)
        self.assertEqual((outcome.stopped, outcome.started), ([100, 101], [102, 103]))
        self.assertEqual(outcome.kept, [])

    def test_identical_orders_share_one_cycle(self) -> None:
        watcher = self.world.up()
        first, second = self.order("restart", [watcher]), self.order("restart", [watcher])
        self.world.advance(1)
        self.assert_done(first)
        self.assert_done(second)
        self.assertEqual(len(self.world.spawned), 2)

    def test_of_a_watcher_that_is_starting(self) -> None:
        watcher = self.world.up(numprocesses=2, warmup_delay=5)
        outcomes = self.order("restart", [watcher])
        self.world.advance(5.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        self.assertEqual(self.assert_done(outcomes).stopped, [100])

    def test_stop_and_start_in_the_same_turn_undo_it(self) -> None:
        watcher = self.world.up("w1")
        outcomes, wait = self.world.wait()
        self.world.restart([watcher], "command:restart", wait)
        self.world.stop([watcher], "command:stop", None)
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assert_fails(outcomes, "restart of w1 abandoned: a later order started it")
        self.assertEqual(watcher.places.pids(), [100])

    def test_a_process_that_does_not_end_is_named(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(graceful_timeout=1)
        outcomes = self.order("restart", [watcher])
        self.world.advance(6)
        self.assert_fails(outcomes, "restart of web: process 100 does not end")


class TestReload(WaitingCase):
    def test_when_all_of_before_are_gone_and_all_places_filled(self) -> None:
        watcher = self.world.up(numprocesses=2, warmup_delay=5)
        self.world.advance(60)
        outcomes = self.order("reload", [watcher])
        self.world.advance(6.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.1)
        outcome = self.assert_done(outcomes)
        self.assertEqual((outcome.stopped, outcome.started), ([100, 101], [102, 103]))

    def test_at_once_when_the_processes_reload_by_themselves(self) -> None:
        watcher = self.world.up(send_hup=True)
        self.assertEqual(self.assert_done(self.order("reload", [watcher])).kept, [100])

    def test_one_that_comes_meanwhile_waits_for_its_own(self) -> None:
        watcher = self.world.up()
        first = self.order("reload", [watcher])
        self.world.advance(0.5)
        second = self.order("reload", [watcher])
        self.world.advance(0.5)
        self.assertEqual(self.assert_done(first).started, [101])
        self.assertEqual(second, [])
        self.world.advance(1)
        self.assertEqual(self.assert_done(second).started, [102])

    def test_everybody_is_answered_in_a_storm(self) -> None:
        watcher = self.world.up(numprocesses=2)
        answers = []
        for _ in range(100):
            answers.append(self.order("reload", [watcher]))
            self.world.advance(0.1)
        answered = [outcomes for outcomes in answers if outcomes]
        self.assertGreater(len(answered), 70)
        self.world.advance(10)
        for outcomes in answers:
            self.assert_done(outcomes)

    def test_a_process_that_dies_before_it_is_proved_fails_it(self) -> None:
        watcher = self.world.up(numprocesses=2, rollout="surge")
        self.world.advance(60)
        outcomes = self.order("reload", [watcher])
        self.world.advance(0.5)
        self.world.die(102, 1)
        self.world.settle()
        said = "process 102 exited with 1 after 0.5 s, before it was ready"
        self.assert_fails(outcomes, f"reload of web: {said}; the old processes were kept")
        self.assertEqual(outcomes[0].kept, [100, 101])

    def test_a_process_that_does_not_end_is_named(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(graceful_timeout=1)
        outcomes = self.order("reload", [watcher])
        self.world.advance(6)
        self.assert_fails(outcomes, "reload of web: process 100 does not end")

    def test_a_restart_carries_it_out_as_well(self) -> None:
        watcher = self.world.up()
        outcomes = self.order("reload", [watcher])
        self.world.restart([watcher], "command:restart", None)
        self.world.advance(5)
        self.assert_done(outcomes)

    def test_a_one_shot_that_ends_meanwhile(self) -> None:
        watcher = self.world.up("w1", respawn=False)
        outcomes = self.order("reload", [watcher])
        self.world.die(101)
        self.world.die(100)
        self.world.settle()
        self.assert_done(outcomes)


if __name__ == "__main__":
    unittest.main()
