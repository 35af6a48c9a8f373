"""Asking first: a person at a terminal, with the command line or its shell."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import tempfile
import unittest
from typing import Any

from cvec_circus.client import Client
from cvec_circus.ctl.asking import NOT_DONE, question_of
from cvec_circus.ctl.shell import PROMPT
from tests.ctl.ctl_case import CtlCase
from tests.ctl.test_shell import Terminal
from tests.support.daemon import script
from tests.support.wire import TIMEOUT

ASKED = "[y/N] "
ALL = "stop all 3 watchers (3 processes)? [y/N] "


def line_of(terminal: int) -> bytes:
    """Read a line from a terminal, which may give it in parts."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(terminal, 100)
    return line


class AskingCase(CtlCase):
    """Looks at what a command came to."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = folder.name

    def terminal(self, *words: str) -> Terminal:
        return Terminal(self, self.address, self.home, *words)

    def ordered(self) -> list[tuple[Any, ...]]:
        """What has been asked of the daemon since the last time."""

        def take() -> list[tuple[Any, ...]]:
            found, self.target.orders = self.target.orders, []
            return found

        return self.loop.ask(take)


class TestTheQuestion(AskingCase):
    def question(self, command: str, **properties: Any) -> str:
        with Client(self.address) as client:
            return question_of(client, command, properties)

    def test_orders_to_all(self) -> None:
        for command in ("stop", "restart", "reload"):
            said = f"{command} all 3 watchers (3 processes)? [y/N] "
            self.assertEqual(self.question(command), said)
            self.assertEqual(self.question(command, waiting=True), said)
            for name in ("web", ["web", "solo"], "*"):
                self.assertEqual(self.question(command, name=name), "")
        self.assertEqual(self.question("reload", dry_run=True), "")

    def test_numbers(self) -> None:
        self.loop.ask(self.target.all.pop, "web")
        self.loop.ask(self.target.all.pop, "one shot")
        self.assertEqual(self.question("stop"), "stop 1 watcher (1 process)? [y/N] ")
        self.loop.ask(self.target.all.clear)
        self.assertEqual(self.question("stop"), "")

    def test_a_daemon_that_refuses_to_count(self) -> None:
        def refuse(request: Any) -> None:
            known = json.loads(request.frames[0])["id"]
            request.send(json.dumps({"status": "error", "id": known}).encode())

        self.loop.ask(setattr, self, "dispatch", refuse)
        self.assertEqual(self.question("stop"), "stop all watchers? [y/N] ")

    def test_set(self) -> None:
        def asked(name: str = "web", **options: Any) -> str:
            return self.question("set", name=name, options=options)

        said = "set cmd of web and replace its 2 processes? [y/N] "
        self.assertEqual(asked(cmd="sleep 5"), said)
        self.assertEqual(asked(cmd="sleep 5", numprocesses=3, **{"flapping.x": "1"}), said)
        said = "set cmd, env of solo and replace its 1 process? [y/N] "
        self.assertEqual(asked("solo", cmd="sleep 5", env={"A": "1"}), said)
        for options in ({"numprocesses": 1}, {"graceful_timeout": 3.0}, {"cmd": "sleep 1000"}):
            self.assertEqual(asked(**options), "")
        self.assertEqual(asked("One Shot", cmd="sleep 5"), "")
        self.assertEqual(asked("nope", cmd="sleep 5"), "")

    def test_set_of_streams(self) -> None:
        part = "stdout_stream.filename"
        first = self.question("set", name="web", options={part: "/tmp/x"})
        self.assertEqual(first, f"set {part} of web and replace its 2 processes? [y/N] ")
        stream = {"stdout_stream_conf": {"filename": "/tmp/x"}}  # its name in answers
        self.loop.ask(self.target.find("web").given.update, stream)
        self.assertEqual(self.question("set", name="web", options={part: "/tmp/y"}), "")
        last = self.question("set", name="web", options={"stdout_stream": {}})
        self.assertEqual(last, "set stdout_stream of web and replace its 2 processes? [y/N] ")

    def test_set_of_several(self) -> None:
        def asked(name: Any, match: str | None = None, **options: Any) -> str:
            given = {"name": name, "options": options, **({"match": match} if match else {})}
            return self.question("set", **given)

        said = "set cmd of web, solo and replace their 3 processes? [y/N] "
        self.assertEqual(asked("[sw]*", cmd="sleep 5"), said)
        self.assertEqual(asked("(solo|web)", "regex", cmd="sleep 5"), "")  # of the fake daemon
        self.assertEqual(asked("[sw]*", numprocesses=5), "")
        self.assertEqual(asked("[sw]*", cmd="sleep 1000"), "")
        self.loop.ask(self.target.find("solo").given.update, {"cmd": "sleep 5"})
        said = "set cmd of web and replace its 2 processes? [y/N] "
        self.assertEqual(asked("[sw]*", cmd="sleep 5"), said)

    def test_a_dry_run_asks_nothing(self) -> None:
        self.assertEqual(self.question("reload", dry_run=True), "")


CONCEAL = {"conceal": True}
"""What a request from a terminal has."""


class TestALoss(AskingCase):
    """A daemon that refuses a reload for what it removes."""

    def setUp(self) -> None:
        super().setUp()
        self.sent: list[dict[str, Any]] = []

        def answer(request: Any) -> None:
            message = json.loads(request.frames[0])
            self.sent.append(message["properties"])
            reply = {"status": "ok", "id": message["id"]}
            if not message["properties"].get("force"):
                names = [f"w{number}" for number in range(6)]
                refused = {"status": "error", "reason": "too much", "errno": 5}
                reply = {**reply, **refused, "removes": names, "running": 7}
            request.send(json.dumps(reply).encode())

        self.loop.ask(setattr, self, "dispatch", answer)

    def test_yes(self) -> None:
        terminal = self.terminal("reloadconfig")
        said = terminal.until(ASKED)
        asked = "reloadconfig removes 6 of 7 running watchers (w0, w1, w2, w3, w4 and 1 more)."
        self.assertIn(asked, said)
        self.assertEqual(self.sent, [CONCEAL])
        terminal.type("y\n")
        terminal.until("ok\r\n")
        self.assertEqual(terminal.ended(), 0)
        self.assertEqual(self.sent, [CONCEAL, {**CONCEAL, "force": True}])

    def test_no(self) -> None:
        terminal = self.terminal("reloadconfig")
        terminal.until(ASKED)
        terminal.type("\n")
        terminal.until(f"{NOT_DONE}\r\n")
        self.assertEqual(terminal.ended(), 1)
        self.assertEqual(self.sent, [CONCEAL])

    def test_nobody_is_asked(self) -> None:
        for words in (("reloadconfig", "--json"), ("reloadconfig", "--force")):
            self.sent.clear()
            terminal = self.terminal(*words)
            terminal.ended()
            self.assertEqual(len(self.sent), 1)


class TestOnATerminal(AskingCase):
    def test_yes(self) -> None:
        for answer in ("y", "Yes", " YES "):
            terminal = self.terminal("stop")
            self.assertTrue(terminal.until(ASKED).endswith(ALL))
            self.assertEqual(self.ordered(), [])
            terminal.type(f"{answer}\n")
            terminal.until("ok\r\n")
            self.assertEqual(terminal.ended(), 0)
            self.assertEqual(self.ordered(), [("stop", None, False)])

    def test_no(self) -> None:
        for keys in ("\n", "n\n", "yo\n", "\x03", "\x04"):
            with self.subTest(keys):
                terminal = self.terminal("reload", "--waiting")
                terminal.until(ASKED)
                if keys == "\x03":
                    terminal.interrupt(f"\n{NOT_DONE}\r\n")
                else:
                    terminal.type(keys)
                    terminal.until(f"\n{NOT_DONE}\r\n")
                self.assertEqual(terminal.ended(), 1)
                self.assertEqual(self.ordered(), [])

    def test_a_set_that_replaces(self) -> None:
        terminal = self.terminal("set", "web", "cmd", "sleep 5")
        terminal.until("set cmd of web and replace its 2 processes? [y/N] ")
        terminal.type("y\n")
        terminal.until("ok\r\n")
        self.assertEqual(self.ordered(), [("setoptions", "web", {"cmd": "sleep 5"})])

    def test_what_is_not_asked_about(self) -> None:
        for line, order in (
            ("stop --yes", ("stop", None, False)),
            ("restart --json", ("restart", None)),
            ("--prettify stop", ("stop", None, False)),
            ("start", ("start", None)),
            ("stop web", ("stop", ["web"], False)),
            ("reload web solo", ("reload", ["web", "solo"], False, True)),
            ("set web cmd 'sleep 5' --yes", ("setoptions", "web", {"cmd": "sleep 5"})),
            ("set web max_retry 3", ("setoptions", "web", {"max_retry": 3})),
            ("quit", ("quit",)),
        ):
            with self.subTest(line):
                terminal = self.terminal(*shlex.split(line))
                self.assertNotIn("?", terminal.until("ok"))
                self.assertEqual(terminal.ended(), 0)
                self.assertEqual(self.ordered(), [order])

    def test_in_the_shell(self) -> None:
        terminal = self.terminal()
        terminal.until(PROMPT)
        for keys in ("n\n", "\x03", "\x04"):
            terminal.type("stop\n")
            self.assertTrue(terminal.until(ASKED).endswith(ALL))
            if keys == "\x03":
                said = terminal.interrupt()
            else:
                terminal.type(keys)
                said = terminal.until(PROMPT)
            self.assertIn(f"{NOT_DONE}\r\n", said)
            self.assertEqual(self.ordered(), [])
        self.assertEqual(terminal.enter("stop --yes"), ["ok"])
        terminal.type("restart\n")
        terminal.until(ASKED)
        self.assertEqual(terminal.enter("y"), ["ok"])
        self.assertEqual(self.ordered(), [("stop", None, False), ("restart", None)])
        terminal.type("stop\n")
        terminal.until(ASKED)
        terminal.enter("n")
        terminal.type("exit\n")
        self.assertEqual(terminal.ended(), 1)
        with open(f"{self.home}/.local/state/cvec_circus/ctl_history", encoding="utf-8") as file:
            self.assertNotIn("y", file.read().split())

    def test_enter_does_not_mean_yes_to_quit(self) -> None:
        terminal = self.terminal()
        terminal.until(PROMPT)
        terminal.type("quit\n")
        terminal.until(ASKED)
        self.assertEqual(terminal.enter(""), [])
        self.assertEqual(self.ordered(), [])


class TestElsewhere(AskingCase):
    """Where nobody is asked, as with Circus."""

    def started(self, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        line = [*words, *script("cvec_circusctl", "--endpoint", self.address, "stop")]
        kept = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **options}
        done = subprocess.run(line, timeout=TIMEOUT, check=False, start_new_session=True, **kept)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.ordered(), [("stop", None, False)])
        return done

    def test_one_of_the_two_is_no_terminal(self) -> None:
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        self.assertEqual(self.started(stdin=theirs).stdout, b"ok\n")
        self.started(stdout=theirs)
        self.assertEqual(line_of(ours), b"ok\r\n")

    def test_a_script(self) -> None:
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        self.started("sh", "-c", '"$@"; exit $?', "sh", stdin=theirs, stdout=theirs)
        self.assertEqual(line_of(ours), b"ok\r\n")


if __name__ == "__main__":
    unittest.main()
