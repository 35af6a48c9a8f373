"""The whole demonstration: the daemon, its workers, its log files, and what people are told."""

from __future__ import annotations

import os
import signal
import unittest
import urllib.request

from cvec_circus.client import CircusClient
from tests.demo.case import DEADLINE, ProgramCase
from tests.support.eventually import eventually

LOGS = "logs of it"


class TestDemonstration(ProgramCase):
    """cvec_circusd --demo, on sockets of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.environ = {
            "CVEC_CIRCUS_DEMO_DIR": f"{self.folder}/{LOGS}",
            "CVEC_CIRCUS_DEMO_PORT": "0",
            "CVEC_CIRCUS_DEMO_ENDPOINT": self.endpoint,
            "CVEC_CIRCUS_DEMO_PUBSUB_ENDPOINT": self.pubsub_endpoint,
        }
        self.daemon = self.run_script("cvec_circusd", "--demo", env=self.environ)
        self.told = self.read_what_is_told()
        self.client = CircusClient(endpoint=self.endpoint, timeout=DEADLINE)
        self.addCleanup(self.client.stop)

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

    def pids(self) -> set[int]:
        return set(self.client.send_message("list", name="web")["pids"])

    def test_a_worker_is_killed_and_replaced(self) -> None:
        pid = int(self.get("/pid"))
        self.assertIn(pid, self.pids())
        os.kill(pid, signal.SIGKILL)
        log = f"{LOGS}/events.log"
        told = eventually(lambda: self.events(log).count("reap web") == 1, DEADLINE)
        self.assertTrue(told, self.events(log))
        self.assertTrue(eventually(lambda: len(self.pids() - {pid}) == 2, DEADLINE))
        self.assertNotEqual(int(self.get("/pid")), pid)

    def test_the_logs_are_where_people_are_told(self) -> None:
        self.assertIn(f"tail -f '{LOGS}'/events.log", self.told)
        self.assertTrue(eventually(lambda: self.lines(f"{LOGS}/tick.log"), DEADLINE))
        first = self.lines(f"{LOGS}/tick.log")[0]
        self.assertRegex(first, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[\d+\] \| tick 1 of pid \d+$")

    def test_another_beside_it(self) -> None:
        other = f"ipc://{self.folder}/other"
        environ = {
            **self.environ,
            "CVEC_CIRCUS_DEMO_DIR": f"{self.folder}/elsewhere",
            "CVEC_CIRCUS_DEMO_ENDPOINT": f"{other}-control",
            "CVEC_CIRCUS_DEMO_PUBSUB_ENDPOINT": f"{other}-events",
        }
        self.daemon = self.run_script("cvec_circusd", "--demo", env=environ)
        self.assertIn("quit", self.read_what_is_told())
        client = CircusClient(endpoint=f"{other}-control", timeout=DEADLINE)
        self.addCleanup(client.stop)
        self.assertIn("web", client.send_message("list")["watchers"])

    def test_another_at_the_same_address(self) -> None:
        environ = {**self.environ, "CVEC_CIRCUS_DEMO_DIR": f"{self.folder}/elsewhere"}
        other = self.run_script("cvec_circusd", "--demo", env=environ)
        self.assertEqual(other.wait(DEADLINE), 1)
        text = self.errors.read_text(encoding="utf-8")
        self.assertRegex(text, r"error: (pubsub_)?endpoint ipc://\S+: ")
        self.assertNotIn("$(circus.env", text)

    def test_quit(self) -> None:
        self.get("/")
        log = f"{LOGS}/events.log"
        self.assertTrue(eventually(lambda: "start web" in self.events(log), DEADLINE))
        self.client.send_message("quit")
        self.assertEqual(self.daemon.wait(DEADLINE), 0)
        events = self.events(log)
        stops = sorted(event for event in events if event.startswith("stop"))
        self.assertEqual(stops, ["stop tick", "stop web"])
        self.assertEqual(events.count("reap web"), 2)
        text = self.errors.read_text(encoding="utf-8")
        self.assertNotIn("ERROR", text)
        self.assertNotIn("Traceback", text)


if __name__ == "__main__":
    unittest.main()
