"""Every event says who or what brought it about, and every process is reaped exactly once."""

from __future__ import annotations

import unittest
from collections import Counter

from cvec_circus.core.facts import Exited
from cvec_circus.core.process import Sent
from cvec_circus.supervisor.answers.explanation import signals
from cvec_circus.system.collecting import Exit
from cvec_circus.wire import orders
from cvec_circus.wire.cause import Cause
from tests.support.world import STUBBORN, FakeWorld


class CauseCase(unittest.TestCase):
    """A world and short questions to it. Owned by the test's thread."""

    def setUp(self) -> None:
        self.world = FakeWorld()
        self.roster = self.world.roster

    def causes(self, action: str) -> list[str]:
        return [payload["cause"] for payload in self.world.payloads(action)]


class TestCauses(CauseCase):
    def test_start(self) -> None:
        watcher = self.world.up()
        self.assertEqual(self.causes("add"), ["config"])
        self.assertEqual(self.causes("spawn"), ["config"])
        self.assertEqual(self.causes("start"), ["config"])
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(1)
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assertEqual(self.causes("spawn")[1:], ["command:start"])
        self.assertEqual(self.causes("start")[1:], ["command:start"])

    def test_stop(self) -> None:
        watcher = self.world.up()
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(1)
        for action in ("kill", "reap", "stop"):
            self.assertEqual(self.causes(action), ["command:stop"])

    def test_the_end_of_the_daemon(self) -> None:
        self.world.up()
        self.world.shut_down("signal:TERM")
        self.world.advance(1)
        for action in ("kill", "reap", "stop"):
            self.assertEqual(self.causes(action), ["signal:TERM"])

    def test_an_exit_by_itself(self) -> None:
        self.world.up()
        self.world.die(100, 3)
        self.world.settle()
        expected = {"cause": "exit", "process_pid": 100, "exit_code": 3, "wid": 1}
        self.assertEqual(self.world.payloads("reap"), [expected])
        self.assertEqual(self.causes("spawn"), ["config", "exit"])

    def test_a_signal_from_a_stranger_is_an_exit(self) -> None:
        self.world.up()
        self.world.die(100, -9)
        self.assertEqual(self.causes("reap"), ["exit"])

    def test_a_signal_a_client_had_sent_is_not(self) -> None:
        watcher = self.world.up()
        watcher.places.slots[1].signalled = Sent(9, "client of mine", "a test")
        self.world.die(100, -9)
        self.world.settle()
        self.assertEqual(self.causes("reap"), ["command:signal"])
        death = watcher.places.deaths[-1]
        self.assertEqual((death.actor, death.why), ("client of mine", "a test"))
        self.assertEqual(self.causes("spawn")[1:], ["command:signal"])

    def test_one_that_the_program_handles_is_named_too(self) -> None:
        watcher = self.world.up(graceful_timeout=30)
        cause = Cause("command:signal", "client of mine", "rotate")
        told = {"process_pid": 100, "wid": 1}
        process = watcher.places.slots[1]
        self.world.roster.give(orders.Signal(watcher, [process], 1, cause))
        self.world.roster.give(orders.Signal(watcher, [process], 10, cause, children=True))
        self.world.roster.give(orders.Signal(watcher, [process], 10, cause, childpid=7))
        published = self.world.payloads("signal")
        self.assertEqual(
            [{k: one[k] for k in one if k != "cause"} for one in published],
            [
                {**told, "signum": 1},
                {**told, "signum": 10, "children": True},
                {**told, "signum": 10, "childpid": 7},
            ],
        )
        (row,) = signals(watcher, self.world.clock + 2)
        self.assertEqual((row["signum"], row["why"], row["age"]), (1, "rotate", 2.0))
        self.world.advance(3)
        self.world.die(100, 3)
        self.world.settle()
        (reap,) = self.world.payloads("reap")
        self.assertEqual(reap["cause"], "exit")
        said = watcher.places.deaths[-1].why
        self.assertEqual(said, "3 s after SIGHUP by client of mine: rotate")

    def test_long_after_a_signal_it_says_nothing(self) -> None:
        watcher = self.world.up(graceful_timeout=30)
        cause = Cause("command:signal", "client of mine", "rotate")
        self.world.roster.give(orders.Signal(watcher, [watcher.places.slots[1]], 1, cause))
        self.world.advance(31)
        self.world.die(100, 3)
        self.assertEqual(watcher.places.deaths[-1].why, "")

    def test_but_another_signal_than_that_is(self) -> None:
        watcher = self.world.up()
        watcher.places.slots[1].signalled = Sent(1)
        self.world.die(100, -11)
        self.assertEqual(self.causes("reap"), ["exit"])

    def test_restart_and_reload(self) -> None:
        watcher = self.world.up()
        self.world.restart([watcher], "command:restart", None)
        self.world.advance(1)
        self.world.reload([watcher], "signal:HUP", False, None)
        self.world.advance(1)
        self.assertEqual(self.causes("reap"), ["command:restart", "signal:HUP"])
        self.assertEqual(self.causes("spawn"), ["config", "command:restart", "signal:HUP"])
        self.assertEqual(self.causes("reload"), ["signal:HUP"])

    def test_max_age_in_the_middle_of_a_reload_keeps_its_own(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.world.up(numprocesses=2, max_age=10, max_age_variance=0)
        self.world.advance(10)
        self.world.reload([watcher], "command:reload", False, None)
        self.world.advance(60)
        self.assertEqual(sorted(self.causes("reap")[:2]), ["command:reload", "max_age"])

    def test_a_number_of_processes(self) -> None:
        watcher = self.world.up()
        self.world.resize(watcher, 2, "command:incr", None)
        self.world.settle()
        self.world.resize(watcher, 1, "command:decr", None)
        self.world.advance(1)
        self.assertEqual(self.causes("spawn"), ["config", "command:incr"])
        self.assertEqual(self.causes("reap"), ["command:decr"])

    def test_it_is_no_cause_for_anything_else(self) -> None:
        watcher = self.world.up(warmup_delay=5, numprocesses=2)
        self.world.resize(watcher, 3, "command:incr", None)
        self.world.advance(60)
        self.assertEqual(self.causes("start"), ["config"])
        self.world.stop([watcher], "command:stop", None)
        self.world.resize(watcher, 1, "command:decr", None)
        self.world.advance(1)
        self.assertEqual(set(self.causes("kill")), {"command:stop"})
        self.assertEqual(self.causes("stop"), ["command:stop"])

    def test_kill(self) -> None:
        watcher = self.world.up()
        self.world.kill(watcher, list(watcher.places.leaders()), None, None, None)
        self.world.advance(1)
        self.assertEqual(self.causes("kill"), ["command:kill"])
        self.assertEqual(self.causes("reap"), ["command:kill"])
        self.assertEqual(self.causes("spawn"), ["config", "command:kill"])

    def test_set(self) -> None:
        watcher = self.world.up()
        self.world.set_options(watcher, {"cmd": "other"}, "command:set", None)
        self.world.advance(1)
        for action in ("updated", "kill", "reap", "reload"):
            self.assertEqual(self.causes(action), ["command:set"])

    def test_rm(self) -> None:
        watcher = self.world.up()
        self.world.remove(watcher, "command:rm", False, None)
        self.world.advance(1)
        for action in ("remove", "kill", "reap", "stop"):
            self.assertEqual(self.causes(action), ["command:rm"])

    def test_a_one_shot(self) -> None:
        self.world.up(respawn=False)
        self.world.die(100)
        self.world.settle()
        self.assertEqual(self.causes("stop"), ["exit"])

    def test_giving_up(self) -> None:
        self.world.up(numprocesses=2, fatal_exit_codes=[2])
        self.world.die(100, 2)
        self.world.advance(1)
        self.assertEqual(self.causes("giveup"), ["giveup"])
        self.assertEqual(self.causes("reap"), ["exit", "giveup"])
        self.assertEqual(self.causes("stop"), ["giveup"])


class TestOneReapEach(CauseCase):
    def test_whatever_ended_them(self) -> None:
        watcher = self.world.up(numprocesses=3, max_age=50, max_age_variance=10, graceful_timeout=1)
        self.world.die(100, 1)
        self.world.settle()
        self.world.reload([watcher], "command:reload", False, None)
        self.world.advance(1)
        self.world.reload([watcher], "command:reload", True, None)
        self.world.leftovers = 0.5
        self.world.advance(10)
        self.world.temper = STUBBORN
        self.world.resize(watcher, 1, "command:decr", None)
        self.world.advance(100)
        self.world.restart([watcher], "command:restart", None)
        self.world.advance(10)
        self.world.kill(watcher, list(watcher.places.leaders()), None, None, None)
        self.world.advance(10)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(10)
        self.assertGreater(len(self.world.spawned), 10)
        self.assertEqual(sorted(self.world.reaped), self.world.spawned)

    def test_a_status_that_was_lost(self) -> None:
        watcher = self.world.up()
        process = self.world.alive.pop(100)
        self.world.facts.append(Exited(watcher, process, Exit(-1, status_lost=True)))
        self.world.settle()
        payload = self.world.payloads("reap")[0]
        self.assertEqual((payload["exit_code"], payload["status_lost"]), (-1, True))

    def test_alternation_of_start_and_stop(self) -> None:
        watcher = self.world.up()
        for word in ("restart", "restart", "stop", "start", "restart"):
            getattr(self.world, word)([watcher], f"command:{word}", None)
            self.world.advance(1)
        told = [action for action in self.world.actions() if action in ("start", "stop")]
        self.assertEqual(told, ["start", "stop"] * 4 + ["start"])
        self.assertEqual(Counter(self.world.actions())["reap"], 4)


if __name__ == "__main__":
    unittest.main()
