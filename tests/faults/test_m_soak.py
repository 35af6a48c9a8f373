"""Group M: a long life under load, with a crash and an upgrade: nothing grows, nothing is lost.

CVEC_CIRCUS_SOAK says how many seconds it takes.
"""

from __future__ import annotations

import os
import random
import signal
import unittest
from collections.abc import Callable

import psutil

from cvec_circus.base.clock import SYSTEM
from tests.faults.container import zombies_of
from tests.faults.load import Load, watchers
from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually
from tests.support.nightly import NIGHTLY, SEED, repetitions
from tests.support.ports import free_port

SECONDS = float(os.environ.get("CVEC_CIRCUS_SOAK", "1200" if NIGHTLY else "6"))

MOST_GROWTH = 2 << 20
"""Bytes of memory, from a quarter of the time to the end."""

MOST_TO_SERVE = 10.0
"""Seconds from a kill until another daemon answers: ten times what it may on a quiet machine."""

FILES = 4
"""Open files that come and go with a client or a thread."""

OF_COUNT = """
max_age = 60
stdout_stream.max_bytes = 20k
stdout_stream.backup_count = 2
"""

CIRCUS = "loglevel = warning\nlogoutput = {DIR}/log\nevent_history = 500"

Steps = dict[float, Callable[[Daemon], None]]


def crash(daemon: Daemon) -> None:
    """Kill the daemon, and let the next one take everything over."""
    pids = daemon.wire.pids("count"), daemon.wire.pids("web")
    daemon.wire.close()
    daemon.kill()
    daemon._start(*daemon._command)  # its log is a file
    daemon.connect()
    if (daemon.wire.pids("count"), daemon.wire.pids("web")) != pids:
        raise AssertionError("the processes are not those of before")


def upgrade(daemon: Daemon) -> None:
    """Upgrade the daemon to the version that it is of."""
    before = daemon.pid, daemon.wire.pids("count"), daemon.wire.pids("web")
    daemon.order("upgrade")
    after = daemon.call("ping")["pid"], daemon.wire.pids("count"), daemon.wire.pids("web")
    if after != before:
        raise AssertionError("the processes are not those of before")


STEPS: Steps = {0.4: crash, 0.7: upgrade}
"""What happens once, after which share of the time."""


class Size:
    """What a daemon has of the system. Owned by the test."""

    def __init__(self, pid: int) -> None:
        process = psutil.Process(pid)
        self.memory = process.memory_info().rss
        self.files, self.threads = process.num_fds(), process.num_threads()


class TestSoak(DaemonCase):
    def test_m1_a_long_life(self) -> None:
        port = free_port()
        daemon = self.daemon(watchers(port, 2, 2, OF_COUNT), circus=CIRCUS, up=False)
        daemon.connect()
        daemon.order("start")
        self.random = random.Random(SEED)
        load = Load(port)
        try:
            orders = sum(self.live(daemon, *part) for part in self.parts())
        finally:
            load.end()
        self.assertEqual(load.troubles, [])
        self.assertTrue(eventually(lambda: zombies_of(daemon.pid) == 0))
        repetitions(self, orders)
        daemon.signal(signal.SIGTERM)
        log = "\n".join([*daemon.ended(), (daemon.folder / "log").read_text()])
        self.assertNotIn("Traceback", log)
        self.assertNotIn("[ERROR]", log)

    def parts(self) -> list[tuple[float, Callable[[Daemon], None] | None]]:
        """Return how long each part of the life is, and what happens at its end."""
        shares = [*STEPS, 1.0]
        lengths = [b - a for a, b in zip([0.0, *shares], shares)]
        return [(SECONDS * length, STEPS.get(at)) for length, at in zip(lengths, shares)]

    def live(self, daemon: Daemon, seconds: float, then: Callable[[Daemon], None] | None) -> int:
        """Give orders for a time; see that nothing grows in the last three quarters of it."""
        began, orders, size = SYSTEM.monotonic(), 0, None
        while (now := SYSTEM.monotonic()) < began + seconds:
            if size is None and now > began + seconds / 4:
                size = Size(daemon.pid)
            word = self.random.choice(["reload", "restart", "incr", "stats", "status", "why"])
            name = self.random.choice(["count", "web"])
            if word == "restart":
                daemon.order("restart", name="count")
            elif word == "incr":
                daemon.order("incr", name=name)
                daemon.order("decr", name=name)
            elif word == "reload":
                daemon.order("reload", name=name)
            else:
                daemon.call(word, name=name)
            orders += 1
        self.judge(daemon, size or Size(daemon.pid))
        if then is not None:
            then(daemon)
        return orders

    def judge(self, daemon: Daemon, before: Size) -> None:
        """See that nothing has grown."""
        kept = eventually(lambda: Size(daemon.pid).files <= before.files + FILES)
        now = Size(daemon.pid)
        self.assertTrue(kept, f"{now.files} files, not {before.files}")
        self.assertLessEqual(now.threads, before.threads + 1)
        if NIGHTLY:  # a short life is still growing into its caches
            self.assertLess(now.memory - before.memory, MOST_GROWTH)


class TestAgain(DaemonCase):
    def test_m7_a_hundred_processes_after_a_kill(self) -> None:
        daemon = self.daemon("[watcher:idle]\ncmd = sleep 100000\nnumprocesses = 100\n")
        self.assertTrue(eventually(lambda: len(daemon.wire.pids("idle")) == 100, 60))
        pids = daemon.wire.pids("idle")
        daemon.wire.close()
        daemon.kill()
        began = SYSTEM.monotonic()
        daemon.again()
        took = SYSTEM.monotonic() - began
        self.assertEqual(daemon.wire.pids("idle"), pids)
        self.assertLess(took, MOST_TO_SERVE)


if __name__ == "__main__":
    unittest.main()
