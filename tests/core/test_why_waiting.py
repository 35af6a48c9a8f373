"""What `why` says of a watcher that waits for others, or whose process is being stopped."""

from __future__ import annotations

import unittest

from cvec_circus.core.phase import phase
from cvec_circus.supervisor.answers import explanation
from cvec_circus.wire.cause import Cause
from cvec_circus.wire.orders import Kill, Remove, Start
from tests.core.why_case import WhyCase


class TestBeingStopped(WhyCase):
    def test_one_that_is_not_alive(self) -> None:
        self.world.stop_delay = 20.0
        watcher = self.up(numprocesses=2, live={"a": "exec:true"}, graceful_timeout=30)
        self.world.probed(101, "live check a failed: exit code 1", is_live=True)
        self.world.advance(5)
        why = "(live): live check a failed: exit code 1; SIGKILL in 25.0 s"
        self.assert_why(watcher, f"web is not ready: process 101 is being stopped {why}")
        self.world.advance(30)
        self.world.probed(102, is_live=True)
        self.assertEqual(self.world.why(watcher), "")

    def test_one_that_is_never_alive_for_long(self) -> None:
        self.world.stop_delay = 0.0
        watcher = self.up(live={"a": "exec:true"}, min_uptime=1, backoff_max=60)
        for pid in range(100, 106):
            self.world.advance(2)
            self.world.probed(pid, "live check a failed: exit code 1", is_live=True)
            self.world.advance(0)
        said = "slot 1 was not alive 6 times in a row, each within 1 s of being ready: "
        said += "process 105: live check a failed: exit code 1"
        self.assertTrue(self.world.why(watcher).startswith(f"{said}; next start in "))
        self.assertEqual(phase(watcher), "backoff")
        self.assertIn(said, explanation.sentence(watcher, "backoff", self.world.probes, 0.0))
        self.assertEqual(watcher.places.restarts, 5)
        death = explanation.deaths(watcher, self.world.now())[0]
        told = (death["cause"], death["why"])
        self.assertEqual(told, ("live", "live check a failed: exit code 1"))

    def test_what_it_left_behind_counts_with_it(self) -> None:
        self.world.stop_delay, self.world.leftovers = 0.0, 3.0
        watcher = self.up(live={"a": "exec:true"}, min_uptime=1)
        self.world.probed(100, "live check a failed: exit code 1", is_live=True)
        self.world.advance(1)
        died = "slot 1 was not alive once within 1 s of being ready"
        died += ": process 100: live check a failed: exit code 1"
        left = "it waits until nothing of process 100 is left; SIGKILL in 4.0 s"
        self.assert_why(watcher, f"web is in backoff: {died}; {left}")

    def test_one_that_was_killed(self) -> None:
        self.world.stop_delay = 20.0
        watcher = self.up(graceful_timeout=30)
        cause = Cause("command:kill", "plugin:fat", "too fat")
        process = watcher.places.slots[1]
        self.world.roster.give(Kill(watcher, [process], cause))
        self.world.settle()
        why = "process 100 is being stopped (command:kill by plugin:fat): too fat"
        self.assert_why(watcher, f"web is starting: {why}; SIGKILL in 30.0 s")


class TestWaiting(WhyCase):
    def test_a_dependency(self) -> None:
        self.world.add("db", ready={"a": "notify"})
        watcher = self.world.add(depends_on=["db"])
        self.world.start(None, "config", None)
        self.world.advance(5)
        self.assert_why(watcher, "web waits for db to be ready; it is starting")

    def test_a_dependency_that_dies_at_once(self) -> None:
        self.world.add("db")
        watcher = self.world.add(depends_on=["db"])
        self.world.start(None, "config", None)
        self.world.settle()
        self.world.die(100, 1)
        self.world.settle()
        row = "slot 1: process 101 runs, and is not ready yet, after a failure"
        row = f"{row}: process 100 exited with 1"
        self.assert_why(watcher, f"web waits for db to be ready: {row}")

    def test_a_missing_one_has_one_name_in_the_graph(self) -> None:
        one, other = self.world.add(depends_on=["Db"]), self.world.add("part", part_of=["dB"])
        rows = [explanation.node(w, phase(w), self.world.roster) for w in (one, other)]
        self.assertEqual((rows[0]["depends_on"], rows[1]["part_of"]), ({"db": "ready"}, ["db"]))

    def test_a_chain(self) -> None:
        self.world.add("disk", ready={"a": "notify"}, ready_timeout=2)
        self.world.add("db", depends_on=["disk"])
        watcher = self.world.add(depends_on=["db"])
        self.world.start(None, "config", None)
        self.world.advance(5)
        late = "process 100 was not ready within 2 s: check a: no answer"
        told = f"db to be ready, which waits for disk to be ready: {late}"
        self.assert_why(watcher, f"web waits for {told}")
        edges = self.explain(watcher)["waits_for"]
        shown = [(row["watcher"], row["waits_for"], row["phase"]) for row in edges]
        self.assertEqual(shown, [("web", "db", "waiting"), ("db", "disk", "unready")])
        page = self.world.add("page", depends_on=["web"])
        self.world.start([page], "command:start", None)
        self.world.settle()
        told = f"web to be ready, and at the end of the chain for disk to be ready: {late}"
        self.assert_why(page, f"page waits for {told}")

    def test_a_circle(self) -> None:
        watcher = self.world.add(depends_on=["db"])
        self.world.add("db", depends_on=["web"])
        self.world.start(None, "config", None)
        self.world.advance(5)
        said = "waits for db to be ready, which waits for itself: a circle of depends_on"
        self.assert_why(watcher, f"web {said}")
        self.assertEqual(len(self.explain(watcher)["waits_for"]), 2)

    def test_one_that_is_not_there(self) -> None:
        watcher = self.world.add(depends_on=["db"])
        self.world.start([watcher], "command:start", None)
        self.world.settle()
        self.assert_why(watcher, "web waits for db to be ready; there is no watcher db")
        self.assertEqual(self.explain(watcher)["waits_for"][0]["phase"], "missing")

    def test_one_that_failed(self) -> None:
        self.world.add("migrate", respawn=False)
        watcher = self.world.add(depends_on=["migrate"])
        self.world.start(None, "config", None)
        self.world.settle()
        self.world.die(100, 1)
        self.world.advance(1)
        said = "web waits for migrate to have succeeded: process 100 exited with 1"
        self.assert_why(watcher, said)

    def test_a_higher_priority(self) -> None:
        self.world.add("db", priority=7, numprocesses=2, warmup_delay=5)
        watcher = self.world.add()
        self.world.start(None, "config", None)
        self.world.settle()
        said = "waits for db (priority 7), which is starting: next start in 5.0 s"
        self.assert_why(watcher, f"web {said}")

    def test_a_connection(self) -> None:
        watcher = self.up(on_demand=True, use_sockets=True)
        self.assert_why(watcher, "web waits for a connection")

    def test_the_one_that_was_removed(self) -> None:
        self.world.roster.give(Remove(self.world.up(), Cause("command:rm")))
        watcher = self.world.add()
        self.world.roster.give(Start([watcher], Cause("command:start")))
        self.world.settle()
        left = "process 100 has not ended; SIGKILL in 30.0 s"
        said = f"web waits for the end of the one that was removed: {left}"
        self.assert_why(watcher, said)


if __name__ == "__main__":
    unittest.main()
