"""The daemon is upgraded back and forth between two installations, under load.

CVEC_CIRCUS_NIGHTLY=1 has it done a hundred times, CVEC_CIRCUS_UPGRADES says how often instead.
CVEC_CIRCUS_PAUSE is the longest time, in seconds, for which clients may get no answer in 99 of a
hundred upgrades.
"""

from __future__ import annotations

import os
import shutil
import site
import statistics
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from typing import Any

from cvec_circus import exc
from cvec_circus.base.clock import SYSTEM
from cvec_circus.base.thread import Thread
from cvec_circus.client import Client
from tests.daemon.test_survival import starts
from tests.faults.load import WEBS, Load, watchers
from tests.support import installations
from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually
from tests.support.nightly import NIGHTLY
from tests.support.upgrades import Asking, Follower

UPGRADES = int(os.environ.get("CVEC_CIRCUS_UPGRADES", "100" if NIGHTLY else "0"))
PAUSE = float(os.environ.get("CVEC_CIRCUS_PAUSE", "0.3"))

BROKEN_EVERY = 5
"""With every so manieth upgrade goes an attempt that has to fail."""

PROCESSES = 200

COUNTS, DIES = 4, 6
IDLE = PROCESSES - COUNTS - DIES - WEBS

TEXT = (
    watchers(0, COUNTS, DIES)
    + f"""
[watcher:idle]
cmd = sleep 100000
numprocesses = {IDLE}
[watcher:never]
cmd = sleep 100000
autostart = False
"""
)
PLUGINS = "".join(
    f"[plugin:log{n}]\nuse = logger\nfilename = {{DIR}}/events{n}\n" for n in range(3)
)

STEADY = ("count", "web", "idle", "plugin:log0", "plugin:log1", "plugin:log2")


def install(folder: Path, number: str) -> str:
    """Make a virtual environment with a version of its own; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    text = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", text], check=True, capture_output=True, text=True)
    packages = Path(found.stdout.strip())
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(installations.ROOT / "cvec_circus", packages / "cvec_circus", ignore=ignored)
    init = packages / "cvec_circus" / "__init__.py"
    init.write_text(init.read_text().replace('"0.1.0"', f'"{number}"'))
    subprocess.run([python, "-m", "compileall", "-q", packages / "cvec_circus"], check=True)
    return str(python)


class Pinger:
    """Asks all the time, and notes the longest time without an answer. Owned by the test."""

    def __init__(self, daemon: Daemon) -> None:
        self.longest = 0.0
        self.troubles: list[str] = []
        self._client = Client(daemon.endpoint, timeout=20)
        self._ends = threading.Event()
        self._thread = Thread(self._run, "pinger")
        self._thread.start()

    def _run(self) -> None:
        while not self._ends.wait(0.005):
            began = SYSTEM.monotonic()
            try:
                self._client.call("ping")
            except exc.CallError as error:
                self.troubles.append(str(error))
            self.longest = max(self.longest, SYSTEM.monotonic() - began)

    def take(self) -> float:
        """Return the longest time since the last call."""
        longest, self.longest = self.longest, 0.0
        return longest

    def end(self) -> None:
        """End it."""
        self._ends.set()
        self._thread.join(30)
        self._client.close()


@unittest.skipUnless(UPGRADES, "it takes long: CVEC_CIRCUS_NIGHTLY=1, or CVEC_CIRCUS_UPGRADES=N")
class TestUpgrades(DaemonCase):
    """Nothing is started twice, no event missed or told twice, no connection refused."""

    def setUp(self) -> None:
        super().setUp()
        env = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPATH": ""}
        self.served = self.daemon(TEXT + PLUGINS, circus="event_history = 100000", env=env)
        self.folder = self.served.folder
        self.assertTrue(eventually(self.is_up, 120))
        self.pids = {name: self.served.wire.pids(name) for name in STEADY}

    def is_up(self) -> bool:
        """Whether every process is there."""
        return len(self.served.wire.pids("idle")) == IDLE and all(
            self.served.wire.pids(name) for name in STEADY
        )

    def test_d6_back_and_forth(self) -> None:
        daemon = self.served
        pythons = [install(self.folder / number, number) for number in ("9.1", "9.2")]
        broken = installations.python(self.folder_named("bare"), 'set -- -S -I "$@"')
        [row] = daemon.call("listsockets")["sockets"]
        clients: list[Any] = [load := Load(row["port"]), pinger := Pinger(daemon)]
        followers = [Follower(daemon, ["count"]), Follower(daemon, None)]
        waiting = [
            Asking(daemon, "wait", {"name": "never", "state": "up", "timeout": 3000})
            for _ in range(20)
        ]
        for one in (*clients, *followers, *waiting):
            self.addCleanup(one.end)
        pauses, told, refused = [], [], 0
        for number in range(UPGRADES):
            if number % BROKEN_EVERY == 0:
                reason = daemon.wire.refused("upgrade", python=broken)
                self.assertIn("No module named 'cvec_circus'", reason)
                refused += 1
                self.judge(number)
            pinger.take()
            told.append(daemon.call("upgrade", python=pythons[number % 2])["pause"])
            daemon.wire.events.sync()
            self.judge(number + 1)
            pauses.append(pinger.take())
        self.show("no answer", pauses)
        self.show("as told", told)
        print(f"\n{refused} broken ones refused; {load.answers} answers of the server", end="")
        daemon.order("start", name="never")
        for asking in waiting:
            self.assertEqual(asking.reply()["status"], "ok")
        for one in (*clients, *followers):
            one.end()
        self.assertEqual((load.troubles, pinger.troubles), ([], []))
        self.judge_followers(followers)
        self.judge_codes()
        self.judge_plugins()
        self.assertLessEqual(sorted(pauses)[int(len(pauses) * 0.99)], PAUSE)

    def folder_named(self, name: str) -> Path:
        """Make a folder."""
        path = self.folder / name
        path.mkdir()
        return path

    def show(self, what: str, times: list[float]) -> None:
        """Print figures."""
        ordered = sorted(times)
        figures = [statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1]]
        shown = ", ".join(f"{figure * 1000:.0f}" for figure in figures)
        print(f"\n{len(times)} upgrades, {what}: p50, p99, max {shown} ms", end="")

    def judge(self, upgrades: int) -> None:
        """All is as it was."""
        daemon = self.served
        self.assertEqual({name: daemon.wire.pids(name) for name in STEADY}, self.pids)
        ping = daemon.call("ping")
        self.assertEqual((ping["run"], ping["pid"]), (daemon.run, daemon.pid))
        self.assertEqual(len(daemon.wire.events.of("upgraded")), upgrades)

    def judge_followers(self, followers: list[Follower]) -> None:
        """Each line of the counters is in the file, and each since the beginning at a follower."""
        written = starts(self.folder / "out.log")
        for pid in self.pids["count"]:
            self.assertEqual(written[pid], list(range(len(written[pid]))))
            for follower in followers:
                self.assertEqual(follower.missed, [])
                rows = [line.split() for line in follower.lines if line.startswith(f"{pid} ")]
                numbers = [int(row[1]) for row in rows]
                self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))

    def judge_codes(self) -> None:
        """Every exit was told once, with its code."""
        self.served.order("stop", name="die")
        told: dict[int, list[int]] = {}
        for event in self.served.wire.events.of("watcher.die.reap"):
            self.assertNotIn("status_lost", event)
            told.setdefault(event["process_pid"], []).append(event["exit_code"])
        truth: dict[int, list[int]] = {}  # a number is used again after a while
        for row in (self.folder / "truth").read_text().splitlines():
            pid, code = map(int, row.split())
            truth.setdefault(pid, []).append(code)
        wrong = {pid: (codes, told.get(pid)) for pid, codes in truth.items()}
        wrong = {pid: (codes, found) for pid, (codes, found) in wrong.items() if codes != found}
        stopped = [pid for pid, (_, found) in wrong.items() if found and found[-1] == -15]
        print(f"\n{sum(map(len, told.values()))} exits told", end="")
        self.assertLessEqual(len(stopped), DIES)
        self.assertEqual({pid: wrong[pid] for pid in wrong if pid not in stopped}, {})

    def judge_plugins(self) -> None:
        """Each plugin has heard every event, once, in order."""
        last = self.served.wire.events.sync()[-1]["seq"]
        for number in range(3):
            path = self.folder / f"events{number}"

            def seqs(path: Path = path) -> list[int]:
                words = path.read_text().split('"seq": ')[1:]
                return [int(word.partition(",")[0].rstrip("}\n")) for word in words]

            self.assertTrue(eventually(lambda heard=seqs: heard()[-1:] == [last]))
            self.assertEqual(seqs(), list(range(seqs()[0], last + 1)))
        print(f"\n{last} events")


if __name__ == "__main__":
    unittest.main()
