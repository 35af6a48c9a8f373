"""What the programs of Circus 0.19 send passes our schemas, and keeps its meaning."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.commands import table

# (command, properties) as seen on the wire from circusctl, circus-top and the built-in plugins.
SENT: list[tuple[str, dict[str, Any]]] = [
    ("add", {"name": "web", "cmd": "sleep 5", "start": True}),
    ("add", {"name": "w", "cmd": "s", "args": ["5"], "options": {}, "start": False}),
    ("add", {"name": "w", "cmd": "s", "args": "5", "options": {}, "waiting": True}),
    ("decr", {"name": "web", "nb": 2, "waiting": False}),
    ("dstats", {}),
    ("get", {"name": "web", "keys": ["cmd", "numprocesses"]}),
    ("globaloptions", {"option": "endpoint"}),
    ("incr", {"name": "web", "waiting": True}),
    ("kill", {"name": "web"}),
    ("kill", {"name": "web", "pid": "1234", "signum": "HUP", "graceful_timeout": "3"}),
    ("kill", {"name": "web", "pid": 1234, "signum": 9, "graceful_timeout": None}),
    ("kill", {"name": "web", "pid": None, "signum": None}),
    ("list", {"name": "web"}),
    ("listsockets", {}),
    ("numprocesses", {"name": "web"}),
    ("numwatchers", {}),
    ("options", {"name": "web"}),
    ("quit", {"waiting": True}),
    ("reload", {"name": "web", "graceful": False, "waiting": True, "sequential": True}),
    ("reload", {"graceful": True, "waiting": False, "sequential": False}),
    ("reloadconfig", {"waiting": False}),
    ("restart", {"waiting": False, "match": "glob"}),
    ("rm", {"name": "web"}),
    ("rm", {"name": "web", "nostop": True, "waiting": True}),
    ("set", {"name": "web", "options": {"numprocesses": 3}, "waiting": True}),
    ("signal", {"name": "web", "children": False, "recursive": False, "signum": "2"}),
    ("signal", {"name": "web", "children": True, "recursive": True, "signum": "HUP", "pid": 1234}),
    ("start", {"name": "web", "waiting": False, "match": "simple"}),
    ("stats", {"extended": False}),
    ("stats", {"name": "web", "process": 1234, "extended": True}),
    ("status", {"name": "web"}),
    ("stop", {"name": "w.*", "waiting": True, "match": "regex"}),
]


class TestOldClients(unittest.TestCase):
    def test_what_they_send_passes(self) -> None:
        commands = table.load_all()
        for name, properties in SENT:
            with self.subTest(command=name, properties=properties):
                typed = commands[name].validate(properties)
                self.assertEqual(set(typed), set(commands[name].by_name))

    def test_defaults(self) -> None:
        commands = table.load_all()
        reload = commands["reload"].validate({})
        self.assertEqual((reload["graceful"], reload["sequential"]), (True, False))
        self.assertEqual(commands["incr"].validate({"name": "web"})["nb"], 1)
        self.assertIsNone(commands["stop"].validate({})["timeout"])
