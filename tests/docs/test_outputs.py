"""The stream of somebody's own that a page shows."""

from __future__ import annotations

import sys
import unittest

from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.test_docs import DOCS


class TestCountingStream(EmbeddedCase):
    def test_it_counts(self) -> None:
        self.addCleanup(sys.path.__setitem__, slice(None), list(sys.path))
        self.addCleanup(sys.modules.pop, "counting_stream", None)
        self.addCleanup(setattr, sys, "dont_write_bytecode", sys.dont_write_bytecode)
        sys.dont_write_bytecode = True
        watcher = {
            "name": "web",
            "cmd": "sh",
            "args": ["-c", "seq 250; exec sleep 1000"],
            "env": {"PYTHONPATH": str(DOCS / "examples")},
            "stdout_stream": {"class": "counting_stream.CountingStream", "every": "100"},
        }
        with self.assertLogs("cvec_circus", "INFO") as logs:
            self.arbit(watcher)
            self.events.wait("start", 1)
            [pid] = self.wire.pids("web")
            wanted = f"250 lines so far, the last by {pid}"
            self.assertTrue(eventually(lambda: wanted in str(logs.output), 20.0))
            self.arbiter.stop()
        self.assertIn("250 lines in all", str(logs.output))


if __name__ == "__main__":
    unittest.main()
