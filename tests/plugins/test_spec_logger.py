"""The Logger of the page, run both ways that the page describes."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

from cvec_circus import demo
from tests.runtime.process import ProcessCase
from tests.support.eventually import eventually

IMPORT = "from cvec_circus.plugins import CircusPlugin\n"
LOGGER = IMPORT + (demo.FILES / "logger.py").read_text().partition(IMPORT)[2]


class LoggerCase(ProcessCase):
    """The Logger of the page, in a directory of its own, as a package of its own."""

    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        package = self.directory / "myproject"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "plugins.py").write_text(LOGGER)
        self.file = self.directory / "cvec_circus-events.log"

    def lines(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []


class TestSpecLogger(LoggerCase):
    """The class as the page prints it, both ways that the page describes."""

    def test_by_hand(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT):
            process = self.by_hand(
                "myproject.plugins.Logger",
                "--config",
                "filename:cvec_circus-events.log",
                cwd=str(self.directory),
            )
            seq = 0

            def written() -> bool:
                nonlocal seq
                seq = self.daemon.publish("web", "spawn", process_pid=7)
                return bool(self.lines())

            self.assertTrue(eventually(written))
            last = self.daemon.publish("One Shot.x", "stop")
            process.kill(signum)
            self.assertEqual(process.wait(), 0)
            self.assertEqual(process.rest(), "")
            lines = self.lines()
            self.assertTrue(lines[0].startswith("spawn web::{'seq': "), lines[0])
            self.assertTrue(lines[-1].startswith(f"stop one_shot.x::{{'seq': {last}, "))
            self.file.unlink()

    def test_by_the_daemon(self) -> None:
        last = self.daemon.flood(700)
        process = self.by_daemon(
            "myproject.plugins.Logger",
            config={"filename": str(self.file), "name": "plugin:logger"},
            cwd=str(self.directory),
        )
        self.assertTrue(eventually(lambda: len(self.lines()) == last))
        stop = self.daemon.publish("web", "stop", sent=False)
        process.kill()
        self.assertEqual(process.wait(), 0)
        lines = self.lines()
        self.assertEqual(len(lines), stop)
        for seq, line in enumerate(lines[:-1], 1):
            self.assertTrue(line.startswith(f"spawn web::{{'seq': {seq}, "), line)
        self.assertTrue(lines[-1].startswith("stop web::"))

    def test_killed_and_respawned(self) -> None:
        """The union of what several lives of the plugin have written has every event."""
        seen: set[int] = set()
        progress = os.memfd_create("progress")
        self.addCleanup(os.close, progress)
        os.ftruncate(progress, 8)
        for life in range(5):
            since = int.from_bytes(os.pread(progress, 8, 0), sys.byteorder)
            process = self.by_daemon(
                "myproject.plugins.Logger",
                config={"filename": str(self.file)},
                cwd=str(self.directory),
                since=since,
                run=self.daemon.run,
                progress=progress,
            )
            for _ in range(20):
                last = self.daemon.flood(20)
            self.assertTrue(eventually(lambda: len(self.lines()) > 300))
            process.kill(signal.SIGTERM if life == 4 else signal.SIGKILL)
            process.wait()
            # A kill may cut the last line short: then it is told again.
            whole = self.file.read_text().rpartition("\n")[0].splitlines()
            seen.update(int(line.split("'seq': ")[1].split(",")[0]) for line in whole)
            self.file.unlink()
        self.assertEqual(seen, set(range(1, last + 1)))
        self.assertEqual(int.from_bytes(os.pread(progress, 8, 0), sys.byteorder), last)
