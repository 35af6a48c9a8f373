"""CircusClient and CircusConsumer of either package with the daemon of the other."""

from __future__ import annotations

import json
import unittest
from typing import Any

from cvec_circus.client import CircusClient
from tests.interoperation.published import (
    DRIVER,
    OURS,
    THEIRS,
    TIMEOUT,
    InteroperationCase,
    Program,
    needs_circus,
)
from tests.support.eventually import eventually


def message(command: str, **properties: Any) -> dict[str, Any]:
    return {"command": command, "properties": properties}


MESSAGES = [
    message("list"),
    message("list", name="web"),
    message("status"),
    message("status", name="web"),
    message("numprocesses"),
    message("numprocesses", name="web"),
    message("numwatchers"),
    message("get", name="web", keys=["numprocesses", "cmd", "graceful_timeout", "env"]),
    message("options", name="web"),
    message("globaloptions"),
    message("listsockets"),
    message("dstats"),
    message("stats"),
    message("stats", name="web"),
    message("stats", name="web", extended=True),
    message("incr", name="web"),
    message("incr", name="web", nb=2, waiting=True),
    message("decr", name="web", nb=3, waiting=True),
    message("incr", name="One Shot", waiting=True),
    message("set", name="web", options={"graceful_timeout": 1}),
    message("set", name="web", options={"numprocesses": 3}, waiting=True),
    message("start", name="idle", waiting=True),
    message("stop", name="idle", waiting=True),
    message("stop", name="idle", match="glob"),
    message("restart", name="web", waiting=True),
    message("restart", name="w*", match="glob", waiting=True),
    message("reload", name="web", waiting=True),
    message("signal", name="web", signum="winch"),
    message("kill", name="web", signum="winch"),
    message("add", name="new", cmd="sleep 3600", options={"copy_env": True}, start=True),
    message("add", name="new", cmd="sleep 3600"),
    message("rm", name="new"),
    message("list", name="nope"),
    message("nonsense"),
    message("get", name="web"),
    message("get", name="web", keys=["nonsense"]),
]

NOT_COMPARED = {"__name__", "env", "multicast_endpoint", "tb"}
"""An option that Circus' reader of files makes up; one that has variables of this machine; and two
that are always null here."""


def shape(value: Any) -> Any:
    """Return the kinds of values in a reply, with pids all alike."""
    if isinstance(value, dict):
        if value and all(key.isdecimal() for key in value):
            return {"PID": shape(next(iter(value.values())))}
        return {key: shape(each) for key, each in value.items() if key not in NOT_COMPARED}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@needs_circus
class TestClient(InteroperationCase):
    maxDiff = None

    def assert_has_all(self, ours: Any, theirs: Any, where: str) -> None:
        """Fail if their reply has a key that ours has not, or another kind of value there."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            self.assertEqual(theirs.keys() - ours.keys(), set(), where)
            for key, value in theirs.items():
                self.assert_has_all(ours[key], value, f"{where}: {key}")
        elif isinstance(theirs, list) and isinstance(ours, list):
            for each in zip(ours, theirs):
                self.assert_has_all(*each, where)
        else:
            self.assertEqual(ours, theirs, where)

    def test_their_client(self) -> None:
        """What it gets from our daemon is of the same kind as what it gets from its own."""
        replies = {
            package: self.drive(THEIRS, "client", daemon.endpoint, MESSAGES)
            for package, daemon in self.daemons().items()
        }
        for asked, ours, theirs in zip(MESSAGES, replies[OURS], replies[THEIRS]):
            where = json.dumps(asked)
            self.assertEqual(ours["status"], theirs["status"], where)
            self.assertEqual(ours.get("errno"), theirs.get("errno"), where)
            self.assert_has_all(shape(ours), shape(theirs), where)

    def test_our_client(self) -> None:
        client = self.theirs().client
        reply = client.send_message("incr", name="web", nb=2, waiting=True)
        self.assertEqual((reply["status"], reply["numprocesses"]), ("ok", 4))
        self.assertEqual(client.call(message("status", name="idle"))["status"], "stopped")
        self.assertEqual(len(client.call(message("list", name="web"))["pids"]), 4)
        reply = client.call(message("nonsense"))
        self.assertEqual((reply["status"], reply["errno"]), ("error", 2))


@needs_circus
class TestConsumer(InteroperationCase):
    def hear(self, package: str, endpoint: str, client: CircusClient) -> None:
        """Have a consumer hear a process that is spawned."""
        program = Program(self, [DRIVER, package, "consume", endpoint])
        program.out.containing("listening")

        def is_heard() -> bool:
            # It may not have joined yet, so there is something to hear again and again.
            client.send_message("incr", name="web", waiting=True)
            return program.has_line()

        self.assertTrue(eventually(is_heard, TIMEOUT))
        topic, event = json.loads(program.out.next())
        self.assertTrue(topic.startswith("watcher.web."), topic)
        self.assertIsInstance(event["time"], float)

    def test_theirs(self) -> None:
        ours = self.ours()
        client = CircusClient(endpoint=ours.endpoint, timeout=20)
        self.addCleanup(client.stop)
        self.hear(THEIRS, ours.pubsub_endpoint, client)

    def test_ours(self) -> None:
        theirs = self.theirs()
        self.hear(OURS, theirs.pubsub_endpoint, theirs.client)


if __name__ == "__main__":
    unittest.main()
