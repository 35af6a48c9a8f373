"""Processes that cannot be started: what `status` says, and that nothing else minds."""

from __future__ import annotations

import os
import re
import unittest
from typing import Any

from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually


class TestReasons(EmbeddedCase):
    """Every way to fail, with its own reason, at once."""

    def write(self, name: str, text: str, mode: int = 0o755) -> str:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def failing(self) -> dict[str, tuple[dict[str, Any], str]]:
        """The options of each watcher, and what its reason says."""
        empty = self.write("empty", "")
        return {
            "missing": ({"cmd": "/no/such/program"}, "/no/such/program: No such file or directory"),
            "not in PATH": ({"cmd": "no-such-program x"}, "no-such-program: there is no such"),
            "no right": ({"cmd": self.write("no-right", "", 0o644)}, "no-right: Permission denied"),
            "folder": ({"cmd": str(self.folder)}, "Permission denied"),
            "interpreter": ({"cmd": self.write("bad", "#!/no/such/sh\n")}, "interpreter"),
            "no program": ({"cmd": self.write("text", "hello\n")}, "it is not a program"),
            "empty file": ({"cmd": empty}, "it is not a program"),
            "too long": ({"cmd": "true", "args": ["x" * 3_000_000]}, "Argument list too long"),
            "no folder": ({"cmd": "true", "working_dir": "/no/such"}, "working directory /no/such"),
            "a file": ({"cmd": "true", "working_dir": empty}, "Not a directory"),
            "quote": ({"cmd": "echo $(circus.x)", "x": "'x"}, "cmd cannot be split into words"),
            "args": (
                {"cmd": "echo", "args": "x $(circus.x)", "x": '"y'},
                "args cannot be split into words",
            ),
            "nothing": ({"cmd": "$(circus.env.NOTHING)", "env": {"NOTHING": ""}}, "cmd is empty"),
        }

    def test_each_reason(self) -> None:
        failing = self.failing()
        watchers = [
            {"name": name, "max_retry": 1, **options} for name, (options, _) in failing.items()
        ]
        self.arbit({"name": "fine", "cmd": "sleep 1000"}, *watchers)
        given_up = {event["watcher"]: event for event in self.events.wait("giveup", len(watchers))}
        self.assertEqual(set(given_up), set(failing))
        (pid,) = self.wire.pids("fine")
        for name, (_, expected) in failing.items():
            state, reason = self.wire.status(name)
            self.assertEqual(state, "stopped", name)
            self.assertIn(expected, reason, name)
            self.assertEqual(given_up[name]["reason"], reason)
            self.assertNotIn("Errno", reason)
            self.assertNotIn("sec'ret", reason, name)
            self.assertLess(len(reason), 400, name)
        self.assertEqual(self.wire.pids("fine"), [pid])
        self.assertEqual(self.events.of("spawn", watcher="fine")[0]["process_pid"], pid)
        self.assertEqual(len(self.events.of("spawn")), 1)

    def test_what_no_program_can_be_given(self) -> None:
        self.arbit()
        odd: list[dict[str, Any]] = [
            {"cmd": "true \ud800"},
            {"cmd": "\ud800"},
            {"cmd": "true", "options": {"env": {"A": "\ud800"}}},
            {"cmd": "true", "options": {"env": {"A=B": "x"}}},
            {"cmd": "true", "options": {"env": {"A": "x\0y"}}},
            {"cmd": "true", "options": {"working_dir": "/\ud800"}},
        ]
        for number, properties in enumerate(odd):
            with self.subTest(properties):
                reply = self.wire.client.call("add", name=f"odd{number}", start=True, **properties)
                if reply["status"] == "ok":
                    self.assertTrue(eventually(lambda: self.wire.call("status").get("reasons")))
                    self.wire.call("rm", name=f"odd{number}")
                else:
                    self.assertEqual(reply["errno"], 3, reply)
        self.assertEqual(self.wire.call("status")["statuses"], {})

    def test_a_waiting_start_is_told(self) -> None:
        self.arbit({"name": "a", "cmd": "/no/such/program", "max_retry": 2, "autostart": False})
        refused = self.wire.refused("start", name="a", waiting=True)
        self.assertIn("a gave up: cannot run /no/such/program: No such file", refused)
        self.assertIn("(2 attempts)", refused)

    def test_the_reason_while_it_is_tried_again(self) -> None:
        self.arbit({"name": "a", "cmd": "/no/such/program", "max_retry": -1})
        said = r"^cannot run .*: No such file or directory; next start in [01]\.\d s$"
        self.assertTrue(eventually(lambda: re.search(said, self.wire.status("a")[1])))
        self.assertEqual(self.wire.status("a")[0], "starting")
        self.assertEqual(self.wire.call("status")["reasons"].keys(), {"a"})

    def test_a_program_that_turns_up(self) -> None:
        path = self.folder / "late"
        self.arbit({"name": "a", "cmd": str(path), "max_retry": -1, "backoff_max": 0.1})
        self.assertTrue(eventually(lambda: self.wire.status("a")[0] == "starting"))
        self.write("late.new", "#!/bin/sh\nexec sleep 1000\n")
        os.rename(self.folder / "late.new", path)
        self.events.next("spawn")
        self.events.next("start")
        status, reason = self.wire.status("a")
        self.assertEqual(status, "active")
        self.assertRegex(reason, r"^(slot 1: process \d+ runs, and is not ready yet, after .*)?$")

    def test_another_program_starts_by_set(self) -> None:
        self.arbit({"name": "a", "cmd": "/no/such/program", "max_retry": 1})
        self.events.next("giveup")
        self.wire.order("set", name="a", options={"cmd": "sleep 1000"})
        self.wire.order("start", name="a")
        self.assertEqual(self.wire.status("a"), ("active", ""))

    def test_a_reload_into_what_cannot_be_started(self) -> None:
        self.arbit({"name": "a", "cmd": "sleep 1000", "max_retry": 1})
        self.events.next("start")
        running = self.wire.pids("a")
        self.wire.call("set", name="a", options={"cmd": "/no/such/program"})
        expected = "cannot run /no/such/program: No such file or directory; next start in"
        self.assertTrue(eventually(lambda: expected in self.wire.status("a")[1]))
        self.assertEqual((self.wire.status("a")[0], self.wire.pids("a")), ("active", running))
        self.assertEqual(self.events.of("giveup"), [])

    def test_a_restart_into_what_cannot_be_started(self) -> None:
        self.arbit({"name": "a", "cmd": "sleep 1000", "max_retry": 1})
        self.events.next("start")
        self.wire.call("set", name="a", options={"cmd": "/no/such/program"})
        self.wire.call("restart", name="a")
        self.events.next("giveup")
        state, reason = self.wire.status("a")
        self.assertIn("/no/such/program", reason)
        self.assertIn(state, ("stopping", "stopped"))

    def test_quick_deaths_are_told(self) -> None:
        self.arbit({"name": "a", "cmd": "false", "backoff_max": 1000.0})
        row = r"slot 1 has died \d+ times in a row, each within 1 s: process \d+ exited with 1"
        said = rf"^{row}; next start in \d\.\d s$"
        self.assertTrue(eventually(lambda: re.search(said, self.wire.status("a")[1])))
        self.assertEqual(self.wire.status("a")[0], "active")


if __name__ == "__main__":
    unittest.main()
