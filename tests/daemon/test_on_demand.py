"""Watchers that wait for a connection, in a daemon whose configuration changes under them."""

from __future__ import annotations

import socket
import unittest
from typing import Any

from tests.support.daemon import Daemon, DaemonCase, child
from tests.support.eventually import eventually
from tests.support.ports import free_port

SERVE = child("serve", "FD").replace("FD", "$(circus.sockets.web)")


def text(port: int, backlog: int = 100, more: str = "") -> str:
    return f"""
[socket:web]
host = 127.0.0.1
port = {port}
backlog = {backlog}

[watcher:web]
cmd = {SERVE}
use_sockets = True
on_demand = True
{more}
"""


class TestReloads(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        self.serving = self.daemon(text(0))
        self.port = self.listed(self.serving)["port"]

    def listed(self, daemon: Daemon) -> dict[str, Any]:
        (one,) = daemon.call("listsockets")["sockets"]
        return dict(one)

    def reload(self, body: str) -> None:
        head = f"[circus]\nendpoint = {self.serving.endpoint}\n"
        head += f"pubsub_endpoint = {self.serving.pubsub_endpoint}\n"
        self.serving.config.write_text(head + body)
        self.serving.call("reloadconfig", waiting=True)

    def ask(self, port: int) -> int:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        return int(answer.rpartition(b"\r\n\r\n")[2])

    def waits(self) -> bool:
        return self.serving.wire.status("web") == ("stopped", "waits for a connection")

    def test_it_waits_on_the_new_port(self) -> None:
        self.reload(text(free_port()))
        self.assertTrue(self.waits())
        port = self.listed(self.serving)["port"]
        self.assertNotEqual(port, self.port)
        self.assertEqual(self.serving.wire.pids("web"), [])
        self.assertEqual([self.ask(port)], self.serving.wire.pids("web"))

    def test_it_goes_on_waiting_when_something_else_changes(self) -> None:
        self.reload(text(0, backlog=50, more="graceful_timeout = 3\n"))
        self.assertTrue(self.waits())
        self.assertEqual([self.ask(self.port)], self.serving.wire.pids("web"))

    def test_it_waits_no_longer_when_it_need_not(self) -> None:
        self.reload(text(0, more="stop_signal = INT\n").replace("on_demand = True", ""))
        self.assertTrue(eventually(lambda: bool(self.serving.wire.pids("web"))))

    def test_it_goes_with_its_socket(self) -> None:
        self.reload("[watcher:other]\ncmd = sleep 1000\n")
        self.assertEqual(self.serving.call("listsockets")["sockets"], [])
        self.assertEqual(self.serving.wire.status("other")[0], "active")
        with self.assertRaises(ConnectionRefusedError):
            self.ask(self.port)

    def test_another_command_waits_on_what_it_names(self) -> None:
        more = "[socket:other]\nhost = 127.0.0.1\nport = 0\n"
        self.reload(text(0, more=more))
        self.serving.wire.order("set", name="web", options={"cmd": SERVE.replace("web", "other")})
        sockets = {one["name"]: one["port"] for one in self.serving.call("listsockets")["sockets"]}
        self.assertTrue(self.waits())
        self.assertEqual([self.ask(sockets["other"])], self.serving.wire.pids("web"))


if __name__ == "__main__":
    unittest.main()
