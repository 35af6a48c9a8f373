"""No memory, and no thread to be had: whatever is asked is answered."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import unittest
from typing import Any

from tests.support.children import as_user
from tests.support.daemon import Daemon, DaemonCase
from tests.support.hurry import hurried

UID = 64987
"""Nobody else's, so that only the daemon's own threads count."""

AS_USER = as_user(UID)
UNLOOKED = hurried({"supervisor.own_files.DELAY": 1000.0})
"""The thread for the configuration looks after files of endpoints: it is not to be there yet."""

TEXT = "[watcher:a]\ncmd = sleep 1000\nmin_uptime = 0\n"


def size(pid: int) -> int:
    """The address space of a process, in bytes."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


class TestNoMemory(DaemonCase):
    """An address space that cannot grow."""

    def squeezed(self, room: int) -> Daemon:
        daemon = self.daemon(TEXT)
        daemon.wire.events.next("start")
        limit = size(daemon.pid) + room
        resource.prlimit(daemon.pid, resource.RLIMIT_AS, (limit, limit))
        return daemon

    def answered(self, daemon: Daemon, command: str, **properties: Any) -> None:
        """Ask for something, which may be refused, in a line."""
        reply = daemon.wire.client.call(command, **properties)
        self.assertNotRegex(reply.get("reason", ""), "\n|internal error")

    def test_every_command_is_answered(self) -> None:
        for room in (0, 1 << 19, 1 << 21, 1 << 23, 9 << 20, 12 << 20, 35 << 19, 1 << 25):
            with self.subTest(room=room):
                daemon = self.squeezed(room)
                for command in ("stats", "stats", "stats", "reloadconfig", "dstats"):
                    self.answered(daemon, command)
                options = {"uid": os.getuid()}
                self.answered(daemon, "add", name="b", cmd="sleep 1000", options=options)
                self.assertEqual(daemon.call("status")["statuses"]["a"], "active")
                daemon.signal(signal.SIGTERM)
                self.assertNotIn("Traceback", "\n".join(daemon.ended()))


@unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
@unittest.skipUnless(shutil.which("setpriv"), "setpriv is not installed")
class TestNoThreads(DaemonCase):
    """A user who has as many threads as allowed. There is no such limit for root."""

    def test_every_command_is_answered(self) -> None:
        daemon = self.daemon(
            TEXT,
            wrapper=[*AS_USER, *UNLOOKED],
            prepare=lambda folder: folder.chmod(0o777),
        )
        daemon.wire.events.next("start")
        limit = ["prlimit", f"--pid={daemon.pid}", "--nproc=1:"]
        subprocess.run([*AS_USER, *limit], check=True, timeout=30)
        reason = daemon.wire.refused("reloadconfig")
        self.assertRegex(reason, "^no thread for configuration: can't start new thread$")
        reason = daemon.wire.refused("add", name="b", cmd="true", options={"uid": UID})
        self.assertRegex(reason, "^no thread for names: ")
        # The thread that measures has been there from the start.
        self.assertEqual(
            [row["wid"] for row in daemon.call("stats", name="a")["info"].values()], [1]
        )
        daemon.call("dstats")
        daemon.order("stop")
        daemon.signal(signal.SIGTERM)
        log = "\n".join(daemon.ended())
        self.assertNotIn("Traceback", log)


if __name__ == "__main__":
    unittest.main()
