"""Probes of a daemon that runs: what they cost, and how soon a phase follows them.

CVEC_CIRCUS_MEASURE=1 has the costs measured and printed, too.
"""

from __future__ import annotations

import os
import threading
import unittest

import psutil

from cvec_circus.base.clock import SYSTEM
from tests.support.answering import Answering, says
from tests.support.daemon import Daemon, DaemonCase

MEASURE = "CVEC_CIRCUS_MEASURE" in os.environ


class TestCosts(DaemonCase):
    @unittest.skipUnless(MEASURE, "it takes long: CVEC_CIRCUS_MEASURE=1")
    def test_five_hundred_a_second(self) -> None:
        server = Answering(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        self.addCleanup(server.close)
        for check in (f"http://127.0.0.1:{server.port}/health", f"tcp://127.0.0.1:{server.port}"):
            text = (
                "[watcher:web]\ncmd = sleep 1000\nnumprocesses = 50\nmin_uptime = 0\n"
                f"live.page = {check}\nlive_interval = 100ms\n"
            )
            daemon = self.daemon(text, circus="warmup_delay = 0\n")
            daemon.wire.events.next("ready")
            for _ in range(2):  # the first time, while processes are still being started
                self._measure(daemon, server, check)
            daemon.order("quit")

    def _measure(self, daemon: Daemon, server: Answering, check: str) -> None:
        process, before, asked = psutil.Process(daemon.pid), server.accepted, []
        cpu, began = process.cpu_times(), SYSTEM.monotonic()
        while (now := SYSTEM.monotonic()) < began + 5:
            daemon.call("ping")
            asked.append(SYSTEM.monotonic() - now)
            threading.Event().wait(0.01)
        spent = sum(process.cpu_times()[:2]) - sum(cpu[:2])
        rate, share = (server.accepted - before) / 5, spent / (SYSTEM.monotonic() - began)
        asked.sort()
        p50, p99 = (1000 * asked[len(asked) * n // 100] for n in (50, 99))
        print(f"{check}: {rate:.0f}/s, {share:.0%} of a core; ping {p50:.2f} ms, p99 {p99:.2f} ms")
        self.assertGreater(rate, 400)
        self.assertLess(p99, 20)
        self.assertLess(share, 0.2)


if __name__ == "__main__":
    unittest.main()
