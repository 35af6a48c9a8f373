"""A no, a failure and a failure that is ignored come to the same as in Circus, for every hook.

There is a watcher for each hook and each way of answering. The same file goes to both daemons.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import unittest
from typing import Any

from cvec_circus.client import CircusClient
from cvec_circus.exc import CallError
from tests.support.daemon import folder, script
from tests.support.eventually import eventually

TIMEOUT = 30.0

NAMES = (
    "before_start after_start before_spawn after_spawn before_signal after_signal before_reap"
    " after_reap before_stop after_stop"
).split()

MODULE = """
import json, os

def write(watcher, hook_name, *more):
    with open(os.environ["RECORD"], "a") as file:
        file.write(json.dumps([watcher.name, hook_name, *more]) + "\\n")

def no(watcher, arbiter, hook_name, **facts):
    write(watcher, hook_name)
    return False

def fail(watcher, arbiter, hook_name, **facts):
    write(watcher, hook_name)
    raise ValueError("not today")
"""

WAYS = {
    "no": "answering_hooks.no",
    "fail": "answering_hooks.fail",
    "ignored": "answering_hooks.fail,True",
}

WATCHER = """
[watcher:{name}-{way}]
cmd = sleep 1000
graceful_timeout = 0.3
hooks.{name} = {hook}
"""

HEAD = """
[circus]
check_delay = 0.2
endpoint = ipc://{folder}/control
pubsub_endpoint = ipc://{folder}/events

[env]
PATH = /usr/bin:/bin
PYTHONPATH = {folder}
"""

DECIDE = ("before_start", "after_start", "before_spawn", "after_spawn")

STOPPED = {f"{name}-{way}" for name in DECIDE for way in ("no", "fail")}
"""The watchers that do not run in Circus 0.19; all others do, and all others stop when asked to."""


class TestAgainstCircus(unittest.TestCase):
    """Starts all of them, then stops all of them."""

    def setUp(self) -> None:
        self.folder = folder(self)
        (self.folder / "answering_hooks.py").write_text(MODULE)
        self.record = self.folder / "record"
        self.record.touch()
        self.names = [f"{name}-{way}" for name in NAMES for way in WAYS]
        watchers = [
            WATCHER.format(name=name, way=way, hook=hook)
            for name in NAMES
            for way, hook in WAYS.items()
        ]
        self.config = self.folder / "circus.ini"
        self.config.write_text(HEAD.format(folder=self.folder) + "".join(watchers))

    def statuses(self) -> Any:
        try:
            return self.client.send_message("status")["statuses"]
        except CallError:
            return {}

    def called(self) -> set[str]:
        """The watchers whose hook has been called."""
        return {json.loads(line)[0] for line in self.record.read_text().splitlines()}

    def drive(self, argv: list[str]) -> None:
        with open(self.folder / "log", "wb") as log:
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
        expected = {name: "stopped" if name in STOPPED else "active" for name in self.names}
        self.assertTrue(eventually(lambda: self.statuses() == expected, TIMEOUT), self.statuses())
        for name in self.names:
            reply = self.client.send_message("list", name=name)
            self.assertEqual(len(reply["pids"]), name not in STOPPED, name)
        reply = self.client.send_message("stop", waiting=True)
        self.assertEqual(reply["status"], "ok", reply)
        self.assertEqual(set(self.statuses().values()), {"stopped"})
        self.assertTrue(eventually(lambda: self.called() == set(self.names), TIMEOUT))
        self.client.send_message("quit")
        self.assertEqual(process.wait(TIMEOUT), 0)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(TIMEOUT)

    @unittest.skipUnless(importlib.util.find_spec("circus"), "Circus is not installed")
    def test_circus(self) -> None:
        code = "import sys; from circus.circusd import main; sys.exit(main())"
        self.drive([sys.executable, "-W", "ignore", "-c", code, str(self.config)])

    def test_ours(self) -> None:
        self.drive(script("cvec_circusd", self.config))


if __name__ == "__main__":
    unittest.main()
