"""A daemon on another machine, reached over ssh by everything that talks to daemons."""

from __future__ import annotations

import json
import select
import subprocess
import unittest
from pathlib import Path

from cvec_circus.client import CircusClient
from cvec_circus.consumer import CircusConsumer
from cvec_circus.exc import SocketError
from tests.client.test_tunnel import fake_ssh
from tests.support.children import TIMEOUT
from tests.support.daemon import DaemonCase, folder, script
from tests.support.eventually import eventually
from tests.support.silence import silence

TEXT = "[watcher:web]\ncmd = sleep 1000\n"
THERE = ("--ssh", "me@there")


class TestFar(DaemonCase):
    """The ssh is one of ours, which goes to this very machine."""

    def setUp(self) -> None:
        super().setUp()
        self.calls: Path = fake_ssh(self)
        self.far = self.daemon(TEXT)

    def ctl(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        argv = script("cvec_circusctl", "--endpoint", self.far.endpoint, *words)
        return subprocess.run(
            argv, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def servers(self) -> list[str]:
        return [json.loads(line)[-1] for line in self.calls.read_text().splitlines()]

    def test_a_command(self) -> None:
        done = self.ctl(*THERE, "--ssh-keyfile", "/my/key", "status", "web")
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("active\n", "", 0))
        self.assertEqual(set(self.servers()), {"me@there"})
        self.assertIn("/my/key", self.calls.read_text())

    def test_no_daemon_there(self) -> None:
        place = f"ipc://{folder(self)}/none"
        for words in (("status",), ("listen",), ("logs", "web"), ("stop", "--waiting")):
            done = self.ctl("--endpoint", place, *THERE, *words)
            self.assertEqual((done.stdout, done.returncode), ("", 4))
            begin = f"error: cannot reach {place} on me@there: nothing listens there; "
            self.assertEqual(done.stderr.partition("is cvec")[0], begin)

    def test_the_switch_may_stand_behind_the_command(self) -> None:
        self.assertEqual(self.ctl("status", "web", *THERE).stdout, "active\n")

    def test_a_shell_has_one_connection(self) -> None:
        done = self.ctl(*THERE, stdin="status web\nnumwatchers\nstatus web --ssh other\n")
        self.assertEqual(done.stdout, "active\n1\n")
        self.assertIn("--ssh applies to a whole shell", done.stderr)
        self.assertEqual(self.servers(), ["me@there"] * 2)  # there, and back

    def test_what_happens(self) -> None:
        argv = script("cvec_circusctl", "--endpoint", self.far.endpoint, *THERE, "listen")
        argv += ["--timeout", str(TIMEOUT)]  # a busy machine may take longer than 5 s
        listening = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert listening.stdout is not None
        self.addCleanup(listening.stdout.close)
        self.addCleanup(listening.wait, TIMEOUT)
        self.addCleanup(listening.terminate)

        def heard() -> bool:
            # It says nothing when it has subscribed, so something has to happen till it does.
            self.far.wire.call("set", name="web", options={"max_age": 0})
            return bool(select.select([listening.stdout], [], [], 0)[0])

        self.assertTrue(eventually(heard, TIMEOUT))
        self.assertIn(" web ", listening.stdout.readline())

    def test_ssh_that_does_not_get_there(self) -> None:
        done = self.ctl("--ssh", "nowhere", "status")
        self.assertEqual((done.stdout, done.returncode), ("", 4))
        self.assertIn("error: ssh nowhere: exit code 255", done.stderr)

    def test_programs(self) -> None:
        silence(self)
        with CircusClient(endpoint=self.far.endpoint, ssh_server="me@there") as client:
            self.assertEqual(client.send_message("list")["watchers"], ["web"])
        with self.assertRaises(SocketError):
            CircusClient(endpoint=self.far.endpoint, ssh_server="nowhere")
        with CircusConsumer(
            [b"watcher.web"], endpoint=self.far.pubsub_endpoint, ssh_server="me@there"
        ) as consumer:
            self.far.wire.call("incr", name="web", nb=1)
            self.assertEqual(consumer.endpoint, self.far.pubsub_endpoint)

    def test_a_plugin(self) -> None:
        events = self.far.folder / "told"
        words = ["--endpoint", self.far.endpoint, "--pubsub", self.far.pubsub_endpoint]
        argv = script("cvec_circus-plugin", *words, *THERE, "--config", f"filename:{events}")
        plugin = subprocess.Popen([*argv, "logger"], stderr=subprocess.DEVNULL)
        self.addCleanup(plugin.kill)

        def told() -> bool:
            self.far.wire.call("set", name="web", options={"max_age": 0})
            return events.exists() and '"updated"' in events.read_text()

        self.assertTrue(eventually(told, TIMEOUT))
        plugin.terminate()
        self.assertEqual(plugin.wait(TIMEOUT), 0)


if __name__ == "__main__":
    unittest.main()
