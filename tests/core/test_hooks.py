"""Hooks: what is asked when, and what the answers decide."""

from __future__ import annotations

import signal
import unittest

from cvec_circus.core.watcher import Watcher
from tests.support.world import STUBBORN, FakeWorld

NO = "hook says no"
ALL = (
    "before_start after_start before_spawn after_spawn before_stop after_stop before_signal"
    " after_signal before_reap after_reap"
).split()


class HooksCase(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()

    def up(self, *hooks: str, **options: object) -> Watcher:
        watcher = self.world.up(hooks=hooks, **options)
        self.world.advance(0)
        return watcher

    def hold(self, *names: str) -> None:
        """These hooks do not answer before the test does."""
        self.world.answers.update(dict.fromkeys(names))

    def answer(self, name: str, reason: str = "") -> None:
        self.world.answer(name, reason)
        self.world.advance(0)

    def stop(self, watcher: Watcher) -> None:
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(0)


class TestALife(HooksCase):
    def test_all_of_them_in_order(self) -> None:
        watcher = self.up(*ALL)
        self.assertEqual(
            self.world.hooks_asked(), ["before_start", "before_spawn", "after_spawn", "after_start"]
        )
        self.assertEqual(self.world.actions(), ["add", "spawn", "start"])
        self.world.hook_calls.clear()
        self.stop(watcher)
        self.world.advance(1)
        self.assertEqual(
            self.world.hooks_asked(),
            "before_stop before_signal after_signal before_reap after_reap after_stop".split(),
        )
        self.assertEqual(self.world.actions()[3:], ["kill", "reap", "stop"])

    def test_what_they_are_told(self) -> None:
        watcher = self.up(*ALL)
        self.stop(watcher)
        self.world.advance(1)
        (pid,) = self.world.spawned
        facts = {name: told for _, name, told in self.world.hook_calls}
        self.assertEqual(facts["before_spawn"], {})
        self.assertEqual(facts["after_spawn"], {"pid": pid})
        self.assertEqual(facts["before_signal"], {"pid": pid, "signum": 15})
        self.assertEqual(facts["after_signal"], {"pid": pid, "signum": 15})
        self.assertEqual(facts["before_reap"], {"process_pid": pid})
        self.assertEqual(facts["after_reap"], {"process_pid": pid, "exit_code": -15})

    def test_a_watcher_asks_only_the_hooks_that_it_has(self) -> None:
        self.up("after_spawn", numprocesses=3)
        self.assertEqual(self.world.hooks_asked(), ["after_spawn"] * 3)

    def test_its_runner_ends_with_it(self) -> None:
        watcher = self.up(*ALL)
        self.world.remove(watcher, "command:rm", False, None)
        self.world.advance(1)
        self.assertIn("web", self.world.forgotten)
        self.assertEqual(self.world.hooks_asked()[-1], "after_stop")

    def test_what_was_let_go_of_has_no_hooks(self) -> None:
        watcher = self.up(*ALL)
        self.world.hook_calls.clear()
        self.world.remove(watcher, "command:rm", True, None)
        self.world.die(self.world.spawned[0])
        self.world.advance(1)
        self.assertEqual(self.world.hook_calls, [])
        self.assertEqual(self.world.forgotten, ["web"])


class TestBeforeStart(HooksCase):
    def test_nothing_happens_before_its_answer(self) -> None:
        self.hold("before_start")
        watcher = self.up("before_start")
        self.world.advance(60)
        self.assertEqual(watcher.status, "starting")
        self.assertEqual((self.world.spawned, self.world.streams), ([], []))
        self.assertEqual(self.world.why(watcher), "waits for the answer of its hook before_start")
        self.answer("before_start")
        self.assertEqual(watcher.status, "active")
        self.assertEqual(self.world.streams, [("web", "open")])

    def test_no_leaves_it_stopped_with_the_reason(self) -> None:
        self.world.answers["before_start"] = NO
        watcher = self.world.add(hooks=["before_start", "before_stop", "after_stop"])
        outcomes, wait = self.world.wait()
        self.world.start([watcher], "command:start", wait)
        self.world.advance(0)
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(outcomes[0].error, f"web gave up: {NO}")
        self.assertEqual(self.world.actions(), ["add", "giveup"])
        self.assertEqual(self.world.hooks_asked(), ["before_start"])
        self.assertEqual(self.world.streams, [])

    def test_a_start_after_that_asks_again(self) -> None:
        self.world.answers["before_start"] = NO
        watcher = self.up("before_start")
        self.world.answers.clear()
        self.world.start([watcher], "command:start", None)
        self.world.advance(0)
        self.assertEqual(watcher.status, "active")

    def test_a_stop_does_not_wait_for_it(self) -> None:
        self.hold("before_start")
        watcher = self.up("before_start")
        self.stop(watcher)
        self.assertEqual(watcher.status, "stopped")
        self.answer("before_start")
        self.assertEqual(watcher.status, "stopped")

    def test_an_answer_that_comes_late_is_for_the_life_it_was_asked_for(self) -> None:
        self.hold("before_start")
        watcher = self.up("before_start")
        self.stop(watcher)
        self.world.start([watcher], "command:start", None)
        self.world.advance(0)
        self.answer("before_start", NO)
        self.assertEqual(watcher.status, "starting")
        self.answer("before_start")
        self.assertEqual(watcher.status, "active")

    def test_only_its_own_watcher_waits(self) -> None:
        self.hold("before_start")
        self.up("before_start")
        other = self.world.up("db")
        self.world.restart([other], "command:restart", None)
        self.world.advance(1)
        self.assertEqual(other.status, "active")

    def test_a_lower_priority_waits_for_the_answers(self) -> None:
        self.hold("before_start", "after_start")
        self.world.add("db", priority=2, hooks=["before_start", "after_start"])
        web = self.world.add("web", priority=1)
        self.world.start(None, "config", None)
        self.world.advance(10)
        self.answer("before_start")
        self.world.advance(10)
        self.assertEqual(web.status, "stopped")
        self.answer("after_start")
        self.assertEqual(web.status, "active")

    def test_streams_that_change_meanwhile_are_not_opened(self) -> None:
        self.hold("before_start")
        watcher = self.up("before_start")
        stream = {"stdout_stream": {"class": "FileStream", "filename": "x"}}
        self.world.set_options(watcher, stream, "command:set", None)
        self.world.advance(0)
        self.answer("before_start", NO)
        self.assertEqual(self.world.streams, [])


class TestAfterStart(HooksCase):
    def test_it_is_active_when_the_hook_says_so(self) -> None:
        self.hold("after_start")
        watcher = self.world.add(hooks=["after_start"], numprocesses=2)
        outcomes, wait = self.world.wait()
        self.world.start([watcher], "command:start", wait)
        self.world.advance(10)
        self.assertEqual(watcher.status, "starting")
        self.assertEqual((len(self.world.spawned), outcomes), (2, []))
        self.answer("after_start")
        self.assertEqual(watcher.status, "active")
        self.assertIsNone(outcomes[0].error)

    def test_its_processes_are_kept_alive_meanwhile(self) -> None:
        self.hold("after_start")
        watcher = self.up("after_start")
        self.world.die(self.world.spawned[0])
        self.world.advance(1)
        self.assertEqual(len(watcher.places.fresh), 1)
        self.answer("after_start")
        self.assertEqual(watcher.status, "active")

    def test_no_stops_it(self) -> None:
        self.world.answers["after_start"] = NO
        watcher = self.up("after_start")
        self.world.advance(1)
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual(watcher.reason, NO)
        self.assertEqual(self.world.actions(), ["add", "spawn", "giveup", "kill", "reap", "stop"])


class TestSpawning(HooksCase):
    def test_one_process_after_the_other_is_asked_about(self) -> None:
        self.hold("before_spawn")
        self.up("before_spawn", "after_spawn", numprocesses=2)
        self.assertEqual(self.world.hooks_asked(), ["before_spawn"])
        self.answer("before_spawn")
        self.answer("before_spawn")
        self.assertEqual(self.world.hooks_asked(), ["before_spawn", "after_spawn"] * 2)

    def test_the_core_rests_while_it_waits(self) -> None:
        self.hold("before_spawn")
        self.up("before_spawn", numprocesses=2)
        self.assertIsNone(self.world.roster.next_at())

    def test_no_before_spawn_gives_up(self) -> None:
        self.world.answers["before_spawn"] = NO
        watcher = self.up("before_spawn")
        self.assertEqual(watcher.status, "stopped")
        self.assertEqual((watcher.reason, self.world.spawned), (NO, []))

    def test_an_attempt_that_failed_is_not_asked_about_again(self) -> None:
        self.world.refuse = OSError(2, "no such file")
        self.up("before_spawn")
        self.world.advance(0.5)
        self.world.refuse = None
        self.world.advance(10)
        self.assertEqual(len(self.world.spawned), 1)
        self.assertEqual(self.world.hooks_asked(), ["before_spawn"])

    def test_a_successor_is_asked_about(self) -> None:
        self.up("before_spawn")
        self.world.die(self.world.spawned[0])
        self.world.advance(1)
        self.assertEqual(self.world.hooks_asked(), ["before_spawn"] * 2)

    def test_one_that_is_not_wanted_any_more_is_forgotten(self) -> None:
        self.hold("before_spawn")
        watcher = self.up("before_spawn", numprocesses=2)
        self.world.resize(watcher, 0, "command:decr", None)
        self.world.advance(0)
        self.answer("before_spawn", NO)
        self.assertEqual((watcher.status, watcher.reason), ("active", ""))
        self.world.resize(watcher, 1, "command:incr", None)
        self.world.advance(0)
        self.answer("before_spawn")
        self.assertEqual(len(watcher.places.fresh), 1)

    def test_a_stop_does_not_wait_for_before_spawn(self) -> None:
        self.hold("before_spawn")
        watcher = self.up("before_spawn")
        self.stop(watcher)
        self.assertEqual(watcher.status, "stopped")
        self.answer("before_spawn")
        self.assertEqual(self.world.spawned, [])

    def test_no_after_spawn_gives_up(self) -> None:
        self.world.answers["after_spawn"] = NO
        watcher = self.up("after_spawn", numprocesses=2)
        self.world.advance(1)
        self.assertEqual((watcher.status, watcher.reason), ("stopped", NO))

    def test_no_after_spawn_of_one_that_has_died_meanwhile_gives_up_too(self) -> None:
        self.hold("after_spawn")
        watcher = self.up("after_spawn")
        self.world.die(self.world.spawned[0])
        self.world.settle()
        self.answer("after_spawn", NO)
        self.world.advance(1)
        self.assertEqual(watcher.reason, NO)

    def test_no_after_spawn_of_one_that_was_too_many_means_nothing(self) -> None:
        self.hold("after_spawn")
        watcher = self.up("after_spawn", numprocesses=2)
        self.world.resize(watcher, 1, "command:decr", None)
        self.world.advance(1)
        self.answer("after_spawn", NO)
        self.assertEqual(watcher.reason, "")

    def test_an_old_process_stays_until_the_new_one_is_any_good(self) -> None:
        watcher = self.up("after_spawn")
        self.hold("after_spawn")
        outcomes, wait = self.world.wait()
        self.world.reload([watcher], "command:reload", False, wait)
        self.world.advance(10)
        self.assertEqual((len(self.world.pids(watcher)), outcomes), (2, []))
        self.answer("after_spawn")
        self.world.advance(1)
        self.assertEqual(self.world.pids(watcher), self.world.spawned[1:])
        self.assertIsNone(outcomes[0].error)

    def test_one_more_waits_for_its_answer(self) -> None:
        watcher = self.up("after_spawn")
        self.hold("after_spawn")
        outcomes, wait = self.world.wait()
        self.world.resize(watcher, 2, "command:incr", wait)
        self.world.advance(1)
        self.assertEqual(outcomes, [])
        self.answer("after_spawn")
        self.assertIsNone(outcomes[0].error)


class TestStopping(HooksCase):
    def test_no_process_is_asked_to_end_before_the_answer(self) -> None:
        self.hold("before_stop")
        watcher = self.up("before_stop", graceful_timeout=1)
        self.stop(watcher)
        self.world.advance(60)
        self.assertEqual(self.world.signals, [])
        self.answer("before_stop", NO)  # which decides nothing
        self.world.advance(1)
        self.assertEqual(watcher.status, "stopped")

    def test_it_is_asked_for_a_restart_too(self) -> None:
        watcher = self.up("before_stop", "before_start", "after_stop")
        self.world.hook_calls.clear()
        self.world.restart([watcher], "command:restart", None)
        self.world.advance(1)
        self.assertEqual(self.world.hooks_asked(), ["before_stop", "after_stop", "before_start"])

    def test_once_only(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.up("before_stop", graceful_timeout=5, numprocesses=2)
        self.stop(watcher)
        self.world.advance(3)
        self.stop(watcher)
        self.world.advance(10)
        self.assertEqual(self.world.hooks_asked(), ["before_stop"])

    def test_who_is_in_a_hurry_does_not_wait(self) -> None:
        self.hold("before_stop")
        self.up("before_stop")
        self.world.shut_down("signal:TERM")
        self.world.advance(1)
        self.assertFalse(self.world.roster.is_down)
        self.world.roster.hurry()
        self.world.advance(1)
        self.assertTrue(self.world.roster.is_down)


class TestSignals(HooksCase):
    def test_no_keeps_the_signal_but_not_the_end(self) -> None:
        self.world.answers["before_signal"] = NO
        watcher = self.up("before_signal", "after_signal", graceful_timeout=5)
        (pid,) = self.world.spawned
        self.stop(watcher)
        self.world.advance(4)
        self.assertEqual(self.world.signals, [])
        said = f"{NO}: process {pid} does not get SIGTERM"
        self.assertIn(f"web: {said}", self.world.notes)
        told = f"process {pid} has not ended; {said}; SIGKILL in 1.0 s"
        self.assertEqual(self.world.why(watcher), told)
        self.world.advance(2)
        self.assertEqual(self.world.signals, [(pid, signal.SIGKILL)])
        self.assertEqual(self.world.hooks_asked(), ["before_signal", "after_signal"] * 2)

    def test_sigkill_as_a_stop_signal_does_not_wait(self) -> None:
        self.hold("before_signal")
        watcher = self.up("before_signal", stop_signal="KILL")
        self.stop(watcher)
        self.assertEqual(watcher.status, "stopped")

    def test_a_process_that_has_died_meanwhile_gets_none(self) -> None:
        self.hold("before_signal")
        watcher = self.up("before_signal")
        self.stop(watcher)
        self.world.die(self.world.spawned[0])
        self.answer("before_signal")
        self.assertEqual(self.world.signals, [])
        self.assertEqual(watcher.status, "stopped")

    def test_signals_of_clients_and_of_reloads_are_asked_about(self) -> None:
        watcher = self.up("before_signal", send_hup=True)
        (process,) = watcher.places.leaders()
        self.world.signal(watcher, process, signal.SIGUSR1)
        self.world.reload([watcher], "command:reload", False, None)
        self.world.advance(0)
        told = [facts["signum"] for _, _, facts in self.world.hook_calls]
        self.assertEqual(told, [signal.SIGUSR1, signal.SIGHUP])
        self.assertEqual([signum for _, signum in self.world.signals], told)


if __name__ == "__main__":
    unittest.main()
