"""Group C: a process that ends while it reloads itself is one that has ended, nothing else."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

from tests.support.daemon import DaemonCase
from tests.support.eventually import eventually
from tests.support.nightly import repetitions, times

PROGRAM = """
import os, signal, socket
def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
say("READY=1")
signal.sigwait([signal.SIGHUP])
say("RELOADING=1")
os._exit(3)
"""

TEXT = f"""
[watcher:web]
cmd = {sys.executable} -I -S {{DIR}}/program
send_hup = True
ready.up = notify
min_uptime = 0
backoff = False
"""


class TestReloading(DaemonCase):
    def test_c7_one_that_ends_amid_its_reload(self) -> None:
        def prepare(folder: Path) -> None:
            (folder / "program").write_text(PROGRAM)

        daemon = self.daemon(TEXT, prepare=prepare)
        daemon.wire.events.wait("watcher.web.ready", 1)
        count = times(3, 20)
        for number in range(count):
            (pid,) = daemon.wire.pids("web")
            daemon.call("reload", name="web")
            reaped = daemon.wire.events.next("watcher.web.reap", process_pid=pid)
            self.assertEqual(reaped["exit_code"], 3)
            daemon.wire.events.next("watcher.web.spawn")
            self.assertTrue(
                eventually(lambda: daemon.call("status", name="web")["phase"] == "up"), number
            )
            self.assertNotIn(pid, daemon.wire.pids("web"))
        repetitions(self, count)


if __name__ == "__main__":
    unittest.main()
