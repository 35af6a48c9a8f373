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
        for words in (("options", "web"), ("get", "web", "env", "api_key", "cmd")):
            said = self.shown(*words)
            self.assertNotIn("hunter2", said)
            for text in ("DB_PASSWORD=***", "LANG=C", "--password ***"):
                self.assertIn(text, said)
            for spelling in ("--show-secrets", "--show_secrets"):
                said = self.shown(*words, spelling)
                self.assertIn("DB_PASSWORD=hunter2", said)
                self.assertNotIn("***", said)

    def test_output_of_programs(self) -> None:
        self.served.ctl("wait", "web", "--for", "up")
        self.assertIn("login token=***", self.shown("logs", "web"))
        self.assertIn("web | ", self.shown("logs"))
        self.assertIn("login token=hunter2", self.shown("logs", "web", "--show-secrets"))
        self.assertIn("login token=hunter2", self.served.ctl("logs", "web").stdout)

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
