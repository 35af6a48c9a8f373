"""What `why` says of real programs that cannot be run, or that end."""

from __future__ import annotations

import os
import re
import shlex
from typing import Any

from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.support.silence import silence


class TestWhy(EmbeddedCase):
    def why(self, name: str = "web") -> dict[str, Any]:
        return self.wire.call("why", name=name)

    def gave_up(self, **options: Any) -> str:
        """Start what cannot be run; return the sentence about it."""
        self.arbit({"name": "web", "max_retry": 1, **options})
        self.events.next("giveup")
        self.assertTrue(eventually(lambda: self.why()["phase"] == "failed"))
        return str(self.why()["sentence"])

    def test_no_such_program(self) -> None:
        said = "cannot run /no/such/program: No such file or directory (1 attempt)"
        self.assertEqual(
            self.gave_up(cmd="/no/such/program"), f"web has failed: it gave up: {said}"
        )

    def test_a_variable_in_the_program(self) -> None:
        told = self.gave_up(cmd="/no/$(circus.env.P)/$(circus.wid)", env={"P": "hunter2"})
        said = "cannot run /no/$(circus.env.P)/$(circus.wid): No such file or directory (1 attempt)"
        self.assertEqual(told, f"web has failed: it gave up: {said}")
        check = {"ready": {"a": "exec:$(circus.env.P) x"}, "env": {"P": "hunter2", "PATH": "/no"}}
        self.wire.call("add", name="db", cmd="/bin/sleep 1000", options=check, start=True)
        self.assertTrue(eventually(lambda: "cannot run $(circus.env.P)" in str(self.why("db"))))
        self.assertNotIn("hunter2", str(self.why("db")))

    def test_not_executable(self) -> None:
        path = self.folder / "program"
        path.write_text("#!/bin/sh\n")
        said = f"cannot run {path}: Permission denied (1 attempt)"
        self.assertEqual(self.gave_up(cmd=str(path)), f"web has failed: it gave up: {said}")

    def test_no_such_folder(self) -> None:
        told = self.gave_up(cmd="sleep 1000", working_dir="/no/such/folder")
        self.assertIn("web has failed: it gave up: ", told)
        self.assertIn("/no/such/folder", told)

    def test_what_it_wrote_last(self) -> None:
        silence(self)
        text = "echo one; echo two >&2; exit 3"
        self.arbit(
            {"name": "web", "cmd": f"sh -c {shlex.quote(text)}", "respawn_delay": 1000},
            {"name": "mute", "cmd": "sh -c 'exit 3'", "respawn_delay": 1000, "log_history": 0},
        )
        self.assertTrue(eventually(lambda: self.why()["deaths"]))
        self.wire.call("set", name="web", options={"log_history": 1000})  # starts it once more
        self.assertTrue(
            eventually(lambda: sorted(self.why()["deaths"][0]["output"] or ()) == ["one", "two"])
        )
        told = self.why()
        self.assertRegex(
            told["sentence"], "^web is in backoff: .* exited with 3; .* last: (one|two)"
        )
        self.assertEqual(told["unkept"], "")
        self.assertIn("log_history", self.why("mute")["unkept"])

    def test_output_that_is_lost(self) -> None:
        silence(self)
        self.arbit({"name": "web", "cmd": "sleep 1000", "stderr_stream": {"class": "no.such"}})
        options = {"stdout_stream.filename": str(self.folder)}
        self.wire.call("set", name="web", options=options, waiting=True)
        said = f"cannot open {self.folder}: Is a directory"
        self.assertTrue(eventually(lambda: self.why()["lost"].get("stdout") == said))
        self.assertIn("ModuleNotFoundError", self.why()["lost"]["stderr"])
        options = {"stdout_stream.filename": "/dev/full", "cmd": "sh -c 'echo x; exec sleep 1000'"}
        self.wire.call("set", name="web", options=options)
        said = "cannot write to /dev/full: No space left on device"
        self.assertTrue(eventually(lambda: self.why()["lost"].get("stdout") == said))
        self.wire.call("set", name="web", options={"stdout_stream.filename": "/dev/null"})
        self.assertTrue(eventually(lambda: list(self.why()["lost"]) == ["stderr"]))

    def test_a_start_that_dies_at_once(self) -> None:
        silence(self)
        self.arbit({"name": "web", "cmd": "true", "autostart": False, "log_history": 1000})
        text = "echo no database; exit 7"
        self.wire.call("set", name="web", options={"cmd": f"sh -c {shlex.quote(text)}"})
        reason = self.wire.refused("start", name="web", waiting="proved")
        said = "exited with 7 after .* s, before it was ready; it wrote last: no database$"
        self.assertRegex(reason, f"^start of web: process \\d+ {said}")

    def test_a_rollout_that_fails(self) -> None:
        options = {"name": "web", "cmd": "sleep 1000", "min_uptime": 0.01, "log_history": 1000}
        self.arbit({**options, "rollout": "surge"})
        self.events.next("ready")
        text = "echo one; echo no database; exit 7"
        options = {"cmd": f"sh -c {shlex.quote(text)}", "min_uptime": 20}
        reason = self.wire.refused("set", name="web", options=options, waiting=True)
        left = "the options of before are back; the old process was kept"
        said = f"{left}; it wrote last: one | no database"
        self.assertRegex(reason, rf"^set of web: process \d+ exited with 7 .*; {re.escape(said)}$")
        told = self.events.next("rollback")["reason"]
        self.assertEqual(f"set of web: {told}", reason)
        self.assertEqual(self.why("web")["failed_rollout"], told)
        reasons = self.wire.call("status")["reasons"]
        self.assertEqual(reasons["web"], f"the last rollout failed: {told}")

    def test_a_wait_that_takes_too_long_names_the_check(self) -> None:
        self.arbit({"name": "web", "cmd": "sleep 1000", "ready.up": "log:serves"})
        self.events.next("start")
        said = r"web is starting \(process \d+ is not ready yet: check up: no line .* came\)"
        for command in ("wait", "start"):
            more = {"waiting": "proved"} if command == "start" else {}
            reply = self.wire.client.call(command, name="web", timeout=0.01, **more)
            self.assertTrue(reply["timed_out"])
            self.assertRegex(reply["reason"], f"timed out after 0.01 s: {said}$")

    def test_a_circle_is_refused(self) -> None:
        self.arbit(*({"name": name, "cmd": "sleep 1000"} for name in "abc"))
        for name, needs in (("a", "b"), ("b", "C")):
            options = {"depends_on": needs}
            self.assertEqual(self.wire.call("set", name=name, options=options)["status"], "ok")
        reason = self.wire.refused("set", name="c", options={"part_of": "a"})
        way = "part_of: a circle, in which each waits for the next: c -> a -> b -> c"
        self.assertEqual(reason, way)
        options = {"depends_on": "d"}
        reason = self.wire.refused("add", name="d", cmd="sleep 1", options=options)
        self.assertEqual(reason, "depends_on: d would wait for itself")
        options = {"depends_on": "later"}
        self.assertEqual(self.wire.call("set", name="c", options=options)["status"], "ok")

    def test_wait_is_answered_when_it_is_so(self) -> None:
        self.arbit({"name": "web", "cmd": "sleep 1000", "autostart": False, "min_uptime": 0})
        reply = self.wire.client.call("wait", name="web", timeout=0.01)
        self.assertEqual((reply["status"], reply["timed_out"]), ("error", True))
        self.wire.call("start", name="web")
        self.assertEqual(self.wire.call("wait", name="web")["phases"], {"web": "up"})
        os.kill(self.wire.pids("web")[0], 9)
        self.wire.call("stop", name="web")
        reply = self.wire.call("wait", name="web", state="stopped")
        self.assertEqual(reply["phases"], {"web": "stopped"})
