"""Endpoints of another machine: what ssh is asked for, and that the connection carries it all."""

from __future__ import annotations

import json
import os
import signal
import unittest
from pathlib import Path
from unittest import mock

import psutil

from cvec_circus import exc
from cvec_circus.client import Client
from cvec_circus.client.tunnel import Tunnel
from tests.support.daemon import folder
from tests.support.eventually import eventually
from tests.support.fake_daemon import FakeDaemon
from tests.support.leaks import LeakCheckedTestCase
from tests.support.silence import silence

FAKE = Path(__file__).parents[1] / "support" / "fake_ssh.py"


def fake_ssh(test: unittest.TestCase) -> Path:
    """Put our ssh before all others; return the file with its calls."""
    place = folder(test)
    (place / "ssh").symlink_to(FAKE)
    log = place / "log"
    log.touch()
    path = f"{place}:{os.environ['PATH']}"
    patch = mock.patch.dict(os.environ, {"PATH": path, "FAKE_SSH_LOG": str(log)})
    patch.start()
    test.addCleanup(patch.stop)
    test.addCleanup(assert_none_connected, test, log)
    return log


def assert_none_connected(test: unittest.TestCase, log: Path) -> None:
    """Fail if a connection that was opened is still there."""
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    controls = {words[words.index("-S") + 1] for words in calls}

    def connected() -> list[int]:
        processes = psutil.process_iter(["cmdline"])
        return [one.pid for one in processes if controls.intersection(one.info["cmdline"] or ())]

    if not eventually(lambda: not connected()):
        left = connected()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        test.fail(f"ssh is still connected: {left}")


class TestTunnel(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = fake_ssh(self)

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def test_nowhere_to_go(self) -> None:
        with Tunnel(None) as tunnel:
            self.assertEqual(tunnel.local("tcp://127.0.0.1:5555"), "tcp://127.0.0.1:5555")
        self.assertEqual(self.calls(), [])

    def test_two_endpoints_over_one_connection(self) -> None:
        daemon = FakeDaemon(str(folder(self)))
        self.addCleanup(daemon.stop)
        with Tunnel("me@there") as tunnel:
            first = tunnel.local(daemon.endpoint)
            second = tunnel.local("tcp://0.0.0.0:5556")
            self.assertEqual(tunnel.local(daemon.endpoint), first)
            self.assertNotEqual(first, second)
            with Client(first) as client:
                self.assertEqual(client.call("list")["watchers"], ["web"])
            place = os.path.dirname(first[len("ipc://") :])
        self.assertFalse(os.path.exists(place))
        opening, forwarding, closing = self.calls()
        for call in (opening, forwarding, closing):
            self.assertEqual(call[-2:], ["--", "me@there"])
        self.assertIn("ExitOnForwardFailure=yes", opening)
        self.assertTrue(opening[-3].endswith(f":{daemon.endpoint[len('ipc://') :]}"))
        self.assertTrue(forwarding[-3].endswith(":127.0.0.1:5556"))
        self.assertIn("exit", closing)

    def test_a_key(self) -> None:
        with Tunnel("there", "/my/key") as tunnel:
            tunnel.local("tcp://127.0.0.1:5555")
        self.assertIn("/my/key", self.calls()[0])

    def test_what_ssh_refuses(self) -> None:
        silence(self)
        with Tunnel("nowhere") as tunnel, self.assertRaisesRegex(exc.SocketError, "code 255"):
            tunnel.local("tcp://127.0.0.1:5555")
        with self.assertRaisesRegex(exc.SocketError, "not the name of a machine"):
            Tunnel("-oProxyCommand=x")
        with Tunnel("there") as tunnel, self.assertRaisesRegex(exc.SocketError, "cannot be"):
            tunnel.local("inproc://x")

    def test_no_ssh(self) -> None:
        with mock.patch.dict(os.environ, {"PATH": "/nowhere"}), Tunnel("there") as tunnel:
            with self.assertRaisesRegex(exc.SocketError, "ssh there: No such file"):
                tunnel.local("tcp://127.0.0.1:5555")


if __name__ == "__main__":
    unittest.main()
