"""Waiting until what was ordered has proved itself, and waiting for states that nobody ordered."""

from __future__ import annotations

import errno
from typing import Any

from cvec_circus.core.facts import Exited, Written
from cvec_circus.core.watcher import Watcher
from cvec_circus.supervisor.answers.verdicts import Await
from cvec_circus.supervisor.answers.waiting import WaitDesk
from cvec_circus.system.collecting import Exit
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Resize, Restart, SetOptions, Start
from cvec_circus.wire.outcome import Outcome, Wait
from tests.core.waiting_case import WaitingCase
from tests.support.world import IMMORTAL, FakeWorld

CAUSE = Cause("command:start")


class ProvedCase(WaitingCase):
    def proved(self, order: Any) -> list[Outcome]:
        """Give an order whose sender waits for the proof."""
        outcomes: list[Outcome] = []
        self.roster.give(order, Wait(outcomes.append, proved=True))
        self.world.settle()
        return outcomes


class TestStart(ProvedCase):
    def test_it_is_answered_when_it_is_ready(self) -> None:
        outcomes = self.proved(Start([self.world.add(min_uptime=2)], CAUSE))
        self.world.advance(1.9)
        self.assertEqual(outcomes, [])
        self.world.advance(0.2)
        self.assert_done(outcomes)

    def test_one_that_is_filled_is_enough_for_others(self) -> None:
        outcomes = self.order("start", [self.world.add(min_uptime=2)])
        self.assert_done(outcomes)

    def test_a_check(self) -> None:
        outcomes = self.proved(Start([self.world.add(ready={"a": "notify"})], CAUSE))
        self.world.advance(5)
        self.assertEqual(outcomes, [])
        self.world.probes.all_hold()
        self.assert_done(outcomes)

    def test_what_is_not_ready_in_time(self) -> None:
        watcher = self.world.add(ready={"a": "notify"}, ready_timeout=5)
        outcomes = self.proved(Start([watcher], CAUSE))
        self.world.advance(5)
        said = "start of web: process 100 was not ready within 5 s: check a: no answer"
        self.assert_fails(outcomes, said)
        self.assertTrue(watcher.is_up)

    def test_what_dies_at_once(self) -> None:
        outcomes = self.proved(Start([self.world.add()], CAUSE))
        self.world.advance(0.25)
        self.world.die(100, 3)
        self.world.settle()
        said = "start of web: process 100 exited with 3 after 0.25 s, before it was ready"
        self.assert_fails(outcomes, said)

    def test_what_dies_later_is_no_error(self) -> None:
        watcher = self.world.add(numprocesses=2, warmup_delay=5)
        outcomes = self.proved(Start([watcher], CAUSE))
        self.world.advance(2)
        self.world.die(100, 3)  # after its proof
        self.world.advance(10)
        self.assert_done(outcomes)

    def test_the_last_output_is_awaited(self) -> None:
        world = FakeWorld()
        watcher = world.add()
        outcomes: list[Outcome] = []
        words: dict[int, str] = {}
        world.waits = WaitDesk(world.now, output=lambda watcher, pid: words.get(pid))
        world.roster.ports = world.ports._replace(waits=world.waits)
        world.roster.give(Start([watcher], CAUSE), Wait(outcomes.append, proved=True))
        world.settle()
        process = world.alive.pop(100)
        world.facts.append(Exited(watcher, process, Exit(1), is_captured=True))
        world.settle()
        self.assertEqual(outcomes, [])
        words[100] = "one | two | no database"
        world.facts.append(Written(watcher, 100, ()))
        world.settle()
        said = (
            "exited with 1 after less than 0.001 s, before it was ready; "
            "it wrote last: one | two | no database"
        )
        self.assert_fails(outcomes, f"start of web: process 100 {said}")

    def test_no_such_program(self) -> None:
        self.world.refuse = FileNotFoundError(errno.ENOENT, "no such file")
        outcomes = self.proved(Start([self.world.add(max_retry=2)], CAUSE))
        self.world.advance(10)
        self.assert_fails(outcomes, "web gave up: [Errno 2] no such file (2 attempts)")

    def test_what_runs_once(self) -> None:
        for exit_code, expected in (
            (0, None),
            (4, "start of web: process 100 exited with 4 after 5 s, before it was ready"),
        ):
            with self.subTest(exit_code=exit_code):
                self.setUp()
                outcomes = self.proved(Start([self.world.add(respawn=False, min_uptime=60)], CAUSE))
                self.world.advance(5)
                self.world.die(100, exit_code)
                self.world.advance(1)
                self.assertEqual([outcome.error for outcome in outcomes], [expected])

    def test_a_restart_of_what_has_failed_before(self) -> None:
        watcher = self.world.up(respawn=False)
        self.world.die(100, 4)
        self.world.advance(1)
        outcomes = self.proved(Restart([watcher], CAUSE))
        self.assertEqual(outcomes, [])
        self.world.die(101, 5)
        self.world.settle()
        said = (
            "restart of web: process 101 exited with 5 after less than 0.001 s, before it was ready"
        )
        self.assert_fails(outcomes, said)

    def test_a_stop_in_between(self) -> None:
        watcher = self.world.add(min_uptime=10)
        outcomes = self.proved(Start([watcher], CAUSE))
        self.world.stop([watcher], "command:stop", None)
        self.world.settle()
        self.assert_fails(outcomes, "start of web abandoned: a later order stopped it")

    def test_one_that_listens(self) -> None:
        outcomes = self.proved(Start([self.world.add(on_demand=True, use_sockets=True)], CAUSE))
        self.assert_done(outcomes)


class TestChanges(ProvedCase):
    def test_more_processes(self) -> None:
        watcher = self.world.up()
        self.world.advance(60)
        outcomes = self.proved(Resize(watcher, 2, CAUSE))
        self.assertEqual(outcomes, [])
        self.world.advance(1)
        self.assertEqual(self.assert_done(outcomes).started, [101])

    def test_one_more_that_dies_at_once(self) -> None:
        watcher = self.world.up()
        self.world.advance(60)
        outcomes = self.proved(Resize(watcher, 2, CAUSE))
        self.world.die(101, 3)
        self.world.settle()
        how = "process 101 exited with 3 after less than 0.001 s, before it was ready"
        self.assert_fails(outcomes, f"change of numprocesses of web: {how}")

    def test_what_a_rollout_judges_is_no_matter_of_another_order(self) -> None:
        watcher = self.world.up(use_sockets=True)
        self.world.advance(60)
        self.world.reload([watcher], "command:reload", False, None)
        self.world.settle()
        outcomes = self.proved(SetOptions(watcher, {"graceful_timeout": 2}, CAUSE))
        self.world.die(101, 3)
        self.world.advance(2)
        self.assert_done(outcomes)

    def test_of_what_is_stopped(self) -> None:
        self.assert_done(self.proved(Resize(self.world.add(), 2, CAUSE)))

    def test_a_change_that_fails(self) -> None:
        watcher = self.world.up(use_sockets=True)
        self.world.advance(60)
        outcomes = self.proved(SetOptions(watcher, {"cmd": "other"}, CAUSE))
        self.world.advance(0.5)
        self.world.die(101, 1)
        self.world.advance(5)
        said = "process 101 exited with 1 after 0.5 s, before it was ready"
        left = "the options of before are back; the old process was kept"
        self.assert_fails(outcomes, f"set of web: {said}; {left}")

    def test_one_that_is_tried_once_more(self) -> None:
        watcher = self.world.up()
        self.world.advance(60)
        outcomes = self.proved(SetOptions(watcher, {"cmd": "other"}, CAUSE))
        self.world.die(101, 1)  # it cannot run beside the old one
        self.world.advance(10)
        self.assert_done(outcomes)
        self.assertEqual(watcher.places.pids(), [102])


class TestStates(ProvedCase):
    def wait_for(
        self, state: str, *watchers: Watcher, timeout: float | None = None
    ) -> list[Outcome]:
        outcomes: list[Outcome] = []
        wait, order = Wait(outcomes.append, timeout), Await(state)
        self.world.waits.before(wait, order, watchers)
        self.roster.touch(*self.world.waits.begin(wait, order))
        self.world.settle()
        return outcomes

    def test_a_circle_never_comes_to_be(self) -> None:
        self.world.add("a", depends_on={"b": ""})
        first = self.world.add("b", depends_on={"a": ""})
        self.world.start(None, "command:start", None)
        self.world.settle()
        said = "b waits for a to be ready, which waits for itself: a circle of depends_on"
        self.assert_fails(self.wait_for("up", first), said)

    def test_one_that_listens_is_not_up(self) -> None:
        watcher = self.world.add(on_demand=True, use_sockets=True)
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        ready, up = self.wait_for("ready", watcher), self.wait_for("up", watcher)
        self.world.advance(100)
        self.assertEqual((ready, up), ([], []))
        self.world.connect(watcher)
        self.world.advance(5)
        self.assert_done(ready)
        self.assert_done(up)

    def test_ready_and_up(self) -> None:
        watcher = self.world.add(min_uptime=2)
        ready, up = self.wait_for("ready", watcher), self.wait_for("up", watcher)
        self.world.advance(100)
        self.assertEqual((ready, up), ([], []))
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assert_done(up)
        self.assertEqual(ready, [])
        self.world.advance(2)
        self.assert_done(ready)
        self.assert_done(self.wait_for("ready", watcher))

    def test_a_crash_loop_is_not_up(self) -> None:
        watcher = self.world.up(min_uptime=2)
        for pid in (100, 101, 102):
            self.world.die(pid, 1)
            self.world.settle()
            up = self.wait_for("up", watcher)
            self.world.advance(1)
            self.assertEqual((watcher.places.pids(), up), ([pid + 1], []))
        self.world.advance(2)
        self.assert_done(up)

    def test_one_that_is_not_ready_is_up(self) -> None:
        watcher = self.world.up(ready={"a": "notify"}, ready_timeout=1)
        self.world.advance(2)
        self.assert_done(self.wait_for("up", watcher))

    def test_the_daemon_stops(self) -> None:
        """What none of them can come to any more is answered at once, the rest at its end."""
        up, down = self.world.up("up"), self.world.add("down")
        leaves = self.world.up("leaves")
        job = self.world.up("job", respawn=False)
        removed = self.wait_for("gone", leaves)
        self.world.remove(leaves, "command:rm", False, None)
        stopped = self.wait_for("stopped", up)
        lost = {
            "up": self.wait_for("gone", up),
            "down": self.wait_for("ready", down),
            "job": self.wait_for("completed", job),
        }
        self.world.shut_down("command:quit")
        self.world.settle()
        lost["up"] += self.wait_for("gone", up)  # one that comes only now
        for name, outcomes in lost.items():
            said = f"wait for {name} abandoned: the daemon is stopping"
            self.assertEqual({outcome.error for outcome in outcomes}, {said})
        self.assertEqual((removed, stopped), ([], []))
        self.world.advance(2)
        self.assert_done(removed)
        self.assert_done(stopped)

    def test_one_that_does_not_end(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.world.up(graceful_timeout=1)
        stopped = self.wait_for("stopped", watcher)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(6)
        self.assert_fails(stopped, "wait for web: process 100 does not end")

    def test_several(self) -> None:
        one, two = self.world.up("one"), self.world.add("two")
        outcomes = self.wait_for("up", one, two)
        self.assertEqual(outcomes, [])
        self.world.start([two], "command:start", None)
        self.world.settle()
        self.assert_done(outcomes)

    def test_none(self) -> None:
        self.assert_done(self.wait_for("gone"))

    def test_a_crash_loop_is_waited_for(self) -> None:
        watcher = self.world.up()
        outcomes = self.wait_for("ready", watcher, timeout=3)
        self.world.die(100, 1)
        self.world.settle()
        self.world.die(101, 1)
        self.world.advance(3.5)
        self.assert_done(outcomes)

    def test_a_time_out(self) -> None:
        watcher = self.world.up(respawn_delay=9)
        self.world.die(100, 1)
        outcomes = self.wait_for("ready", watcher, timeout=3)
        self.world.advance(3)
        died = "slot 1 has died once within 1 s: process 100 exited with 1; next start in 6.0 s"
        self.assert_fails(outcomes, f"wait timed out after 3 s: web is in backoff ({died})")
        self.assertTrue(outcomes[0].timed_out)

    def test_one_that_gave_up(self) -> None:
        self.world.refuse = FileNotFoundError(errno.ENOENT, "no such file")
        watcher = self.world.up(max_retry=1)
        for state in ("ready", "up"):
            said = "web gave up: [Errno 2] no such file (1 attempt)"
            self.assert_fails(self.wait_for(state, watcher), said)
        self.assert_done(self.wait_for("stopped", watcher))

    def test_a_job(self) -> None:
        for exit_code, error in (
            (0, None),
            (4, "web has not done its work: process 100 exited with 4"),
        ):
            with self.subTest(exit_code=exit_code):
                self.setUp()
                watcher = self.world.up(respawn=False)
                outcomes = [self.wait_for("completed", watcher), self.wait_for("ready", watcher)]
                self.world.die(100, exit_code)
                self.world.advance(1)
                self.assertEqual([row[0].error for row in outcomes], [error, error])

    def test_what_never_completes(self) -> None:
        said = "web does not complete: its processes are replaced (respawn = True)"
        self.assert_fails(self.wait_for("completed", self.world.up()), said)

    def test_a_dependency_that_failed(self) -> None:
        self.world.add("job", respawn=False)
        watcher = self.world.add(depends_on=["job"])
        self.world.start(None, "config", None)
        self.world.settle()
        outcomes = self.wait_for("ready", watcher)
        self.assertEqual(outcomes, [])
        self.world.die(100, 1)
        self.world.advance(1)
        said = "web waits for job to have succeeded: process 100 exited with 1"
        self.assert_fails(outcomes, said)

    def test_behind_what_gave_up(self) -> None:
        self.world.refuse = FileNotFoundError(errno.ENOENT, "none")
        db = self.world.add("db", max_retry=1)
        self.world.add("cache", depends_on=["db"])
        web = self.world.add("web", depends_on=["cache"])
        outcomes = self.wait_for("ready", web)
        self.world.start([web], "command:start", None)
        self.world.settle()
        self.assertEqual(db.goal.word, "giveup")
        why = "which waits for db to be ready: [Errno 2] none (1 attempt)"
        self.assert_fails(outcomes, f"web waits for cache to be ready, {why}")

    def test_stopped_and_gone(self) -> None:
        watcher = self.world.up()
        stopped, gone = self.wait_for("stopped", watcher), self.wait_for("gone", watcher)
        self.world.stop([watcher], "command:stop", None)
        self.world.advance(0.5)
        self.assertEqual(stopped, [])
        self.world.advance(1)
        self.assert_done(stopped)
        self.assertEqual(gone, [])
        self.world.remove(watcher, "command:rm", False, None)
        self.world.settle()
        self.assert_done(gone)

    def test_removed_while_it_runs(self) -> None:
        watcher = self.world.up()
        gone, ready = self.wait_for("gone", watcher), self.wait_for("completed", watcher)
        self.world.remove(watcher, "command:rm", False, None)
        self.world.advance(0.5)
        self.assertEqual(gone, [])
        self.world.advance(1)
        self.assert_done(gone)
        self.assertEqual(len(ready), 1)

    def test_left_running(self) -> None:
        watcher = self.world.up(min_uptime=60)
        gone, ready = self.wait_for("gone", watcher), self.wait_for("ready", watcher)
        self.world.remove(watcher, "command:rm", True, None)
        self.world.settle()
        self.assert_done(gone)
        self.assert_fails(ready, "web was removed")
