"""A file system under the daemon's log that takes nothing: everything else goes on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

from cvec_circus.logs.queued import LINES
from tests.support.daemon import Daemon, DaemonCase, gone
from tests.support.eventually import eventually
from tests.support.hurry import hurried

TEXT = "[watcher:a]\ncmd = sleep 1000\nmin_uptime = 0\n"
MISSING = re.compile(r"\[WARNING\] (\d+) lines? missing here: the log did not take them in time")


def run(*words: object) -> str:
    """Run a program as root; returns what it says when it fails."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    return done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else ""


class FrozenCase(DaemonCase):
    """A file system of the test's own, which it can freeze."""

    def mounted(self, folder: Path) -> Path:
        """Mount a file system on a folder, or skip the test with the reason."""
        if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ext4", "mount", "fsfreeze"))):
            self.skipTest("mounting takes root, mkfs.ext4 and fsfreeze")
        image, self.mount = folder / "image", folder / "mount"
        self.mount.mkdir()
        with image.open("wb") as file:
            file.truncate(16 << 20)
        trouble = run("mkfs.ext4", "-q", image) or run("mount", "-o", "loop", image, self.mount)
        if trouble:
            self.skipTest(f"no file system can be mounted here: {trouble}")
        self.addCleanup(run, "umount", "-l", self.mount)
        self.addCleanup(run, "fsfreeze", "-u", self.mount)
        return self.mount

    def freeze(self) -> None:
        """Block every writer there from now on."""
        trouble = run("fsfreeze", "-f", self.mount)
        if trouble:
            self.skipTest(f"nothing can be frozen here: {trouble}")

    def logging_there(self, *watchers: str) -> Daemon:
        """Start a daemon whose log is there, and wait for its first lines."""
        daemon = self.daemon(
            "".join([TEXT, *watchers]),
            "--log-output",
            "mount/log",
            wrapper=hurried({"logs.queued.FLUSH_TIMEOUT": 0.3}),
            prepare=self.mounted,
            up=False,
        )
        self.assertTrue(eventually((daemon.folder / "control").exists))
        daemon.connect()
        self.assertTrue(eventually(lambda: "a: started (config)" in self.log()))
        return daemon

    def log(self) -> str:
        """What is in the log."""
        path = self.mount / "log"
        return path.read_text() if path.exists() else ""

    def die(self, daemon: Daemon) -> int:
        """Have a process die and be replaced; returns its pid."""
        (pid,) = daemon.wire.pids("a")
        os.kill(pid, signal.SIGKILL)
        daemon.wire.events.next("reap", process_pid=pid)
        daemon.wire.events.next("spawn")
        return pid


class TestAFrozenLog(FrozenCase):
    def test_the_daemon_goes_on_and_says_what_is_missing(self) -> None:
        daemon = self.logging_there()
        self.freeze()
        with self.within(20.0):
            first = self.die(daemon)
            self.assertEqual(daemon.call("status")["statuses"], {"a": "active"})
            daemon.signal(signal.SIGHUP)
            daemon.wire.events.next("reload")
            daemon.order("stop", name="a")
            daemon.order("start", name="a")
        told = 0
        while told < LINES:  # each of them is a line of the log
            told += self.noise(daemon)
        last = self.die(daemon)
        run("fsfreeze", "-u", self.mount)
        self.assertTrue(eventually(lambda: MISSING.search(self.log())))
        text = self.log()
        self.assertIn(f"a: process {first} was killed by SIGKILL", text)
        self.assertNotIn(f"a: process {last} was killed by SIGKILL", text)
        after = self.die(daemon)
        self.assertTrue(
            eventually(lambda: f"a: process {after} was killed by SIGKILL" in self.log())
        )
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.ended(), [])

    def noise(self, daemon: Daemon) -> int:
        """Have the daemon log many lines."""
        count = 256
        for number in range(count // 2):
            daemon.order("add", name=f"n{number}", cmd="true", start=False)
            daemon.order("rm", name=f"n{number}")
        return count

    def test_a_frozen_working_directory(self) -> None:
        daemon = self.logging_there("[watcher:b]\ncmd = sleep 1000\nworking_dir = {DIR}/mount\n")
        self.freeze()
        (pid,) = daemon.wire.pids("b")
        with self.within(20.0):
            os.kill(pid, signal.SIGKILL)
            daemon.wire.events.next("reap", process_pid=pid)
            daemon.wire.events.next("spawn")
            self.die(daemon)
        (pid,) = daemon.wire.pids("b")
        self.assertEqual(Path(f"/proc/{pid}/cwd").resolve(), self.mount.resolve())
        run("fsfreeze", "-u", self.mount)
        daemon.order("stop")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.ended(), [])

    def test_it_ends_all_that_it_can(self) -> None:
        daemon = self.logging_there()
        pids = daemon.wire.pids("a")
        self.freeze()
        self.die(daemon)
        pids = daemon.wire.pids("a")
        daemon.signal(signal.SIGTERM)
        self.assertTrue(gone(*pids))
        line = daemon.log.containing("lines of the log not written")
        self.assertRegex(
            line, rf"^cvec_circus: \d+ lines of the log not written to {self.mount}/log$"
        )
        # Of a thread that the kernel holds, only the kernel can let go.
        run("fsfreeze", "-u", self.mount)
        self.assertEqual(len(daemon.ended()), 1)


if __name__ == "__main__":
    unittest.main()
