"""What cvec_circusctl says of watchers, and with which exit code."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock

from cvec_circus.commands import table
from cvec_circus.ctl.output import Page
from cvec_circus.wire.outcome import Outcome
from tests.ctl.ctl_case import CtlCase

TOLD: dict[str, Any] = {
    "name": "web",
    "state": "active",
    "phase": "backoff",
    "sentence": "web is in backoff: next start in 4.0 s",
    "deaths": [
        {
            **{"wid": 1, "pid": 9, "exit_code": -9, "cause": "exit", "actor": "", "why": ""},
            **{"age": 3.0, "lived": 7300.0, "ready": True, "failure": "", "output": None},
        },
        {
            **{"wid": 1, "pid": 8, "exit_code": -11, "cause": "exit", "actor": "", "why": ""},
            **{"age": 60.0, "lived": 0.25, "ready": False, "failure": "", "output": ["a", "b"]},
        },
        {
            **{"wid": 2, "pid": 7, "exit_code": -15, "cause": "command:kill"},
            **{"actor": "client ctl", "why": "it hangs"},
            **{"age": 90.0, "lived": 5.0, "ready": True, "failure": "", "output": []},
        },
        {
            **{"wid": 2, "pid": 6, "exit_code": 127, "cause": "exit", "actor": "", "why": ""},
            **{"age": 90.0, "lived": 0.0, "ready": False, "failure": "no such file"},
            "output": None,
        },
    ],
    "waits_for": [
        {"watcher": "web", "waits_for": "db", "need": "ready", "phase": "waiting", "why": ""},
        {"watcher": "db", "why": "waits for its turn"},
    ],
    "rollout": {
        **{"replaced": 1, "total": 4, "cause": "command:reload", "actor": "client", "for": 2.0}
    },
    "failed_rollout": "process 3 exited with 1; stopped at 1 of 4",
    "checks": {
        "5": [
            {
                **{"family": "ready", "name": "a", "check": "notify", "state": "not yet"},
                **{"answer": "loading", "for": 2.0},
            }
        ]
    },
    "signals": [
        {
            **{"pid": 5, "wid": 1, "signum": 1, "actor": "client", "why": "rotate", "age": 4.0},
            "refusal": "hook before_signal said no: process 5 does not get SIGHUP",
        }
    ],
    "strays": [{"pid": 70, "command": "sleep 9"}],
    "unkept": "web: its output is not kept",
    "lost": {"stderr": "cannot open /tmp: Is a directory"},
}


class TestWhy(CtlCase):
    def test_the_sentence_alone(self) -> None:
        self.assertEqual(self.ctl("why", "web").out, "web is up.\n")
        two = "solo is up.\n\nweb is up.\n"
        self.assertEqual(self.ctl("why", "web", "solo").out, two)
        self.assertEqual(self.ctl("why", "[sw]*").out, two)

    def test_what_is_left_behind_is_in_its_words_alone(self) -> None:
        self.loop.ask(setattr, self.target, "explain", lambda watcher: TOLD)
        printed = self.ctl("why", "web").out
        self.assertEqual(printed, f"{table.find('why').words(TOLD)}\n")
        self.assertEqual(printed.count("sleep 9"), 1)

    def test_nothing_is_said_twice(self) -> None:
        told = {**TOLD, "name": "job", "sentence": "job waits for its next run, at 03:00 UTC"}
        told["waits_for"] = [{"watcher": "job", "why": "waits for its next run, at 03:00 UTC"}]
        words = table.find("why").words(told)
        self.assertNotIn("it waits for:", words)
        self.assertEqual(words.count("its next run"), 1)

    def test_a_rollout_of_one_process(self) -> None:
        one = {**TOLD, "rollout": {**TOLD["rollout"], "replaced": 0, "total": 1}}
        self.assertIn(": 0 of 1 process replaced\n", table.find("why").words(one))

    def test_all_the_evidence(self) -> None:
        words = table.find("why").words(TOLD)
        self.assertEqual(
            words.splitlines(),
            [
                "web is in backoff: next start in 4.0 s.",
                "it waits for:",
                "    db to be ready: it is waiting",
                "    db: waits for its turn",
                "rollout (command:reload by client), for 2 s: 1 of 4 processes replaced",
                "the last rollout failed: process 3 exited with 1; stopped at 1 of 4",
                "checks of process 5:",
                "    ready.a (notify) not yet for 2 s: loading",
                "4 s ago: process 5 (slot 1) was sent SIGHUP from client: rotate; hook "
                "before_signal said no: process 5 does not get SIGHUP",
                "last deaths (4), the latest first:",
                "    3 s ago: process 9 (slot 1) ended after 2 h 1 m: SIGKILL, sent by a person or "
                "a program, or the kernel for lack of memory, not by the daemon",
                "    1 m ago: process 8 (slot 1) ended after 0.25 s: SIGSEGV, a crash, never ready",
                "        | a",
                "        | b",
                "    1 m ago: process 7 (slot 2) ended after 5 s: SIGTERM, command:kill by client "
                "ctl: it hangs",
                "    1 m ago: process 6 (slot 2) could not run: no such file",
                "web: its output is not kept",
                "its stderr is lost: cannot open /tmp: Is a directory",
                "left behind:",
                "    process 70: sleep 9",
            ],
        )

    def test_one_full_stop(self) -> None:
        for said, shown in (
            ("web is up", "web is up."),
            ("it wrote last: bye.", None),
            ("x!", None),
        ):
            words = table.find("why").words({**TOLD, "sentence": said})
            self.assertEqual(words.splitlines()[0], shown or said)

    def test_what_it_waits_for(self) -> None:
        for need, phase, said in (
            ("ready", "backoff", "db to be ready: it is in backoff; x"),
            ("succeeded", "failed", "db to have succeeded: it has failed; x"),
            ("started", "missing", "db to have started: it is missing; x"),
        ):
            row = {"watcher": "web", "waits_for": "db", "need": need, "phase": phase, "why": "x"}
            words = table.find("why").words({**TOLD, "waits_for": [row]})
            self.assertEqual(words.splitlines()[2], f"    {said}")

    def test_no_such_watcher(self) -> None:
        self.assertIn("no watcher nope", self.fails(3, "why", "nope").err)
        self.assertIn("no watcher nope", self.fails(3, "why", "web", "nope").err)


class TestIsActive(CtlCase):
    def test_one(self) -> None:
        self.assertEqual(self.ctl("is-active", "web").out, "up\n")
        self.assertEqual(self.fails(1, "is-active", "one shot").out, "failed\n")

    def test_several(self) -> None:
        self.assertEqual(self.ctl("is-active", "web", "solo").out, "solo up\nweb up\n")
        told = self.fails(1, "is-active", "web", "one shot")
        self.assertEqual((told.out, told.err), ("One Shot failed\nweb up\n", ""))

    def test_a_rollout_is_no_outage(self) -> None:
        with mock.patch.object(self.target, "phase", lambda watcher: "reloading"):
            self.assertEqual(self.ctl("is-active", "web").out, "reloading\n")

    def test_what_is_not_there(self) -> None:
        self.fails(3, "is-active", "nope")
        self.fails(2, "is-active")


class TestWait(CtlCase):
    def test_it_is_so(self) -> None:
        self.assertEqual(self.ctl("wait", "web").out, "up\n")
        self.assertEqual(self.sent()["properties"], {"name": "web"})
        self.assertEqual(self.ctl("wait", "web", "--for", "gone").out, "ok\n")
        expected = [("await", ["web"], "ready"), ("await", ["web"], "gone")]
        self.assertEqual(self.loop.ask(lambda: self.target.orders), expected)

    def test_gone_already(self) -> None:
        self.assertEqual(self.ctl("wait", "nope", "--for", "gone").out, "ok\n")

    def test_it_failed(self) -> None:
        self.target.outcome = Outcome(error="web gave up: no such file")
        told = self.fails(1, "wait", "web")
        self.assertEqual((told.out, told.err), ("", "error: web gave up: no such file\n"))

    def test_its_time_is_up(self) -> None:
        self.target.outcome = Outcome(error="wait timed out after 2 s", timed_out=True)
        told = self.fails(124, "wait", "web", "--timeout", "2")
        self.assertEqual(told.err, "error: wait timed out after 2 s\n")
        self.assertEqual(self.sent()["properties"]["timeout"], 2.0)

    def test_what_makes_no_sense(self) -> None:
        self.fails(3, "wait", "nope")
        self.fails(2, "wait")
        self.assertIn("--for:", self.fails(2, "wait", "web", "--for", "ever").err)


class TestStatus(CtlCase):
    def test_details_name_the_checks(self) -> None:
        detail = self.target.detail

        def with_checks(watcher: Any, deaths: bool = False) -> dict[str, Any]:
            rows = {"5": [{**TOLD["checks"]["5"][0], "took": 0.004}]}
            return {**detail(watcher, deaths), **({"checks": rows} if deaths else {})}

        with mock.patch.object(self.target, "detail", with_checks):
            *_, title, row = self.ctl("status", "web", "--details").out.splitlines()
        self.assertEqual(title, "checks of process 5:")
        self.assertEqual(row, "    ready.a (notify) not yet for 2 s: loading in 0.004 s")

    def test_phases_in_a_pipe(self) -> None:
        self.assertEqual(self.ctl("status", "web", "--phase").out, "up\n")
        self.assertIn("web: up\n", self.ctl("status", "--phase").out)
        self.assertIn("web: active\n", self.ctl("status").out)
        self.assertEqual(self.sent()["properties"], {"details": True})

    def test_on_a_terminal(self) -> None:
        self.target.all["web"].rollout = {"replaced": 3, "total": 8}
        phase = mock.patch.object(self.target, "phase", lambda watcher: "reloading")
        page = mock.patch("cvec_circus.ctl.output.page_of", lambda stream: Page(200, True))
        with phase, page:
            lines = self.ctl("status").out.splitlines()
        self.assertIn("web       \x1b[33mreloading 3/8\x1b[0m        2/2", lines[-1])
        self.assertIn("solo      \x1b[33mreloading\x1b[0m            1/1", lines[-2])

    def test_a_crash_loop_is_not_green(self) -> None:
        page = mock.patch("cvec_circus.ctl.output.page_of", lambda stream: Page(200, True))
        for phase, colour in (
            *(("up", "32"), ("starting", "33"), ("waiting", "33"), ("backoff", "31")),
            *(("unready", "31"), ("failed", "31"), ("invalid", "31"), ("stopped", "31")),
        ):
            with page, mock.patch.object(self.target, "phase", lambda watcher, p=phase: p):
                self.assertIn(f"\x1b[{colour}m{phase}\x1b[0m", self.ctl("status").out)


class TestStop(CtlCase):
    def test_who_depends_on_it(self) -> None:
        self.target.dependants_of_solo = ["web", "worker"]
        told = "web, worker depend on it and go on; `--with-dependants` stops them too\n"
        for line in (["stop", "solo"], ["stop", "solo", "--waiting"]):
            done = self.fails(0, *line)
            self.assertEqual((done.out, done.err), ("ok\n", told))
            self.assertEqual(self.ctl(*line, "--table").out, f"ok\n{told}")
        self.target.dependants_of_solo = ["web"]
        told = "web depends on it and goes on; `--with-dependants` stops it too\n"
        self.assertEqual(self.fails(0, "stop", "solo").err, told)

    def test_what_stops_in_order(self) -> None:
        self.target.dependants_of_solo = ["front", "web"]
        line = ["stop", "solo", "--with-dependants"]
        self.assertEqual(self.fails(0, *line).err, "stopping, in this order: front, web, solo\n")
        done = self.fails(0, *line, "--waiting")
        self.assertEqual(
            (done.out, done.err), ("ok\n", "stopped, in this order: front, web, solo\n")
        )
        self.target.dependants_of_solo = []
        self.assertEqual(self.ctl(*line).out, "ok\n")
        sent = self.loop.ask(lambda: self.target.orders)
        self.assertEqual(sent[-1], ("stop", ["solo"], False, "with_dependants"))


class TestRm(CtlCase):
    def test_who_depends_on_it(self) -> None:
        self.target.dependants_of_solo = ["web", "worker"]
        told = "web, worker depend on it and go on, but cannot start again without it\n"
        for line in (["rm", "solo"], ["rm", "solo", "--waiting"], ["rm", "solo", "--nostop"]):
            done = self.fails(0, *line)
            self.assertEqual((done.out, done.err), ("ok\n", told))
        self.assertEqual(self.ctl("rm", "web").out, "ok\n")


class TestGraph(CtlCase):
    def test_formats(self) -> None:
        told = "files  lacking  10. So few run. To change that: more.\n"
        self.assertTrue(self.ctl("doctor").out.endswith(told))
        self.assertEqual(self.ctl("graph").out, "One Shot (failed)\nsolo (up)\nweb (up)\n")
        self.assertIn("flowchart", self.ctl("graph", "--format", "mermaid").out)
        wrong = self.fails(2, "graph", "--format", "jsn").err
        said = "--format: 'jsn' is not one of text, mermaid, dot, json; did you mean json?"
        self.assertIn(said, wrong)


class TestProof(CtlCase):
    def test_what_waiting_means(self) -> None:
        for line, waiting in (
            *(("start web", "proved"), ("reload web", "proved"), ("restart web", "proved")),
            *(("incr web", "proved"), ("set web priority 2", "proved"), ("stop web", True)),
            *(("kill web", True), ("rm solo", True)),
        ):
            with self.subTest(line):
                self.ctl(*line.split(), "--waiting")
                self.assertEqual(self.sent()["properties"]["waiting"], waiting)

    def test_what_the_daemon_takes(self) -> None:
        self.target.outcome = None
        self.loop.ask(self.target.waits.clear)
        for waiting, proves in (("proved", True), (True, False), ("yes", False)):
            props = {"name": "web", "waiting": waiting}
            self.send(json.dumps({"command": "start", "properties": props}).encode())
            self.ask("ping")
            self.assertIs(self.loop.ask(lambda: self.target.waits[-1].proved), proves)
