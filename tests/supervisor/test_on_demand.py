"""Watchers that start when a client connects, with real sockets and real processes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import unittest
from typing import Any

from tests.support.children import TIMEOUT
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.support.hurry import hurry

ECHO = "import os, sys; os.write(1, b'%d ' % os.getpid() + os.read(0, 9))"
"""Answers its standard input on it, once: what inetd would start for a datagram."""


class TestOnDemand(EmbeddedCase):
    def serve(self, *others: dict[str, Any], **options: Any) -> None:
        self.arbit(
            {
                "name": "web",
                **self.program("serve", "$(circus.sockets.web)"),
                "use_sockets": True,
                "on_demand": True,
                **options,
            },
            *others,
            sockets=[{"name": "web", "host": "127.0.0.1", "port": 0}],
        )
        (listed,) = self.wire.call("listsockets")["sockets"]
        self.port = listed["port"]

    def says(self, reason: str) -> None:
        """It is stopped for that reason, at the latest when it has been started."""
        expected = ("stopped", reason)
        self.assertTrue(eventually(lambda: self.wire.status("web") == expected))

    def ask(self) -> int:
        """Connect, and return the pid of who answers."""
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as client:
            return self.answer(client)

    def answer(self, client: socket.socket) -> int:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
        return int(answer.rpartition(b"\r\n\r\n")[2])

    def test_the_first_connection_starts_it_and_is_answered(self) -> None:
        self.serve()
        self.says("waits for a connection")
        pid = self.ask()
        self.assertEqual(self.wire.pids("web"), [pid])
        self.assertEqual(self.ask(), pid)
        self.assertEqual(self.events.of("start", watcher="web")[0]["cause"], "connection")

    def test_the_next_one_after_its_end_does_so_again(self) -> None:
        self.serve()
        first = self.ask()
        os.kill(first, signal.SIGKILL)
        self.events.next("stop", watcher="web")
        self.assertEqual(self.wire.pids("web"), [])
        second = self.ask()
        self.assertNotEqual(second, first)

    def test_one_that_comes_while_the_last_process_ends_is_not_lost(self) -> None:
        self.serve(min_uptime=0)  # so that none of those that are killed has died too soon
        pid = self.ask()
        for _ in range(10):
            os.kill(pid, signal.SIGSTOP)  # it accepts nothing any more
            os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
            with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as client:
                os.kill(pid, signal.SIGKILL)
                pid = self.answer(client)

    def test_what_does_not_accept_backs_off(self) -> None:
        hurry(self, {"core.spawning.ANNOUNCED_BACKOFF": 0.2})
        self.serve(cmd="false", args=["$(circus.sockets.web)"])
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT):
            self.events.next("backoff", watcher="web")
        self.assertLess(len(self.events.of("spawn", watcher="web")), 30)

    def test_commands_are_answered_at_once_while_it_waits(self) -> None:
        self.serve()
        for order in ("start", "restart", "reload", "incr", "decr", "stop", "start"):
            self.wire.order(order, name="web")
        self.assertEqual(self.events.of("spawn", watcher="web"), [])
        self.ask()

    def test_a_stopped_one_does_not_start(self) -> None:
        self.serve({"name": "other", "cmd": "sleep 1000"})
        self.wire.order("stop", name="web")
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT):
            self.wire.order("restart", name="other")
            self.assertEqual(self.wire.status("web")[0], "stopped")
        self.wire.order("rm", name="web")

    def test_two_watchers_of_one_socket_both_start(self) -> None:
        twin = {
            "name": "twin",
            **self.program("serve", "$(circus.sockets.web)"),
            "use_sockets": True,
            "on_demand": True,
        }
        self.serve(twin)
        self.ask()
        self.events.wait("start", 2, cause="connection")

    def test_a_socket_as_standard_input(self) -> None:
        self.arbit(
            {
                "name": "inetd",
                "cmd": sys.executable,
                "args": ["-c", ECHO],
                "on_demand": True,
                "stdin_socket": "in",
                "stdout_stream": {"class": "FileStream", "filename": str(self.folder / "said")},
            },
            sockets=[
                {"name": "in", "host": "127.0.0.1", "port": 0, "type": "SOCK_DGRAM"},
            ],
        )
        (listed,) = self.wire.call("listsockets")["sockets"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"hello", ("127.0.0.1", listed["port"]))
        self.events.next("stop", watcher="inetd")
        said = self.folder / "said"
        self.assertTrue(eventually(lambda: "hello" in said.read_text()))

    def test_who_has_no_socket_gives_up_with_the_reason(self) -> None:
        self.serve(cmd="sleep 1000", args=[])
        self.says("on_demand: the command refers to no socket")

    def test_a_socket_that_is_not_listened_on_before(self) -> None:
        self.arbit(
            {
                "name": "web",
                "cmd": "sleep $(circus.sockets.web)",
                "use_sockets": True,
                "on_demand": True,
            },
            sockets=[{"name": "web", "host": "127.0.0.1", "port": 0, "so_reuseport": True}],
        )
        self.says(
            "on_demand: socket web has so_reuseport, so no client can connect to it before there is"
            " a process"
        )


if __name__ == "__main__":
    unittest.main()
