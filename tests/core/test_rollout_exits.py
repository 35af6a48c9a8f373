"""Rollouts whose new processes say that they are ready, and then exit or are not alive."""

from __future__ import annotations

import unittest
from signal import SIGKILL
from typing import Any

from cvec_circus.core.watcher import Watcher
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.outcome import Outcome
from tests.core.test_rollouts import RolloutCase
from tests.support.world import IMMORTAL

NOTIFY = {"a": "notify"}


class ExitCase(RolloutCase):
    """A new process is proved, and exits. Owned by the test's thread."""

    def ready_then_exit(self, watcher: Watcher, seconds: float = 0.1, code: int = 3) -> int:
        """The first new process is proved and exits soon after; return its pid."""
        self.world.advance(0.3)
        pid = self.world.spawned[watcher.goal.numprocesses]
        self.world.probed(pid)
        self.world.advance(seconds)
        self.world.die(pid, code)
        self.world.settle()
        return pid

    def come_to_rest(self) -> None:
        """Every process that is spawned from now on becomes ready."""
        for _ in range(20):
            self.world.probes.all_hold()
            self.world.advance(0.5)

    def assert_failed(self, outcomes: list[Outcome], left: str) -> None:
        said = self.error(outcomes)
        self.assertRegex(said, "exited with 3 after .* s, though it had been ready; ")
        self.assertTrue(said.endswith(left), said)
        self.assertEqual(len(self.world.payloads("rollback")), 1)


class TestEachShape(ExitCase):
    def test_a_reload(self) -> None:
        """No old process is taken away any more."""
        for options, kept in (
            ({}, 3),
            ({"max_surge": 1}, 3),
            ({"rollout": "surge", "max_surge": 2}, 3),
            ({"rollout": "recreate"}, 2),
            ({"max_surge": 0, "max_unavailable": 2}, 1),
        ):
            with self.subTest(options):
                self.setUp()
                watcher = self.up(numprocesses=4, ready=NOTIFY, **options)
                outcomes = self.reload(watcher)
                self.ready_then_exit(watcher)
                was = "was" if kept == 1 else "were"
                self.assert_failed(outcomes, f"; {kept} of 4 old processes {was} kept")
                self.world.advance(60)
                olds = [pid for pid in (100, 101, 102, 103) if pid in self.world.pids(watcher)]
                self.assertEqual(len(olds), kept)
                self.assertIsNone(watcher.rollout)

    def test_the_others_that_are_proved_stay_where_only_the_code_is_new(self) -> None:
        watcher = self.up(numprocesses=3, ready=NOTIFY)
        outcomes = self.reload(watcher)
        self.world.probed(103)
        self.world.probed(104)
        self.world.advance(0.5)
        self.world.die(104, 3)
        self.world.settle()
        self.assert_failed(outcomes, "; stopped at 1 of 3; 1 of 3 old processes was kept")
        self.world.advance(5)
        self.assertEqual(sorted(self.world.pids(watcher))[:2], [102, 103])

    def test_options_go_back(self) -> None:
        for options in ({}, {"max_surge": 1}, {"rollout": "recreate"}):
            with self.subTest(options):
                self.setUp()
                watcher = self.up(numprocesses=4, ready=NOTIFY, **options)
                outcomes = self.set(watcher, cmd="broken")
                self.ready_then_exit(watcher)
                self.assertIn("the options of before are back", self.error(outcomes))
                self.come_to_rest()
                self.assertEqual(watcher.options.cmd, "run")
                self.assertEqual({one.generation for one in watcher.places.fresh}, {1})
                self.assertTrue(watcher.is_ready)

    def test_one_that_lived_long_enough(self) -> None:
        """It is not tried once more without the old one: it could run beside it."""
        watcher = self.up(numprocesses=4, max_surge=1)
        outcomes = self.reload(watcher)
        self.world.advance(1.5)
        self.world.die(104, 3)
        self.world.advance(5)
        self.assert_failed(outcomes, "3 of 4 old processes were kept")
        self.assertEqual(self.world.pids(watcher)[:3], [101, 102, 103])

    def test_the_last_place_while_an_old_one_still_ends(self) -> None:
        self.world.stop_delay = 5.0
        watcher = self.up(ready=NOTIFY)
        outcomes = self.set(watcher, cmd="broken")
        self.ready_then_exit(watcher)
        self.assertIn("the options of before are back", self.error(outcomes))

    def test_a_process_that_is_too_old(self) -> None:
        for others in (0, 2):
            with self.subTest(others):
                self.setUp()
                self.world.stop_delay = 5.0
                watcher = self.up(
                    numprocesses=1 + others, ready=NOTIFY, max_age=100, max_age_variance=0
                )
                self.world.advance(40)
                self.ready_then_exit(watcher)
                (told,) = self.world.payloads("rollback")
                self.assertEqual(told["cause"], "max_age")
                self.assertIn("though it had been ready", told["reason"])

    def test_some_processes(self) -> None:
        self.world.stop_delay = 5.0
        watcher = self.up(numprocesses=3, ready=NOTIFY)
        outcomes, wait = self.world.wait()
        chosen = [watcher.places.slots[wid] for wid in (1, 2)]
        self.world.kill(watcher, chosen, None, None, wait, surge=True)
        self.ready_then_exit(watcher)
        self.assert_failed(outcomes, "1 of 2 old processes was kept")

    def test_the_daemon_was_replaced_meanwhile(self) -> None:
        watcher = self.up(numprocesses=4, ready=NOTIFY, max_surge=1)
        self.reload(watcher)
        self.world.advance(0.3)
        self.world.probed(104)
        self.world.advance(0.1)
        (watcher,) = self.world.restore()
        self.world.die(104, 3)
        self.world.settle()
        self.assertEqual(len(self.world.payloads("rollback")), 1)
        self.world.advance(60)
        self.assertEqual(self.world.pids(watcher)[:3], [101, 102, 103])

    def test_its_death_is_marked(self) -> None:
        watcher = self.up(numprocesses=2, ready=NOTIFY)
        self.reload(watcher)
        pid = self.ready_then_exit(watcher)
        marked = [one["process_pid"] for one in self.world.payloads("reap") if one.get("rollout")]
        self.assertEqual(marked, [pid])


LIVE: dict[str, Any] = {"ready": NOTIFY, "live": {"up": "tcp://127.0.0.1:9$(circus.wid)"}}


class TestNotAlive(ExitCase):
    """A new process is proved, and is not alive soon after."""

    def ready_then_not_alive(self, watcher: Watcher) -> int:
        self.world.advance(0.3)
        pid = self.world.spawned[watcher.goal.numprocesses]
        self.world.probed(pid)
        self.world.advance(0.1)
        self.world.probed(pid, "live check up failed: HTTP 503", is_live=True)
        self.world.settle()
        return pid

    def test_each_shape(self) -> None:
        for options, kept in (
            ({}, 3),
            ({"max_surge": 1}, 3),
            ({"rollout": "recreate"}, 2),
            ({"max_surge": 0, "max_unavailable": 2}, 1),
        ):
            with self.subTest(options):
                self.setUp()
                watcher = self.up(numprocesses=4, **LIVE, **options)
                outcomes = self.reload(watcher)
                pid = self.ready_then_not_alive(watcher)
                was = "was" if kept == 1 else "were"
                self.assertEqual(
                    self.error(outcomes),
                    f"reload of web: process {pid} was not alive, though it had been ready: live "
                    f"check up failed: HTTP 503; {kept} of 4 old processes {was} kept",
                )
                self.assertEqual(len(self.world.payloads("rollback")), 1)
                self.come_to_rest()
                olds = [old for old in (100, 101, 102, 103) if old in self.world.pids(watcher)]
                self.assertEqual((len(olds), watcher.rollout), (kept, None))
                self.assertNotIn(pid, self.world.pids(watcher))
                self.assertTrue(watcher.is_ready)

    def test_options_go_back(self) -> None:
        for options in ({}, {"max_surge": 1}, {"rollout": "recreate"}):
            with self.subTest(options):
                self.setUp()
                watcher = self.up(numprocesses=4, **LIVE, **options)
                outcomes = self.set(watcher, cmd="broken")
                self.ready_then_not_alive(watcher)
                self.assertIn("the options of before are back", self.error(outcomes))
                self.come_to_rest()
                self.assertEqual(watcher.options.cmd, "run")
                self.assertEqual({one.generation for one in watcher.places.fresh}, {1})
                self.assertTrue(watcher.is_ready)

    def test_without_any_check_of_ready(self) -> None:
        self.world.stop_delay = 5.0
        watcher = self.up(numprocesses=2, min_uptime=0, live=LIVE["live"])
        outcomes = self.reload(watcher)
        self.world.probed(102, "live check up failed: refused", is_live=True)
        self.world.settle()
        self.assertIn("process 102 was not alive", self.error(outcomes))

    def test_one_that_is_too_old(self) -> None:
        self.world.stop_delay = 5.0
        watcher = self.up(**LIVE, max_age=100, max_age_variance=0)
        self.world.advance(40)
        self.ready_then_not_alive(watcher)
        (told,) = self.world.payloads("rollback")
        self.assertEqual(told["cause"], "max_age")

    def test_what_does_not_end_it(self) -> None:
        """One that is only reported, an old one, and one after the end of the rollout."""
        watcher = self.up(numprocesses=2, max_surge=1, live_action="report", **LIVE)
        self.reload(watcher)
        self.ready_then_not_alive(watcher)
        self.world.set_options(watcher, {"live_action": "restart"}, "command:set", None)
        self.world.probed(101, "live check up failed: HTTP 503", is_live=True)
        self.world.settle()
        self.assertIsNotNone(watcher.rollout)
        self.come_to_rest()
        self.assertIsNone(watcher.rollout)
        self.assertIn("reload", self.world.actions())
        self.world.probed(self.world.pids(watcher)[0], "live check up failed", is_live=True)
        self.come_to_rest()
        self.assertEqual(self.world.payloads("rollback"), [])
        for pid in self.world.pids(watcher):
            self.world.probed(pid, is_live=True)
        self.assertTrue(watcher.is_ready)


class TestWhatSaysNothing(ExitCase):
    """Ends of proved processes that do not end a rollout."""

    def assert_goes_on(self, watcher: Watcher) -> None:
        self.world.settle()
        self.assertIsNotNone(watcher.rollout)
        self.assertEqual(self.world.payloads("rollback"), [])
        self.come_to_rest()
        self.assertIn("reload", self.world.actions())

    def begin(self, **options: Any) -> Watcher:
        watcher = self.up(numprocesses=2, ready=NOTIFY, max_surge=1, **options)
        self.reload(watcher)
        self.world.advance(0.1)
        self.world.probed(102)
        return watcher

    def test_a_client_ends_it(self) -> None:
        watcher = self.begin()
        process = next(one for one in watcher.places.fresh if one.pid == 102)
        self.world.kill(watcher, [process], None, None, None)
        self.assert_goes_on(watcher)

    def test_the_signal_of_a_client_ends_it(self) -> None:
        watcher = self.begin()
        process = next(one for one in watcher.places.fresh if one.pid == 102)
        cause = Cause("command:signal", "admin")
        self.world.roster.steps.pass_on(watcher, process, SIGKILL, cause)
        self.world.die(102, -SIGKILL)
        self.assert_goes_on(watcher)

    def test_an_old_one_ends(self) -> None:
        watcher = self.begin()
        self.world.die(101, 1)
        self.assert_goes_on(watcher)

    def test_one_that_is_not_part_of_it(self) -> None:
        watcher = self.up(numprocesses=2, ready=NOTIFY)
        outcomes, wait = self.world.wait()
        self.world.kill(watcher, [watcher.places.slots[1]], None, None, wait, surge=True)
        self.world.settle()
        self.world.die(101, 1)
        self.world.advance(1)
        self.assertEqual(self.world.payloads("rollback"), [])
        self.come_to_rest()
        self.assertEqual([one.error for one in outcomes], [None])

    def test_a_job_that_has_done_its_work(self) -> None:
        watcher = self.up(numprocesses=2, respawn=False, max_surge=1, use_sockets=True)
        outcomes = self.reload(watcher)
        self.world.advance(1.1)
        self.world.die(102, 0)
        self.world.advance(5)
        self.assertEqual([one.error for one in outcomes], [None])

    def test_nothing_is_proved(self) -> None:
        self.world.stop_delay = 5.0
        watcher = self.up(numprocesses=2, min_uptime=0, use_sockets=True)
        self.reload(watcher)
        self.world.die(102, 1)
        self.assert_goes_on(watcher)

    def test_only_what_cannot_be_killed_is_left(self) -> None:
        watcher = self.up(ready=NOTIFY, graceful_timeout=1)
        self.world.temper = IMMORTAL
        self.set(watcher, cmd="new")
        self.world.advance(0.1)
        self.world.probed(101)
        self.world.advance(30)
        self.assertTrue(watcher.places.unkillable())
        self.assertIsNotNone(watcher.rollout)
        self.world.die(101, 1)
        self.world.settle()
        self.assertEqual((watcher.options.cmd, self.world.payloads("rollback")), ("new", []))


if __name__ == "__main__":
    unittest.main()
