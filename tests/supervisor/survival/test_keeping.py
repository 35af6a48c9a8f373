"""How many processes are kept, for how long, and what becomes of them."""

from __future__ import annotations

import os
import signal
import unittest

from tests.support.daemon import alive, gone
from tests.support.embedded import EmbeddedCase
from tests.support.leaks import children

SLEEP = {"name": "a", "cmd": "sleep 1000"}


class TestNumbers(EmbeddedCase):
    """numprocesses, incr, decr, singletons, one-shots."""

    def test_none_is_a_number_too(self) -> None:
        self.arbit({**SLEEP, "numprocesses": 0})
        self.events.next("start")
        self.assertEqual(self.wire.status("a"), ("active", ""))
        self.assertEqual(self.wire.pids("a"), [])
        self.assertEqual(self.wire.order("incr", name="a", nb=2)["numprocesses"], 2)
        self.assertEqual(len(self.wire.pids("a")), 2)
        self.assertEqual(self.wire.order("decr", name="a", nb=5)["numprocesses"], 0)
        self.assertEqual(self.wire.pids("a"), [])
        self.assertEqual(self.wire.status("a")[0], "active")
        self.assertEqual(len(self.events.of("reap")), 2)

    def test_the_oldest_go_first(self) -> None:
        self.arbit({**SLEEP, "numprocesses": 3})
        self.events.next("start")
        before = [event["process_pid"] for event in self.events.of("spawn")]
        self.wire.order("decr", name="a", nb=2)
        self.assertEqual(self.wire.pids("a"), before[2:])
        causes = {event["cause"] for event in self.events.of("reap")}
        self.assertEqual(causes, {"command:decr"})

    def test_a_singleton(self) -> None:
        self.arbit({**SLEEP, "singleton": True})
        self.events.next("start")
        (pid,) = self.wire.pids("a")
        reply = self.wire.call("incr", name="a", waiting=True)
        self.assertEqual((reply["numprocesses"], reply["singleton"]), (1, True))
        self.assertIn("singleton", self.wire.refused("set", name="a", options={"numprocesses": 2}))
        self.wire.order("reload", name="a")
        actions = [
            event["action"] for event in self.events.sync() if event["action"] in ("spawn", "reap")
        ]
        self.assertEqual(actions, ["spawn", "reap", "spawn"])
        self.assertNotEqual(self.wire.pids("a"), [pid])

    def test_one_shots(self) -> None:
        self.arbit({"name": "a", "cmd": "sh -c 'exit 4'", "respawn": False, "numprocesses": 3})
        self.events.next("stop")
        self.assertEqual([event["exit_code"] for event in self.events.of("reap")], [4, 4, 4])
        self.assertEqual(self.wire.status("a")[0], "stopped")
        self.wire.call("start", name="a")
        self.events.next("stop")
        self.assertEqual(len(self.events.of("spawn")), 6)

    def test_max_age(self) -> None:
        self.arbit({**SLEEP, "numprocesses": 2, "max_age": 0.2, "max_age_variance": 0})
        self.events.next("start")
        first = [event["process_pid"] for event in self.events.of("spawn")]
        reaped = self.events.wait("reap", 4)
        self.assertEqual([event["process_pid"] for event in reaped[:2]], first)
        self.assertEqual({event["cause"] for event in reaped}, {"max_age"})
        # The successor is there before the old one goes, one at a time.
        running: set[int] = set()
        for event in self.events.seen:
            if event["action"] == "spawn":
                running.add(event["process_pid"])
            elif event["action"] == "reap":
                running.remove(event["process_pid"])
                self.assertGreaterEqual(len(running), 2)
            self.assertLessEqual(len(running), 3)

    def test_warm_up(self) -> None:
        self.arbit({**SLEEP, "numprocesses": 3, "warmup_delay": 0.1})
        self.events.next("start")
        times = [event["time"] for event in self.events.of("spawn")]
        self.assertGreaterEqual(times[2] - times[0], 0.19)

    def test_priorities(self) -> None:
        self.arbit(
            {**SLEEP, "name": "low", "priority": 1},
            {**SLEEP, "name": "high", "priority": 9, "warmup_delay": 0.1, "numprocesses": 2},
        )
        self.events.next("watcher.low.start")
        names = [event["watcher"] for event in self.events.of("start")]
        self.assertEqual(names, ["high", "low"])


class TestLeaving(EmbeddedCase):
    """rm, with and without its processes; a name that comes back."""

    def test_a_name_that_is_still_leaving(self) -> None:
        self.arbit({"name": "a", **self.program("wait", "ignore", "TERM"), "graceful_timeout": 60})
        old = int(self.lines.until("ready"))
        self.wire.call("rm", name="a")
        self.lines.until("signal")
        self.assertEqual(self.wire.call("list")["watchers"], [])
        self.wire.call("add", name="A", cmd="sleep 1000", start=True)
        state, _ = self.wire.status("a")
        self.assertEqual(state, "stopped")
        self.assertTrue(alive(old))
        os.kill(old, signal.SIGKILL)
        self.events.next("spawn", watcher="A")
        self.events.next("start", watcher="A")
        self.assertFalse(alive(old))
        order = [(e["watcher"], e["action"]) for e in self.events.seen if e["action"] != "kill"]
        self.assertLess(order.index(("a", "reap")), order.index(("A", "spawn")))

    def test_a_name_that_leaves_twice(self) -> None:
        self.arbit({"name": "a", **self.program("wait", "ignore", "TERM"), "graceful_timeout": 60})
        old = int(self.lines.until("ready"))
        self.wire.call("rm", name="a")
        self.lines.until("signal")
        self.wire.call("add", name="a", cmd="sleep 1000", start=True)
        self.wire.call("rm", name="a")
        self.wire.call("add", name="a", cmd="sleep 1000", start=True)
        self.assertEqual(self.wire.status("a")[0], "stopped")
        self.assertEqual(len(self.events.of("spawn")), 1)
        os.kill(old, signal.SIGKILL)
        self.events.next("start", watcher="a", cause="command:add")
        self.assertEqual(len(self.events.of("spawn")), 2)

    def test_the_end_waits_for_what_is_leaving(self) -> None:
        stubborn = self.program("wait", "ignore", "TERM")
        self.arbit({"name": "a", **stubborn, "graceful_timeout": 0.4})
        self.lines.until("ready")
        self.wire.call("rm", name="a")
        self.lines.until("signal")
        self.wire.call("add", name="a", cmd="sleep 1000", start=True)
        self.wire.call("rm", name="a")
        self.arbiter.stop()
        self.assertEqual(children(), {})

    def test_nostop(self) -> None:
        log = self.folder / "log"
        program = self.program("wait")
        self.arbit({"name": "a", **program, "stderr_stream.filename": str(log)})
        pid = int(self.lines.until("ready"))
        self.addCleanup(self.bury, pid)
        self.wire.order("rm", name="a", nostop=True)
        self.assertEqual(self.wire.call("list")["watchers"], [])
        self.wire.order("quit")
        self.arbiter.stop()
        self.assertTrue(alive(pid))

    def bury(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def test_nostop_and_its_zombie(self) -> None:
        self.arbit({"name": "a", **self.program("levels", "exit", "ignore"), "graceful_timeout": 0})
        leader, child = (int(self.lines.until("level")) for _ in range(2))
        self.lines.until("ready")
        self.wire.order("rm", name="a", nostop=True)
        os.kill(leader, signal.SIGKILL)
        self.events.next("reap", process_pid=leader)
        self.assertNotIn(leader, children())
        self.wire.call("add", name="a", cmd="sleep 1000", start=True)
        self.events.next("start")
        self.wire.order("stop")
        self.assertTrue(alive(child), "what was left alone was not left alone")
        os.kill(child, signal.SIGKILL)
        self.assertTrue(gone(child))
        self.assertEqual(len(self.events.of("spawn")), 2)

    def test_nostop_in_the_middle_of_a_start(self) -> None:
        self.arbit({**SLEEP, "numprocesses": 3, "warmup_delay": 60})
        pid = self.events.next("spawn")["process_pid"]
        self.wire.order("rm", name="a", nostop=True)
        os.kill(pid, signal.SIGKILL)
        self.events.next("reap")
        self.wire.call("add", name="a", cmd="sleep 1000", start=True)
        self.events.next("start")
        self.assertEqual(len(self.events.of("spawn")), 2)


if __name__ == "__main__":
    unittest.main()
