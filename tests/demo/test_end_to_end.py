"""The whole demonstration: the daemon, its workers, its log files, and what people are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

from cvec_circus.client import CircusClient
from tests.support.eventually import eventually

ROOT = Path(__file__).resolve().parent.parent.parent
DEADLINE = 30.0


class TestDemonstration(unittest.TestCase):
    """cvec_circusd --demo, on sockets of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.endpoint = f"ipc://{folder.name}/control"
        environ = {
            **os.environ,
            "CVEC_CIRCUS_DEMO_DIR": f"{folder.name}/logs of it",
            "CVEC_CIRCUS_DEMO_PORT": "0",
            "CVEC_CIRCUS_DEMO_ENDPOINT": self.endpoint,
            "CVEC_CIRCUS_DEMO_PUBSUB_ENDPOINT": f"ipc://{folder.name}/events",
        }
        self.log = self.folder / "log"
        with self.log.open("w", encoding="utf-8") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, str(ROOT / "bin" / "cvec_circusd"), "--demo"],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder.name,
                env=environ,
                text=True,
            )
        self.addCleanup(self.end)
        self.told = self.read_what_is_told()
        self.client = CircusClient(endpoint=self.endpoint, timeout=DEADLINE)
        self.addCleanup(self.client.stop)

    def end(self) -> None:
        """Stop the daemon, however the test went."""
        if self.daemon.poll() is None:
            self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.communicate()
            raise

    def read_what_is_told(self) -> str:
        """Read up to the command that ends it all, which is the last one."""
        lines = []
        for line in self.daemon.stdout:
            lines.append(line)
            if line.rstrip().endswith(" quit"):
                break
        return "".join(lines)

    def get(self, path: str) -> str:
        port = self.client.send_message("listsockets")["sockets"][0]["port"]
        url = f"http://127.0.0.1:{port}{path}"
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            return answer.read().decode()

    def events(self) -> list[str]:
        """The events that the Logger has written, as "spawn web"."""
        file = self.folder / "logs of it" / "events.log"
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        return [line.partition("::")[0] for line in text.splitlines()]

    def test_a_worker_is_killed_and_replaced(self) -> None:
        pid = int(self.get("/pid"))
        before = set(self.client.send_message("list", name="web")["pids"])
        self.assertIn(pid, before)
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(
            eventually(lambda: self.events().count("reap web") == 1, DEADLINE), self.events()
        )

        def is_replaced() -> bool:
            pids = set(self.client.send_message("list", name="web")["pids"])
            return len(pids) == 2 and pid not in pids

        self.assertTrue(eventually(is_replaced, DEADLINE))
        self.assertNotEqual(int(self.get("/pid")), pid)

    def test_the_logs_are_where_people_are_told(self) -> None:
        self.assertIn("tail -f 'logs of it'/events.log", self.told)
        tick = self.folder / "logs of it" / "tick.log"
        self.assertTrue(eventually(lambda: tick.exists() and tick.read_text(), DEADLINE))
        self.assertRegex(tick.read_text(), r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[\d+\] \| tick 1 of")

    def test_quit(self) -> None:
        self.get("/")
        self.client.send_message("quit")
        self.assertEqual(self.daemon.wait(DEADLINE), 0)
        stops = sorted(event for event in self.events() if event.startswith("stop"))
        self.assertEqual(stops, ["stop tick", "stop web"])
        self.assertEqual(self.events().count("reap web"), 2)
        text = self.log.read_text(encoding="utf-8")
        self.assertNotIn("ERROR", text)
        self.assertNotIn("Traceback", text)


if __name__ == "__main__":
    unittest.main()
