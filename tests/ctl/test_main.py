from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus import __version__
from cvec_circus.commands import table
from cvec_circus.control.dispatch import Dispatcher
from cvec_circus.control.server import Request
from cvec_circus.ctl.arguments import ELSEWHERE
from cvec_circus.wire.outcome import Outcome
from tests.ctl.ctl_case import CtlCase, run
from tests.support.hurry import hurry

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "bin" / "cvec_circusctl"

# What answering one command may not load: each costs more than the answer.
HEAVY = (
    *(
        "cvec_circus.wire.orders",
        "shutil",
        "asyncio",
        "configobj",
        "psutil",
        "subprocess",
        "tornado",
        "logging",
        "zmq",
        "inspect",
    ),
    *("cvec_circus.core", "cvec_circus.control", "cvec_circus.config", "cvec_circus.stream"),
    *("cvec_circus.commands.stop", "cvec_circus.options.watcher", "dataclasses", "unittest"),
)


class TestReplies(CtlCase):
    def test_words(self) -> None:
        self.assertEqual(self.ctl("status", "web").out, "active\n")
        self.assertEqual(self.ctl("status", "one shot").out, "stopped\n")
        shown = self.ctl("status", "one shot", "--table").out
        self.assertEqual(shown, "failed (exited with 3)\n")
        self.assertEqual(self.ctl("list").out, "one shot,solo,web\n")
        self.assertEqual(self.ctl("list", "web").out, "6178,6179\n")
        self.assertEqual(self.ctl("numprocesses").out, "3\n")
        self.assertEqual(self.ctl("numwatchers").out, "3\n")
        self.assertEqual(self.ctl("stop", "web", "--waiting").out, "ok\n")
        self.assertEqual(self.ctl("incr", "web").out, "ok\n")
        self.assertEqual(self.ctl("incr", "web", "--waiting").out, "4\n")
        self.assertIn("Singleton", self.ctl("incr", "solo").out)
        self.assertEqual(self.ctl("get", "web", "cmd").out, "cmd: sleep 1000\n")
        self.assertEqual(self.ctl("set", "web", "args", "-x y").out, "ok\n")  # as in Circus
        two = "One Shot: numprocesses: 1\nsolo: numprocesses: 1\n"
        self.assertEqual(self.ctl("get", "*o*", "numprocesses").out, two)
        self.assertEqual(self.ctl("get", "so*", "cmd", "--table").out, "solo: cmd: sleep 1000\n")
        self.assertIn("web: flapping.max_retry: 3\n", self.ctl("options", "web", "solo").out)
        self.assertIn("check_delay: 1.0\n", self.ctl("globaloptions").out)
        sockets = "FD  NAME  ADDRESS          BACKLOG\n 7  sock  127.0.0.1:18088     2048\n"
        self.assertEqual(self.ctl("listsockets", "--table").out, sockets)
        self.assertEqual(self.ctl("listsockets").out, "7:socket 'sock' at 127.0.0.1:18088\n")
        self.assertIn("uptime: 1.5\nversion: 0\n", self.ctl("ping").out)
        self.assertIn("uptime: 1 s\n", self.ctl("ping", "--table").out)
        self.assertEqual(self.ctl("events").out, "no events\n")

    def test_words_about_what_is_left(self) -> None:
        strays = [{"watcher": "web", "pid": pid, "command": "sleep 5"} for pid in (77, 78)]
        self.loop.ask(setattr, self.target, "outcome", Outcome(strays=strays))
        shown = "web: process 77 is left behind: sleep 5\nweb: process 78 is left behind: sleep 5\n"
        for order in (["stop", "web"], ["restart", "web"], ["rm", "web"], ["quit"]):
            self.assertEqual(self.ctl(*order, "--waiting", "--table").out, f"ok\n{shown}")
            done = self.fails(0, *order, "--waiting")
            self.assertEqual((done.out, done.err), ("ok\n", shown))

    def test_status(self) -> None:
        web = self.target.find("web")
        death = {"wid": 1, "pid": 6177, "exit_code": -9, "cause": "exit", "age": 125.5}
        self.loop.ask(setattr, web, "last_death", death)
        self.loop.ask(setattr, web, "restarts", 3)
        shown = (
            "NAME      STATE   PROCESSES  RESTARTS  LAST DEATH         UPTIME  REASON\n"
            "One Shot  failed        0/1         0  -                       -  exited with 3\n"
            "solo      up            1/1         0  -                 1 h 6 m\n"
            "web       up            2/2         3  SIGKILL, 2 m ago  1 h 6 m\n"
        )
        self.assertEqual(self.ctl("status", "--table").out, shown)
        self.assertEqual(self.ctl("status", "--table", "--details").out, shown)
        states = "One Shot: stopped\nsolo: active\nweb: active\n"
        self.assertEqual(self.ctl("status").out, states)
        self.assertEqual(self.ctl("status", "*").out, states)
        shown = (
            "STATE   PROCESSES  RESTARTS  LAST DEATH         UPTIME  REASON\n"
            "active        2/2         3  SIGKILL, 2 m ago  1 h 6 m\n"
        )
        self.assertEqual(self.ctl("status", "web", "--details").out, shown)
        reply = json.loads(self.ctl("status", "--json").out)
        self.assertEqual(reply["watchers"]["web"]["last_death"], death)
        self.loop.ask(setattr, web, "last_death", {**death, "oom": True})
        self.assertIn(" OOM kill, 2 m ago ", self.ctl("status", "web", "--details").out)
        self.assertEqual(reply["statuses"]["web"], "active")

    def test_status_of_a_daemon_that_knows_no_details(self) -> None:
        def older(request: Request) -> None:
            statuses = {"web": "active", "Api": "stopped"}
            found = {"status": "ok", "statuses": statuses, "time": 1.0}
            request.send(json.dumps({**found, "id": json.loads(request.frames[0])["id"]}).encode())

        self.loop.ask(setattr, self, "dispatch", older)
        self.assertEqual(self.ctl("status").out, "Api: stopped\nweb: active\n")
        shown = "NAME  STATE    REASON\nApi   stopped\nweb   active\n"
        self.assertEqual(self.ctl("status", "--table").out, shown)
        self.assertEqual(self.ctl("status").out, "Api: stopped\nweb: active\n")

    def test_tables_are_aligned(self) -> None:
        head, *rows = self.ctl("stats", "--table").out.splitlines()
        self.assertEqual([row.split()[0] for row in rows], ["One", "solo", "web", "web"])
        self.assertEqual([row.index("sleep") for row in rows[1:]], [head.index("NAME")] * 3)
        titles, row = self.ctl("dstats", "--table").out.splitlines()
        self.assertEqual((titles.split()[0], row.split()[1]), ("PID", "python3"))
        self.assertEqual(len(self.ctl("stats", "web", "6178", "--table").out.splitlines()), 2)

    def test_json(self) -> None:
        reply = json.loads(self.ctl("--json", "status").out)
        self.assertEqual(reply["statuses"]["web"], "active")
        self.assertEqual(json.loads(self.ctl("list", "--json").out)["status"], "ok")
        pretty = self.ctl("list", "--prettify").out
        self.assertGreater(len(pretty.splitlines()), 5)
        self.assertEqual(json.loads(pretty)["status"], "ok")

    def test_errors_are_exit_3(self) -> None:
        result = self.fails(3, "status", "nope")
        self.assertEqual((result.out, result.err), ("", "error: no watcher nope\n"))
        hint = "error: no watcher wbe; did you mean web?\n"
        self.assertEqual(self.fails(3, "status", "wbe").err, hint)
        hint = "error: no watcher soloo; did you mean solo?\n"
        self.assertEqual(self.fails(3, "incr", "Soloo").err.replace("Soloo", "soloo"), hint)
        hint = "error: no watcher Solo,one shot; write blanks between names: solo 'One Shot'\n"
        self.assertEqual(self.fails(3, "stop", "Solo,one shot").err, hint)
        hint = "error: no watcher *o*: name one, not a pattern; it matches One Shot, solo\n"
        self.assertEqual(self.fails(3, "stop", "*o*", "--match", "simple").err, hint)
        reply = json.loads(self.fails(3, "--json", "status", "nope").out)
        self.assertEqual((reply["status"], reply["errno"]), ("error", 3))

    def test_control_characters_do_not_reach_the_terminal(self) -> None:
        self.loop.ask(setattr, self.target.find("web"), "reason", "\x1b[2J\x9b bad\a")
        shown = self.ctl("status", "web", "--table").out
        self.assertEqual(shown, "up (\\x1b[2J\\x9b bad\\x07)\n")

    def test_a_reply_of_another_shape_is_shown_as_it_is(self) -> None:
        def odd(request: Request) -> None:
            request.send(
                json.dumps({"status": "ok", "id": json.loads(request.frames[0])["id"]}).encode()
            )

        self.loop.ask(setattr, self, "dispatch", odd)
        for command in ("list", "numwatchers", "stats", "options web", "events", "listsockets"):
            self.assertEqual(json.loads(self.ctl(*command.split()).out)["status"], "ok")

    def test_the_environment_names_the_daemon(self) -> None:
        for variable in ("CVEC_CIRCUSCTL_ENDPOINT", "CIRCUSCTL_ENDPOINT"):
            with mock.patch.dict(os.environ, {variable: self.address}):
                for other in {"CVEC_CIRCUSCTL_ENDPOINT", "CIRCUSCTL_ENDPOINT"} - {variable}:
                    os.environ.pop(other, None)
                self.assertEqual(run("numwatchers").out, "3\n")
        both = {"CVEC_CIRCUSCTL_ENDPOINT": self.address, "CIRCUSCTL_ENDPOINT": "ipc:///no/such"}
        with mock.patch.dict(os.environ, both):
            self.assertEqual(run("numwatchers").out, "3\n")

    def test_waiting_has_no_end_of_its_own(self) -> None:
        def ends_after_a_ping(request: Request) -> None:
            is_ping = json.loads(request.frames[0])["command"] == "ping"
            Dispatcher(self.target)(request)
            if is_ping:
                self.target.settle(Outcome())

        self.loop.ask(setattr, self.target, "outcome", None)
        self.loop.ask(setattr, self, "dispatch", ends_after_a_ping)
        with mock.patch("cvec_circus.ctl.main.CALL_TIMEOUT", 1e-6):
            self.assertEqual(self.ctl("stop", "web", "--waiting").out, "ok\n")


class TestWithoutADaemon(unittest.TestCase):
    def test_an_unreachable_daemon_is_exit_4(self) -> None:
        hurry(self, {"ctl.main.GRACE": 0.1})
        with socket.create_server(("127.0.0.1", 0)) as silent:
            endpoint = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
            for line in (["status"], ["stop", "--waiting"]):
                result = run("--endpoint", endpoint, "--timeout", "0.1", *line)
                self.assertEqual((result.code, result.out), (4, ""))
                text = (
                    f"error: cannot reach {endpoint} within 0.1 s: the process that listens there "
                    "does not answer; is cvec_circusd running, and is --endpoint right?\n"
                )
                self.assertEqual(result.err, text)

    def test_where_nobody_listens_nothing_is_asked(self) -> None:
        end = "; is cvec_circusd running, and is --endpoint right?\n"
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            for endpoint, why in (
                ("ipc:///no/such", "there is no such socket"),
                (f"tcp://127.0.0.1:{bound.getsockname()[1]}", "nothing listens there"),
                (f"tcp://localhost:{bound.getsockname()[1]}", "nothing listens there"),
                ("tcp://-:1", "-: Name or service not known"),
            ):
                for line in (["status"], ["stop", "--waiting"], ["logs", "web"], ["listen"]):
                    with self.subTest(endpoint=endpoint, line=line):
                        with mock.patch("cvec_circus.client.client.Client.exchange") as asked:
                            result = run("--endpoint", endpoint, *line)
                        asked.assert_not_called()
                        self.assertEqual((result.code, result.out), (4, ""))
                        self.assertEqual(result.err, f"error: cannot reach {endpoint}: {why}{end}")

    def test_a_name_that_is_empty(self) -> None:
        for name in ("", " "):
            for words in (["stop", name], ["why", name], ["status", "web", name], ["rm", name]):
                said = run(*words)
                self.assertEqual(said.code, 2)
                self.assertEqual(said.err.splitlines()[0], f"error: NAME: {name!r} is not a name")
        for words, text in (
            (["reloadconfig", ""], "FILE: '' is not a path"),
            (["upgrade", "--python", ""], "--python: '' is not a path"),
            (["graph", ""], "too many arguments: ''"),
            (["--endpoint", "", "stop"], "cannot reach '': not an endpoint; write "),
        ):
            result = run(*words)
            self.assertIn(result.code, (2, 4))
            self.assertTrue(result.err.startswith(f"error: {text}"), result.err)

    def test_what_is_no_endpoint(self) -> None:
        result = run("--endpoint", "web", "status")
        self.assertEqual(result.code, 4)
        self.assertEqual(len(result.err.splitlines()), 1)
        self.assertIn("; write tcp://HOST:PORT or ipc://FILE", result.err)
        self.assertIn("it has no port", run("--endpoint", "tcp://nowhere", "status").err)

    def usage(self, reason: str, *argv: str) -> None:
        result = run(*argv)
        self.assertEqual((result.code, result.out), (2, ""), argv)
        problem, *usage = result.err.splitlines()
        self.assertTrue(problem.startswith("error: "), problem)
        self.assertIn(reason, problem, argv)
        for line in usage:
            self.assertTrue(line.startswith("usage: cvec_circusctl "), line)

    def test_wrong_command_lines_are_exit_2(self) -> None:
        self.assertEqual(run("statsu").err, "error: statsu: did you mean status?\n")
        self.usage("zork: no such command; `help` lists them", "zork")
        self.usage("hepl: did you mean help?", "hepl")
        self.usage("top: no such command; use the program cvec_circus-top", "top")
        for name, text in ELSEWHERE.items():
            self.assertIsNone(table.find(name))
            words = {word for word in text.replace("`", "").split() if table.find(word)}
            self.assertTrue(words or "-" in text, name)
        self.usage("statsu: did you mean status?", "help", "statsu")
        self.usage("unknown option --zork", "--zork", "status")
        self.usage("unknown option --jsno; did you mean --json?", "--jsno", "status")
        self.usage("unknown option --verison; did you mean --version?", "--verison")
        self.usage("--waitin; did you mean --waiting?", "stop", "--waitin")
        self.usage("-c; words of a program stand after --", "add", "new", "sh", "-c", "x")
        self.usage("-x; values that begin with a dash stand after --", "set", "web", "args", "-x")
        self.usage("too many arguments: b", "globaloptions", "a", "b")
        self.usage("too many arguments: 3", "incr", "web", "2", "3")
        for line in ("kill a b 7", "stats a b 7", "signal a b 7 HUP"):
            self.usage("PID 7 belongs to one watcher: give one NAME", *line.split())
        self.usage("NAME is missing", "incr")
        self.usage("NUMBER: '1.5' is not a whole number", "incr", "web", "1.5")
        self.usage("NUMBER: -1 is less than 0", "incr", "web", "-1")
        self.usage("SIGNAL: ", "signal", "web", "usr9")
        self.usage(
            "--graceful-timeout: 'x' is not a time", "kill", "web", "--graceful-timeout", "x"
        )
        self.usage("--for: 'x' is not one of ready", "wait", "web", "--for", "x")
        self.usage("--match: unknown match method x", "start", "web", "--match", "x")
        self.usage("--timeout: 'x' is not a time", "wait", "web", "--timeout", "x")
        self.usage("--limit needs a value", "events", "--limit")
        self.usage("--waiting takes no value", "stop", "web", "--waiting=x")
        self.usage("too many arguments: b", "reloadconfig", "a", "b")
        self.usage("give NAME ... SIGNAL", "signal", "web")
        self.usage("OPTION", "get", "web")
        self.usage("pairs", "set", "web", "cmd")
        self.usage("CMD is missing", "add", "new")
        self.usage("unknown match method zz", "stop", "w*", "--match", "zz")
        self.usage("--timeout", "--timeout", "z", "status")
        self.usage("--timeout", "--timeout", "0", "status")
        self.usage("--timeout", "--timeout")

    def test_help_and_version(self) -> None:
        for argv in (["help"], ["--help"], ["-h"], ["--json", "help"], ["help", "help"]):
            result = run(*argv)
            self.assertEqual((result.code, result.err), (0, ""))
            self.assertLessEqual(max(map(len, result.out.splitlines())), 80)
            text = " ".join(result.out.split())
            for command in table.load_all().values():
                self.assertIn(f" {command.name} {command.doc} ", text)
        self.assertEqual(run("--version").out, f"cvec_circusctl {__version__}\n")

    def test_help_of_a_command(self) -> None:
        for command in table.load_all().values():
            result = run(command.name, "--help")
            self.assertEqual(result.code, 0)
            self.assertEqual(run("help", command.name), result)
            self.assertIn(command.usage, result.out)
            self.assertIn(f" {command.doc} ", " ".join(result.out.split()))
            for switch in (*command.all_switches, *command.local):
                self.assertIn(f"--{switch.name}", result.out)
            for word, prop in command.arguments.items():
                self.assertIn(f" {word} {prop.help} ", " ".join(result.out.split()))
            after = result.out[result.out.index("\n\n") :]  # a usage is one line, however long
            self.assertLessEqual(max(map(len, after.splitlines())), 80, command.name)

    def test_a_help_names_defaults(self) -> None:
        self.assertIn("How many more, of each. `1` by default.", run("help", "incr").out)
        self.assertIn("The maximum number. `500` by default.", run("help", "events").out)

    def test_every_word_of_a_usage_is_explained(self) -> None:
        for command in table.load_all().values():
            words = set(re.findall("[A-Z]+", command.usage)) - {"VALUE"}
            self.assertEqual(set(command.arguments), words, command.name)


class TestScript(CtlCase):
    def script(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, str(SCRIPT), "--endpoint", self.address, *argv]
        return subprocess.run(line, capture_output=True, text=True, timeout=60, **options)

    def test_it_runs_from_a_checkout(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            link = Path(folder, "ctl")
            link.symlink_to(SCRIPT)
            line = [sys.executable, str(link), "--endpoint", self.address, "numwatchers"]
            done = subprocess.run(line, capture_output=True, text=True, cwd=folder, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "3\n", ""))
        self.assertTrue(os.access(SCRIPT, os.X_OK))

    def test_names_that_the_terminal_cannot_show(self) -> None:
        self.loop.ask(setattr, self.target.find("web"), "reason", "é\ud800")
        ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = self.script("status", "web", "--table", env=ascii_only)
        self.assertEqual((done.returncode, done.stdout), (0, "up (\\xe9\\ud800)\n"))

    def test_a_reader_that_leaves(self) -> None:
        read, write = os.pipe()
        os.close(read)
        line = [sys.executable, str(SCRIPT), "--endpoint", self.address, "status"]
        done = subprocess.run(line, stdout=write, stderr=subprocess.PIPE, timeout=60)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_an_output_that_cannot_be_written(self) -> None:
        line = shlex.join([sys.executable, str(SCRIPT), "--endpoint", self.address, "list"])
        for where, code, err in (
            (">/dev/full", 1, "the output cannot be written: No space left on device\n"),
            (">&-", 0, ""),
            ("2>&- >/dev/full", 1, ""),
        ):
            with self.subTest(where):
                done = subprocess.run(
                    ["sh", "-c", f"{line} {where}"], stderr=subprocess.PIPE, text=True, timeout=60
                )
                self.assertEqual((done.returncode, done.stderr[-len(err) or 99 :]), (code, err))

    def test_nothing_heavy_is_loaded(self) -> None:
        program = (
            "import sys; before = set(sys.modules); "
            "from cvec_circus.ctl.main import main; "
            f"main(['--endpoint', {self.address!r}, 'status']); "
            "print(*sorted(set(sys.modules) - before))"
        )
        line = [sys.executable, "-c", program]
        done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT, timeout=60)
        loaded = set(done.stdout.splitlines()[-1].split())
        self.assertIn("cvec_circus.commands.status", loaded)
        self.assertEqual(loaded & set(HEAVY), set())
