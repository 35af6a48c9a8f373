"""Web servers behind one managed socket: what they are asked is answered, whatever is replaced.

CVEC_CIRCUS_ROUNDS says how often each of them is replaced, CVEC_CIRCUS_RATE how many requests a
second there are meanwhile.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path

from tests.support.children import TIMEOUT, command
from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually

ROUNDS = int(os.environ.get("CVEC_CIRCUS_ROUNDS", "1"))
RATE = float(os.environ.get("CVEC_CIRCUS_RATE", "100"))

APPLICATION = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"done\\n"]
"""

TEXT = f"""
[socket:web]
host = 127.0.0.1
port = 0

[watcher:web]
cmd = {sys.executable} -m gunicorn -w 1 --log-level warning -b fd://$(circus.sockets.web) app
working_dir = {{DIR}}
use_sockets = True
copy_env = True
numprocesses = 4
"""


@unittest.skipUnless(importlib.util.find_spec("gunicorn"), "gunicorn is not installed")
class TestGunicorn(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        self.serving = self.daemon(TEXT, prepare=write_application)
        (listed,) = self.serving.call("listsockets")["sockets"]
        self.port = listed["port"]
        self.load = subprocess.Popen(
            command("load", self.port, RATE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.load.communicate)
        assert self.load.stdout is not None
        self.assertEqual(self.load.stdout.readline(), "ready\n")

    def replace(self, daemon: Daemon, **how: bool) -> None:
        """Have every server replaced, and wait until only new ones are there."""
        old = daemon.wire.pids("web")
        daemon.wire.order("reload", name="web", **how)
        new = daemon.wire.pids("web")
        self.assertEqual(len(new), 4)
        self.assertEqual(set(new) & set(old), set())
        self.assertTrue(self.answers())

    def answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return client.recv(7) == b"HTTP/1."

    def told(self) -> tuple[int, str]:
        """End the requests, and return how many there were and what failed."""
        out, _ = self.load.communicate(timeout=60)
        words = out.split(" ", 3)
        if ROUNDS > 1:
            print(out.strip())
        return int(words[1]), " ".join(words[3:]).strip()

    def test_graceful_reloads(self) -> None:
        for _ in range(ROUNDS):
            self.replace(self.serving)
        asked, failed = self.told()
        self.assertEqual(failed, "0 {}", asked)
        self.assertGreater(asked, 10)

    def test_sequential_reloads(self) -> None:
        for _ in range(ROUNDS):
            self.replace(self.serving, sequential=True)
        asked, failed = self.told()
        self.assertEqual(failed, "0 {}", asked)
        self.assertGreater(asked, 10)

    def test_the_daemon_is_killed_and_then_ended(self) -> None:
        pids = self.serving.wire.pids("web")
        for _ in range(ROUNDS):
            self.serving.kill()
            self.serving.again()
            self.assertEqual(self.serving.wire.pids("web"), pids)
        self.replace(self.serving)
        asked, failed = self.told()
        self.assertEqual(failed, "0 {}", asked)
        pids = self.serving.wire.pids("web")
        self.serving.signal(signal.SIGTERM)
        self.serving.ended()
        self.assertTrue(eventually(lambda: not any(map(there, pids))))


@unittest.skipUnless(importlib.util.find_spec("gunicorn"), "gunicorn is not installed")
class TestPath(DaemonCase):
    """A socket at a path, which a gunicorn that ends takes for its own without `listen_fds`."""

    def reloaded(self, options: str) -> Daemon:
        """Replace a gunicorn."""
        text = TEXT.replace("host = 127.0.0.1\nport = 0", "path = {DIR}/socket")
        text = text.replace("numprocesses = 4", f"numprocesses = 1\nready.up = notify\n{options}")
        text = text.replace("-w 1", "-w 1 --preload")
        daemon = self.daemon(text, prepare=write_application)
        daemon.wire.events.next("ready")
        daemon.order("reload", name="web")
        return daemon

    def answers(self, daemon: Daemon) -> None:
        """Somebody listens at the path."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(TIMEOUT)
            client.connect(str(daemon.folder / "socket"))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertEqual(client.recv(7), b"HTTP/1.")

    def test_it_stays_with_listen_fds(self) -> None:
        daemon = self.reloaded("listen_fds = True\n")
        self.answers(daemon)
        daemon.signal(signal.SIGTERM)
        self.assertEqual([one for one in daemon.log.rest() if "was deleted" in one], [])

    def test_it_is_made_again_without(self) -> None:
        daemon = self.reloaded("")
        daemon.log.containing("socket was deleted, and was made again")
        self.answers(daemon)


def write_application(folder: Path) -> None:
    (folder / "app.py").write_text(APPLICATION)


def there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


if __name__ == "__main__":
    unittest.main()
