"""What the tests of the demonstration share: programs of ours, run in a directory of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DEADLINE = 30.0


class ProgramCase(unittest.TestCase):
    """A test that runs the scripts of bin/ in a directory that goes when it ends."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.endpoint = f"ipc://{folder.name}/control"
        self.pubsub_endpoint = f"ipc://{folder.name}/events"
        self.errors = self.folder / "stderr"

    def run_script(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """Start a script; its stderr goes to the file `errors`, its stdout to a pipe."""
        with self.errors.open("a", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "bin" / words[0]), *words[1:]],
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self.folder,
                env={**os.environ, **(env or {})},
                text=True,
            )
        self.addCleanup(self.end, process)
        return process

    def end(self, process: subprocess.Popen[str]) -> None:
        """Stop a program, however the test went."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise

    def lines(self, name: str) -> list[str]:
        """The lines of a file in the directory, none if it is not there yet."""
        file = self.folder / name
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    def events(self, name: str) -> list[str]:
        """What a Logger has written to a file, as "spawn web"."""
        return [line.partition("::")[0] for line in self.lines(name)]
