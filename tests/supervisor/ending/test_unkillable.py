"""A process that not even SIGKILL ends: it is named, and nobody else has to wait for it."""

from __future__ import annotations

import os
import subprocess
import unittest

from tests.support.children import TIMEOUT, command
from tests.support.embedded import EmbeddedCase
from tests.support.hurry import hurry


class TestUnkillable(EmbeddedCase):
    """A process that somebody traces is dead, but cannot be collected before he lets go of it."""

    def setUp(self) -> None:
        super().setUp()
        hurry(
            self,
            {
                "core.ending.UNKILLABLE_TIMEOUT": 0.2,
                "core.ending.COMPLAINT_DELAY": 0.1,
                "supervisor.shutdown.MARGIN": 0.4,
                "supervisor.shutdown.SHUTDOWN_MARGIN": 1.0,
            },
        )
        self.arbit(
            {"name": "a", **self.program("wait"), "graceful_timeout": 0.1},
            {"name": "b", "cmd": "sleep 1000", "graceful_timeout": 0.1},
        )
        self.pid = int(self.lines.until("ready"))
        self.tracer = subprocess.Popen(
            command("trace", self.pid), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(self.let_go)
        assert self.tracer.stdout is not None
        if not self.tracer.stdout.readline().startswith("ready"):
            self.skipTest("tracing is not allowed here")

    def let_go(self) -> None:
        if self.tracer.returncode is None:
            self.tracer.communicate(timeout=TIMEOUT)

    def test_stop_names_it(self) -> None:
        (other,) = self.wire.pids("b")
        refused = self.wire.refused("stop", name="a", waiting=True)
        self.assertEqual(refused, f"stop of a: process {self.pid} does not end")
        said = f"process {self.pid} does not end, not even by SIGKILL"
        self.assertEqual(self.wire.status("a"), ("stopping", said))
        self.wire.order("restart", name="b")
        self.assertNotEqual(self.wire.pids("b"), [other])
        # No second one is started beside it.
        self.wire.call("start", name="a")
        self.assertEqual(self.wire.status("a")[0], "stopping")
        self.assertEqual(len(self.events.of("spawn", watcher="a")), 1)
        self.let_go()
        self.events.next("reap", process_pid=self.pid)
        self.events.next("start", watcher="a")
        self.assertEqual(self.wire.status("a"), ("active", ""))

    def test_the_end_does_not_wait_for_it_for_ever(self) -> None:
        with self.assertLogs("cvec_circus", "ERROR") as logged:
            self.wire.call("quit")
            self.arbiter.stop(TIMEOUT)
        self.assertFalse(self.arbiter.running)
        self.assertIn("not everything could be stopped in time", logged.output[0])
        self.assertIn(f"process {self.pid} would not end and is left behind", logged.output[1])
        self.let_go()
        os.waitpid(self.pid, 0)


if __name__ == "__main__":
    unittest.main()
