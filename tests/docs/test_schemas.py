"""The schemas of `--json`: each answer, refusal and line that a program of ours prints fits."""

from __future__ import annotations

import json
import signal
import subprocess
import unittest
from typing import Any

from cvec_circus.commands import table
from tests.ctl.ctl_case import run
from tests.support.daemon import Daemon, DaemonCase, end_of, script
from tests.support.eventually import eventually
from tests.support.schemas import Schemas, fields, published
from tests.test_docs import DOCS, module_of

TEXT = """\
[watcher:web]
cmd = sh -c 'echo out; echo err >&2; exec sleep 1000'
log_history = 1000
numprocesses = 2
ready.y = exec:true
live.x = exec:true
[watcher:bad]
cmd = sh -c 'echo dying; exit 3'
respawn = False
log_history = 1000
[watcher:dep]
cmd = sleep 1000
depends_on = nope, bad
[watcher:job]
cmd = sleep 1000
schedule = 0 0 29 2 *
[socket:s]
path = s.sock
"""


class TestDocument(unittest.TestCase):
    def test_each_command_has_one_with_the_fields_of_its_page(self) -> None:
        answers = module_of(DOCS / "answers.py").ANSWERS
        names = set(published()["$defs"])
        self.assertLessEqual(set(table.NAMES), names)
        for command in set(table.NAMES) - {"listen"}:
            with self.subTest(command):
                self.assertEqual(fields(command), set(answers[command]))

    def test_it_is_published(self) -> None:
        self.assertIn('html_extra_path = ["schemas.json"]', (DOCS / "conf.py").read_text())

    def test_what_does_not_fit(self) -> None:
        schemas, head = Schemas(), {"time": 1.5, "id": "x"}
        good = {"status": "ok", **head, "numwatchers": 2}
        self.assertEqual(schemas.problems("numwatchers", good), [])
        for change in ({"numwatchers": "2"}, {"more": 1}, {"status": "error"}, {"id": None}):
            with self.subTest(change):
                self.assertTrue(schemas.problems("numwatchers", {**good, **change}))
        self.assertTrue(schemas.problems("numwatchers", {"status": "ok", **head}))
        self.assertTrue(schemas.problems("kill", {**good}))


class TestPrinted(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        self.schemas = Schemas()
        self.served: Daemon = self.daemon(TEXT)
        self.served.call("wait", name=["web"], state="ready")
        self.assertTrue(eventually(lambda: self.served.wire.status("bad")[1] != ""))

    def printed(self, *words: str) -> None:
        """Run cvec_circusctl, and judge what it prints."""
        reply = json.loads(run("--endpoint", self.served.endpoint, "--json", *words).out)
        name = "error" if reply["status"] == "error" else words[0]
        self.assertEqual(self.schemas.problems(name, reply), [], words)

    def test_all_that_is_printed(self) -> None:
        self.answers_and_refusals()
        self.lines("listen", 4, "cvec_circusctl", "events", "--follow")
        self.lines("logs-follow", 2, "cvec_circusctl", "logs", "web", "--follow")
        rows = self.lines("logs-follow", 3, "cvec_circusctl", "logs", "--follow")
        self.assertIn("watcher", rows[0])
        [row] = self.lines("top", 1, "cvec_circus-top", "--once")
        self.assertLessEqual({"web", "bad", "dep", "job"}, set(row["watchers"]))
        alone = subprocess.check_output(script("cvec_circusd", "--doctor", "--json"), timeout=60)
        self.assertEqual(self.schemas.problems("doctor-alone", json.loads(alone)), [])

    def answers_and_refusals(self) -> None:
        """Judge what commands print that the test of all answers does not ask."""
        for line in (
            "logs web",
            "logs",
            "logs dep",
            "status",
            "status web bad",
            "status bad --details",
            "status job --details",
            "why bad",
            "why dep",
            "why job",
            "why web",
            "why web bad",
            "options web bad",
            "get * cmd",
            "list web bad",
            "stats web bad",
            "listsockets",
            "get web nope",
            "incr web bad",
            "wait dep --for up --timeout 0.1",
            "restart bad --waiting",
            "reload --dry-run",
        ):
            self.printed(*line.split())

    def lines(self, name: str, count: int, *argv: str) -> list[Any]:
        """Judge the first lines that a program prints, then interrupt it."""
        words = script(*argv[:1], "--endpoint", self.served.endpoint, "--json", *argv[1:])
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            rows = [json.loads(process.stdout.readline()) for _ in range(count)]
            process.send_signal(signal.SIGINT)
            end_of(process)
        for row in rows:
            self.assertEqual(self.schemas.problems(name, row), [])
        return rows


if __name__ == "__main__":
    unittest.main()
