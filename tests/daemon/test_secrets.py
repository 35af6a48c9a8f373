"""Secrets at a terminal and in the log, of a real daemon."""

from __future__ import annotations

import json
import os
import select
import tempfile

from tests.ctl.test_shell import Terminal
from tests.support.daemon import DaemonCase

TEXT = """\
[watcher:web]
cmd = sh -c 'echo login token=hunter2; exec sleep 1000' --password hunter2
api_key = hunter2
log_history = 4096
[env:web]
DB_PASSWORD = hunter2
LANG = C
"""


class TestSecrets(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        self.served = self.daemon(TEXT)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = folder.name

    def shown(self, *words: str) -> str:
        terminal = Terminal(self, self.served.endpoint, self.home, *words)
        said, is_over = "", False
        while not is_over:
            is_over = terminal.process.poll() is not None
            while select.select([terminal.ours], [], [], 0.05)[0]:
                said += os.read(terminal.ours, 4096).decode()
        self.assertEqual(terminal.ended(), 0)
        return said

    def test_at_a_terminal(self) -> None:
        for words in (
            ("options", "web"),
            ("options", "w*"),
            ("get", "web", "env", "api_key", "cmd"),
            ("get", "w*", "env", "api_key", "cmd"),
        ):
            said = self.shown(*words)
            self.assertNotIn("hunter2", said)
            for text in ("DB_PASSWORD=***", "LANG=C", "--password ***"):
                self.assertIn(text, said)
            for spelling in ("--show-secrets", "--show_secrets"):
                said = self.shown(*words, spelling)
                self.assertIn("DB_PASSWORD=hunter2", said)
                self.assertNotIn("***", said)

    def test_words_and_variables_one_by_one(self) -> None:
        text = (
            "[watcher:w]\nautostart = False\n"
            'cmd = x "amqp://b:$(circus.env.P)@h" "--password=$(circus.env.W)" '
            '--password "$(circus.env.P)" y\n'
            "[env:w]\nA1 = Authorization: Basic xyz\nB1 = b1\n"
        )
        self.served = self.daemon(text, env={"P": 'hunter2"hunter3', "W": "hunter2 hunter3"})
        for words in (("options", "w"), ("get", "w", "cmd", "env")):
            said = self.shown(*words)
            self.assertNotIn("hunter", said)
            self.assertIn("A1=Authorization: Basic ***,B1=b1", said)
            self.assertIn("x amqp://b:***@h --password=*** --password *** y", said)

    def test_output_of_programs(self) -> None:
        self.served.ctl("wait", "web", "--for", "up")
        self.assertIn("login token=***", self.shown("logs", "web"))
        self.assertIn("web | ", self.shown("logs"))
        self.assertIn("login token=hunter2", self.shown("logs", "web", "--show-secrets"))
        self.assertIn("login token=hunter2", self.served.ctl("logs", "web").stdout)

    def test_known_values_in_output(self) -> None:
        text = (
            "[watcher:w]\ncmd = sh -c 'echo as root $PW at $BROKER_URL; echo on s3cr; echo s3crets;"
            " echo w of w1; exec sleep 1000'\nlog_history = 4096\n"
            "[env:w]\nPW = swordfish8\nDB_PASSWORD = swordfish8\n"
            "BROKER_URL = amqp://me:s3cr@h\nAUTH = w of w1\nKEY = w\n"
            "[watcher:w of w1]\ncmd = sleep 1000\n"
        )
        self.served = self.daemon(text)
        self.served.ctl("wait", "w", "--for", "up")
        for words in (("logs", "w"), ("logs",)):
            said = self.shown(*words)
            for line in ("as root *** at ***", "on ***", "s3crets", "w of w1"):
                self.assertIn(f"| {line}\r\n", said)
            self.assertIn("as root swordfish8 at amqp://me:s3cr@h", self.shown(*words, "--json"))
            self.assertIn("| on s3cr\r\n", self.shown(*words, "--show-secrets"))
            self.assertIn("as root swordfish8", self.served.ctl(*words).stdout)
        asked = self.served.call("logs", name="w", lines=4, conceal=True)
        self.assertNotIn("swordfish8", str(asked))
        told = self.served.call("logs", name="w", lines=4)
        self.assertEqual((told["next"], told["name"]), (asked["next"], asked["name"]))
        self.served.order("stop", name="w", reason="lost swordfish8")
        for words in (("events",), ("status",), ("why", "w")):
            self.assertNotIn("swordfish8", self.shown(*words))

    def test_a_plan(self) -> None:
        text = self.served.config.read_text()
        url = f"amqp://me:hunter2{'x' * 80}@h"
        text = text.replace("log_history", f"broker = {url}\nlog_history").replace("= h", "= new h")
        self.served.config.write_text(text)
        said = self.shown("reloadconfig", "--dry-run")
        self.assertIn("broker: nothing -> 'amqp://me:***@h'", said)
        self.assertIn("env.DB_PASSWORD: *** -> ***", said)
        self.assertNotIn("hunter", said)

    def test_in_a_pipe_and_in_json(self) -> None:
        said = self.served.ctl("options", "web").stdout
        self.assertIn("DB_PASSWORD=hunter2", said)
        options = json.loads(self.served.ctl("options", "web", "--json").stdout)["options"]
        self.assertEqual(options["env"]["DB_PASSWORD"], "hunter2")
        self.assertEqual(self.served.call("options", name="web")["options"], options)
        self.assertIn("hunter2", self.shown("options", "web", "--json"))

    def test_the_log(self) -> None:
        self.served.order("stop", name="web", reason="rotate API_KEY=hunter2")
        self.served.order("quit")
        log = "\n".join(text for _, text in self.told())
        self.assertIn("rotate API_KEY=***", log)
        self.assertNotIn("hunter2", log)

    def told(self) -> list[tuple[str, str]]:
        self.served.ended()
        return list(self.served.told())


HIDDEN = {"HIDDEN": "hunter2", "TWICE": "$(circus.wid)"}

REFERRING = """\
[watcher:program]
cmd = $(circus.env.HIDDEN) --flag
max_retry = 0
[watcher:folder]
cmd = sleep 1000
working_dir = /no/$(circus.env.HIDDEN)
max_retry = 0
[watcher:check]
cmd = sleep 1000
ready.it = exec:$(circus.env.HIDDEN) x
ready_timeout = 0.2
[watcher:address]
cmd = sleep 1000
ready.it = tcp://$(circus.env.HIDDEN):80
ready_timeout = 0.2
[watcher:twice]
cmd = sleep 1000
ready.it = exec:sh -c "echo 'got <$(circus.env.TWICE)>'; exit 1"
ready_timeout = 0.2
"""


ALONE = """\
[watcher:split]
cmd = $(circus.env.TWO)
max_retry = 0
[watcher:needs]
cmd = sleep 1000
depends_on = $(circus.env.ABSENT)
[watcher:hook]
cmd = sleep 1000
hooks.before_start = $(circus.env.DOTTED)
[watcher:stdin]
cmd = sleep 1000
stdin_socket = $(circus.env.ABSENT)
max_retry = 0
[watcher:stream]
cmd = sleep 1000
stdout_stream.class = $(circus.env.DOTTED)
[plugin:p]
use = $(circus.env.DOTTED)
"""
PARTS = {"TWO": "hunter2a hunter2b", "ABSENT": "hunter2c", "DOTTED": "hunter2d.e.F"}


class TestVariables(DaemonCase):
    """What an environment variable stands for is in no error, and not replaced once more."""

    def test_of_processes_and_checks(self) -> None:
        daemon = self.daemon(REFERRING, env=HIDDEN)
        for name in ("check", "address", "twice"):
            daemon.log.shows(f"{name}: not ready: ")
        reasons = daemon.call("status")["reasons"]
        for name in ("program", "folder", "check", "address"):
            self.assertIn("$(circus.env.HIDDEN)", reasons[name])
        self.assertIn("exit code 1: got <$(circus.env.TWICE)>", reasons["twice"])
        daemon.order("quit")
        said = "\n".join([*daemon.ended(), *daemon.log.seen, *reasons.values()])
        self.assertNotIn("hunter2", said)
        self.assertNotIn("got <1>", said)

    def test_where_an_option_is_nothing_else(self) -> None:
        daemon = self.daemon(ALONE, env=PARTS)
        for name in ("split", "hook", "plugin:p"):
            daemon.log.shows(f"{name}: given up: ")
        told = daemon.call("status")
        for name, variable in (("split", "TWO"), ("needs", "ABSENT"), ("plugin:p", "DOTTED")):
            self.assertIn(f"$(circus.env.{variable})", told["reasons"][name])
        said = [str(told["reasons"]), daemon.call("graph")["watchers"]["needs"]["waits_for"]]
        said.append(str(daemon.call("status", details=True)))
        said += [str(daemon.call("why", name=name)) for name in told["reasons"]]
        for name in ("split", "needs", "hook", "stdin"):
            answer = daemon.ctl("start", name, "--waiting", "--timeout", "1")
            said.append(answer.stdout + answer.stderr)
        events = daemon.call("events", since=0, limit=500)["events"]
        said += [str(event) for event in events]
        answer = daemon.ctl("reloadconfig")
        self.assertIn("[socket:$(circus.env.ABSENT)]", answer.stderr)
        daemon.order("quit")
        said += [answer.stdout + answer.stderr, *daemon.ended(), *daemon.log.seen]
        self.assertEqual([text for text in said if "hunter2" in text], [])

    def test_of_what_listens(self) -> None:
        for where in ("host = $(circus.env.HIDDEN)\nport = 1", "path = /no/$(circus.env.HIDDEN)/s"):
            with self.subTest(where):
                text = f"[socket:s]\n{where}\n[watcher:w]\ncmd = sleep 1000\n"
                daemon = self.daemon(text, env=HIDDEN, up=False)
                said = "\n".join(daemon.log.rest())
                self.assertEqual(daemon.process.wait(20), 1)
                self.assertIn("$(circus.env.HIDDEN)", said)
                self.assertNotIn("hunter2", said)

    def test_an_address_with_a_name_in_it(self) -> None:
        text = "[watcher:w]\ncmd = sleep 1000\nready.it = http://localhost/$(circus.env.TWICE)\n"
        daemon = self.daemon(f"[watcher:other]\ncmd = sleep 1000\n{text}", env=HIDDEN)
        reason = daemon.call("status")["reasons"]["w"]
        self.assertIn("ready.it: $(circus.env.TWICE) has a name in its value", reason)
