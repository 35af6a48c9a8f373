"""Hooks in a daemon: what they may do to it, and what is left of them.

CVEC_CIRCUS_CYCLES says how often a watcher is added and removed, CVEC_CIRCUS_PATIENCE for how many
seconds a hook calls back while processes die elsewhere, CVEC_CIRCUS_DEATHS how many of them do.
"""

from __future__ import annotations

import os
import signal
import threading
import unittest
from pathlib import Path
from typing import Any

from cvec_circus.base.clock import SYSTEM
from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually

CYCLES = int(os.environ.get("CVEC_CIRCUS_CYCLES", "15"))
PATIENCE = float(os.environ.get("CVEC_CIRCUS_PATIENCE", "0"))
DEATHS = int(os.environ.get("CVEC_CIRCUS_DEATHS", "10"))
IN_TIME = 5.0
"""Seconds for a death to be replaced: generous, the machine may be busy."""

MODULE = '''
"""Hooks that talk to their daemon."""

import os
import time

from cvec_circus.client import CircusClient


def fine(**facts):
    return True


def asks(watcher, arbiter, **facts):
    """Through what it is given."""
    return watcher.name in arbiter.statuses()


def calls(watcher, arbiter, **facts):
    """By a client, again and again until a file is there and the time is up."""
    client = CircusClient(endpoint=arbiter.endpoint, timeout=20)
    ends_at = time.monotonic() + float(os.environ["PATIENCE"])
    count, is_over = 0, False
    while not is_over:
        client.send_message("list")
        arbiter.statuses()
        count += 1
        is_over = time.monotonic() >= ends_at and os.path.exists("released")
    client.stop()
    with open("calls", "w") as file:
        print(count, file=file)
    return True
'''

TEXT = """
[watcher:other]
cmd = sleep 1000
numprocesses = 4
min_uptime = 0
"""


class HooksCase(DaemonCase):
    def with_hooks(self, **options: Any) -> Daemon:
        return self.daemon(
            TEXT,
            prepare=lambda folder: (folder / "asking.py").write_text(MODULE),
            env={"PYTHONPATH": path_of_this(), "PATIENCE": str(PATIENCE)},
            **options,
        )

    def add(self, daemon: Daemon, hooks: dict[str, str], **options: Any) -> None:
        env = {"PYTHONPATH": str(daemon.folder)}
        daemon.wire.order(
            "add",
            name="hooked",
            cmd="sleep 1000",
            start=True,
            options={"hooks": hooks, "env": env, **options},
        )


class TestChurn(HooksCase):
    def test_nothing_of_them_is_left(self) -> None:
        daemon = self.with_hooks(circus="event_history = 100\n")
        self.cycles(daemon, 10)
        before = figures(daemon.process.pid)
        self.cycles(daemon, CYCLES)
        seen: list[dict[str, int]] = []

        def as_before() -> bool:
            seen.append(figures(daemon.process.pid))
            return all(seen[-1][what] <= before[what] for what in ("fds", "threads"))

        self.assertTrue(eventually(as_before), (before, seen[-1]))
        self.assertLess(seen[-1]["kib"] - before["kib"], 2048, (before, seen[-1]))

    def cycles(self, daemon: Daemon, count: int) -> None:
        hooks = dict.fromkeys(
            "before_start after_start before_spawn after_spawn before_stop after_stop"
            " before_signal after_signal before_reap after_reap".split(),
            "asking.fine",
        )
        hooks["after_start"] = "asking.asks"
        hooks["before_stop"] = "exec:true"
        for _ in range(count):
            self.add(
                daemon,
                hooks,
                stdout_stream={"class": "FileStream", "filename": "out"},
                stderr_stream={"class": "StdoutStream"},
                log_history=1000,
            )
            daemon.wire.order("rm", name="hooked")


class TestPatience(HooksCase):
    def test_a_hook_that_calls_back_holds_up_nobody_else(self) -> None:
        daemon = self.with_hooks()
        self.addCleanup((daemon.folder / "released").touch)
        daemon.wire.events.next("start", watcher="other")
        daemon.wire.call(
            "add",
            name="hooked",
            cmd="sleep 1000",
            start=True,
            options={
                "hooks": {"before_start": "asking.calls"},
                "env": {"PYTHONPATH": str(daemon.folder)},
            },
        )
        took = []
        pace = threading.Event()  # nobody sets it: the deaths are spread over the time
        for number in range(DEATHS):
            pace.wait(PATIENCE / DEATHS)
            pid = daemon.wire.pids("other")[number % 4]
            killed_at = SYSTEM.monotonic()
            os.kill(pid, signal.SIGKILL)
            daemon.wire.events.next("reap", process_pid=pid)
            daemon.wire.events.next("spawn", watcher="other")
            took.append(SYSTEM.monotonic() - killed_at)
        if PATIENCE:
            took.sort()
            print(f"replaced after {took[len(took) // 2]:.4f} s, {took[-1]:.4f} at most")
        self.assertLess(max(took), IN_TIME)
        self.assertEqual(daemon.wire.status("hooked")[0], "starting")
        (daemon.folder / "released").touch()
        daemon.wire.events.next("start", watcher="hooked", timeout=PATIENCE + 20)
        self.assertGreater(int((daemon.folder / "calls").read_text()), 0)


def path_of_this() -> str:
    """Where the package is that is tested."""
    return str(Path(__file__).resolve().parents[2])


def figures(pid: int) -> dict[str, int]:
    """What a daemon has: open files, threads, and KiB of memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {
        "fds": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(fields["Threads"]),
        "kib": int(fields["VmRSS"].split()[0]),
    }


if __name__ == "__main__":
    unittest.main()
