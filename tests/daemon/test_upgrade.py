"""The daemon becomes another version of itself, and nothing that it runs notices."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from tests.daemon.test_survival import COUNTER, ENDS, starts
from tests.support import installations
from tests.support.daemon import Daemon, DaemonCase, child
from tests.support.eventually import eventually

WEB = f"""
[watcher:web]
cmd = {child("serve", "$(circus.sockets.web)")}
use_sockets = True
min_uptime = 0.1
[socket:web]
host = 127.0.0.1
port = 0
"""

STUBBORN = """
[watcher:stubborn]
cmd = sh -c "trap '' TERM; while :; do read nothing; done" <FIFO
graceful_timeout = 60
shell = True
"""


class UpgradeCase(DaemonCase):
    """Has two installations."""

    def other(self, daemon: Daemon, number: str, **replaced: str) -> str:
        """Install another version; return its Python."""
        return installations.version(daemon.folder / number, number, **replaced)

    def upgrade(self, daemon: Daemon, python: str) -> dict[str, Any]:
        """Upgrade, and return the answer."""
        return daemon.call("upgrade", python=python)


class TestUpgrade(UpgradeCase):
    """Everything goes on."""

    def test_processes_output_events_and_plugins(self) -> None:
        plugins = "".join(
            f"[plugin:log{n}]\nuse = logger\nfilename = {{DIR}}/events{n}.log\n" for n in range(3)
        )
        daemon = self.daemon(COUNTER + WEB + plugins)
        daemon.wire.events.wait("watcher.web.start", 1)
        daemon.wire.events.wait("watcher.count.start", 1)
        names = ["count", "web", *(f"plugin:log{n}" for n in range(3))]
        pids = {name: daemon.wire.pids(name) for name in names}
        pythons = [self.other(daemon, "9.1"), self.other(daemon, "9.2")]
        run, pid = daemon.run, daemon.pid
        path = daemon.folder / "out.log"
        for number, python in enumerate(pythons, 1):
            told = self.upgrade(daemon, python)
            self.assertEqual(told["version"], f"9.{number}")
            ping = daemon.call("ping")
            self.assertEqual((ping["run"], ping["pid"], ping["version"]), (run, pid, f"9.{number}"))
            self.assertEqual({name: daemon.wire.pids(name) for name in names}, pids)
            (event,) = daemon.wire.events.of("upgraded")[number - 1 :]
            self.assertEqual(event["version"], f"9.{number}")
            self.goes_on(path)
        events = daemon.wire.events.sync()
        self.assertEqual([one["seq"] for one in events], list(range(1, len(events) + 1)))
        self.assertEqual([one["action"] for one in events].count("adopted"), 0)
        for one in pids["count"]:
            os.kill(one, signal.SIGKILL)
            reaped = daemon.wire.events.next("watcher.count.reap", process_pid=one)
            self.assertEqual(reaped["exit_code"], -signal.SIGKILL)
        last = daemon.wire.events.sync()[-1]["seq"]
        for n in range(3):
            self.hears_each_once(daemon.folder / f"events{n}.log", last)
        for one in pids["count"]:
            numbers = starts(path)[one]
            self.assertEqual(numbers, list(range(len(numbers))))
        daemon.signal(signal.SIGTERM)
        log = daemon.ended()
        self.assertTrue(any("cvec_circus 9.1 on Python" in line for line in log), log)

    def goes_on(self, path: Path) -> None:
        """Wait for more output."""
        before = path.read_text().count("\n")
        self.assertTrue(eventually(lambda: path.read_text().count("\n") > before + 5))

    def hears_each_once(self, path: Path, last: int) -> None:
        """The plugin's file has each event from its start to the last one."""

        def seqs() -> list[int]:
            words = path.read_text().split('"seq": ')[1:]
            return [int(word.partition(",")[0].rstrip("}\n")) for word in words]

        self.assertTrue(eventually(lambda: seqs()[-1:] == [last]), seqs())
        self.assertEqual(seqs(), list(range(seqs()[0], last + 1)))

    def test_exit_codes(self) -> None:
        codes = {"zero": 0, "seven": 7, "most": 255}
        text = "".join(f"[watcher:{name}]\ncmd = {ENDS}\n" for name in codes)
        text = text.replace("FIFO", "{DIR}/$(circus.name)")

        def make(folder: Path) -> None:
            for name in codes:
                os.mkfifo(folder / name)

        daemon = self.daemon(text, prepare=make)
        for name in codes:
            daemon.wire.events.wait(f"watcher.{name}.start", 1)
        self.upgrade(daemon, self.other(daemon, "9.1"))
        for name, code in codes.items():
            (daemon.folder / name).write_text(f"{code}\n")
            (reaped,) = daemon.wire.events.wait(f"watcher.{name}.reap", 1)
            self.assertEqual(reaped["exit_code"], code)
            self.assertNotIn("status_lost", reaped)
