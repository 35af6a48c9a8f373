"""What the page of commands says about answers is what a daemon answers."""

from __future__ import annotations

import socket
import unittest
from typing import Any

from cvec_circus.commands import table
from tests.support.embedded import EmbeddedCase
from tests.support.schemas import Schemas
from tests.test_docs import DOCS, module_of

ALWAYS = {"status", "time", "id"}
NOT_ASKED = {"listen"}
"""Commands that have no answer."""

ASKED_ELSEWHERE = {"upgrade"}
"""What an embedded daemon refuses: see tests.daemon.test_upgrade."""


class TestAnswers(EmbeddedCase):
    """Every command, in each of its forms."""

    def setUp(self) -> None:
        super().setUp()
        self.page = module_of(DOCS / "answers.py")
        self.schemas = Schemas()
        self.fields: dict[str, set[str]] = {}
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        at = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        self.port = {"cmd": "sleep 1000", "ready.it": at, "min_uptime": 0}
        self.arbit(
            {"name": "port", **self.port},
            {"name": "web", "cmd": "sleep 1000", "numprocesses": 2, "log_history": 1000},
            {"name": "one", "cmd": "sleep 1000", "singleton": True, "depends_on": "web"},
            {"name": "part", "cmd": "sleep 1000", "part_of": "web"},
            {"name": "mailer", "cmd": "/no/such/program", "max_retry": 1},
            sockets=[{"name": "s", "host": "127.0.0.1", "port": 0}],
        )
        self.events.wait("giveup", 1)
        self.events.wait("start", 3)

    def ask(self, command: str, **properties: Any) -> dict[str, Any]:
        """Give a command, which has to succeed, and note the fields of the answer, which has to fit
        its schema."""
        reply = self.wire.call(command, **properties)
        self.assertLessEqual(ALWAYS, set(reply))
        self.assertEqual(self.schemas.problems(command, reply), [])
        self.fields.setdefault(command, set()).update(set(reply) - ALWAYS)
        return reply

    def test_all_fields(self) -> None:
        for command in ("doctor", "dstats", "globaloptions", "listsockets", "numwatchers", "ping"):
            self.ask(command)
        for command in ("list", "numprocesses", "stats", "status"):
            self.ask(command)
            self.ask(command, name="web")
        (pid, _) = self.ask("list", name="web")["pids"]
        self.ask("stats", name="web", process=pid)
        for name in ("web", "mailer"):
            self.ask("status", name=name, details=True)
        self.ask("status", details=True)
        for command in ("is-active", "wait", "why"):
            self.ask(command, name="web")
        self.ask("graph")
        self.ask("why", name=["web", "mailer"])
        for name in ("web", "[wo]*"):
            self.ask("options", name=name)
            self.ask("get", name=name, keys=["cmd"])
        self.ask("events", limit=1)
        self.ask("logs", name="web")
        self.ask("logs", name=["web", "one"])
        for command in ("incr", "decr"):
            self.ask(command, name="web", waiting=True)
            self.ask(command, name="one")
            self.ask(command, name=["one"])
        for command in ("kill", "reload", "restart", "start", "stop"):
            self.ask(command, name="web", waiting=True)
        self.ask("reload", name="port", waiting=True)
        self.ask("reload", dry_run=True)
        self.ask("reopen")
        self.ask("signal", name="one", signum="CONT")
        self.ask("set", name="port", options={"cmd": "sleep 1001"}, waiting=True)
        self.ask("add", name="new", cmd="sleep 1000", start=True, waiting=True)
        self.ask("add", name="newer", cmd="sleep 1000", optoins={})
        self.ask("rm", name="new", waiting=True)
        self.ask("stop", name="web", with_dependants=True)
        self.ask("start", name=["web", "one", "part"], waiting="proved")
        self.ask("rm", name="web", waiting=True)
        file = self.folder / "new.ini"
        own = "".join(f"{key} = {value}\n" for key, value in self.port.items())
        file.write_text(f"[watcher:web]\ncmd = sleep 1001\n[watcher:port]\n{own}")
        self.ask("reloadconfig", path=str(file), waiting=True)
        file.write_text("[circus]\n")
        self.ask("start", name="web", waiting=True)
        self.ask("reloadconfig", path=str(file), dry_run=True)
        self.ask("wait", name="web", state="ready")
        never = {"cmd": "sleep 1002", "ready.no": "notify", "ready_timeout": 1000}
        self.ask("set", name="web", options=never)
        self.ask("set", name="port", options={"depends_on": "nope"})
        self.ask("status", name="web")
        self.ask("quit")
        self.assertEqual(set(self.page.ANSWERS), set(table.NAMES) - NOT_ASKED)
        answers = self.page.ANSWERS
        documented = {one: set(answers[one]) for one in answers.keys() - ASKED_ELSEWHERE}
        self.assertEqual(documented, self.fields)

    def test_figures(self) -> None:
        infos = self.ask("stats")["infos"]["web"]
        for info in infos.values():
            self.assertEqual(set(info), set(self.page.FIGURES))
        own = set(self.ask("dstats")["info"])
        self.assertEqual(own, set(self.page.FIGURES) - {"started", "wid"})


if __name__ == "__main__":
    unittest.main()
