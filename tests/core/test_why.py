"""What `why` says of a watcher: a test for each situation, in the fake world."""

from __future__ import annotations

import errno
import unittest
from signal import SIGINT, SIGKILL, SIGSEGV, SIGTERM

from cvec_circus.core.facts import Exited, Strayed
from cvec_circus.core.phase import phase
from cvec_circus.supervisor.answers import explanation
from cvec_circus.system.collecting import Exit
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Kill, Stop
from cvec_circus.wire.outcome import Stray
from tests.core.why_case import WhyCase
from tests.support.world import IMMORTAL, STUBBORN

CLIENT = "client cvec_circusctl (pid 7, uid 0)"
FLAPPING = Cause("command:stop", "plugin:flapping", "5 deaths in 10 s")


class TestUp(WhyCase):
    def test_all_is_well(self) -> None:
        watcher = self.up(3 * 3600 + 301.0, numprocesses=8)
        self.assert_why(watcher, "web is up: 8 processes, ready for 3 h 5 m")

    def test_one_process(self) -> None:
        self.assert_why(self.up(), "web is up: 1 process, ready for 59 s")

    def test_none_is_wanted(self) -> None:
        self.assert_why(self.up(numprocesses=0), "web is up: 0 processes, ready for 1 m")

    def test_it_has_left_something_behind(self) -> None:
        watcher = self.up()
        self.world.facts.append(Strayed(watcher, (Stray(70, 1, "sleep"),)))
        self.world.settle()
        said = "web is up: 1 process, ready for 59 s; process 70 (sleep) left behind"
        self.assert_why(watcher, said)

    def test_rolled_back(self) -> None:
        watcher = self.up(use_sockets=True)
        self.world.reload([watcher], "command:reload", False, None)
        self.world.advance(0.4)
        self.world.die(101, 1)
        self.world.advance(5)
        self.assert_why(
            watcher,
            "web is up: 1 process, ready for 1 m; the last rollout failed: process 101 exited "
            "with 1 after 0.4 s, before it was ready; the old process was kept",
        )
        self.assertIn("process 101 exited", self.explain(watcher)["failed_rollout"])

    def test_the_kernel_has_killed_one_for_memory(self) -> None:
        watcher = self.up(0.5, backoff_max=60, respawn_delay=5)
        (process,) = watcher.places.fresh
        del self.world.alive[process.pid]
        self.world.facts.append(Exited(watcher, process, Exit(-SIGKILL), oom=True))
        self.world.settle()
        self.assert_why(
            watcher,
            "web is in backoff: slot 1 has died once within 1 s: process 100 was killed by the "
            "kernel for lack of memory; next start in 5.0 s",
        )
        (death,) = self.explain(watcher)["deaths"]
        self.assertEqual((death["oom"], death["exit_code"]), (True, -9))
        self.assertTrue(self.world.events[-2][3]["oom"])
        (watcher,) = self.world.restore()
        self.assertTrue(watcher.places.deaths[0].oom)

    def test_a_person_has_killed_one(self) -> None:
        watcher = self.up()
        self.world.die(100, -SIGKILL)
        self.world.advance(5)
        self.assert_why(watcher, "web is up: 1 process, ready for 4 s")
        (death,) = self.explain(watcher)["deaths"]
        self.assertEqual((death["cause"], death["exit_code"], death["actor"]), ("exit", -9, ""))
        self.assertEqual((death["lived"], death["age"], death["ready"]), (60.0, 5.0, True))

    def test_one_is_not_ready_for_longer_than_it_is_there(self) -> None:
        watcher = self.up(min_uptime=0)
        self.world.die(100, -SIGKILL)
        self.world.advance(5)
        self.assert_why(watcher, "web is up: 1 process, ready for 5 s")
        watcher = self.up(name="other", use_sockets=True)
        self.world.reload([watcher], "x", False, None)
        self.world.advance(3)
        self.assert_why(watcher, "other is up: 1 process, ready for 3 s")

    def test_ctl_has_killed_one(self) -> None:
        watcher = self.up()
        cause = Cause("command:kill", CLIENT, "it hangs")
        self.world.roster.give(Kill(watcher, list(watcher.places.leaders()), cause))
        self.world.advance(5)
        self.assert_why(watcher, "web is up: 1 process, ready for 3 s")
        (death,) = self.explain(watcher)["deaths"]
        told = (death["cause"], death["exit_code"], death["actor"], death["why"])
        self.assertEqual(told, ("command:kill", -SIGTERM, CLIENT, "it hangs"))


class TestStarting(WhyCase):
    def test_it_has_not_lived_long_enough(self) -> None:
        self.assert_why(self.up(0.25), "web is starting: process 100 counts as ready in 0.8 s")

    def test_a_check_does_not_hold_yet(self) -> None:
        watcher = self.up(5, ready={"a": "notify"})
        self.assert_why(
            watcher, "web is starting: process 100 is not ready yet: check a: no answer"
        )
        self.assertEqual(
            self.explain(watcher)["checks"], {"100": [{"name": "a", "state": "not yet"}]}
        )

    def test_the_warm_up(self) -> None:
        watcher = self.up(2, numprocesses=2, warmup_delay=5)
        self.assert_why(watcher, "web is starting: next start in 3.0 s")

    def test_a_hook_before_the_start(self) -> None:
        self.world.answers["before_start"] = None
        watcher = self.up(hooks=["before_start"])
        said = "web is starting: waits for the answer of its hook before_start"
        self.assert_why(watcher, said)

    def test_a_hook_after_a_spawn(self) -> None:
        self.world.answers["after_spawn"] = None
        watcher = self.up(hooks=["after_spawn"])
        said = "web is starting: waits for the answer of its hook after_spawn"
        self.assert_why(watcher, said)

    def test_what_a_dead_process_left_holds_its_place(self) -> None:
        watcher = self.up(leftover_timeout=4)
        self.world.leftovers = 100.0
        self.world.die(100)
        self.world.advance(1.5)
        self.assertEqual(phase(watcher), "starting")
        left = "slot 1 waits until nothing of process 100 is left; SIGKILL in 2.5 s"
        self.assert_why(watcher, f"web is starting: {left}")

    def test_a_rollout(self) -> None:
        watcher = self.up(numprocesses=2, ready={"a": "notify"}, seconds=0)
        self.world.probes.all_hold()
        self.world.advance(60)
        self.world.reload([watcher], "command:reload", False, None)
        self.world.settle()
        self.world.probed(102)
        self.world.advance(1)
        said = "1 of 2 processes replaced: process 103 is not ready yet: check a: no answer"
        self.assert_why(watcher, f"web is reloading, {said}")
        rollout = self.explain(watcher)["rollout"]
        self.assertEqual((rollout["replaced"], rollout["total"], rollout["for"]), (1, 2, 1.0))

    def test_it_is_active_while_one_is_ready(self) -> None:
        watcher = self.up(numprocesses=2, use_sockets=True)
        self.world.reload([watcher], "command:reload", False, None)
        for pid, is_active in ((100, True), (101, False)):
            self.world.die(pid)
            self.world.settle()
            self.assertEqual(phase(watcher), "reloading")
            self.assertEqual(explanation.is_active(watcher, phase(watcher)), is_active)
        self.world.advance(5)
        self.assertTrue(explanation.is_active(watcher, phase(watcher)))


class TestUnready(WhyCase):
    def test_not_ready_in_time(self) -> None:
        watcher = self.up(ready={"a": "notify"}, ready_timeout=5)
        said = "process 100 was not ready within 5 s: check a: no answer"
        self.assert_why(watcher, f"web is not ready: {said}")

    def test_unhealthy(self) -> None:
        watcher = self.up(
            ready={"a": "notify"}, live={"b": "notify"}, live_action="report", seconds=0
        )
        self.world.probes.all_hold()
        self.world.advance(60)
        self.world.probed(100, "check b: refused", is_live=True)
        self.world.settle()
        self.assert_why(watcher, "web is not ready: process 100: check b: refused")

    def test_several(self) -> None:
        watcher = self.up(numprocesses=3, ready={"a": "notify"}, ready_timeout=5)
        said = "process 100 was not ready within 5 s: check a: no answer"
        self.assert_why(watcher, f"web is not ready: {said} (3 of its processes are not ready)")


class TestBackoff(WhyCase):
    def test_exit_0(self) -> None:
        watcher = self.up(0, respawn_delay=3)
        self.world.die(100)
        self.world.settle()
        said = "slot 1 has died once within 1 s: process 100 exited with 0; next start in 3.0 s"
        self.assert_why(watcher, f"web is in backoff: {said}")

    def test_exit_1_again_and_again(self) -> None:
        watcher = self.up(0, respawn_delay=3)
        for pid in (100, 101):
            self.world.die(pid, 1)
            self.world.advance(3)
        self.world.die(102, 1)
        self.world.advance(1)
        row = "slot 1 has died 3 times in a row, each within 1 s: process 102 exited with 1"
        self.assert_why(watcher, f"web is in backoff: {row}; next start in 2.0 s")

    def test_exit_137(self) -> None:
        watcher = self.up(0, respawn_delay=3)
        self.world.die(100, 137)
        self.world.settle()
        said = "slot 1 has died once within 1 s: process 100 exited with 137; next start in 3.0 s"
        self.assert_why(watcher, f"web is in backoff: {said}")

    def test_a_crash(self) -> None:
        watcher = self.up(0, respawn_delay=3)
        self.world.die(100, -SIGSEGV)
        self.world.settle()
        how = "process 100 was killed by SIGSEGV"
        said = f"slot 1 has died once within 1 s: {how}; next start in 3.0 s"
        self.assert_why(watcher, f"web is in backoff: {said}")

    def test_a_port_in_use(self) -> None:
        watcher = self.up(0, respawn_delay=3, log_history=1000)
        error = "OSError: [Errno 98] Address already in use"
        self.die(watcher, 100, 1, "Traceback (most recent call last):", error)
        died = "slot 1 has died once within 1 s: process 100 exited with 1; next start in 3.0 s"
        self.assert_why(watcher, f"web is in backoff: {died}; it wrote last: {error}")
        (death,) = self.explain(watcher)["deaths"]
        self.assertEqual(death["output"], ("Traceback (most recent call last):", error))

    def test_no_such_program(self) -> None:
        self.world.refuse = FileNotFoundError(errno.ENOENT, "no such file")
        watcher = self.up(0.2)
        said = "[Errno 2] no such file; attempt 4 of 5 in 0.1 s"
        self.assert_why(watcher, f"web is in backoff: {said}")

    def test_a_shortage(self) -> None:
        self.world.refuse = OSError(errno.EAGAIN, "none left")
        watcher = self.up(100)
        told = explanation.sentence(watcher, phase(watcher), self.world.probes, self.world.clock)
        self.assertRegex(told, r"^web is starting: \[Errno 11\] none left; next start in \d\.\d s")


class TestStopping(WhyCase):
    def test_a_process_that_takes_its_time(self) -> None:
        self.world.temper = STUBBORN
        watcher = self.up(graceful_timeout=30)
        self.stop(watcher, Cause("command:stop", CLIENT), 10)
        order = f"stop was ordered by {CLIENT}"
        left = "process 100 has not ended; SIGKILL in 20.0 s"
        self.assert_why(watcher, f"web is stopping: {order}; {left}")

    def test_unkillable(self) -> None:
        self.world.temper = IMMORTAL
        watcher = self.up(graceful_timeout=1)
        self.stop(watcher, Cause("command:stop", CLIENT), 20)
        left = "process 100 does not end, not even by SIGKILL"
        said = f"web is stopping: stop was ordered by {CLIENT}; {left}"
        self.assert_why(watcher, said)

    def test_a_hook_before_the_stop(self) -> None:
        self.world.answers["before_stop"] = None
        watcher = self.up(hooks=["before_stop"])
        self.stop(watcher, Cause("command:stop"))
        said = "web is stopping: waits for the answer of its hook before_stop"
        self.assert_why(watcher, said)


class TestStopped(WhyCase):
    def test_never_started(self) -> None:
        watcher = self.world.add(autostart=False)
        said = "web is stopped: it has not been started (autostart = False)"
        self.assert_why(watcher, said)

    def test_by_a_client(self) -> None:
        watcher = self.up()
        self.stop(watcher, Cause("command:stop", CLIENT, "a new disk"))
        said = f"web is stopped: stop was ordered by {CLIENT}: a new disk"
        self.assert_why(watcher, said)

    def test_by_flapping(self) -> None:
        watcher = self.up()
        self.stop(watcher, FLAPPING)
        said = "web is stopped: stop was ordered by plugin:flapping: 5 deaths in 10 s"
        self.assert_why(watcher, said)

    def test_flapping_gave_it_up(self) -> None:
        watcher = self.up()
        self.world.roster.give(Stop([watcher], FLAPPING, failed=True))
        self.world.advance(2)
        said = "web has failed: it gave up: plugin:flapping: 5 deaths in 10 s"
        self.assert_why(watcher, said)

    def test_with_something_left_behind(self) -> None:
        watcher = self.up()
        self.stop(watcher, Cause("command:stop", "client"))
        self.world.facts.append(Strayed(watcher, (Stray(70, 1, "sleep 9"),)))
        self.world.settle()
        said = "stop was ordered by client; process 70 (sleep 9) left behind"
        self.assert_why(watcher, f"web is stopped: {said}")
        self.assertEqual(self.explain(watcher)["strays"], [{"pid": 70, "command": "sleep 9"}])

    def test_completed(self) -> None:
        watcher = self.up(respawn=False)
        self.world.die(100)
        self.world.advance(120)
        said = "web has completed: its last process exited with 0 2 m ago"
        self.assert_why(watcher, said)

    def test_a_job_that_failed(self) -> None:
        watcher = self.up(respawn=False)
        self.world.die(100, 4)
        self.world.advance(5)
        said = "process 100 exited with 4 5 s ago, and is not replaced (respawn = False)"
        self.assert_why(watcher, f"web has failed: {said}")

    def test_gave_up(self) -> None:
        self.world.refuse = FileNotFoundError(errno.ENOENT, "no such file")
        watcher = self.up(max_retry=1)
        said = "web has failed: it gave up: [Errno 2] no such file (1 attempt)"
        self.assert_why(watcher, said)

    def test_gave_up_with_other_options(self) -> None:
        self.world.refuse = FileNotFoundError(errno.ENOENT, "no such file")
        watcher = self.up(max_retry=1)
        self.world.set_options(watcher, {"graceful_timeout": 5}, "command:set", None)
        self.assertEqual(phase(watcher), "failed")  # which it does not depend on
        self.world.set_options(watcher, {"cmd": "another"}, "command:set", None)
        said = "web is stopped: it gave up, and its options were changed since"
        self.assert_why(watcher, said)
        self.assertEqual((phase(watcher), self.world.why(watcher)), ("stopped", ""))
        self.world.refuse = None
        self.world.reload(None, "signal:HUP", False, None)
        self.world.settle()
        self.assertTrue(watcher.is_up)  # what gave up is tried again

    def test_a_job_that_gave_up_has_not_succeeded_by_other_options(self) -> None:
        self.world.refuse = FileNotFoundError(errno.ENOENT, "no such file")
        job = self.world.add("job", respawn=False, max_retry=1)
        web = self.world.add(depends_on={"job": ""})
        self.world.start([job, web], "command:start", None)
        self.world.advance(60)
        self.world.set_options(job, {"cmd": "another"}, "command:set", None)
        self.world.settle()
        self.assertEqual(phase(web), "waiting")

    def test_a_hook_said_no(self) -> None:
        self.world.answers["before_start"] = "hook before_start said no"
        watcher = self.up(hooks=["before_start"])
        self.assert_why(watcher, "web has failed: it gave up: hook before_start said no")
        self.world.set_options(watcher, {"hooks": []}, "command:set", None)
        self.assertEqual(self.world.why(watcher), "")


class TestDeaths(WhyCase):
    def test_the_last_twenty_are_kept(self) -> None:
        watcher = self.up(0, backoff=False)
        for pid in range(100, 130):
            self.world.die(pid, -SIGINT)
            self.world.advance(0.1)
        pids = [row["pid"] for row in self.explain(watcher)["deaths"]]
        self.assertEqual(pids, list(range(129, 109, -1)))

    def test_they_survive(self) -> None:
        watcher = self.up(log_history=1000)
        self.die(watcher, 100, 3, "a", "b")
        before = self.explain(watcher)["deaths"]
        (watcher,) = self.world.restore()
        self.assertEqual(self.explain(watcher)["deaths"], before)
        self.assertEqual(before[0]["output"], ("a", "b"))


if __name__ == "__main__":
    unittest.main()
