"""Every hook is called when Circus calls it, with the same names, under the same orders.

One module writes down each call. The same file and the same orders go to both daemons. What differs
on purpose is named in `MORE`: here each process is reaped exactly once, so its hooks are called
when it is replaced or taken away, too. The command `kill` is not among the orders: whether Circus
reaps what that has ended is a matter of luck.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import unittest
from collections import Counter
from pathlib import Path
from typing import Any

from cvec_circus.client import CircusClient
from cvec_circus.exc import CallError
from tests.support.daemon import folder, script
from tests.support.eventually import eventually

TIMEOUT = 30.0

NAMES = (
    "before_start after_start before_spawn after_spawn before_signal after_signal before_reap"
    " after_reap before_stop after_stop extended_stats"
).split()

MODULE = """
import json, os

def record(watcher, arbiter, hook_name, **given):
    shown = {"signum": lambda n: int(n), "exit_code": int}
    facts = {key: shown.get(key, lambda value: type(value).__name__)(given[key]) for key in given}
    facts["watcher"] = watcher.name
    if "process_status" in facts:
        facts["process_status"] = "-"  # a number, or nothing: which, depends on who was faster
    with open(os.environ["RECORD"], "a") as file:
        file.write(json.dumps([hook_name, facts], sort_keys=True) + "\\n")
    return True
"""

INI = """
[circus]
check_delay = 0.2
endpoint = ipc://{folder}/control
pubsub_endpoint = ipc://{folder}/events

[env:web]
PATH = /usr/bin:/bin
PYTHONPATH = {folder}

[watcher:web]
cmd = sleep 1000
numprocesses = 2
warmup_delay = 0
graceful_timeout = 20
{hooks}
"""


def row(name: str, **facts: Any) -> str:
    """Return the line for one call."""
    return json.dumps([name, {**facts, "watcher": "web"}], sort_keys=True)


def spawned(count: int) -> list[str]:
    """The calls for so many processes that are started."""
    return [row("before_spawn"), row("after_spawn", pid="int")] * count


def signalled(signum: int, count: int) -> list[str]:
    """The calls for so many processes that get a signal."""
    facts = {"pid": "int", "signum": signum}
    return [row("before_signal", **facts), row("after_signal", **facts)] * count


def reaped(exit_code: int, count: int) -> list[str]:
    """The calls for so many processes that have ended."""
    facts = {"process_pid": "int", "time": "float"}
    after = row("after_reap", **facts, exit_code=exit_code, process_status="-")
    return [row("before_reap", **facts), after] * count


EXTENDED = row("extended_stats", pid="int", stats="dict")
TERM, WINCH, KILL = (int(one) for one in (signal.SIGTERM, signal.SIGWINCH, signal.SIGKILL))

STARTED = [row("before_start"), *spawned(2), row("after_start")]
STOPPED = [row("before_stop"), *signalled(TERM, 2), *reaped(-TERM, 2), row("after_stop")]

EXPECTED: dict[str, list[str]] = {
    "started with the daemon": STARTED,
    "killed by somebody": [*reaped(-KILL, 1), *spawned(1)],
    "signal": signalled(WINCH, 2),
    "decr": signalled(TERM, 1),
    "incr": spawned(1),
    "stats": [EXTENDED] * 2,
    "stats of a process": [EXTENDED],
    "reload": [*spawned(2), *signalled(TERM, 2)],
    "stop": STOPPED,
    "start": STARTED,
    "quit": STOPPED,
}
"""The calls of Circus 0.19, by what happens."""

MORE: dict[str, list[str]] = {"decr": reaped(-TERM, 1), "reload": reaped(-TERM, 2)}
"""The calls that are made here in addition, by what happens."""


class HookComparisonCase(unittest.TestCase):
    """Gives orders to a daemon whose hooks are written down."""

    def setUp(self) -> None:
        self.folder: Path = folder(self)
        (self.folder / "recording_hooks.py").write_text(MODULE)
        hooks = "\n".join(f"hooks.{name} = recording_hooks.record" for name in NAMES)
        self.config = self.folder / "circus.ini"
        self.config.write_text(INI.format(folder=self.folder, hooks=hooks))
        self.record = self.folder / "record"
        self.record.touch()
        self.read = 0

    def start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        log = open(self.folder / "log", "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen(
            argv,
            cwd=self.folder,
            env={**os.environ, "RECORD": str(self.record)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.addCleanup(self.end, process)
        self.client = CircusClient(endpoint=f"ipc://{self.folder}/control", timeout=TIMEOUT)
        self.addCleanup(self.client.stop)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(TIMEOUT)

    def calls(self) -> list[str]:
        """The calls since the last phase."""
        return self.record.read_text().splitlines()[self.read :]

    def phase(self, name: str, more: dict[str, list[str]]) -> None:
        """Wait until all calls have been made that belong to what has happened."""
        expected = Counter([*EXPECTED[name], *more.get(name, [])])
        if not eventually(lambda: Counter(self.calls()) == expected, TIMEOUT):
            found = Counter(self.calls())
            log = (self.folder / "log").read_text(errors="replace")[-3000:]
            self.fail(f"{name}: missing {expected - found}, too many {found - expected}\n{log}")
        self.read += len(self.calls())

    def order(self, command: str, **properties: Any) -> Any:
        replies: list[Any] = []

        def is_taken() -> bool:
            """Ask again while Circus refuses an order because its own check is running."""
            replies.append(self.client.send_message(command, **properties))
            return "already running manage_watchers" not in str(replies[-1].get("reason"))

        eventually(is_taken, TIMEOUT)
        self.assertEqual(replies[-1]["status"], "ok", replies[-1])
        return replies[-1]

    def pids(self) -> list[int]:
        found: list[int] = self.order("list", name="web")["pids"]
        return found

    def is_active(self) -> bool:
        try:
            reply = self.client.send_message("status", name="web")
        except CallError:
            return False
        return bool(reply["status"] == "active")

    def drive(self, argv: list[str], more: dict[str, list[str]]) -> None:
        """Give every order, and look at what it has the hooks called with."""
        process = self.start(argv)
        self.phase("started with the daemon", more)
        first = self.record.read_text().splitlines()
        self.assertEqual((first[0], first[-1]), (row("before_start"), row("after_start")))
        self.assertTrue(eventually(self.is_active, TIMEOUT))
        os.kill(self.pids()[0], signal.SIGKILL)
        self.phase("killed by somebody", more)
        self.order("signal", name="web", signum=WINCH)
        self.phase("signal", more)
        for command in ("decr", "incr"):
            self.order(command, name="web", waiting=True)
            self.phase(command, more)
        self.order("stats", name="web", extended=True)
        self.phase("stats", more)
        self.order("stats", name="web", extended=True, process=self.pids()[0])
        self.phase("stats of a process", more)
        for command in ("reload", "stop", "start"):
            self.order(command, name="web", waiting=True)
            self.phase(command, more)
        self.assertTrue(eventually(self.is_active, TIMEOUT))
        self.order("quit", waiting=True)
        self.phase("quit", more)
        self.assertEqual(process.wait(TIMEOUT), 0)


class TestAgainstCircus(HookComparisonCase):
    @unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")
    def test_circus(self) -> None:
        code = "import sys; from circus.circusd import main; sys.exit(main())"
        self.drive([sys.executable, "-W", "ignore", "-c", code, str(self.config)], {})

    def test_ours(self) -> None:
        self.drive(script("cvec_circusd", self.config), MORE)


if __name__ == "__main__":
    unittest.main()
