"""A file system of a test's own, which the test can freeze."""

from __future__ import annotations

import os
import shutil
import subprocess
import unittest
from pathlib import Path


class FileSystem:
    """A small ext4 on a loop device. Owned by the test, which is skipped where there can be none.

    It is thawed and unmounted when the test is over.

    Attributes:
        path: Where it is mounted.
    """

    def __init__(self, test: unittest.TestCase, folder: Path) -> None:
        """Make and mount it below a folder."""
        if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ext4", "mount", "fsfreeze"))):
            test.skipTest("mounting takes root, mkfs.ext4 and fsfreeze")
        self._test = test
        self.path = folder / "mounted"
        self.path.mkdir()
        image = folder / "image"
        with image.open("wb") as file:
            file.truncate(16 << 20)
        trouble = _run("mkfs.ext4", "-q", image) or _run("mount", "-o", "loop", image, self.path)
        if trouble:
            test.skipTest(f"no file system can be mounted here: {trouble}")
        test.addCleanup(_run, "umount", "-l", self.path)
        test.addCleanup(self.thaw)

    def freeze(self) -> None:
        """From now on, what writes there waits."""
        trouble = _run("fsfreeze", "-f", self.path)
        if trouble:
            self._test.skipTest(f"nothing can be frozen here: {trouble}")

    def thaw(self) -> None:
        """Let what waits go on."""
        _run("fsfreeze", "-u", self.path)


def _run(*words: object) -> str:
    """Run a program; return what it says when it fails."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    return done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else ""
