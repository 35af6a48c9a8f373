"""Which processes there are: answers of the daemon, and what happens while it is asked."""

from __future__ import annotations

import json
import unittest

from cvec_circus.stats.inventory import Inventory
from cvec_circus.stats.payloads import Socket, sockets_of


class TestInventory(unittest.TestCase):
    def setUp(self) -> None:
        self.inventory = Inventory({1: "circusd-stats"})

    def event(self, name: str, action: str, pid: int | None = None) -> None:
        payload = {} if pid is None else {"process_pid": pid}
        self.inventory.event(f"watcher.{name}.{action}".encode(), json.dumps(payload).encode())

    def test_an_answer_names_watchers_as_topics_do(self) -> None:
        self.inventory.replace({"One Shot": [], "Web": [3, 4], "circusd-stats": [1]})
        self.assertEqual(self.inventory.pids(), {"web": [3, 4]})
        self.event("one_shot", "spawn", 5)
        self.assertEqual(self.inventory.pids(), {"one_shot": [5], "web": [3, 4]})

    def test_events(self) -> None:
        self.event("a.b", "spawn", 3)
        self.event("a.b", "spawn", 4)
        self.event("a.b", "kill", 3)  # it is told to stop, and still runs
        self.assertEqual(self.inventory.pids(), {"a.b": [3, 4]})
        self.event("a.b", "reap", 3)
        self.assertEqual(self.inventory.pids(), {"a.b": [4]})
        self.event("a.b", "stop")
        self.event("circusd-stats", "spawn", 9)
        self.assertEqual(self.inventory.pids(), {})

    def test_what_is_no_event_of_a_daemon(self) -> None:
        self.inventory.event(b"watcher.a.spawn", b"{}")
        self.inventory.event(b"watcher.a.reap", b"no json")
        self.inventory.event(b"sync.x", b"{}")
        self.assertEqual(self.inventory.pids(), {})

    def test_what_happens_while_the_daemon_is_asked(self) -> None:
        self.inventory.replace({"a": [1, 2]})
        self.inventory.begin()
        self.event("a", "reap", 2)
        self.event("b", "spawn", 7)
        self.event("c", "spawn", 8)
        self.event("c", "remove")
        self.inventory.replace({"a": [1, 2], "c": [8]})
        self.assertEqual(self.inventory.pids(), {"a": [1], "b": [7]})
        self.inventory.replace({"a": [1]})
        self.assertEqual(self.inventory.pids(), {"a": [1]})

    def test_sockets(self) -> None:
        found = sockets_of(
            {
                "sockets": [
                    {"fd": 7, "name": "web", "backlog": 1, "host": "127.0.0.1", "port": 80},
                    {"fd": 8, "name": "file", "backlog": 1, "path": "/run/x"},
                ]
            }
        )
        self.assertEqual(found, [Socket("web", 7, "127.0.0.1:80"), Socket("file", 8, "/run/x")])
        self.assertEqual(sockets_of({"status": "error"}), [])


if __name__ == "__main__":
    unittest.main()
