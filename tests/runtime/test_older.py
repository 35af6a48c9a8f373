"""What is added to the events of Circus itself, and what is left as it is."""

from __future__ import annotations

import json
import unittest
from typing import ClassVar
from unittest import mock

from cvec_circus.plugins import CircusPlugin
from cvec_circus.runtime import life
from cvec_circus.runtime.life import OlderEvents
from cvec_circus.testing import ArbiterTestCase


class TestOlderEvents(unittest.TestCase):
    def setUp(self) -> None:
        self.events = OlderEvents()

    def told(self, action: str, **payload: object) -> tuple[object, object]:
        """Return the watcher and the cause that an event has in the end."""
        topic = f"watcher.my_web.{action}".encode()
        message = json.loads(self.events.complete(topic, json.dumps(payload).encode()))
        self.assertEqual({**message, **payload}, message)
        return message["watcher"], message["cause"]

    def test_a_death(self) -> None:
        self.assertEqual(self.told("reap", process_pid=1, exit_code=1), ("my_web", "exit"))

    def test_a_death_that_was_asked_for(self) -> None:
        self.assertEqual(self.told("kill", process_pid=1), ("my_web", "command"))
        self.assertEqual(self.told("reap", process_pid=1), ("my_web", "command"))
        self.assertEqual(self.told("reap", process_pid=1), ("my_web", "exit"))

    def test_the_rest(self) -> None:
        self.assertEqual(self.told("start", time=1.0), ("my_web", "unknown"))
        self.assertEqual(self.told("reap", process_pid=[1]), ("my_web", "unknown"))

    def test_what_is_told_already_stays(self) -> None:
        self.assertEqual(self.told("reap", watcher="My Web", cause="x"), ("My Web", "x"))

    def test_what_is_none_of_them(self) -> None:
        for payload in (b"nonsense", b"[1]", b'{"seq": 3}', b""):
            self.assertIs(self.events.complete(b"watcher.web.x", payload), payload)

    def test_not_all_are_remembered(self) -> None:
        with mock.patch.object(life, "KEPT", 2):
            for pid in (1, 2, 3):
                self.told("kill", process_pid=pid)
        self.assertEqual(self.told("reap", process_pid=1)[1], "exit")
        self.assertEqual(self.told("reap", process_pid=3)[1], "command")


class Recorder(CircusPlugin):
    """Keeps what it gets."""

    def handle_init(self) -> None:
        self.heard: list[tuple[bytes, bytes]] = []

    def handle_recv(self, data: tuple[bytes, bytes]) -> None:
        self.heard.append(data)


class TestOurs(ArbiterTestCase):
    watchers: ClassVar = ({"name": "web", "cmd": "sleep 3600"},)

    def test_they_are_not_even_looked_at(self) -> None:
        with mock.patch.object(OlderEvents, "complete") as complete:
            plugin = self.run_plugin(Recorder)
            self.call("incr", name="web", waiting=True)
            self.catch_up(plugin)
        complete.assert_not_called()
        self.assertIn(b"watcher.web.spawn", [topic for topic, _ in plugin.heard])


if __name__ == "__main__":
    unittest.main()
