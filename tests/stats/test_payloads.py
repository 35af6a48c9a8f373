"""What is published has the topics and the keys that Circus has."""

from __future__ import annotations

import json
import unittest
from typing import Any

from cvec_circus.stats import payloads
from cvec_circus.stats.payloads import Socket

OF_A_PROCESS = {
    "mem_info1", "mem_info2", "cpu", "mem", "ctime", "pid", "username", "nice", "create_time",
    "age", "cmdline", "children", "subtopic", "name",
}  # fmt: skip
"""As recorded from Circus 0.19."""


def row(pid: int, **more: Any) -> dict[str, Any]:
    """What is seen of a process."""
    return {
        "pid": pid,
        "cmdline": "sleep",
        "username": "root",
        "nice": 0,
        "cpu": 1.0,
        "mem": 0.006,
        "mem_info1": "1.41M",
        "mem_info2": "2.44M",
        "ctime": "0:00.0",
        "create_time": 1.0,
        "age": 4.5,
        "children": [],
        **more,
    }


class TestProcesses(unittest.TestCase):
    def messages(self, *args: Any) -> list[tuple[str, dict[str, Any]]]:
        found = payloads.of_processes(*args)
        return [(topic.decode(), json.loads(payload)) for topic, payload in found]

    def test_each_and_then_all(self) -> None:
        rows = {3: row(3), 4: row(4, cpu=2.0, age=9.5), 7: row(7)}
        messages = self.messages({"web": [3, 4, 5]}, {7: "circusd"}, rows)
        self.assertEqual(
            [topic for topic, _ in messages],
            ["stat.web.3", "stat.web.4", "stat.web", "stat.circus.7", "stat.circus"],
        )
        told = dict(messages)
        self.assertEqual(set(told["stat.web.3"]), OF_A_PROCESS)
        self.assertEqual((told["stat.web.3"]["subtopic"], told["stat.web.3"]["name"]), (3, None))
        self.assertEqual(told["stat.circus.7"]["name"], "circusd")
        self.assertEqual(told["stat.web"], {"pid": [3, 4], "cpu": 1.5, "mem": 0.012, "age": 9.5})

    def test_none_is_there(self) -> None:
        told = dict(self.messages({"web": [3]}, {}, {}))
        self.assertEqual(told["stat.web"], {"pid": [], "cpu": 0.0, "mem": 0, "age": "N/A"})

    def test_what_we_may_not_know(self) -> None:
        rows = {3: row(3, cpu="N/A", mem="N/A", age="N/A"), 4: row(4)}
        told = dict(self.messages({"web": [3, 4]}, {}, rows))
        self.assertEqual(told["stat.web"], {"pid": [3, 4], "cpu": "N/A", "mem": "N/A", "age": 4.5})


class TestSockets(unittest.TestCase):
    def test_each_and_then_all(self) -> None:
        sockets = [Socket("a", 7, "127.0.0.1:80"), Socket("b", 9, "/run/b")]
        told = [(topic, json.loads(text)) for topic, text in payloads.of_sockets(sockets, {9: 2})]
        self.assertEqual(
            told,
            [
                (
                    b"stat.sockets.7",
                    {"fd": 7, "subtopic": 7, "reads": 0, "address": "127.0.0.1:80"},
                ),
                (b"stat.sockets.9", {"fd": 9, "subtopic": 9, "reads": 2, "address": "/run/b"}),
                (b"stat.sockets", {"addresses": ["127.0.0.1:80", "/run/b"], "reads": 2}),
            ],
        )
        self.assertEqual(payloads.of_sockets([], {}), [])


class TestRead(unittest.TestCase):
    def test_names_may_hold_dots(self) -> None:
        self.assertEqual(
            payloads.read(b"stat.a.80.7", b'{"subtopic": 7}'), ("a.80", "7", {"subtopic": 7})
        )
        self.assertEqual(payloads.read(b"stat.a.80", b'{"pid": []}'), ("a.80", None, {"pid": []}))

    def test_what_is_none(self) -> None:
        for topic, payload in ((b"stat", b"{}"), (b"stat.a", b"[]"), (b"stat.a", b"x")):
            with self.subTest(topic), self.assertRaises(ValueError):
                payloads.read(topic, payload)


if __name__ == "__main__":
    unittest.main()
