"""Probes of a daemon that runs: what they cost, and how soon a phase follows them.

CVEC_CIRCUS_MEASURE=1 has the costs measured and printed, too.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
import threading
import unittest

import psutil

from cvec_circus.base.clock import SYSTEM
from tests.support.answering import Answering, says
from tests.support.children import TIMEOUT
from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually

PYTHON = shlex.quote(sys.executable)
MEASURE = "CVEC_CIRCUS_MEASURE" in os.environ


SLACK = 0.5
"""Seconds that a busy machine may take beside those that are promised."""


class TestPhases(DaemonCase):
    """A real server, whose page is taken away, or which is stopped as by a debugger."""

    def up(self, options: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        text = (
            f"[watcher:web]\ncmd = {PYTHON} -m http.server --bind 127.0.0.1 {port}\n"
            f"min_uptime = 0\nclose_child_stderr = True\n{options}"
        ).replace("{PAGE}", f"http://127.0.0.1:{port}/page")
        self.served = self.daemon(text, prepare=lambda folder: (folder / "page").touch())
        self.assertTrue(eventually(self.holds, TIMEOUT))  # a server takes its time to listen
        self.assertTrue(eventually(lambda: self.phase() == ("up", ""), TIMEOUT))
        (self.pid,) = self.served.wire.pids("web")

    def holds(self) -> bool:
        """Whether a run of its check has succeeded."""
        checks = self.served.call("why", name="web")["checks"]
        return any(row["state"] == "holds" for rows in checks.values() for row in rows)

    def phase(self) -> tuple[str, str]:
        """The phase, and the reason that is shown for it."""
        told = self.served.wire.client.call("status", name="web")
        return told["phase"], told.get("reason", "")

    def is_red(self, seconds: float, why: str) -> None:
        """The phase turns red within those seconds, and says why."""
        began = SYSTEM.monotonic()
        self.assertTrue(eventually(lambda: self.phase()[0] == "unready", TIMEOUT))
        took = SYSTEM.monotonic() - began
        if MEASURE:
            print(f"{self.id()}: red after {took:.2f} s, of {seconds:g} s")
        self.assertLess(took, seconds + SLACK)
        self.assertRegex(
            self.phase()[1], f"process {self.pid}: (live )?check page( failed)?: {why}"
        )

    def is_green(self, seconds: float) -> None:
        """The phase turns green again within those seconds."""
        with self.within(seconds + SLACK):
            self.assertTrue(eventually(lambda: self.phase() == ("up", ""), TIMEOUT))
        self.assertEqual(self.served.wire.pids("web"), [self.pid])

    def check(self, seconds: float, interval: float) -> None:
        page, away = self.served.folder / "page", self.served.folder / "away"
        page.rename(away)
        self.is_red(seconds, "HTTP 404 from http://127.0.0.1:")
        away.rename(page)
        self.is_green(interval)
        os.kill(self.pid, signal.SIGSTOP)
        self.is_red(seconds, "http://127.0.0.1:.* no answer within")
        os.kill(self.pid, signal.SIGCONT)
        self.is_green(seconds)

    def test_of_ready(self) -> None:
        self.up("ready.page = {PAGE}\nready_interval = 200ms\n")
        self.check(0.2 + 1, 0.2)

    def test_of_live(self) -> None:
        times = "live_interval = 200ms\nlive_timeout = 100ms\nlive_failures = 3\n"
        self.up("live.page = {PAGE}\nlive_action = report\n" + times)
        self.check(3 * (0.2 + 0.1), 0.2)


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
