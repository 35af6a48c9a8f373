"""Circus' tools beside our daemon while processes are replaced, kept, or fail their checks."""

from __future__ import annotations

import json
import os
import re
import unittest
from functools import partial
from typing import Any

from cvec_circus.client import CircusClient
from tests.interoperation.published import (
    DRIVER,
    OURS,
    THEIRS,
    TIMEOUT,
    InteroperationCase,
    Program,
    PublishedDaemon,
    needs_circus,
)
from tests.support.daemon import Daemon
from tests.support.eventually import eventually

PROGRAM = """sh -c '
    test ! -e {DIR}/broken || exit 3;
    test ! -e {DIR}/fifo || read go <{DIR}/fifo;
    echo up; exec sleep 3600'"""

TEXT = f"""
[watcher:web]
cmd = {" ".join(PROGRAM.split())}
copy_env = True
"""

CHECKED = f"""{TEXT}
min_uptime = 0.2
ready.says = log:up
ready.well = exec:test ! -e {{DIR}}/sick
live.well = exec:test ! -e {{DIR}}/sick
ready_interval = 20ms
live_interval = 20ms
live_action = report
"""

STEPS = [
    line.split("|")
    for line in """\
status
status|web
list
list|web
stats
stats|web
dstats
options|web
get|web|numprocesses
globaloptions
numprocesses|web
numwatchers
signal|web|WINCH
""".splitlines()
]

OUR_ACTIONS = {"ready", "unready", "check", "rollback", "backoff", "giveup", "adopted", "signal"}
"""Actions that Circus does not know."""


def theirs_alone(actions: list[str]) -> list[str]:
    """Return the actions that Circus publishes too. It has no `reap` of what a reload replaces."""
    return [one for one in actions if one not in OUR_ACTIONS | {"reap"}]


@needs_circus
class TestRollouts(InteroperationCase):
    maxDiff = None

    def said(self, daemon: Daemon, *steps: list[str]) -> dict[str, tuple[int, str]]:
        """Return the exit code and the words of circusctl, by command line."""
        found = self.drive(THEIRS, "ctl", daemon.endpoint, steps)
        return {" ".join(words): (code, text) for words, (code, text) in zip(steps, found)}

    def shapes(self, daemon: Daemon) -> dict[str, tuple[int, int]]:
        """Return the exit code and the number of lines of what circusctl says to questions."""
        said = self.said(daemon, *STEPS)
        self.assertEqual(said["status"], (0, "web: active\n"))
        self.assertEqual(said["status web"], (0, "active\n"))
        pids = ",".join(map(str, daemon.wire.pids("web")))
        self.assertEqual(said["list web"], (0, f"{pids}\n"))
        lines = {words: (code, text.count("\n")) for words, (code, text) in said.items()}
        for words in ("stats", "stats web", "dstats"):  # with a line for each process
            del lines[words]
        return lines

    def test_circusctl(self) -> None:
        """It says the same before a rollout, during it, after it failed, and while a check does."""
        daemon = self.ours(CHECKED)
        folder, events = daemon.folder, daemon.wire.events
        events.wait("ready", 1)
        before = self.shapes(daemon)
        self.assertEqual({code for code, _ in before.values()}, {0})
        os.mkfifo(folder / "fifo")
        daemon.call("reload", name="web")
        events.wait("spawn", 2)
        self.assertEqual(len(daemon.wire.pids("web")), 2)
        self.assertEqual(self.shapes(daemon), before, "during a rollout")
        (folder / "fifo").write_text("go\n")
        events.wait("reload", 1)
        (folder / "fifo").unlink()

        kept = daemon.wire.pids("web")
        (folder / "broken").touch()
        cmd = [PROGRAM.replace("{DIR}", str(folder)).replace("exit 3", "exit 4")]
        orders = [["reload", "web", "--waiting"], ["set", "web", "cmd", *cmd, "--waiting"]]
        for words, (code, text) in self.said(daemon, *orders).items():
            self.assertEqual(code, 3, "circusctl's own exit code of an error")
            told = f"error: {words[:6].split()[0]} of web: process [0-9]+ exited with [34] after "
            self.assertRegex(text, f"^{told}.*; the old process was kept")
        self.assertEqual(self.shapes(daemon), before, "after a rollback")
        self.assertEqual(daemon.wire.pids("web"), kept)

        (folder / "sick").touch()
        events.wait("unready", 1)
        self.assertEqual(self.shapes(daemon), before, "while checks fail")
        self.assertEqual(daemon.call("status", name="web")["phase"], "unready")

    def test_what_a_consumer_of_circus_hears(self) -> None:
        """The same actions in the same order as from its own daemon, and others between them."""
        daemons: list[Daemon | PublishedDaemon]
        daemons = self.together(lambda: self.ours(CHECKED), lambda: self.theirs(TEXT))
        heard = dict(zip((OURS, THEIRS), self.together(*(partial(self.hear, d) for d in daemons))))
        ours = [event["action"] for event in heard[OURS]]
        self.assertEqual(theirs_alone(ours), theirs_alone([e["action"] for e in heard[THEIRS]]))
        self.assertIn("check", ours)
        known = {event["action"]: event.keys() for event in heard[OURS]}
        for event in heard[THEIRS]:
            self.assertLessEqual(event.keys(), known[event["action"]], event)

    def hear(self, daemon: Daemon | PublishedDaemon) -> list[dict[str, Any]]:
        """Return the events of a reload and a restart, as a consumer of Circus has them."""
        client = CircusClient(endpoint=daemon.endpoint, timeout=20)
        self.addCleanup(client.stop)
        program = Program(self, [DRIVER, THEIRS, "consume", daemon.pubsub_endpoint])
        program.out.containing("listening")

        def order(command: str, **properties: Any) -> None:
            reply = client.send_message(command, name="web", waiting=True, **properties)
            self.assertEqual(reply["status"], "ok", reply)

        def joined() -> bool:
            order("set", options={"graceful_timeout": 4})
            return program.has_line()

        self.assertTrue(eventually(joined, TIMEOUT))
        order("set", options={"graceful_timeout": 6})
        for command in ("reload", "restart"):
            order(command)
        order("stop")
        events: list[dict[str, Any]] = []
        while not events or events[-1]["action"] != "stop" or count(events, "stop") < 2:
            topic, event = json.loads(program.out.next() or "")
            action = re.fullmatch(r"watcher\.web\.(\w+)", topic)
            assert action is not None, topic
            events.append({**event, "action": action[1]})
        updates = [number for number, one in enumerate(events) if one["action"] == "updated"]
        begin = next(n for n, one in enumerate(events) if one["action"] == "spawn")
        return events[max(n for n in updates if n < begin) + 1 :]


def count(events: list[dict[str, Any]], action: str) -> int:
    """Return how many of the events are of an action."""
    return sum(event["action"] == action for event in events)


if __name__ == "__main__":
    unittest.main()
