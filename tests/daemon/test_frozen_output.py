"""A file system under the log of one watcher that takes nothing: everything else goes on."""

from __future__ import annotations

import os
import re
import signal
import unittest
from pathlib import Path

from tests.support.daemon import Daemon, DaemonCase, gone
from tests.support.eventually import eventually
from tests.support.filesystems import FileSystem
from tests.support.hurry import hurried

TEXT = """
[watcher:stuck]
cmd = sh -c 'i=0; while :; do i=$((i+1)); echo line $$ $i; sleep 0.01; done'
stdout_stream.filename = {DIR}/mounted/log
graceful_timeout = 1

[watcher:free]
cmd = sh -c 'i=0; while :; do i=$((i+1)); echo line $$ $i; sleep 0.01; done'
stdout_stream.filename = {DIR}/log
"""
LINE = re.compile(r"line (\d+) (\d+)")


class TestFrozen(DaemonCase):
    """One watcher's log is on a file system that is frozen while the daemon runs."""

    disk: FileSystem

    def frozen(self, text: str = TEXT, patience: float = 0.3) -> Daemon:
        """Start the daemon; freeze the file system when both watchers have written something."""
        wrapper = hurried({"supervisor.output.outputs.WRITE_PATIENCE": patience})
        daemon = self.daemon(text, prepare=self.mount, wrapper=wrapper)
        self.logs = {"stuck": self.disk.path / "log", "free": daemon.folder / "log"}
        for name in self.logs:
            self.grows(name)
        self.disk.freeze()
        return daemon

    def mount(self, folder: Path) -> None:
        self.disk = FileSystem(self, folder)

    def size(self, name: str) -> int:
        try:
            return self.logs[name].stat().st_size
        except FileNotFoundError:
            return 0

    def grows(self, name: str) -> None:
        before = self.size(name)
        self.assertTrue(eventually(lambda: self.size(name) > before + 100), name)

    def replaced(self, daemon: Daemon, name: str) -> int:
        """Kill the process of a watcher, and wait for its successor; returns the dead one."""
        [pid] = daemon.wire.pids(name)
        os.kill(pid, signal.SIGKILL)
        daemon.wire.events.next("reap", process_pid=pid)
        daemon.wire.events.next("spawn", watcher=name)
        return pid

    def test_only_what_writes_there_waits_and_nothing_is_lost(self) -> None:
        daemon = self.frozen()
        before = self.size("stuck")
        [first] = daemon.wire.pids("stuck")
        with self.within(30.0):
            self.grows("free")
            daemon.call("ping")
            self.replaced(daemon, "free")
            self.replaced(daemon, "stuck")
            daemon.signal(signal.SIGHUP)
            daemon.wire.events.next("reload", watcher="stuck")
            daemon.order("stop", name="stuck")
            daemon.order("start", name="stuck")
            daemon.order("add", name="new", cmd="sh", args=["-c", "echo new; exec sleep 1000"])
            daemon.order("set", name="new", options={"stdout_stream.filename": "new.log"})
            daemon.order("start", name="new")
            new = daemon.folder / "new.log"
            self.assertTrue(eventually(lambda: new.exists() and new.read_text() == "new\n"))
            self.grows("free")
        self.assertEqual(self.size("stuck"), before)
        self.disk.thaw()
        self.grows("stuck")
        [last] = daemon.wire.pids("stuck")
        self.assertTrue(eventually(lambda: str(last) in self.logs["stuck"].read_text()))
        numbers: dict[str, list[int]] = {}
        for line in self.logs["stuck"].read_text().splitlines()[:-1]:
            match = LINE.fullmatch(line)
            assert match is not None, line
            numbers.setdefault(match[1], []).append(int(match[2]))
        self.assertIn(str(first), numbers)
        for pid, found in numbers.items():
            self.assertEqual(found, list(range(1, len(found) + 1)), pid)
        self.assertIn(str(last), numbers)
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_the_end_names_what_hangs(self) -> None:
        daemon = self.frozen()
        pids = daemon.wire.pids("stuck") + daemon.wire.pids("free")
        daemon.signal(signal.SIGTERM)
        self.assertTrue(gone(*pids))
        said = daemon.log.containing("pump threads abandoned, still blocked")
        where = f"pump:{self.disk.path} (files; not written: "
        self.assertRegex(said, rf"{re.escape(where)}\d+ bytes of stdout of stuck\)")
        # Of a thread that the kernel holds, only the kernel can let go.
        self.disk.thaw()
        daemon.ended()

    def test_the_last_words_of_a_process_are_written_when_it_thaws(self) -> None:
        daemon = self.frozen(TEXT.replace("i=0;", 'trap "echo last; exit" TERM; i=0;'), 20.0)
        pids = daemon.wire.pids("stuck") + daemon.wire.pids("free")
        daemon.signal(signal.SIGTERM)
        self.assertTrue(gone(*pids))
        self.disk.thaw()
        self.assertNotIn("abandoned", "\n".join(daemon.ended()))
        for name in self.logs:
            self.assertTrue(self.logs[name].read_text().endswith("\nlast\n"), name)


if __name__ == "__main__":
    unittest.main()
