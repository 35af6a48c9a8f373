"""Messages made by hand, and those that a command makes, sent to an arbiter."""

from __future__ import annotations

import importlib
import json
import unittest

from cvec_circus.client import CallError, CircusClient, cast_message, make_json, make_message
from cvec_circus.commands import error, get_commands, ok
from cvec_circus.commands import errors as numbers
from cvec_circus.commands.base import get_commands as get_commands_of_base
from cvec_circus.commands.util import convert_option, validate_option
from cvec_circus.exc import ArgumentError, MessageError
from tests.embedding.arbiter_case import ArbiterCase

PATHS = {
    "addwatcher.AddWatcher": "add",
    "decrproc.DecrProc": "decr",
    "dstats.Daemontats": "dstats",
    "get.Get": "get",
    "globaloptions.GlobalOptions": "globaloptions",
    "incrproc.IncrProc": "incr",
    "kill.Kill": "kill",
    "list.List": "list",
    "listen.Listen": "listen",
    "listsockets.ListSockets": "listsockets",
    "numprocesses.NumProcesses": "numprocesses",
    "numwatchers.NumWatchers": "numwatchers",
    "options.Options": "options",
    "quit.Quit": "quit",
    "reload.Reload": "reload",
    "reloadconfig.ReloadConfig": "reloadconfig",
    "restart.Restart": "restart",
    "rmwatcher.RmWatcher": "rm",
    "sendsignal.Signal": "signal",
    "set.Set": "set",
    "start.Start": "start",
    "stats.Stats": "stats",
    "status.Status": "status",
    "stop.Stop": "stop",
}


class TestMessages(unittest.TestCase):
    def test_by_hand(self) -> None:
        self.assertEqual(
            make_message("list", name="a"), {"command": "list", "properties": {"name": "a"}}
        )
        self.assertEqual(make_message("list"), {"command": "list", "properties": {}})
        self.assertEqual(cast_message("quit")["msg_type"], "cast")
        self.assertEqual(json.loads(make_json("list", name="a")), make_message("list", name="a"))

    def test_replies(self) -> None:
        reply = ok({"pids": [1]})
        self.assertEqual((reply["status"], reply["pids"]), ("ok", [1]))
        self.assertGreater(reply["time"], 1e9)
        reply = error("no", errno=numbers.MESSAGE_ERROR)
        self.assertEqual((reply["status"], reply["reason"], reply["errno"]), ("error", "no", 3))
        self.assertEqual(error()["errno"], numbers.NOT_SPECIFIED)

    def test_numbers(self) -> None:
        names = "NOT_SPECIFIED INVALID_JSON UNKNOWN_COMMAND MESSAGE_ERROR OS_ERROR COMMAND_ERROR"
        found = [getattr(numbers, name) for name in [*names.split(), "BAD_MSG_DATA_ERROR"]]
        self.assertEqual(found, list(range(7)))

    def test_paths_of_commands(self) -> None:
        self.assertIs(get_commands_of_base, get_commands)
        commands = get_commands()
        for path, name in PATHS.items():
            module, _, cls = path.partition(".")
            with self.subTest(path):
                found = getattr(importlib.import_module(f"cvec_circus.commands.{module}"), cls)
                self.assertIs(type(commands[name]), found)
                made = found().make_message(name="web")
                self.assertEqual(made, make_message(name, name="web"))

    def test_of_a_command_line(self) -> None:
        # Of the switches, circusctl passes those too that were not given.
        for name, words, switches, expected in (
            ("list", (), {}, {}),
            (
                "add",
                ("web", "sleep"),
                {"start": True},
                {"name": "web", "cmd": "sleep", "start": True},
            ),
            ("incr", ("web", "2"), {"waiting": True}, {"name": "web", "nb": 2, "waiting": True}),
            ("start", ("w*",), {"match": "glob", "waiting": None}, {"name": "w*", "match": "glob"}),
            ("reload", ("web",), {"terminate": True}, {"name": "web", "graceful": False}),
            ("reload", ("web",), {"terminate": False}, {"name": "web"}),
            ("reload", ("web",), {"graceful": False}, {"name": "web", "graceful": False}),
            ("signal", ("web", "hup"), {"childpid": False, "x": 1}, {"name": "web", "signum": 1}),
            ("set", ("web", "shell", "1"), {}, {"name": "web", "options": {"shell": True}}),
        ):
            with self.subTest(name, switches=switches):
                made = get_commands()[name].message(*words, **switches)
                self.assertEqual(made, make_message(name, **expected))
        self.assertEqual(get_commands()["listen"].message(), [""])
        self.assertEqual(get_commands()["listen"].message("a", "b"), ["a", "b"])
        with self.assertRaisesRegex(ArgumentError, "NAME is missing"):
            get_commands()["rm"].message()

    def test_options(self) -> None:
        self.assertEqual(convert_option("numprocesses", "3"), 3)
        self.assertEqual(convert_option("stop_signal", "quit"), 3)
        self.assertIs(convert_option("shell", "yes"), True)
        self.assertEqual(convert_option("stdout_stream.max_bytes", "5"), 5)
        for key, value in {"numprocesses": "x", "no_such": "1", "hooks.no_such": "a.b"}.items():
            with self.subTest(key):
                with self.assertRaisesRegex(ArgumentError, key):
                    convert_option(key, value)
                with self.assertRaisesRegex(MessageError, key):
                    validate_option(key, value)
        validate_option("numprocesses", 3)


class TestCommands(ArbiterCase):
    """A program that builds its messages with the commands."""

    def test_against_an_arbiter(self) -> None:
        arbiter = self.started()
        commands = get_commands()
        client = CircusClient(endpoint=arbiter.endpoint)
        self.addCleanup(client.stop)
        names = client.call(commands["list"].make_message())
        self.assertEqual(names["watchers"], ["a"])
        numbers = client.call(commands["numprocesses"].make_message(name="a"))
        self.assertEqual(numbers["numprocesses"], 2)
        reply = client.call(commands["incr"].make_message(name="a", nb=1, waiting=True))
        self.assertEqual((reply["status"], reply["numprocesses"]), ("ok", 3))
        self.assertEqual(commands["incr"].msg_type, "dealer")
        self.assertIn("name", commands["incr"].by_name)
        client.stop()
        with self.assertRaises(CallError):
            client.call(make_message("list"))


if __name__ == "__main__":
    unittest.main()
