"""Stopping: the leader first, then what it has left in its process group."""

from __future__ import annotations

import os
import signal

from cvec_circus.base.clock import SYSTEM
from tests.support.daemon import alive, gone, marked
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually

LONG = 20.0
SHORT = 0.3


class TestLeftovers(EmbeddedCase):
    """What a leader leaves behind belongs to its slot until it is gone."""

    def start(self, *words: str, **options: object) -> list[int]:
        """Start one process with a generation for each word, and return all the pids."""
        self.arbit({"name": "tree", **self.program("levels", *words), **options})
        return self.generations(len(words))

    def generations(self, count: int) -> list[int]:
        pids = [int(self.lines.until("level")) for _ in range(count)]
        self.lines.until("ready")
        return pids

    def test_stop_answers_when_the_group_is_empty(self) -> None:
        leader, child = self.start("exit", "ignore", graceful_timeout=SHORT)
        began = SYSTEM.monotonic()
        self.wire.order("stop", name="tree")
        took = SYSTEM.monotonic() - began
        self.assertFalse(alive(leader) or alive(child))
        self.assertGreaterEqual(took, SHORT)
        reaped = self.events.sync()
        self.assertEqual([event["exit_code"] for event in self.events.of("reap")], [0])
        self.assertEqual(reaped[-1]["action"], "stop")

    def test_the_slot_is_not_free_before(self) -> None:
        leader, child = self.start("exit", "ignore", graceful_timeout=LONG)
        self.wire.call("stop", name="tree")
        self.events.next("reap", process_pid=leader)
        self.assertEqual(self.wire.status("tree")[0], "stopping")
        self.assertEqual(self.wire.pids("tree"), [])
        os.kill(child, signal.SIGKILL)
        self.events.next("stop")
        self.assertEqual(self.wire.status("tree")[0], "stopped")

    def test_three_levels_that_ignore_term(self) -> None:
        pids = self.start("ignore", "ignore", "ignore", graceful_timeout=SHORT)
        began = SYSTEM.monotonic()
        self.wire.order("stop", name="tree")
        self.assertFalse(any(map(alive, pids)))
        self.assertGreaterEqual(SYSTEM.monotonic() - began, SHORT)
        self.assertEqual(self.events.next("reap")["exit_code"], -signal.SIGKILL)

    def test_the_middle_of_three_levels_survives_longest(self) -> None:
        pids = self.start("exit", "ignore", "exit", graceful_timeout=SHORT)
        self.wire.order("stop", name="tree")
        self.assertFalse(any(map(alive, pids)))

    def test_only_the_leader_is_asked_at_first(self) -> None:
        # A master that is told to stop sees to its workers itself.
        leader, child = self.start("ignore", "exit", graceful_timeout=LONG)
        self.wire.call("stop", name="tree")
        self.events.next("kill", process_pid=leader)
        self.assertEqual(self.wire.status("tree")[0], "stopping")
        self.assertTrue(alive(child))
        os.kill(leader, signal.SIGKILL)
        self.events.next("stop")
        self.assertFalse(alive(child))

    def test_stop_children_asks_them_too(self) -> None:
        leader, child = self.start("ignore", "exit", graceful_timeout=LONG, stop_children=True)
        self.wire.call("stop", name="tree")
        self.assertTrue(gone(child))
        self.assertTrue(alive(leader))
        os.kill(leader, signal.SIGKILL)
        self.events.next("stop")

    def test_headless_workers_end_before_the_replacement_starts(self) -> None:
        leader, *workers = self.start("exit", "exit", "exit", graceful_timeout=LONG)
        os.kill(leader, signal.SIGKILL)
        self.events.next("reap", process_pid=leader, exit_code=-9, cause="exit")
        successors = self.generations(3)
        self.assertFalse(any(map(alive, workers)))
        self.assertEqual(self.wire.pids("tree"), successors[:1])

    def test_headless_workers_that_ignore_term_are_killed(self) -> None:
        leader, worker = self.start("exit", "ignore", graceful_timeout=SHORT)
        os.kill(leader, signal.SIGKILL)
        self.events.next("reap", process_pid=leader)
        self.assertEqual(self.events.next("spawn")["cause"], "exit")
        self.assertFalse(alive(worker))
        self.generations(2)

    def test_stop_while_headless_workers_end(self) -> None:
        leader, worker = self.start("exit", "ignore", graceful_timeout=SHORT)
        os.kill(leader, signal.SIGKILL)
        self.events.next("reap", process_pid=leader)
        self.wire.order("stop", name="tree")
        self.assertFalse(alive(worker))
        self.assertEqual(len(self.events.of("spawn")), 1)

    def test_a_leader_with_many_children(self) -> None:
        text = """
            trap "" TERM
            i=0; while [ $i -lt 50 ]; do sleep 1000 & i=$((i+1)); done
            echo ready >"$0"; wait
        """
        options = {"name": "many", "cmd": "sh", "args": ["-c", text, self.fifo()]}
        self.arbit({**options, "graceful_timeout": SHORT})
        self.lines.until("ready")
        self.assertTrue(eventually(lambda: len(marked(self.run_id)) == 51))
        self.wire.order("stop", name="many")
        self.assertEqual(marked(self.run_id), [])

    def test_restart_while_headless_workers_end(self) -> None:
        leader, worker = self.start("exit", "ignore", graceful_timeout=SHORT)
        os.kill(leader, signal.SIGKILL)
        self.events.next("reap", process_pid=leader)
        self.wire.order("restart", name="tree")
        self.assertFalse(alive(worker))
        self.generations(2)


class TestStopping(EmbeddedCase):
    """Processes that make it hard to stop them."""

    def test_one_that_has_stopped_itself(self) -> None:
        self.arbit({"name": "a", **self.program("wait"), "graceful_timeout": LONG})
        pid = int(self.lines.until("ready"))
        os.kill(pid, signal.SIGSTOP)
        self.wire.order("stop", name="a")
        self.assertEqual(self.events.next("reap")["exit_code"], 0)

    def test_one_that_has_stopped_itself_and_ignores_term(self) -> None:
        self.arbit({"name": "a", **self.program("wait", "ignore", "TERM"), "graceful_timeout": 0.2})
        os.kill(int(self.lines.until("ready")), signal.SIGSTOP)
        self.wire.order("stop", name="a")
        self.assertEqual(self.events.next("reap")["exit_code"], -signal.SIGKILL)

    def test_the_stop_signal_of_its_own(self) -> None:
        program = self.program("wait", "exit", "USR1", 7, "ignore", "TERM")
        self.arbit({"name": "a", **program, "stop_signal": "USR1", "graceful_timeout": LONG})
        self.lines.until("ready")
        self.wire.order("stop", name="a")
        self.assertEqual(self.events.next("reap")["exit_code"], 7)

    def test_a_pipe_that_a_grandchild_holds(self) -> None:
        # It has left the session and the group, so it is nobody's, and it keeps the pipe open.
        log = self.folder / "log"
        text = "setsid sh -c 'echo strayed; exec sleep 1000' & exec sleep 1000"
        self.arbit(
            {"name": "a", "cmd": "sh", "args": ["-c", text], "stdout_stream.filename": str(log)}
        )
        self.addCleanup(self.kill_strays)
        self.assertTrue(eventually(lambda: log.exists() and "strayed" in log.read_text()))
        began = SYSTEM.monotonic()
        self.wire.order("restart", name="a")
        self.wire.order("stop", name="a")
        self.assertLess(SYSTEM.monotonic() - began, 10.0)

    def kill_strays(self) -> None:
        self.arbiter.stop()
        strays = marked(self.run_id)
        for pid in strays:
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(gone(*strays))
