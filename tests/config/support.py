"""What the tests of configurations share."""

from __future__ import annotations

import tempfile
import unittest
from collections.abc import Mapping
from pathlib import Path

from cvec_circus.config.configuration import Configuration, WatcherConfig
from cvec_circus.config.readers.document import load
from cvec_circus.exc import ConfigError

ENVIRON = {"HOME": "/root", "FOO": "foo", "N": "3", "Mixed": "mx", "DOLLAR": "$FOO"}


class ConfigTestCase(unittest.TestCase):
    """A folder of files of its own, in which the main file is main.ini."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name: str, text: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def load(self, text: str | bytes, environ: Mapping[str, str] = ENVIRON) -> Configuration:
        """Return what a main file comes to; other files are written before."""
        self.write("main.ini", text)
        return load("main.ini", environ, str(self.folder))

    def watcher(self, text: str) -> WatcherConfig:
        """Return the only watcher of a main file."""
        [watcher] = self.load(text).watchers
        return watcher

    def problems(self, text: str | bytes) -> list[str]:
        """Return the problems of a main file."""
        with self.assertRaises(ConfigError) as caught:
            self.load(text)
        for line in caught.exception.problems:
            self.assertNotIn("\n", line)
        return caught.exception.problems
