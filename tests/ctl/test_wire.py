"""What is typed reaches the wire: every argument and every switch of every command."""

from __future__ import annotations

import os
from typing import Any

from cvec_circus.commands import table
from tests.ctl.ctl_case import CtlCase

# What is typed after each command, and the properties that this must come to.
ARGUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "add": ("new sleep 5", {"name": "new", "cmd": "sleep", "args": ["5"]}),
    "decr": ("web 2", {"name": "web", "nb": 2}),
    "doctor": ("", {}),
    "dstats": ("", {}),
    "events": ("", {}),
    "graph": ("", {}),
    "is-active": ("web solo", {"name": ["web", "solo"]}),
    "wait": ("web", {"name": "web"}),
    "why": ("web", {"name": "web"}),
    "get": ("web cmd numprocesses", {"name": "web", "keys": ["cmd", "numprocesses"]}),
    "globaloptions": ("endpoint", {"option": "endpoint"}),
    "incr": ("web 2", {"name": "web", "nb": 2}),
    "kill": ("web 6178", {"name": "web", "pid": 6178}),
    "list": ("web", {"name": "web"}),
    "listsockets": ("", {}),
    "numprocesses": ("web", {"name": "web"}),
    "numwatchers": ("", {}),
    "options": ("web", {"name": "web"}),
    "quit": ("", {}),
    "reload": ("web", {"name": "web"}),
    "reloadconfig": ("my.ini", {"path": os.path.abspath("my.ini")}),
    "reopen": ("web", {"name": "web"}),
    "restart": ("web", {"name": "web"}),
    "rm": ("web", {"name": "web"}),
    "logs": ("web solo", {"name": ["web", "solo"]}),
    "set": (
        "web numprocesses 3 stop_signal 2",
        {"name": "web", "options": {"numprocesses": 3, "stop_signal": 2}},
    ),
    "signal": ("web HUP", {"name": "web", "signum": 1}),
    "start": ("w*", {"name": "w*"}),
    "stats": ("web 6178", {"name": "web", "process": 6178}),
    "status": ("web", {"name": "web"}),
    "stop": ("w*", {"name": "w*"}),
    "upgrade": ("", {}),
}
NO_ARGUMENTS_AND_NO_SWITCHES = {"ping"}
ANSWERED_BY_NOBODY = {"listen"}  # the command line does all of it: see test_follow

# What is typed for a switch that takes a value, and what it must come to.
VALUES: dict[str, tuple[str, Any]] = {
    "match": ("glob", "glob"),
    "signum": ("SIGINT", 2),
    "graceful-timeout": ("2.5", 2.5),
    "since": ("7", 7),
    "limit": ("10", 10),
    "lines": ("10", 10),
    "python": ("python3", "python3"),
    "reason": ("sale", "sale"),
    "for": ("up", "up"),
}

# What a switch adds beside its own property.
MORE: dict[tuple[str, str], dict[str, Any]] = {
    ("logs", "age"): {"since": 0},
    ("status", "details"): {"deaths": True},
}


class TestTheWire(CtlCase):
    def assert_sent(self, command: str, properties: dict[str, Any]) -> None:
        sent = self.sent()
        self.assertEqual((sent["command"], sent["properties"]), (command, properties))
        self.assertEqual(set(sent), {"actor", "id", "command", "properties"})
        self.assertEqual(sent["actor"], "cvec_circusctl")

    def test_every_command_has_a_case(self) -> None:
        others = NO_ARGUMENTS_AND_NO_SWITCHES | ANSWERED_BY_NOBODY
        self.assertEqual({*ARGUMENTS, *others}, set(table.NAMES))
        for name in others:
            self.assertEqual(table.load_all()[name].all_switches, ())

    def test_every_argument(self) -> None:
        for command, (typed, properties) in ARGUMENTS.items():
            with self.subTest(command=command):
                self.fails(0, command, *typed.split())
                self.assert_sent(command, properties)

    def test_every_switch(self) -> None:
        for command, (typed, properties) in ARGUMENTS.items():
            for switch in table.load_all()[command].all_switches:
                for name in {switch.name, switch.name.replace("-", "_")}:
                    with self.subTest(command=command, switch=name):
                        self.check_switch(command, typed, properties, switch, name)

    def check_switch(
        self, command: str, typed: str, properties: dict[str, Any], switch: Any, name: str
    ) -> None:
        """Type the switch before the arguments and after them."""
        words, value = [f"--{name}"], switch.value
        if switch.value is None:
            word, value = VALUES[switch.name]
            words.append(word)
        for line in ([*words, *typed.split()], [*typed.split(), *words]):
            self.fails(0, command, *line)
            more = MORE.get((command, switch.prop), {})
            self.assert_sent(command, {**properties, switch.prop: value, **more})

    def test_circusctls_switches_are_all_there(self) -> None:
        # Read off `circusctl COMMAND --help` of 0.19, less the commands that are not here.
        theirs = {
            **{command: {"waiting"} for command in ("decr", "incr", "quit", "set")},
            **{command: {"waiting", "match"} for command in ("restart", "start", "stop")},
            "add": {"start"},
            "kill": {"waiting", "signum", "graceful_timeout"},
            "reload": {"waiting", "sequential", "terminate"},
            "reloadconfig": {"waiting"},
            "rm": {"waiting", "nostop"},
            "signal": {"children", "recursive"},
            "stats": {"extended"},
        }
        for command, switches in theirs.items():
            shown = table.load_all()[command].all_switches
            ours = {switch.name.replace("-", "_") for switch in shown}
            self.assertLessEqual(switches, ours, command)

    def test_forms_of_arguments(self) -> None:
        self.ctl("signal", "web", "6178", "HUP")
        self.assert_sent("signal", {"name": "web", "pid": 6178, "signum": 1})
        self.ctl("signal", "web", "6178", "6179", "9", "--recursive")
        pids = {"pid": 6178, "childpid": 6179}
        self.assert_sent("signal", {"name": "web", "signum": 9, **pids, "recursive": True})
        self.ctl("add", "new", "sleep 5", "--start")
        self.assert_sent("add", {"name": "new", "cmd": "sleep 5", "start": True})
        self.ctl("add", "new", "--start", "--", "sh", "-c", "exit 3")
        expected = {"name": "new", "cmd": "sh", "args": ["-c", "exit 3"], "start": True}
        self.assert_sent("add", expected)
        self.ctl("set", "web", "env", "A=1,B=2", "flapping.window", "3")
        options = {"env": {"A": "1", "B": "2"}, "flapping.window": "3"}
        self.assert_sent("set", {"name": "web", "options": options})
        self.ctl("STOP")
        self.assert_sent("stop", {})

    def test_a_list_only_of_several_names(self) -> None:
        for command in "list numprocesses reload restart rm start stats status stop".split():
            self.ctl(command, "web", "s*", "One Shot")
            self.assert_sent(command, {"name": ["web", "s*", "One Shot"]})
        for command in ("kill", "incr", "decr"):
            self.ctl(command, "web", "solo")
            self.assert_sent(command, {"name": ["web", "solo"]})
        self.ctl("incr", "web", "solo", "2")
        self.assert_sent("incr", {"name": ["web", "solo"], "nb": 2})
        self.ctl("signal", "web", "solo", "HUP")
        self.assert_sent("signal", {"name": ["web", "solo"], "signum": 1})
        self.ctl("kill", "web")
        self.assert_sent("kill", {"name": "web"})
        self.fails(3, "--json", "stop", "7", "8")
        self.assert_sent("stop", {"name": ["7", "8"]})
        self.fails(3, "--json", "incr", "7")
        self.assert_sent("incr", {"name": "7"})

    def test_yes_stays_here(self) -> None:
        for line in ("stop", "restart", "reload", "set web max_retry 3"):
            self.ctl(*line.split(), "--yes")
            self.assertNotIn("yes", self.sent()["properties"])

    def test_a_timeout_goes_with_waiting(self) -> None:
        self.ctl("stop", "web", "--waiting", "--timeout", "2")
        self.assert_sent("stop", {"name": "web", "waiting": True, "timeout": 2.0})
        self.ctl("--timeout", "2", "stop", "web")
        self.assert_sent("stop", {"name": "web"})
