"""What the programs of Circus 0.19 send passes our schemas, and keeps its meaning."""

from __future__ import annotations

import unittest
from typing import Any

from cvec_circus.commands import table
from cvec_circus.exc import MessageError

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

    def test_every_command_takes_waiting(self) -> None:
        for name, command in table.load_all().items():
            given = {prop: "1" for prop in command.mandatory}
            if name in ("signal", "set", "logs", "get"):
                continue
            with self.subTest(name):
                for value in (True, False, None):
                    typed = command.validate({**given, "waiting": value, "match": "glob"})
                    self.assertEqual(set(typed), set(command.by_name))

    def test_add_ignores_what_it_does_not_know(self) -> None:
        add = table.load_all()["add"]
        extra = {f"x{number}": 1 for number in range(9)}
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            typed = add.validate(
                {"name": "w", "cmd": "s", "start": True, "option": {}, "uid": 0, **extra}
            )
        self.assertEqual((typed["name"], typed["start"], typed["options"]), ("w", True, {}))
        [said] = logs.output
        self.assertEqual(typed["warnings"], [said.partition("add w: ")[2]])
        self.assertEqual(list(add.remarks(typed)), [f"warning: {typed['warnings'][0]}"])
        self.assertIn("add w: ignored unknown properties: 'option'; did you mean options?", said)
        self.assertIn(", 'uid' (it belongs in options), 'x0'", said)
        self.assertNotIn("x5", said)

    def test_others_refuse_it(self) -> None:
        commands = table.load_all()
        for name, given in (("stop", {"nam": "w"}), ("status", {"x": 1}), ("rm", {"x": "w"})):
            with self.subTest(name), self.assertRaisesRegex(MessageError, "unknown property"):
                commands[name].validate(given)

    def test_defaults(self) -> None:
        commands = table.load_all()
        reload = commands["reload"].validate({})
        self.assertEqual((reload["graceful"], reload["sequential"]), (True, False))
        self.assertEqual(commands["incr"].validate({"name": "web"})["nb"], 1)
        self.assertIsNone(commands["stop"].validate({})["timeout"])
