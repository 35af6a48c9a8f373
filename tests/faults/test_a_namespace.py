"""Group A, where it takes a pid namespace of its own: A13, A14 and A16."""

from __future__ import annotations

import signal
import subprocess
import sys
import unittest

from tests.faults.container import SLEEP, UNSHARE, ContainerCase, children_of, zombies_of
from tests.support.daemon import BIN
from tests.support.eventually import eventually

STRANGER = """
import os, signal, sys
sys.path[:0] = [sys.argv[1]]
from cvec_circus.system import pidfd, proctable

def child():
    pid = os.fork()
    if not pid:
        signal.pause()
    return pid

def tick():
    # Start times are in hundredths of a second.
    before = child()
    while True:
        after = child()
        if proctable.start_time(after) > proctable.start_time(before):
            return
ours = child()
began = proctable.start_time(ours)
os.kill(ours, signal.SIGKILL)
os.waitpid(ours, 0)
tick()
with open("/proc/sys/kernel/ns_last_pid", "w") as file:
    file.write(str(ours - 1))
stranger = child()
sent = pidfd.send_once(ours, began, signal.SIGKILL)
lives = os.waitpid(stranger, os.WNOHANG) == (0, 0)
os.kill(stranger, signal.SIGKILL)
killed = os.WTERMSIG(os.waitpid(stranger, 0)[1]) == signal.SIGKILL
print(stranger == ours, sent, lives, killed)
"""


class TestNamespaces(ContainerCase):
    def test_a13_a_child_that_signals_everybody(self) -> None:
        text = f"{SLEEP}[watcher:b]\ncmd = sh -c 'kill -TERM -1'\nrespawn = False\n"
        daemon = self.container(f"{text}autostart = False\n")
        daemon.wire.events.wait("start", 1)
        before = daemon.wire.pids("a")
        daemon.order("start", name="b")
        self.assertTrue(eventually(lambda: daemon.wire.pids("a") not in (before, [])))
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_a14_a_stranger_that_has_the_pid_gets_no_signal(self) -> None:
        argv = [*UNSHARE, sys.executable, "-c", STRANGER, str(BIN.parent)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.stdout, done.stderr), ("True False True True\n", ""))

    def test_a16_without_a_reaper_orphans_are_zombies(self) -> None:
        loop = "i=0; while [ $i -lt 20 ]; do (sh -c : &); i=$((i+1)); done"
        process = subprocess.Popen([*UNSHARE, "sh", "-c", f"sh -c '{loop}' & exec sleep 1000"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertTrue(eventually(lambda: children_of(process.pid)))
        (first,) = children_of(process.pid)
        self.assertTrue(eventually(lambda: zombies_of(first) >= 20), zombies_of(first))


if __name__ == "__main__":
    unittest.main()
