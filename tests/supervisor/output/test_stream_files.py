"""Every class of streams that writes files, end to end: real children, through a whole life."""

from __future__ import annotations

import contextlib
import glob
import gzip
import os
import shutil
import unittest
from pathlib import Path
from typing import Any

from tests.stream.support import lost
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.support.hurry import hurry

CLASSES: dict[str, dict[str, Any]] = {
    "plain": {},
    "stamped": {"time_format": "%H:%M:%S"},
    "json": {"json": True},
    "rotating": {"max_bytes": 2000, "backup_count": 20},
    "packed": {"max_bytes": 2000, "backup_count": 20, "compress": True},
    "watched": {"class": "WatchedFileStream"},
    "timed": {"class": "TimedRotatingFileStream", "rotate_when": "S"},
}
TALK = "while :; do echo word of $$; sleep 0.02; done"


class TestEveryClass(EmbeddedCase):
    """A watcher of each class; the name of the watcher is that of the class."""

    def place(self, name: str) -> Path:
        return self.folder / "logs" / name

    def run_all(self, text: str, path: str = "", **options: Any) -> None:
        """Start them all; each has its log in a folder of its own, or in `path`."""
        watchers = []
        for name, conf in CLASSES.items():
            self.place(name).mkdir(parents=True, exist_ok=True)
            stream = {"filename": path or str(self.place(name) / "log"), **conf}
            argv = {"cmd": "sh", "args": ["-c", text], "stdout_stream": stream}
            watchers.append({"name": name, **argv, **options})
        self.arbit(*watchers)
        self.events.wait("start", len(CLASSES))

    def text(self, name: str) -> str:
        """What is in all files of a watcher."""
        found = b""
        for path in glob.glob(f"{self.place(name)}/log*"):
            opener = gzip.open if path.endswith(".gz") else open
            try:
                with opener(path, "rb") as file:
                    found += file.read()
            except (FileNotFoundError, EOFError):
                pass  # it is being rotated, or compressed
        return found.decode()

    def all_hold(self, words: str, but: str = "") -> None:
        for name in CLASSES:
            if name != but:
                found = eventually(lambda name=name: words in self.text(name), 30.0)
                self.assertTrue(found, f"{name}: {self.text(name)[-300:]}")

    def pids(self) -> list[int]:
        return [pid for name in CLASSES for pid in self.wire.pids(name)]

    def all_lose(self) -> bool:
        """Whether each of them has lost something."""
        found = lost(self.arbiter._life.supervisor.desks.outputs.pumps._all())
        return len(found) == len(CLASSES) and min(found.values()) > 50

    def test_the_last_words(self) -> None:
        # `read` ends with the signal, so the trap runs at once.
        fifo = self.fifo()
        self.run_all(
            f"exec 3<>{fifo}; trap 'echo stopped; printf last; exit' TERM; echo up; read x <&3"
        )
        self.all_hold("up")
        self.arbiter.stop()
        for name in CLASSES:
            with self.subTest(name):
                self.assertIn("stopped", self.text(name))
                self.assertIn("last", self.text(name))

    def test_the_last_bytes_before_a_kill(self) -> None:
        self.run_all("printf 'no newline'; kill -9 $$", respawn=False)
        self.events.wait("stop", len(CLASSES))
        self.arbiter.stop()
        for name in CLASSES:
            self.assertIn("no newline", self.text(name), name)

    def test_start_stop_restart_and_reload(self) -> None:
        self.run_all("echo up $$; exec sleep 1000")
        self.all_hold("up ")
        most = 0
        for _ in range(4):
            for order in ("stop", "start", "restart", "reload"):
                self.wire.order(order)
            for name in CLASSES:
                [pid] = self.wire.pids(name)
                self.assertTrue(eventually(lambda n=name, p=pid: f"up {p}" in self.text(n), 30.0))
            self.assertTrue(eventually(self.all_are_open, 30.0))
            most = most or len(os.listdir("/proc/self/fd"))
        self.assertTrue(eventually(lambda: len(os.listdir("/proc/self/fd")) <= most, 30.0))

    def all_are_open(self) -> bool:
        """Whether every log, and nothing else, is open once."""
        names = []
        for fd in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):  # it has been closed meanwhile
                names.append(os.readlink(f"/proc/self/fd/{fd}"))
        return sum("/logs/" in name for name in names) == len(CLASSES)

    def test_a_disk_that_is_full(self) -> None:
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.run_all(TALK, "/dev/full")
            pids = self.pids()
            self.assertTrue(eventually(self.all_lose, 30.0))
            self.assertEqual(self.pids(), pids)
            self.wire.order("quit")
            self.arbiter.stop()
        said = [text for text in logs.output if "No space left on device" in text]
        # Each once when it begins, and once at the end.
        self.assertLessEqual(len(said), 2 * len(CLASSES))
        self.assertGreaterEqual(len(said), len(CLASSES))

    def test_a_folder_that_is_removed_and_comes_back(self) -> None:
        hurry(self, {f"stream.{name}.CHECK_DELAY": 0.1 for name in ("file",)})
        self.run_all(TALK)
        self.all_hold("word")
        pids = self.pids()
        with self.assertLogs("cvec_circus", "WARNING"):
            shutil.rmtree(self.folder / "logs")
            self.assertTrue(eventually(self.all_lose, 30.0))
        self.assertEqual(self.pids(), pids)
        for name in CLASSES:
            self.place(name).mkdir(parents=True)
        self.all_hold("word")
        self.assertEqual(self.pids(), pids)
        self.wire.order("quit")

    def test_a_file_that_was_moved(self) -> None:
        self.run_all("echo up $$; exec sleep 1000")
        self.all_hold("up ")
        for name in CLASSES:
            os.rename(self.place(name) / "log", self.folder / f"moved {name}")
        self.wire.order("reload")
        for name in CLASSES:
            [pid] = self.wire.pids(name)
            self.assertTrue(eventually(lambda n=name, p=pid: f"up {p}" in self.text(n), 30.0), name)


if __name__ == "__main__":
    unittest.main()
