"""What stands on the pages themselves, not in files of examples: commands and pieces of Python."""

from __future__ import annotations

import re
import textwrap
import unittest

from cvec_circus.demo import FILES
from tests.docs.transcript import ROOT, Background, TranscriptCase, steps
from tests.support.eventually import eventually

PAGES = sorted((ROOT / "docs").rglob("*.rst"))
PLAYED = {"quickstart", "tutorial", "broken", "commands", "plugins"}
"""The pages whose terminals are run, here or in `test_terminal`."""

PYTHON = re.compile(r"^\.\. code-block:: python\n\n((?:    ?.*\n|\n)+)", re.MULTILINE)

CONFIGURATION = """
[circus]
endpoint = tcp://127.0.0.1:5555
pubsub_endpoint = tcp://127.0.0.1:5556

[env]
PATH = /usr/bin:/bin

[watcher:web]
cmd = sleep 1000
numprocesses = 2

[watcher:mailer]
cmd = mailer
max_retry = 2
"""


class TestBlocks(TranscriptCase):
    """A daemon with two watchers, and what the pages say to it."""

    def setUp(self) -> None:
        super().setUp()
        (self.folder / "circus.ini").write_text(self.here(CONFIGURATION))
        daemon = Background(self, "cvec_circusd circus.ini")
        self.addCleanup(daemon.end)
        # Plugins end before the daemon does.
        self.assertTrue(eventually(lambda: "web: started" in daemon.output(), 30))
        self.assertTrue(eventually(lambda: "mailer: given up" in daemon.output(), 30))

    def test_commands(self) -> None:
        first, *others = steps("commands")
        self.run_step(first)
        pid = self.run_command("cvec_circusctl list web").split(",")[0]
        self.run_command(f"kill -9 {pid}")
        for step in others:
            with self.subTest(step.command):
                self.run_step(step)

    def test_plugins(self) -> None:
        package = self.folder / "myproject"
        package.mkdir()
        (package / "__init__.py").touch()
        source = (FILES / "logger.py").read_text(encoding="utf-8")
        (package / "plugins.py").write_text(source, encoding="utf-8")
        self.play("plugins")
        self.run_command("cvec_circusctl restart web --waiting")
        log = self.folder / "cvec_circus-events.log"
        self.assertTrue(eventually(lambda: "start web::" in log.read_text(), 30))

    def test_python(self) -> None:
        found = 0
        for page in PAGES:
            for block in PYTHON.findall(page.read_text(encoding="utf-8")):
                found += 1
                with self.subTest(page.name, block=block):
                    (self.folder / "block.py").write_text(self.here(textwrap.dedent(block)))
                    said = self.run_command("python3 -W error block.py; echo code $?")
                    self.assertTrue(said.endswith("code 0\n"), said)
        self.assertGreaterEqual(found, 2)


class TestNothingIsLeftOut(unittest.TestCase):
    """Each piece of a page that could be run is run somewhere."""

    def test_terminals(self) -> None:
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            if "code-block:: console" in text:
                self.assertIn(page.stem, PLAYED)
                self.assertTrue(steps(page.stem))
            # A literal block is not run, so it shows no command.
            self.assertNotRegex(text, r"::\n\n +\$ ", page.name)

    def test_shell_commands_are_those_that_install_or_take_long(self) -> None:
        tests = r"(CVEC_CIRCUS_[A-Z]+=\d+ )?python3? -m (unittest )?tests\.(bench|faults)"
        allowed = rf"{tests}|python3? -m venv|\. \.venv|pip install|cvec_circusd --demo|#|$"
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            for block in re.findall(r"code-block:: sh\n\n((?:   .*\n|\n)+)", text):
                for line in block.splitlines():
                    with self.subTest(page.name, line=line):
                        self.assertRegex(line.strip(), f"^({allowed})")


if __name__ == "__main__":
    unittest.main()
