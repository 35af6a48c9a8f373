"""Rollouts: an old process goes when a new one is proved, and all goes back when one fails."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.core.phase import phase
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.answers.reason import failed_rollout
from cvec_circus.wire.outcome import Outcome
from tests.support.world import FakeWorld


class RolloutCase(unittest.TestCase):
    """A watcher whose processes have been proved. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.stop_delay = 0.2

    def up(self, **options: Any) -> Watcher:
        watcher = self.world.up(**options)
        self.world.probes.all_hold()
        self.world.advance(60)
        self.assertTrue(watcher.is_ready)
        return watcher

    def reload(self, watcher: Watcher, sequential: bool = False) -> list[Outcome]:
        outcomes, wait = self.world.wait()
        self.world.reload([watcher], "command:reload", sequential, wait)
        self.world.settle()
        return outcomes

    def set(self, watcher: Watcher, **options: Any) -> list[Outcome]:
        outcomes, wait = self.world.wait()
        self.world.set_options(watcher, options, "command:set", wait)
        self.world.settle()
        return outcomes

    def error(self, outcomes: list[Outcome]) -> str:
        self.assertEqual(len(outcomes), 1)
        self.assertIsNotNone(outcomes[0].error)
        return str(outcomes[0].error)


class TestSome(RolloutCase):
    """`kill` with `surge`: a rollout of some processes alone."""

    def kill(self, watcher: Watcher, *wids: int) -> list[Outcome]:
        outcomes, wait = self.world.wait()
        chosen = [watcher.places.slots[wid] for wid in wids]
        self.world.kill(watcher, chosen, None, None, wait, surge=True)
        self.world.settle()
        return outcomes

    def test_one_goes_when_its_successor_is_proved(self) -> None:
        watcher = self.up(numprocesses=3, ready={"a": "notify"})
        outcomes = self.kill(watcher, 2)
        self.assertEqual(sorted(self.world.pids(watcher)), [100, 101, 102, 103])
        self.assertEqual(phase(watcher), "up")
        self.world.advance(5)
        self.assertEqual((self.world.reaped, outcomes), ([], []))
        self.world.probed(103)
        self.world.advance(0.5)
        self.assertEqual(self.world.reaped, [101])
        self.assertEqual([outcome.error for outcome in outcomes], [None])
        self.assertIsNone(watcher.rollout)
        self.assertNotIn("reload", self.world.actions())
        (reap,) = self.world.payloads("reap")
        self.assertEqual((reap["cause"], watcher.goal.generation), ("command:kill", 1))

    def test_it_stays_when_its_successor_fails(self) -> None:
        watcher = self.up(numprocesses=2, ready={"a": "notify"})
        outcomes = self.kill(watcher, 1)
        self.world.die(102, 3)
        self.world.advance(0)
        self.world.die(103, 3)  # once more, alone
        self.world.advance(60)
        self.assertIn("exited with 3", self.error(outcomes))
        self.assertEqual(len(self.world.pids(watcher)), 2)
        self.assertIn("rollback", self.world.actions())

    def test_the_answer_waits_for_the_proof(self) -> None:
        watcher = self.up(numprocesses=1)
        outcomes = self.kill(watcher, 1)
        self.world.die(101, 3)  # as if the port were taken
        self.world.advance(0.5)
        self.assertEqual((self.world.reaped, outcomes), ([101, 100], []))
        self.world.die(102, 3)
        self.world.advance(0.5)
        self.assertIn("kill of web: process 102 exited with 3", self.error(outcomes))

    def test_the_death_of_a_new_process_is_marked(self) -> None:
        watcher = self.up(numprocesses=2, ready={"a": "notify"})
        self.reload(watcher)
        self.world.die(102, 3)
        self.world.advance(1)
        self.world.die(100, 3)
        self.world.settle()
        marked = [(one["process_pid"], one.get("rollout")) for one in self.world.payloads("reap")]
        self.assertEqual(marked, [(102, True), (103, None), (100, None)])

    def test_where_others_run_the_old_one_is_not_stopped_first(self) -> None:
        watcher = self.up(numprocesses=2)
        outcomes = self.kill(watcher, 1)
        self.world.die(102, 3)
        self.world.advance(5)
        self.assertIn("; the old process was kept", self.error(outcomes))
        self.assertEqual((self.world.reaped, self.world.pids(watcher)), ([102], [101, 100]))

    def test_beside_another_rollout(self) -> None:
        watcher = self.up(numprocesses=2, ready={"a": "notify"})
        reloaded = self.reload(watcher)
        self.world.probed(102)
        self.world.advance(0.5)
        wids = {process.pid: wid for wid, process in watcher.places.slots.items()}
        stale, fresh = self.kill(watcher, wids[101]), self.kill(watcher, wids[102])
        self.world.advance(0.5)
        self.assertEqual((self.world.reaped, fresh), ([100], []))
        self.world.probed(103)
        self.world.advance(0.5)
        self.assertEqual(self.world.reaped, [100, 101])
        self.assertEqual([outcome.error for outcome in [*stale, *reloaded]], [None, None])
        self.assertEqual((self.world.pids(watcher), fresh), ([102, 103, 104], []))
        self.world.probed(104)
        self.world.advance(0.5)
        self.assertEqual(self.world.pids(watcher), [103, 104])
        self.assertEqual([outcome.error for outcome in fresh], [None])

    def test_one_that_waits_is_not_blamed_for_the_rollout_before(self) -> None:
        watcher = self.up(numprocesses=2, ready={"a": "notify"})
        first, second = self.kill(watcher, 1), self.kill(watcher, 2)
        self.world.die(102, 3)
        self.world.settle()
        self.assertIn("; the old process was kept", self.error(first))
        self.assertEqual(second, [])
        self.world.probed(103)
        self.world.advance(0.5)
        self.assertEqual([outcome.error for outcome in second], [None])
        self.assertEqual(self.world.pids(watcher), [100, 103])

    def test_beside_one_that_is_never_ready(self) -> None:
        """It is neither waited for nor judged."""
        watcher = self.up(numprocesses=3, ready={"a": "notify"}, ready_timeout=5)
        self.world.die(102, 1)
        self.world.advance(60)
        self.assertTrue(watcher.places.slots[3].unready)
        outcomes = self.kill(watcher, 1)
        self.world.advance(10)
        self.assertEqual(self.world.reaped, [102, 104])
        self.assertEqual(sorted(self.world.pids(watcher)), [100, 101, 103])
        self.assertIn("kill of web: process 104 was not ready", self.error(outcomes))
        outcomes = self.kill(watcher, 1)
        self.world.probed(105)
        self.world.advance(1)
        self.assertEqual(self.world.reaped, [102, 104, 100])
        self.assertEqual([outcome.error for outcome in outcomes], [None])
        self.assertEqual(self.world.pids(watcher), [101, 103, 105])

    def test_beside_a_crash_loop(self) -> None:
        watcher = self.up(numprocesses=3, min_uptime=2)
        outcomes = self.kill(watcher, 1)
        for _ in range(30):
            looping = watcher.places.slots[3]
            if looping.has_leader:
                self.world.die(looping.pid, 1)
            self.world.advance(0.1)
            ready = sum(one.is_ready for one in watcher.places.leaders())
            self.assertGreaterEqual(ready, 2)
        self.assertEqual([outcome.error for outcome in outcomes], [None])
        self.assertNotIn("rollback", self.world.actions())
        self.assertNotIn(100, self.world.pids(watcher))
        self.assertGreater(watcher.places.backoffs[3].deaths, 2)

    def test_of_one_that_is_down_or_starts(self) -> None:
        watcher = self.up(numprocesses=1)
        process = watcher.places.slots[1]
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        outcomes, wait = self.world.wait()
        self.world.kill(watcher, [process], None, None, wait, surge=True)
        self.world.advance(1)
        self.assertEqual([outcome.error for outcome in outcomes], [None])
        self.assertEqual(watcher.status, "stopped")
        self.assertIsNone(watcher.rollout)

    def test_a_singleton_has_a_gap(self) -> None:
        watcher = self.up(numprocesses=1, singleton=True)
        outcomes = self.kill(watcher, 1)
        self.world.advance(3)
        self.assertEqual([outcome.error for outcome in outcomes], [None])
        self.assertEqual(self.world.pids(watcher), [101])


class TestSurge(RolloutCase):
    def test_each_old_one_goes_when_a_new_one_is_proved(self) -> None:
        watcher = self.up(numprocesses=3, ready={"a": "notify"})
        outcomes = self.reload(watcher)
        self.assertEqual(self.world.pids(watcher), [100, 101, 102, 103, 104, 105])
        for number, pid in enumerate((103, 104, 105), 1):
            self.world.probed(pid)
            self.world.advance(0.5)
            self.assertEqual(self.world.reaped, [100, 101, 102][:number])
            self.assertEqual(watcher.replaced if number < 3 else 3, number)
        self.assertEqual([outcome.error for outcome in outcomes], [None])
        self.assertEqual(self.world.actions()[-1], "reload")

    def lose_the_first(self) -> tuple[Watcher, list[Outcome]]:
        """Reload two processes. The first new one fails its check again, the second is ready."""
        watcher = self.up(numprocesses=2, ready={"a": "notify"}, ready_timeout=5)
        outcomes = self.reload(watcher)
        self.world.probed(102)
        self.world.settle()
        self.world.probed(102, "check a: HTTP 500")
        self.world.probed(103)
        return watcher, outcomes

    def test_one_that_is_not_ready_any_more_does_not_count(self) -> None:
        _, outcomes = self.lose_the_first()
        self.world.advance(4)
        self.assertEqual((self.world.reaped, outcomes), ([100], []))
        self.world.probed(102)
        self.world.advance(1)
        self.assertEqual(self.world.reaped, [100, 101])
        self.assertEqual([outcome.error for outcome in outcomes], [None])

    def test_nor_may_it_stay_so(self) -> None:
        watcher, outcomes = self.lose_the_first()
        self.world.advance(6)
        said = "process 102: check a: HTTP 500, though it had been ready; stopped at 1 of 2"
        self.assertIn(said, self.error(outcomes))
        self.assertEqual(self.world.reaped, [100, 102])
        self.assertEqual(sorted(self.world.pids(watcher)), [101, 103])

    def test_a_limited_surge(self) -> None:
        for surge, most in ((1, 5), ("50%", 6), ("30%", 6), (None, 8)):
            with self.subTest(surge):
                self.setUp()
                watcher = self.up(numprocesses=4, max_surge=surge)
                self.reload(watcher)
                seen = 0
                for _ in range(100):
                    seen = max(seen, len(self.world.alive))
                    self.assertGreaterEqual(len(self.world.pids(watcher)), 4)
                    self.world.advance(0.1)
                self.assertEqual(seen, most)
                self.assertIsNone(watcher.rollout)
                self.assertEqual(sorted(watcher.places.pids()), [104, 105, 106, 107])

    def test_some_unavailable(self) -> None:
        watcher = self.up(numprocesses=4, max_surge=0, max_unavailable=2)
        self.reload(watcher)
        self.assertEqual(len(self.world.pids(watcher)), 2)
        least = 4
        for _ in range(60):
            self.world.advance(0.1)
            least = min(least, len(self.world.pids(watcher)))
        self.assertEqual(least, 2)
        self.assertIsNone(watcher.rollout)

    def test_an_old_one_that_dies_is_not_replaced_twice(self) -> None:
        watcher = self.up(numprocesses=2)
        self.reload(watcher)
        self.world.die(100)
        self.world.advance(5)
        self.assertEqual(self.world.spawned, [100, 101, 102, 103])
        self.assertIsNone(watcher.rollout)


class TestRollback(RolloutCase):
    def test_of_code_keeps_the_old_ones(self) -> None:
        watcher = self.up(numprocesses=2, use_sockets=True)
        outcomes = self.reload(watcher)
        self.world.advance(0.4)
        self.world.die(102, 1)
        self.world.advance(60)
        said = "process 102 exited with 1 after 0.4 s, before it was ready"
        said = f"{said}; the old processes were kept"
        self.assertEqual(self.error(outcomes), f"reload of web: {said}")
        self.assertEqual(watcher.places.pids(), [100, 101])
        self.assertEqual(self.world.reaped, [102, 103])
        (told,) = self.world.payloads("rollback")
        self.assertEqual(told, {"cause": "command:reload", "reason": said, "kept": [100, 101]})
        self.assertNotIn("reload", self.world.actions())
        self.assertTrue(watcher.is_ready)

    def test_one_that_is_not_ready_in_time(self) -> None:
        watcher = self.up(ready={"a": "notify"}, ready_timeout=5)
        outcomes = self.reload(watcher)
        self.world.advance(5.5)
        said = "process 101 was not ready within 5 s: check a: no answer"
        self.assertEqual(self.error(outcomes), f"reload of web: {said}; the old process was kept")
        self.assertEqual(watcher.places.pids(), [100])

    def test_of_options_brings_them_back(self) -> None:
        watcher = self.up(numprocesses=2, use_sockets=True)
        outcomes = self.set(watcher, cmd="broken", graceful_timeout=7.0)
        self.assertEqual(watcher.options.cmd, "broken")
        self.world.die(102, -11)
        self.world.advance(60)
        self.assertIn(
            "process 102 was killed by SIGSEGV after less than 0.001 s", self.error(outcomes)
        )
        self.assertEqual((watcher.options.cmd, watcher.options.graceful_timeout), ("run", 30.0))
        self.assertEqual(watcher.settings.configured().cmd, "run")
        self.assertEqual(watcher.places.pids(), [100, 101])
        self.assertEqual(watcher.goal.generation, watcher.settings.generation.number)

    def test_places_that_were_replaced_follow(self) -> None:
        watcher = self.up(numprocesses=3, ready={"a": "notify"})
        outcomes = self.set(watcher, cmd="broken")
        self.world.probed(103)
        self.world.advance(0.5)
        self.assertEqual(self.world.reaped, [100])
        self.world.die(104, 1)
        self.world.settle()
        self.assertIn("the options of before are back", self.error(outcomes))
        self.world.probes.all_hold()
        self.world.advance(5)
        self.assertEqual(sorted(watcher.places.pids()), [101, 102, 106])
        self.assertEqual({p.generation for p in watcher.places.fresh}, {1})
        self.assertIsNone(watcher.rollout)

    def test_but_where_only_the_code_is_new_they_stay(self) -> None:
        watcher = self.up(numprocesses=3, ready={"a": "notify"})
        outcomes = self.reload(watcher)
        self.world.probed(103)
        self.world.advance(0.5)
        self.world.die(104, 1)
        self.world.advance(5)
        self.assertTrue(self.error(outcomes).endswith("; stopped at 1 of 3"))
        self.assertEqual(sorted(watcher.places.pids()), [101, 102, 103])

    def test_a_hook_that_says_no(self) -> None:
        for hook in ("before_spawn", "after_spawn"):
            with self.subTest(hook):
                self.setUp()
                watcher = self.up(numprocesses=2, hooks=[hook])
                self.world.answers[hook] = f"{hook} has refused"
                outcomes = self.reload(watcher)
                self.world.advance(5)
                self.assertIn(f"{hook} has refused; the old processes", self.error(outcomes))
                self.assertEqual((watcher.places.pids(), watcher.reason), ([100, 101], ""))

    def on_trial(self) -> Watcher:
        """A watcher whose new process has lived long enough, but after_spawn has not answered."""
        self.setUp()
        watcher = self.up(numprocesses=2, hooks=["after_spawn"], use_sockets=True)
        self.world.answers["after_spawn"] = None
        self.outcomes = self.reload(watcher)
        return watcher

    def test_an_after_spawn_that_says_no_late(self) -> None:
        for seconds in (0.5, 1.5, 60):
            with self.subTest(seconds):
                watcher = self.on_trial()
                self.world.advance(seconds)
                self.world.answer("after_spawn", "too late")
                self.world.advance(5)
                self.assertIn("too late; the old processes", self.error(self.outcomes))
                self.assertEqual((watcher.places.pids(), watcher.reason), ([100, 101], ""))

    def test_one_that_dies_on_trial_whatever_after_spawn_says_then(self) -> None:
        for seconds in (0.5, 1.5):
            for refusal in ("", "no to a dead one"):
                with self.subTest(seconds=seconds, refusal=refusal):
                    watcher = self.on_trial()
                    self.world.advance(seconds)
                    self.world.die(102, 1)  # the first one that it was asked about
                    self.world.settle()
                    self.world.answer("after_spawn", refusal)
                    self.world.advance(5)
                    self.assertIn("exited with 1", self.error(self.outcomes))
                    self.assertEqual((watcher.places.pids(), watcher.reason), ([100, 101], ""))

    def test_with_nothing_proved_there_is_nothing_to_go_back_to(self) -> None:
        watcher = self.world.up(use_sockets=True)
        outcomes = self.reload(watcher)
        self.world.die(101, 1)
        self.world.advance(5)
        self.assertNotIn("rollback", self.world.actions())
        self.assertEqual([outcome.error for outcome in outcomes], [None])
        self.assertEqual(watcher.places.pids(), [102])

    def test_the_next_order_forgets_it(self) -> None:
        watcher = self.up(use_sockets=True)
        self.reload(watcher)
        self.world.die(101, 1)
        self.world.settle()
        outcomes = self.reload(watcher)
        self.world.advance(5)
        self.assertEqual([outcome.error for outcome in outcomes], [None])
        self.assertEqual(failed_rollout(watcher), "")


if __name__ == "__main__":
    unittest.main()
