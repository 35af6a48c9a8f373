"""Running out of file descriptors."""

from __future__ import annotations

import os
import signal
import unittest
from pathlib import Path

from tests.support.daemon import Daemon, DaemonCase, alive
from tests.support.eventually import eventually

COUNT = 40


class TestTooFewFiles(DaemonCase):
    """64 files, and 40 watchers that want two each."""

    def start(self, limit: int, text: str) -> Daemon:
        command = f'ulimit -n {limit}; exec "$@"'
        return self.daemon(text, wrapper=["sh", "-c", command, "sh"])

    def test_what_runs_goes_on_and_the_daemon_answers(self) -> None:
        daemon = self.start(
            64,
            "".join(
                f"[watcher:w{number:02}]\ncmd = sleep 1000\n"
                f"stdout_stream.filename = {{DIR}}/{number}.log\n"
                for number in range(COUNT)
            ),
        )
        self.assertIn("[WARNING]", daemon.log.seen[0])
        self.assertIn("only 64 are allowed (ulimit -n)", daemon.log.seen[0])
        daemon.log.containing("Too many open files; attempt 2")
        statuses = daemon.call("status")
        active = [name for name, state in statuses["statuses"].items() if state == "active"]
        short = statuses["reasons"]
        self.assertGreater(len(active), 3)
        self.assertEqual(len(active) + len(short), COUNT, statuses)
        for reason in short.values():
            self.assertRegex(reason, "Too many open files; next start in")
        pids = {name: daemon.wire.pids(name) for name in active}

        # New clients are answered, too.
        for _ in range(3):
            done = daemon.ctl("list")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        stats = daemon.call("stats", name=active[0])
        self.assertIn("info", stats)
        self.assertEqual({name: daemon.wire.pids(name) for name in active}, pids)

        # What there is room for later starts without a word.
        for name in active[:3]:
            daemon.order("rm", name=name)
        daemon.wire.events.wait("start", len(active) + 1)
        for (pid,) in [pids[name] for name in active[3:]]:
            self.assertTrue(alive(pid))
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_no_files_are_lost_by_failed_starts(self) -> None:
        daemon = self.start(
            48,
            "[watcher:a]\ncmd = sleep 1000\nnumprocesses = 20\nbackoff_max = 0.05\n"
            "stderr_stream.filename = {DIR}/log\n",
        )
        daemon.log.containing("attempt 3,")
        before = self.count(daemon)
        daemon.log.containing("attempt 9,")
        self.assertTrue(eventually(lambda: self.count(daemon) <= before + 1))
        daemon.order("stop", name="a")
        self.assertTrue(eventually(lambda: self.count(daemon) < 30))
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def count(self, daemon: Daemon) -> int:
        return len(os.listdir(Path("/proc", str(daemon.pid), "fd")))


if __name__ == "__main__":
    unittest.main()
