"""The page that the plugin system is made after: its Logger, as printed, both ways it is run.

`writing-plugins.rst` is that page. Code and commands are taken from it, not written down again.
"""

from __future__ import annotations

import re
import shlex
import signal
import textwrap
import unittest
from pathlib import Path

from cvec_circus import demo
from cvec_circus.client import CircusClient
from tests.demo.case import DEADLINE, ProgramCase
from tests.support.eventually import eventually

PAGE = (Path(__file__).parent / "writing-plugins.rst").read_text(encoding="utf-8")
WATCHER = "\n[watcher:Some One]\ncmd = sleep 1000\ncopy_env = True\n"


def block_after(text: str) -> str:
    """Return the indented block that follows a text on the page."""
    found = re.search(r"\n\n((?:    .*\n|\n)+)", PAGE[PAGE.index(text) :])
    assert found is not None, text
    return textwrap.dedent(found.group(1)).strip() + "\n"


class TestPage(ProgramCase):
    """A module and a configuration out of the page, and a daemon."""

    def setUp(self) -> None:
        super().setUp()
        package = self.folder / "myproject"
        package.mkdir()
        package.joinpath("__init__.py").touch()
        self.source = block_after("The plugin may look like this::")
        package.joinpath("plugins.py").write_text(self.source, encoding="utf-8")
        self.client = CircusClient(endpoint=self.endpoint, timeout=DEADLINE)
        self.addCleanup(self.client.stop)

    def start_daemon(self, text: str) -> None:
        """Start a daemon and wait until it answers."""
        head = f"[circus]\nendpoint = {self.endpoint}\npubsub_endpoint = {self.pubsub_endpoint}\n"
        self.folder.joinpath("circus.ini").write_text(head + text, encoding="utf-8")
        self.daemon = self.run_script("cvec_circusd", "circus.ini", "--log-output", "daemon.log")
        self.assertEqual(self.client.send_message("ping")["status"], "ok")

    def assert_events(self, name: str, *expected: str) -> None:
        """Wait until a Logger has written certain events."""
        wanted = set(expected)
        come = eventually(lambda: wanted <= set(self.events(name)), DEADLINE)
        self.assertTrue(come, self.lines(name) + self.lines("daemon.log") + self.lines("stderr"))

    def test_the_demonstration_has_the_same_logger(self) -> None:
        shown = (demo.FILES / "logger.py").read_text(encoding="utf-8")
        self.assertEqual(shown[shown.index("from cvec_circus") :], self.source)

    def test_by_hand(self) -> None:
        command, *printed = block_after("by specifying the plugin fully qualified name::").split(
            "\n"
        )
        words = shlex.split(command)[1:]
        own = {"tcp://127.0.0.1:5555": self.endpoint, "tcp://127.0.0.1:5556": self.pubsub_endpoint}
        words = [own.get(word, word) for word in words]
        for there, here in own.items():
            printed = [line.replace(there, here) for line in printed]
        self.start_daemon(WATCHER)
        plugin = self.run_script(*words)
        self.assertTrue(eventually(lambda: len(self.lines("stderr")) >= 4, DEADLINE))
        self.assertEqual(self.lines("stderr"), [line for line in printed if line])
        log = "cvec_circus-events.log"
        self.assertTrue(eventually((self.folder / log).exists, DEADLINE))
        self.assertTrue(eventually(lambda: self.update() and self.events(log), DEADLINE))
        self.assert_events(log, "updated some_one")
        plugin.send_signal(signal.SIGTERM)
        self.assertEqual(plugin.wait(DEADLINE), 0)
        self.assertEqual(self.lines("stderr"), [line for line in printed if line])

    def update(self) -> bool:
        """Make something happen; until the plugin has subscribed, nobody hears of it."""
        reply = self.client.send_message("set", name="some one", options={"max_retry": 3})
        return reply["status"] == "ok"

    def test_by_the_daemon(self) -> None:
        section = block_after(".. code-block:: ini")
        self.assertIn("filename = /var/myproject/cvec_circus.log", section)
        self.start_daemon(WATCHER + section.replace("/var/myproject", str(self.folder)))
        self.assertIn("plugin:logger", self.client.send_message("list")["watchers"])
        log = "cvec_circus.log"
        self.assert_events(log, "add some_one", "spawn some_one", "start some_one")
        self.client.send_message("quit")
        self.assertEqual(self.daemon.wait(DEADLINE), 0)
        self.assert_events(log, "kill some_one", "reap some_one", "stop some_one")
        self.assertEqual(self.events(log).count("stop some_one"), 1)
        self.assertEqual(self.lines("stderr"), [])


if __name__ == "__main__":
    unittest.main()
