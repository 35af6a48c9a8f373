"""The daemon as a service: its messages to NOTIFY_SOCKET, which no child inherits."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

from cvec_circus.base.clock import SYSTEM
from cvec_circus.daemon.arguments import parse
from tests.support.background import Background
from tests.support.daemon import BIN, Daemon, DaemonCase, child, folder

TEXT = f"""
[watcher:a]
cmd = {child("tell")}
copy_env = True
respawn = False
[watcher:broken]
cmd = /no/such/program
max_retry = -1
[watcher:late]
cmd = sleep 1000
graceful_timeout = 100
priority = -1
[socket:web]
host = 127.0.0.1
port = 0
"""


class TestService(DaemonCase):
    """A real socket for the service manager."""

    address: str

    def setUp(self) -> None:
        super().setUp()
        self.address = str(folder(self) / "notify")
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.server.settimeout(20)
        self.addCleanup(self.server.close)

    def start(self, text: str = TEXT, **env: str) -> Daemon:
        self.server.bind(self.address.replace("@", "\0"))
        return self.daemon(text, env={"NOTIFY_SOCKET": self.address, **env})

    def told(self) -> dict[str, str]:
        """What comes next."""
        lines = self.server.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def test_a_life(self) -> None:
        daemon = self.start()
        expected = {"READY": "1", "MAINPID": str(daemon.pid), "STATUS": "3 watchers, 1 socket"}
        self.assertEqual(self.told(), expected)
        given = json.loads(daemon.out.next() or "")["env"]
        self.assertEqual(given["HOME"], os.environ["HOME"])
        self.assertEqual([name for name in given if name.startswith(("NOTIFY_", "WATCHDOG_"))], [])

        before = SYSTEM.monotonic()
        daemon.signal(signal.SIGHUP)
        told = self.told()
        self.assertTrue(before <= int(told.pop("MONOTONIC_USEC")) / 1e6 <= SYSTEM.monotonic())
        self.assertEqual(told, {"RELOADING": "1", "STATUS": "reloading"})
        self.assertEqual(self.told(), {"READY": "1", "STATUS": expected["STATUS"]})

        daemon.signal(signal.SIGTERM)
        told = self.told()
        self.assertEqual(int(told.pop("EXTEND_TIMEOUT_USEC")), 130_000_000)
        self.assertEqual(told, {"STOPPING": "1", "STATUS": "stopping (signal:TERM)"})
        daemon.ended()
        self.server.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.server.recv(1)

    def test_an_abstract_address(self) -> None:
        self.address = f"@cvec_circus-test-{os.getpid()}"
        daemon = self.start("[watcher:a]\ncmd = sleep 1000\n[watcher:b]\nnumprocesses = x\n")
        self.assertEqual(self.told()["STATUS"], "1 watcher, 1 left out")
        daemon.order("quit")
        self.assertEqual(self.told()["STATUS"], "stopping (command:quit)")
        daemon.ended()

    def test_a_watchdog(self) -> None:
        daemon = self.start("[watcher:a]\ncmd = sleep 1000\n", WATCHDOG_USEC="50000")
        self.assertEqual(self.told()["READY"], "1")
        for _ in range(3):
            self.assertEqual(self.told(), {"WATCHDOG": "1"})
        daemon.signal(signal.SIGTERM)
        while "STOPPING" not in self.told():
            pass
        daemon.ended()

    def test_nobody_listens(self) -> None:
        daemon = self.daemon("", env={"NOTIFY_SOCKET": "/no/such/socket"})
        daemon.log.containing("cannot send READY=1 to /no/such/socket")
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_in_the_background(self) -> None:
        self.server.bind(self.address)
        daemon = Background(self).up("--log-output", "log", env={"NOTIFY_SOCKET": self.address})
        self.assertEqual(self.told()["MAINPID"], str(daemon.pid))
        daemon.ended()
        self.assertEqual(self.told()["STOPPING"], "1")

    def test_one_that_cannot_start_tells_nothing(self) -> None:
        self.server.bind(self.address)
        daemon = self.daemon(
            circus="logoutput = /no/such/log", env={"NOTIFY_SOCKET": self.address}, up=False
        )
        daemon.ended(1)
        self.server.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.server.recv(1)


class TestTheUnit(unittest.TestCase):
    """docs/examples/cvec_circus.service."""

    def test_its_words(self) -> None:
        text = (BIN.parent / "docs/examples/cvec_circus.service").read_text()
        (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        self.assertEqual(parse(command.split()[1:]).config, "/etc/cvec_circus/circus.ini")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd here")
    def test_systemd_understands_it(self) -> None:
        text = (BIN.parent / "docs/examples/cvec_circus.service").read_text()
        unit = folder(self) / "cvec_circus.service"
        unit.write_text(re.sub(r"(?<=ExecStart=)\S+", str(BIN / "cvec_circusd"), text))
        words = ["systemd-analyze", "verify", str(unit)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
