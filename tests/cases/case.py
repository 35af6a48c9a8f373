"""What the cases share: daemons, and ways to look at what they have started."""

from __future__ import annotations

import os
import shlex
import unittest
from pathlib import Path

from tests.support.daemon import Daemon, DaemonCase, marked
from tests.support.eventually import eventually
from tests.support.nightly import NIGHTLY

long = unittest.skipUnless(NIGHTLY, "it takes long; python -m tests.cases runs it")
"""Marks a case that the suite leaves out."""

as_root = unittest.skipUnless(os.geteuid() == 0, "it takes root")

PATIENCE = 30.0


def sh(text: str) -> str:
    """Write the command line by which a shell runs a script."""
    return shlex.join(["sh", "-c", text])


def words_of(pid: int) -> str:
    """Return the command line of a process, "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Case(DaemonCase):
    """Starts daemons with inputs that went wrong."""

    def running(self, daemon: Daemon, words: str, count: int = 1) -> list[int]:
        """Wait until so many of a daemon's processes have that command line; return their pids."""
        found: list[int] = []

        def look() -> bool:
            found[:] = [pid for pid in marked(daemon.run) if words_of(pid) == words]
            return len(found) == count

        self.assertTrue(eventually(look, PATIENCE), f"{len(found)} of {count} run {words!r}")
        return found

    def table(self, daemon: Daemon, name: str) -> dict[str, str]:
        """Return the row of a watcher that `status` shows, by column."""
        head, *rows = daemon.ctl("status", "--table").stdout.splitlines()
        (row,) = (row for row in rows if row.split()[0] == name)
        starts = [head.index(word) for word in ("NAME", "STATE", "PROCESSES", "REASON")]
        ends = [*starts[1:], None]
        names = ("NAME", "STATE", "PROCESSES", "REASON")
        return {name: row[a:b].strip() for name, a, b in zip(names, starts, ends)}
