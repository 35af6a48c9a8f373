"""A daemon that is driven through its life while its system calls fail."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from typing import Any

from cvec_circus.base.clock import SYSTEM
from cvec_circus.client import Client
from tests.support.daemon import Daemon, DaemonCase, alive
from tests.support.eventually import eventually

TIMEOUT = 20.0

TEXT = """
[watcher:plain]
cmd = sleep 1000
numprocesses = 2
graceful_timeout = 0.3
autostart = False

[watcher:logged]
cmd = sh -c 'while echo tick; do sleep 0.1; done'
shell = False
autostart = False
stdout_stream.filename = {DIR}/out.log
log_history = 65536
graceful_timeout = 0.3

[watcher:tree]
cmd = sh -c 'sleep 1001 & exec sleep 1002'
autostart = False
stop_children = True
graceful_timeout = 0.3
"""
CIRCUS = "logoutput = {DIR}/log\n"
WANTED = {"plain": 2, "logged": 1, "tree": 1}


class DrivenDaemon(Daemon):
    """A daemon of a few watchers, and its log. Owned by the test.

    Attributes:
        text: What it is to run.
        wanted: How many processes of each watcher.
    """

    text = TEXT
    wanted = WANTED

    def __init__(self, test: DaemonCase, wait: bool = True, **options: Any) -> None:
        self.slowest = 0.0
        super().__init__(test, self.text, circus=CIRCUS, up=False, **options)
        if wait:
            up = eventually(lambda: self.is_up, TIMEOUT)
            test.assertTrue(up, f"the daemon is not up:\n{self.log_text()}")
            self.connect()

    @property
    def is_up(self) -> bool:
        """Whether it has said that it is."""
        return " is up: " in self.log_text()

    def log_text(self) -> str:
        """What is in the log file."""
        try:
            return (self.folder / "log").read_text()
        except FileNotFoundError:
            return ""

    def drive(self) -> None:
        """Do all that a daemon does, and see to it that it comes to be."""
        for name in self.wanted:
            self.ask("start", name=name)
        self.settle()
        for name in self.wanted:
            os.kill(self.wire.pids(name)[0], signal.SIGKILL)
        self.settle()
        self.ask("reload")
        self.settle()
        for name in self.wanted:
            self.ask("stop", name=name)
        for name in self.wanted:
            self.ask("start", name=name)
        self.settle()
        self.ask("stats")
        self.ask("logs", name="logged")
        self.settle()

    def ask(self, command: str, **properties: Any) -> None:
        """Ask for something that may be refused, in a line."""
        waits = command in ("start", "stop", "reload")
        extra = {"waiting": True, "timeout": TIMEOUT} if waits else {}
        reply = self.wire.client.call(command, **properties, **extra)
        reason = reply.get("reason", "")
        if re.search("\n|internal error|Traceback", str(reason)):
            raise AssertionError(f"{command} {properties}: {reason}")

    def ping(self) -> None:
        """Connect anew, and ask whether it is there."""
        began = SYSTEM.monotonic()
        client = Client(self.endpoint, timeout=TIMEOUT)
        try:
            client.call("ping")
        finally:
            client.close()
        self.slowest = max(self.slowest, SYSTEM.monotonic() - began)

    def settle(self) -> None:
        """Wait until everything is as it is wanted."""
        self.ping()
        if not eventually(self.is_right, TIMEOUT):
            shown = self.wire.client.call("status")
            raise AssertionError(f"it has not come back: {shown}\n{self.log_text()[-3000:]}")
        self.ping()

    def is_right(self) -> bool:
        """Whether every process that is wanted runs."""
        for name, wanted in self.wanted.items():
            if self.wire.status(name)[0] != "active":
                return False
            pids = self.wire.pids(name)
            if len(pids) != wanted or not all(map(alive, pids)):
                return False
        return True

    def check_exits(self) -> None:
        """See to it that each process that was started has ended once."""
        events = self.wire.events.sync()
        born = Counter(e["process_pid"] for e in events if e["action"] == "spawn")
        died = Counter(e["process_pid"] for e in events if e["action"] == "reap")
        running = [pid for name in self.wanted for pid in self.wire.pids(name)]
        born.subtract(running)
        if +born != died:
            raise AssertionError(f"spawned and ended: {+born}; reported: {died}")
