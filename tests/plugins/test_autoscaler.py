"""Autoscaler: when it changes the number of processes, and when it does not."""

from __future__ import annotations

import subprocess
import threading
import unittest
from typing import Any

from cvec_circus.exc import OptionError
from cvec_circus.plugins.autoscaler import Autoscaler, decision, last_output
from tests.plugins.case import TIMEOUT, PluginCase
from tests.support.eventually import eventually
from tests.support.webserver import WebServer

BOUNDS = {"up": 100.0, "down": 10.0, "min": 2, "max": 8, "step": 3}


class TestDecision(unittest.TestCase):
    """What follows from a number."""

    def test_it(self) -> None:
        for number, load, change in (
            (4, 50, 0),
            (4, 100, 0),  # not above
            (4, 10, 0),  # not below
            (4, 101, 3),
            (6, 101, 2),  # up to the maximum
            (8, 1000, 0),
            (20, 1000, 0),  # somebody wants more than the maximum
            (8, 9, -3),
            (4, 9, -2),  # down to the minimum
            (2, 0, 0),
            (0, 0, 0),  # somebody wants less than the minimum
            (0, 50, 0),
            (0, 101, 3),
            (20, 0, -3),
        ):
            with self.subTest(number=number, load=load):
                self.assertEqual(decision(number, load, BOUNDS), change)


class AutoscalerCase(PluginCase):
    """A daemon that pretends to have a watcher, and a number on a web page."""

    def setUp(self) -> None:
        super().setUp()
        self.server = WebServer()
        self.addCleanup(self.server.close)
        self.number = 4
        self.state = "active"
        self.phase = "up"
        self.daemon.answers.update(
            {
                "status": lambda properties: {"status": self.state, "phase": self.phase},
                "get": lambda properties: {"options": {"numprocesses": self.number}},
                "incr": lambda properties: self.change(1, properties),
                "decr": lambda properties: self.change(-1, properties),
            }
        )

    def change(self, sign: int, properties: dict[str, Any]) -> dict[str, Any]:
        """Do what the command says, on the daemon's thread."""
        self.number += sign * properties["nb"]
        told = {"numprocesses": self.number, "reason": properties["reason"]}
        self.daemon._publish("Web", "updated", True, told)
        return {}

    def config(self, **config: Any) -> dict[str, Any]:
        return {
            "watcher": "web",
            "by": "url",
            "url": self.server.url,
            "up": "100",
            "down": "10",
            "max": "8",
            "cooldown": "0",
            "interval": "0.01",
            "name": "plugin:scale",
            **config,
        }

    def autoscaler(self, **config: Any) -> tuple[Autoscaler, threading.Thread]:
        plugin: Autoscaler = self.make(Autoscaler, **self.config(**config))
        return plugin, self.run_plugin(plugin)

    def becomes(self, number: int) -> None:
        self.assertTrue(eventually(lambda: self.number == number, TIMEOUT), self.number)

    def looked(self, times: int = 5) -> None:
        """Wait until that many measurements are made."""
        before = len(self.daemon.commands("status"))
        enough = before + times
        self.assertTrue(eventually(lambda: len(self.daemon.commands("status")) >= enough, TIMEOUT))

    def reasons(self) -> list[str]:
        found = self.daemon.commands("incr") + self.daemon.commands("decr")
        return [message["properties"]["reason"] for message in found]


class TestScaling(AutoscalerCase):
    """Numbers from a page."""

    def test_up_and_down(self) -> None:
        self.server.page = "50"
        self.autoscaler(step=3)
        self.looked()
        self.assertEqual(self.number, 4)
        self.server.page = "101\n"
        self.becomes(8)
        self.server.page = "99.5"
        self.looked()
        self.server.page = "3"
        self.becomes(1)
        self.looked()
        changes = [message["properties"]["nb"] for message in self.daemon.commands("incr")]
        self.assertEqual(changes, [3, 1])
        changes = [message["properties"]["nb"] for message in self.daemon.commands("decr")]
        self.assertEqual(changes, [3, 3, 1])
        self.assertEqual(self.reasons()[0], "plugin:scale: url is 101, above 100")
        self.assertEqual(self.reasons()[-1], "plugin:scale: url is 3, below 10")

    def test_per_process(self) -> None:
        self.server.page = "450"
        self.autoscaler(per_process="yes")
        self.becomes(5)
        self.looked()
        self.assertEqual(self.number, 5)
        self.assertEqual(self.reasons(), ["plugin:scale: url is 112.5 per process, above 100"])

    def test_what_it_has_started_becomes_ready_first(self) -> None:
        for phase in ("starting", "reloading"):
            with self.subTest(phase):
                self.phase, self.server.page = phase, "1000"
                plugin, thread = self.autoscaler(max=5)
                self.looked()
                self.assertEqual((self.number, self.server.requests), (4, []))
                self.phase = "up"
                self.becomes(5)
                self.end(plugin, thread)
                self.number = 4
                self.server.requests.clear()

    def test_what_is_in_trouble_gets_no_more_processes(self) -> None:
        for phase in ("unready", "backoff"):
            with self.subTest(phase), self.assertLogs("cvec_circus", "INFO") as logs:
                self.phase, self.server.page = phase, "1000"
                plugin, thread = self.autoscaler(min=3, max=5)
                self.looked(10)
                self.assertEqual(self.number, 4)
                self.server.page = "5"
                self.becomes(3)
                self.phase = "up"
                self.looked(2)  # the phase is asked for before the load
                self.server.page = "1000"
                self.becomes(5)
                self.end(plugin, thread)
                why = f"web: not scaled: the load wants more processes, but its phase is {phase}"
                self.assertEqual([why in line for line in logs.output].count(True), 1)
                self.assertEqual(["scaled again" in line for line in logs.output].count(True), 1)
                self.number = 4

    def test_a_daemon_that_tells_no_phase(self) -> None:
        self.daemon.answers["status"] = lambda properties: {"status": "active"}
        self.server.page = "1000"
        self.autoscaler()
        self.becomes(8)

    def test_a_pause_after_each_change(self) -> None:
        self.server.page = "1000"
        self.autoscaler(cooldown=3600)
        self.becomes(5)
        self.looked()
        self.assertEqual(self.number, 5)

    def test_by_what_processes_use(self) -> None:
        def row(cpu: Any, *children: Any) -> dict[str, Any]:
            return {"cpu": cpu, "mem": 1.0, "children": list(children)}

        rows = {"1": row(70.0, row(60.0, row("N/A"))), "2": row(90.0)}
        self.daemon.answers["stats"] = lambda properties: {"info": rows}
        self.autoscaler(by="cpu", step=9)
        self.becomes(8)
        self.assertEqual(self.reasons(), ["plugin:scale: cpu is 110 % of a processor, above 100"])
        rows = {"3": row(0.0), **rows}  # a new one counts from the second look on
        self.looked()
        self.assertEqual(self.number, 8)
        self.server.page = "0"

    def test_by_memory(self) -> None:
        self.daemon.answers["stats"] = lambda properties: {"info": {"1": {"mem": 3.5}}}
        self.autoscaler(by="memory", up=3, down=1)
        self.becomes(8)
        self.assertIn("memory is 3.5 % of the memory, above 3", self.reasons()[0])

    def test_by_command(self) -> None:
        self.autoscaler(by="command", command="echo 700 | tr 7 8")
        self.becomes(8)
        self.assertIn("command is 800, above 100", self.reasons()[0])


class TestOthers(AutoscalerCase):
    """Somebody else decides, too."""

    def test_what_somebody_changes_stays_for_a_while(self) -> None:
        self.server.page = "50"
        with self.assertLogs("cvec_circus", "INFO") as logs:
            self.autoscaler(cooldown=3)
            self.looked()
            self.number = 2
            self.daemon.publish("Web", "updated", numprocesses=2)
            self.assertTrue(
                eventually(lambda: "set to 2 processes" in "".join(logs.output), TIMEOUT)
            )
            self.server.page = "1000"
            self.looked()
            self.assertEqual(self.number, 2)
            self.becomes(3)
            said = "web: 3 instead of 2 processes: plugin:scale: url is 1000"
            self.assertTrue(eventually(lambda: said in "".join(logs.output), TIMEOUT))
        self.assertIn("web: set to 2 processes by others: not scaled for 3 s", logs.output[0])

    def test_a_change_that_no_event_tells(self) -> None:
        self.server.page = "50"
        plugin, _ = self.autoscaler(cooldown=3600)
        self.looked()
        self.number = 2
        self.assertTrue(eventually(lambda: plugin.wanted == 2, TIMEOUT))
        self.server.page = "1000"
        self.looked()
        self.assertEqual(self.number, 2)

    def test_other_events_do_not_matter(self) -> None:
        self.server.page = "50"
        self.autoscaler(cooldown=3600)
        self.daemon.publish("web", "updated", reason="another option")
        self.daemon.publish("other", "updated", numprocesses=2)
        self.daemon.publish("web", "spawn")
        self.looked()
        self.server.page = "1000"
        self.becomes(5)

    def test_a_watcher_that_is_stopped(self) -> None:
        self.state = "stopped"
        self.server.page = "1000"
        with self.assertLogs("cvec_circus", "INFO") as logs:
            self.autoscaler()
            self.looked()
            self.assertEqual(self.number, 4)
            self.state = "active"
            self.becomes(8)
        self.assertIn("web: not scaled: it is stopped", logs.output[0])
        self.assertIn("web: scaled again", logs.output[1])

    def test_one_that_is_not_there(self) -> None:
        del self.daemon.answers["status"]
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.autoscaler()
            self.looked()
        self.assertEqual(len(logs.output), 1)
        self.assertIn("web: not scaled: unknown command", logs.output[0])

    def test_one_that_goes_meanwhile(self) -> None:
        del self.daemon.answers["get"]
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.autoscaler()
            self.looked(2)
        self.assertIn("web: not scaled: unknown command", logs.output[0])

    def test_a_daemon_that_does_not_answer(self) -> None:
        self.daemon.muted.add("incr")
        self.server.page = "1000"
        plugin: Autoscaler = self.make(Autoscaler, **self.config())
        plugin.call_timeout = 0.5
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.run_plugin(plugin)
            self.assertTrue(eventually(lambda: logs.output, TIMEOUT))
        self.assertIn("web: not scaled: Timed out.", logs.output[0])
        self.assertNotIn("Traceback", logs.output[0])

    def test_a_singleton(self) -> None:
        singleton = {"numprocesses": 1, "singleton": True}
        self.daemon.answers["incr"] = lambda properties: singleton
        self.server.page = "1000"
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.autoscaler()
            self.looked()
        self.assertIn("web: not scaled: it is a singleton", logs.output[0])


class TestTrouble(AutoscalerCase):
    """There is no number."""

    def test_it_is_said_once(self) -> None:
        self.server.page = "out of order"
        with self.assertLogs("cvec_circus", "INFO") as logs:
            self.autoscaler()
            self.looked()
            self.server.page = ""
            self.looked()
            self.server.page = "nan"
            self.looked()
            self.server.page = "50"
            self.assertTrue(eventually(lambda: "scaled again" in logs.output[-1], TIMEOUT))
        said = [line.partition("web: ")[2] for line in logs.output]
        expected = [
            "not scaled: 'out of order' is not a number",
            "not scaled: 503 Service Unavailable",
            "not scaled: 'nan' is not a number",
            "scaled again",
        ]
        self.assertEqual(said, expected)
        self.assertEqual(self.number, 4)

    def test_a_page_that_does_not_come(self) -> None:
        self.server.page = None
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.autoscaler(timeout=0.1)
            self.looked(3)
        self.assertIn("web: not scaled: timed out", logs.output[0])
        self.assertEqual(len(logs.output), 1)

    def test_a_name_and_a_password(self) -> None:
        self.server.page = "101"
        self.autoscaler(url=self.server.url.replace("//", "//me:secret@"))
        self.assertTrue(eventually(lambda: self.number > 4, TIMEOUT))

    def test_a_measurement_that_does_not_end(self) -> None:
        plugin = self.make(Autoscaler, **self.config(timeout=30))
        plugin.busy = True
        plugin.began_at -= 40  # of these, questions to the daemon may take 15
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            plugin.look()
            self.assertEqual(plugin.trouble, "")
            plugin.began_at -= 10
            plugin.look()
            plugin.look()
        self.assertIn("not scaled: there is no number yet", logs.output[0])
        self.assertEqual(len(logs.output), 1)

    def test_commands(self) -> None:
        for command, timeout, said in (
            ("printf '\\033[2Jno' >&2; exit 3", 10, "exits with 3: ?[2Jno"),
            ("exit 3", 10, "exits with 3"),
            ("echo", 10, "'' is not a number"),
            ("sleep 1000 & sleep 1000", 0.1, "it takes longer than 0.1 s"),
            ("/no/such", 10, "exits with 127: "),
        ):
            with self.subTest(command), self.assertLogs("cvec_circus", "WARNING") as logs:
                plugin, thread = self.autoscaler(by="command", command=command, timeout=timeout)
                self.looked(2)
                self.end(plugin, thread)
                self.assertIn(f"web: not scaled: {said}", logs.output[0])

    def test_of_a_command_that_prints_and_prints_little_is_kept(self) -> None:
        with subprocess.Popen(
            ["/bin/sh", "-c", "head -c 3000000 /dev/zero; printf 17; printf no >&2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            printed, complaint = last_output(process, TIMEOUT)
        self.assertLess(len(printed), 100_000)
        self.assertEqual((printed[-3:], complaint, process.returncode), ("\x0017", "no", 0))

    def test_a_command_does_not_outlive_the_plugin(self) -> None:
        plugin, thread = self.autoscaler(by="command", command="sleep 1000", timeout=3600)
        self.assertTrue(eventually(lambda: plugin.command._process is not None, TIMEOUT))
        self.end(plugin, thread)


class TestOptions(AutoscalerCase):
    """What makes no sense is refused in a line that begins with the key."""

    def test_values_that_cannot_be(self) -> None:
        for given, said in (
            ({"watcher": None}, "watcher: missing"),
            ({"by": None}, "by: missing"),
            ({"by": "queue"}, "by: 'queue' is not one of cpu, memory, command, url"),
            ({"by": "command"}, "command: missing; it goes with by = command"),
            ({"url": None}, "url: missing; it goes with by = url"),
            ({"url": "file:///etc/passwd"}, "url: not of the form"),
            ({"url": "http://me:sec/ret@a/"}, "url: not of the form http://host/path or"),
            ({"up": None}, "up: missing"),
            ({"down": "100"}, "down: 100 is not below up, which is 100"),
            ({"min": "9"}, "min: 9 is above max, which is 8"),
            ({"by": "cpu", "per_process": "on"}, "per_process: cpu is per process already"),
            ({"step": "0"}, "step: "),
            ({"interval": "0"}, "interval: "),
        ):
            with self.subTest(given), self.assertRaises(OptionError) as caught:
                self.make(Autoscaler, **self.config(**given))
            self.assertTrue(str(caught.exception).startswith(said), caught.exception)
