"""Why a watcher stands where it stands: one test for each sentence."""

from __future__ import annotations

import errno
import unittest

from cvec_circus.core.facts import Strayed
from cvec_circus.core.phase import phase
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.campaign import Pace
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Remove, Start, Stop
from cvec_circus.wire.outcome import Stray
from tests.support.world import IMMORTAL, OBEDIENT, STUBBORN, FakeWorld

FLAPPING = Cause("command:stop", "plugin:flapping", "5 deaths in 10 s")
ENDING = "process 100 has not ended; SIGKILL in 30.0 s"


class TestReason(unittest.TestCase):
    def setUp(self) -> None:
        self.world = FakeWorld()
        self.world.luck = 0.5
        self.world.stop_delay = 1.0

    def assert_reason(self, watcher: Watcher, text: str) -> None:
        self.assertEqual(self.world.why(watcher), text)

    def stop(self, watcher: Watcher, cause: Cause) -> None:
        self.world.roster.give(Stop([watcher], cause))
        self.world.advance(2)
        self.assertEqual(watcher.status, "stopped")

    # -- nothing to explain

    def test_one_that_is_up(self) -> None:
        self.assert_reason(self.world.up(numprocesses=2), "")

    def test_one_that_has_never_been_started(self) -> None:
        self.assert_reason(self.world.add(), "")

    def test_one_that_a_client_has_stopped(self) -> None:
        watcher = self.world.up()
        self.stop(watcher, Cause("command:stop", "client"))
        self.assert_reason(watcher, "")

    def test_a_one_shot_that_has_ended(self) -> None:
        watcher = self.world.up(respawn=False)
        self.world.die(100)
        self.world.advance(1)
        self.assert_reason(watcher, "")

    def test_one_shots_that_have_failed(self) -> None:
        for number, text in ((1, "process 100 exited with 3"), (2, "2 processes ended with")):
            with self.subTest(number):
                self.setUp()
                watcher = self.world.up(respawn=False, numprocesses=number)
                for pid in range(100, 100 + number):
                    self.world.die(pid, 3)
                self.world.advance(1)
                self.assertTrue(self.world.why(watcher).startswith(text))
                self.assertEqual(phase(watcher), "failed")

    # -- what is left of it

    def test_strays_are_named(self) -> None:
        watcher = self.world.up()
        strays = [Stray(70 + number, 1, "sleep") for number in range(4)]
        self.world.facts.append(Strayed(watcher, tuple(strays[:1])))
        self.world.settle()
        self.assert_reason(watcher, "process 70 (sleep) left behind")
        self.world.facts.append(Strayed(watcher, tuple(strays)))
        self.stop(watcher, Cause("command:stop", "client"))
        text = "processes 70 (sleep), 71 (sleep), 72 (sleep) and 1 more left behind"
        self.assert_reason(watcher, text)
        self.world.facts.append(Strayed(watcher, ()))
        self.world.settle()
        self.assert_reason(watcher, "")

    # -- who stopped it

    def test_one_that_a_plugin_has_stopped(self) -> None:
        watcher = self.world.up()
        self.stop(watcher, FLAPPING)
        self.assert_reason(watcher, "stopped by plugin:flapping: 5 deaths in 10 s")

    def test_one_that_a_plugin_has_given_up(self) -> None:
        for cause, text in (
            (FLAPPING._replace(why="gave up after 5 retries"), ": gave up after 5 retries"),
            (FLAPPING._replace(why=""), ": gave up"),
        ):
            with self.subTest(text):
                self.setUp()
                watcher = self.world.up()
                self.world.roster.give(Stop([watcher], cause, failed=True))
                self.assertEqual(self.world.actions().count("giveup"), 1)
                self.world.advance(2)
                self.assert_reason(watcher, f"plugin:flapping{text}")
                self.assertEqual((watcher.status, phase(watcher)), ("stopped", "failed"))
                self.world.reload(None, "signal:HUP", False, None)
                self.world.settle()
                self.assertEqual(watcher.status, "stopped")  # it was an order
                self.world.roster.give(Start([watcher], Cause("command:start")))
                self.world.settle()
                self.assert_reason(watcher, "")

    def test_one_that_a_plugin_has_stopped_without_a_word(self) -> None:
        watcher = self.world.up()
        self.stop(watcher, Cause("command:stop", "plugin:mine"))
        self.assert_reason(watcher, "stopped by plugin:mine")

    def test_one_that_a_hook_has_stopped(self) -> None:
        watcher = self.world.up()
        self.stop(watcher, Cause("command:stop", "hook:after_reap"))
        self.assert_reason(watcher, "stopped by hook:after_reap")

    def test_one_that_a_client_has_stopped_for_a_reason(self) -> None:
        watcher = self.world.up()
        self.stop(watcher, Cause("command:stop", "client", "a new disk"))
        self.assert_reason(watcher, "stopped by client: a new disk")

    def test_it_is_said_while_it_stops_too(self) -> None:
        watcher = self.world.up()
        self.world.roster.give(Stop([watcher], FLAPPING))
        self.world.settle()
        self.assertEqual(watcher.status, "stopping")
        self.assert_reason(watcher, "stopped by plugin:flapping: 5 deaths in 10 s")

    def test_what_a_stop_waits_for(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(numprocesses=2, graceful_timeout=30)
        self.world.roster.give(Stop([watcher], Cause("command:stop")))
        self.world.advance(20)
        self.assert_reason(watcher, "processes 100, 101 have not ended; SIGKILL in 10.0 s")
        self.world.advance(12)
        self.assert_reason(watcher, "processes 100, 101 have not ended; SIGKILL was sent")

    def test_what_a_stop_waits_for_after_the_leader(self) -> None:
        self.world.leftovers = 60.0
        watcher = self.world.up(graceful_timeout=30, leftover_timeout=5.0)
        self.world.roster.give(Stop([watcher], Cause("command:stop")))
        self.world.advance(2)
        why = "what is left of process 100 has not ended; SIGKILL in 4.0 s"
        self.assert_reason(watcher, why)

    def test_it_is_forgotten_with_the_next_start(self) -> None:
        watcher = self.world.up()
        self.stop(watcher, FLAPPING)
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assert_reason(watcher, "")

    def test_who_waited_for_a_start_hears_of_it(self) -> None:
        watcher = self.world.add(numprocesses=2, warmup_delay=5)
        outcomes, wait = self.world.wait()
        self.world.start([watcher], "command:start", wait)
        self.world.settle()
        self.world.roster.give(Stop([watcher], FLAPPING))
        self.world.settle()
        said = "start of web abandoned: plugin:flapping stopped it (5 deaths in 10 s)"
        self.assertEqual([outcome.error for outcome in outcomes], [said])

    def test_one_that_gave_up(self) -> None:
        self.world.refuse = FileNotFoundError(errno.ENOENT, "no such file")
        watcher = self.world.up(max_retry=1)
        self.assertEqual(watcher.status, "stopped")
        self.assert_reason(watcher, "[Errno 2] no such file (1 attempt)")

    # -- what does not end

    def test_what_cannot_be_killed(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(numprocesses=2, graceful_timeout=1)
        self.stop_and_wait(watcher, 6)
        self.assert_reason(watcher, "processes 100, 101 do not end, not even by SIGKILL")

    def stop_and_wait(self, watcher: Watcher, seconds: float) -> None:
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(seconds)

    def test_what_one_left_that_died_early(self) -> None:
        watcher = self.world.up(leftover_timeout=4, min_uptime=60)
        self.world.leftovers = 100.0
        self.world.die(100)
        self.world.advance(1)
        died = "slot 1 has died once within 60 s: process 100 exited with 0"
        left = "it waits until nothing of process 100 is left; SIGKILL in 3.0 s"
        self.assert_reason(watcher, f"{died}; {left}")

    def test_what_a_dead_leader_left(self) -> None:
        watcher = self.world.up(leftover_timeout=4)
        self.world.advance(60)
        self.world.leftovers = 100.0
        self.world.die(100)
        self.world.advance(1.5)
        left = "slot 1 waits until nothing of process 100 is left; SIGKILL in 2.5 s"
        self.assert_reason(watcher, left)

    def test_what_it_left_and_was_killed(self) -> None:
        watcher = self.world.up(leftover_timeout=4)
        self.world.advance(60)
        self.world.leftovers, self.world.temper = 0.0, IMMORTAL
        self.world.die(100)
        self.world.advance(4)
        left = "slot 1 waits until nothing of process 100 is left; SIGKILL was sent"
        self.assert_reason(watcher, left)
        self.world.empty_group(100)
        self.world.settle()
        self.assert_reason(watcher, "")

    # -- hooks

    def test_a_hook_that_has_not_answered(self) -> None:
        for hook in ("before_start", "before_spawn", "after_spawn", "after_start"):
            with self.subTest(hook):
                self.setUp()
                self.world.answers[hook] = None
                watcher = self.world.up(hooks=[hook])
                self.assert_reason(watcher, f"waits for the answer of its hook {hook}")
                self.world.answer(hook)
                self.world.settle()
                self.assert_reason(watcher, "")

    def test_the_hook_that_a_stop_waits_for(self) -> None:
        self.world.answers["before_stop"] = None
        watcher = self.world.up(hooks=["before_stop"])
        self.stop_and_wait(watcher, 10)
        self.assert_reason(watcher, "waits for the answer of its hook before_stop")

    # -- conditions

    def test_a_higher_priority(self) -> None:
        self.world.add("db", priority=7, numprocesses=2, warmup_delay=5)
        watcher = self.world.add()
        self.world.start(None, "config", None)
        self.world.settle()
        why = "waits for db (priority 7), which is starting: next start in 5.0 s"
        self.assert_reason(watcher, why)
        self.world.advance(5)
        self.assert_reason(watcher, "")

    def test_the_warm_up_of_the_daemon(self) -> None:
        self.world.campaign.pace = Pace(warmup_delay=2.0)
        self.world.add("a")
        watcher = self.world.add("b")
        self.world.start(None, "config", None)
        self.world.settle()
        self.assert_reason(watcher, "waits for its turn")

    def test_one_that_has_to_stop_first(self) -> None:
        self.world.temper = STUBBORN
        self.world.up("slow", graceful_timeout=30)
        watcher = self.world.add()
        self.world.restart(None, "command:restart", None)
        self.world.settle()
        self.assert_reason(watcher, f"waits for slow, which is stopping: {ENDING}")

    def test_the_one_that_was_removed(self) -> None:
        before = self.world.up()
        self.world.roster.give(Remove(before, Cause("command:rm")))
        watcher = self.world.add()
        self.world.roster.give(Start([watcher], Cause("command:start")))
        self.world.settle()
        why = f"waits for the end of the one that was removed: {ENDING}"
        self.assert_reason(watcher, why)
        self.world.advance(2)
        self.assert_reason(watcher, "")

    def test_one_that_was_removed_and_does_not_end(self) -> None:
        self.world.temper = IMMORTAL
        before = self.world.up(graceful_timeout=1)
        self.world.remove(before, "command:rm", False, None)
        watcher = self.world.up()
        self.world.advance(6)
        why = "waits for the end of the one that was removed: "
        self.assert_reason(watcher, why + "process 100 does not end, not even by SIGKILL")

    def test_a_connection(self) -> None:
        watcher = self.world.up(on_demand=True, use_sockets=True)
        self.assert_reason(watcher, "waits for a connection")

    # -- slots that wait for their spawn

    def test_a_warm_up(self) -> None:
        watcher = self.world.up(numprocesses=2, warmup_delay=5)
        self.world.advance(1)
        self.assert_reason(watcher, "next start in 4.0 s")

    def test_a_death_that_was_too_quick(self) -> None:
        watcher = self.world.up(respawn_delay=3)
        self.world.die(100)
        self.world.settle()
        died = "slot 1 has died once within 1 s: process 100 exited with 0"
        self.assert_reason(watcher, f"{died}; next start in 3.0 s")

    def test_several_deaths_in_a_row(self) -> None:
        watcher = self.world.up(respawn_delay=3, min_uptime=2)
        self.world.die(100)
        self.world.advance(3)
        self.world.die(101)
        self.world.advance(1)
        row = "slot 1 has died 2 times in a row, each within 2 s"
        self.assert_reason(watcher, f"{row}: process 101 exited with 0; next start in 2.0 s")

    def test_a_start_that_failed(self) -> None:
        self.world.refuse = FileNotFoundError(errno.ENOENT, "no such file")
        watcher = self.world.up(max_retry=-1)
        self.world.advance(0.25)
        self.assert_reason(watcher, "[Errno 2] no such file; next start in 0.1 s")

    def test_a_shortage(self) -> None:
        self.world.refuse = OSError(errno.EAGAIN, "none left")
        watcher = self.world.up(numprocesses=3)
        self.world.advance(100)
        self.assertRegex(self.world.why(watcher), r"^\[Errno 11\] none left; next start in \d\.\d")
        self.world.refuse, self.world.temper = None, OBEDIENT
        self.world.advance(2)
        self.assert_reason(watcher, "")


if __name__ == "__main__":
    unittest.main()
