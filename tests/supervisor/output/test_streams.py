"""From what a process writes to the file that a person reads."""

from __future__ import annotations

import os
import re
import shutil
import signal
import unittest
from pathlib import Path
from typing import Any

from tests.support.daemon import child
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


class TestFileStream(EmbeddedCase):
    """The class that writes to files, end to end."""

    @property
    def log(self) -> Path:
        return self.folder / "a.log"

    def shell(self, text: str, **options: Any) -> dict[str, Any]:
        return {
            "name": "a",
            "cmd": "sh",
            "args": ["-c", text],
            "stdout_stream.filename": str(self.log),
            **options,
        }

    def holds(self, text: str) -> bool:
        return eventually(lambda: self.log.exists() and text in self.log.read_text(), 20.0)

    def test_the_last_bytes_before_a_kill(self) -> None:
        self.arbit(self.shell('printf "$$ has no newline"; kill -9 $$', min_uptime=0))
        reaped = self.events.wait("reap", 20)
        self.wire.order("stop", name="a")
        self.arbiter.stop()
        text = self.log.read_text()
        for event in reaped:
            self.assertIn(f"{event['process_pid']} has no newline", text)

    def test_stop_has_written_what_was_said_on_term(self) -> None:
        # No shell that waits for a child: one that SIGTERM meets between its fork and its exec has
        # forgotten it when it begins, and goes on until it is killed.
        self.arbit(self.shell(f"exec {child('wait')}"))
        self.assertTrue(self.holds("ready"))
        self.wire.order("stop", name="a")
        self.assertTrue(self.holds("signal TERM"))

    def test_stdout_and_stderr_in_one_file(self) -> None:
        self.arbit(
            self.shell(
                "echo out; echo err >&2; exec sleep 1000",
                **{"stderr_stream": {"filename": str(self.log)}},
            )
        )
        self.assertTrue(self.holds("out\n"))
        self.assertTrue(self.holds("err\n"))

    def test_stamps(self) -> None:
        self.arbit(
            self.shell(
                "echo one; echo two; exec sleep 1000",
                **{"stdout_stream.time_format": "%Y-%m-%d %H:%M:%S"},
            )
        )
        self.assertTrue(self.holds("two\n"))
        (pid,) = self.wire.pids("a")
        for line, word in zip(self.log.read_text().splitlines(), ("one", "two")):
            self.assertRegex(line, rf"^{TIME} \[{pid}\] \| {word}$")

    def test_rotation_loses_nothing(self) -> None:
        lines = 500
        self.arbit(
            self.shell(
                f"i=0; while [ $i -lt {lines} ]; do echo line $i; i=$((i+1)); done",
                respawn=False,
                **{"stdout_stream.max_bytes": 1000, "stdout_stream.backup_count": 9},
            )
        )
        self.events.next("stop")
        self.arbiter.stop()
        files = [self.folder / f"a.log.{number}" for number in range(9, 0, -1)] + [self.log]
        there = [path for path in files if path.exists()]
        self.assertEqual(len(there), 5)
        self.assertTrue(all(path.stat().st_size < 1000 for path in there))
        text = "".join(path.read_text() for path in there)
        self.assertEqual(text.splitlines(), [f"line {number}" for number in range(lines)])

    def test_several_processes_do_not_tear_lines(self) -> None:
        word = "x" * 200
        text = f"i=0; while [ $i -lt 200 ]; do echo {word}; i=$((i+1)); done"
        self.arbit(self.shell(text, numprocesses=4, respawn=False))
        self.events.next("stop")
        self.arbiter.stop()
        self.assertEqual(set(self.log.read_text().splitlines()), {word})
        self.assertEqual(len(self.log.read_text().splitlines()), 800)

    def test_a_folder_that_is_gone_keeps_nobody_waiting(self) -> None:
        folder = self.folder / "logs"
        folder.mkdir()
        noise = "while :; do echo noise; done"
        self.arbit(self.shell(noise, **{"stdout_stream.filename": str(folder / "log")}))
        self.assertTrue(eventually((folder / "log").exists))
        shutil.rmtree(folder)
        self.assertEqual(self.wire.status("a")[0], "active")
        self.wire.order("restart", name="a")
        self.wire.order("stop", name="a")

    def test_a_full_disk_keeps_nobody_waiting(self) -> None:
        noise = "while :; do echo noise; done"
        self.arbit(self.shell(noise, **{"stdout_stream.filename": "/dev/full"}))
        self.events.next("start")
        (pid,) = self.wire.pids("a")
        self.wire.call("stats", name="a")
        self.assertEqual(self.wire.pids("a"), [pid])
        self.wire.order("quit")

    def test_streams_that_change_while_they_are_used(self) -> None:
        other = self.folder / "other.log"
        self.arbit(self.shell("while echo $$; do sleep 0.05; done"))
        self.assertTrue(self.holds("\n"))
        (pid,) = self.wire.pids("a")
        options = {"stdout_stream.filename": str(other), "stdout_stream.time_format": "at"}
        self.wire.order("set", name="a", options=options)
        self.assertTrue(eventually(lambda: other.exists() and other.read_text()[:3] == "at "))
        self.assertIn(f" {pid}\n", other.read_text())
        self.assertEqual(self.wire.pids("a"), [pid])
        conf = self.wire.call("get", name="a", keys=["stdout_stream_conf"])["options"]
        self.assertEqual(conf["stdout_stream_conf"]["filename"], str(other))

    def test_a_flood_of_one_does_not_hold_up_another(self) -> None:
        flood = {"name": "flood", "cmd": "sh", "args": ["-c", "while :; do echo flood; done"]}
        self.arbit(
            {**flood, "stdout_stream.filename": os.devnull},
            self.shell("echo quiet $$; exec sleep 1000", min_uptime=0),
        )
        for _ in range(5):
            pid = self.wire.events.next("spawn", watcher="a")["process_pid"]
            self.assertTrue(self.holds(f"quiet {pid}\n"))
            os.kill(pid, signal.SIGKILL)

    def test_what_a_closed_stdout_gets(self) -> None:
        self.arbit(self.shell("echo nothing; exit 0", close_child_stdout=True, respawn=False))
        self.events.next("stop")
        self.arbiter.stop()
        self.assertFalse(self.log.exists() and re.search("nothing", self.log.read_text()))


if __name__ == "__main__":
    unittest.main()
