"""More processes than the soft limit of open files that the daemon was given."""

from __future__ import annotations

import os
import unittest

from cvec_circus.system.launch import MARGIN
from tests.support.daemon import DaemonCase

SOFT = 128


class TestOpenFiles(DaemonCase):
    """Each process costs the daemon two files: its output and its pidfd."""

    def test_every_child_gets_that_limit_and_low_numbers_stay_free(self) -> None:
        daemon = self.daemon(
            "[watcher:many]\ncmd = sleep 1000\nnumprocesses = 150\nstdout_stream.filename = log\n",
            wrapper=["sh", "-c", f'ulimit -Sn {SOFT}; exec "$@"', "sh"],
        )
        daemon.wire.events.wait("spawn", 150)
        limits = {soft_limit(pid) for pid in daemon.wire.pids("many")}
        self.assertEqual(limits, {str(SOFT)})
        low = [fd for fd in os.listdir(f"/proc/{daemon.pid}/fd") if int(fd) < SOFT]
        self.assertLess(len(low), SOFT - MARGIN)


def soft_limit(pid: int) -> str:
    """The soft limit of open files of a process."""
    with open(f"/proc/{pid}/limits") as file:
        (line,) = [line for line in file if line.startswith("Max open files")]
    return line.split()[3]


if __name__ == "__main__":
    unittest.main()
