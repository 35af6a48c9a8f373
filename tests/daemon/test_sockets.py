"""Listening sockets that the daemon holds and its processes serve."""

from __future__ import annotations

import os
import signal
import socket
import unittest
from typing import Any

from cvec_circus.supervisor.launching import listen_fds
from tests.support.daemon import Daemon, DaemonCase, alive, child
from tests.support.eventually import eventually

SERVE = child("serve", "FD").replace("FD", "$(circus.sockets.web)")
TEXT = f"""
[socket:web]
host = 127.0.0.1
port = 0

[socket:other]
host = 127.0.0.1
port = 0

[watcher:web]
cmd = {SERVE}
use_sockets = True
numprocesses = 2
min_uptime = 0

[watcher:plain]
cmd = sleep 1000
"""


class TestServing(DaemonCase):
    """Two workers, one socket."""

    def serve(self) -> Daemon:
        daemon = self.daemon(TEXT)
        for _ in range(2):
            daemon.out.until("ready")
        self.look_up(daemon)
        return daemon

    def look_up(self, daemon: Daemon) -> None:
        sockets = {entry["name"]: entry for entry in daemon.call("listsockets")["sockets"]}
        self.port = sockets["web"]["port"]
        self.fd = str(sockets["web"]["fd"])

    def ask(self) -> int | None:
        """Ask the answering process for its pid; None if it is killed meanwhile."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            try:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b""
                while block := client.recv(65536):
                    answer += block
            except ConnectionResetError:
                return None
        return int(answer.rpartition(b"\r\n\r\n")[2]) if answer else None

    def test_both_workers_answer(self) -> None:
        daemon = self.serve()
        workers = set(daemon.wire.pids("web"))
        answered: set[int | None] = set()

        def ask() -> bool:
            answered.add(self.ask())
            return answered == workers

        self.assertTrue(eventually(ask, 20.0), (answered, workers))
        for pid in workers:
            self.assertEqual(set(os.listdir(f"/proc/{pid}/fd")), {"0", "1", "2", self.fd})
        (plain,) = daemon.wire.pids("plain")
        self.assertTrue(eventually(lambda: len(os.listdir(f"/proc/{plain}/fd")) == 3))  # loaded
        self.assertEqual(set(os.listdir(f"/proc/{plain}/fd")), {"0", "1", "2"})
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        with self.assertRaises(ConnectionRefusedError):
            self.ask()

    def test_nobody_is_refused_while_workers_are_killed(self) -> None:
        daemon = self.serve()
        lost = 0
        for number in range(100):
            if number % 10 == 5:
                daemon.wire.events.wait("spawn", 2 + number // 10, watcher="web")
                os.kill(daemon.wire.pids("web")[number % 2], signal.SIGKILL)
            lost += self.ask() is None
        self.assertLessEqual(lost, 10)
        reaped = daemon.wire.events.wait("reap", 10)
        self.assertEqual({event["exit_code"] for event in reaped}, {-signal.SIGKILL})
        self.assertEqual(daemon.wire.status("web")[0], "active")

    def test_nobody_is_refused_while_none_is_there(self) -> None:
        daemon = self.serve()
        daemon.order("stop", name="web")
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            daemon.order("start", name="web")
            self.assertIn(b"200 OK", client.recv(65536))
        self.assertEqual(len(daemon.wire.pids("web")), 2)

    def test_a_master_that_is_killed(self) -> None:
        # Its orphans still hold the socket; they end before the next master begins.
        line = f"sh -c '{SERVE} & {SERVE} & wait'"
        daemon = self.daemon(TEXT.replace(f"cmd = {SERVE}", f"cmd = {line}"))
        orphans = [int(daemon.out.until("ready")) for _ in range(4)]
        self.look_up(daemon)
        for pid in daemon.wire.pids("web"):
            os.kill(pid, signal.SIGKILL)
        successors = [int(daemon.out.until("ready")) for _ in range(4)]
        self.assertFalse(any(map(alive, orphans)))
        self.assertIn(self.ask(), successors)


KINDS = f"""
[socket:unix]
path = web.sock
umask = 177

[socket:many]
host = 127.0.0.1
port = 0
so_reuseport = True

[watcher:unix]
cmd = {SERVE.replace("sockets.web", "sockets.unix")}
use_sockets = True

[watcher:many]
cmd = {SERVE.replace("sockets.web", "sockets.many")}
use_sockets = True
numprocesses = 2
"""


class TestKinds(DaemonCase):
    """Sockets of other kinds, and other ways to get them."""

    def ask(self, family: int, address: Any) -> int:
        """Ask the answering process for its pid."""
        with socket.socket(family) as client:
            client.settimeout(20)
            client.connect(address)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = b""
            while block := client.recv(65536):
                answer += block
        return int(answer.split()[-1])

    def test_a_path_and_one_for_each(self) -> None:
        daemon = self.daemon(KINDS)
        for _ in range(3):
            daemon.out.until("ready")
        path = daemon.folder / "web.sock"
        shown = {entry["name"]: entry for entry in daemon.call("listsockets")["sockets"]}
        self.assertEqual((shown["unix"]["path"], path.stat().st_mode & 0o777), ("web.sock", 0o600))
        self.assertEqual(self.ask(socket.AF_UNIX, str(path)), daemon.wire.pids("unix")[0])
        workers, answered = set(daemon.wire.pids("many")), set()

        def both() -> bool:
            answered.add(self.ask(socket.AF_INET, ("127.0.0.1", shown["many"]["port"])))
            return answered == workers

        self.assertTrue(eventually(both, 20.0), (answered, workers))
        for pid in workers:
            self.assertEqual(len(os.listdir(f"/proc/{pid}/fd")), 4)
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertFalse(path.exists())

    def test_standard_input(self) -> None:
        daemon = self.daemon(
            "[socket:in]\npath = in.sock\n"
            f"[watcher:a]\ncmd = {child('serve', '0')}\nstdin_socket = IN\n"
        )
        daemon.out.until("ready")
        (pid,) = daemon.wire.pids("a")
        self.assertEqual(self.ask(socket.AF_UNIX, str(daemon.folder / "in.sock")), pid)
        self.assertEqual(set(os.listdir(f"/proc/{pid}/fd")), {"0", "1", "2"})


class TestSystemdsWay(DaemonCase):
    """listen_fds."""

    def given(self, options: str) -> tuple[dict[str, str], Daemon]:
        """What a process says it was given."""
        command = child("listen", "$(circus.sockets.web)", "$(circus.sockets.other)")
        text = TEXT[: TEXT.index("[watcher:web]")]
        daemon = self.daemon(f"{text}[watcher:a]\ncmd = {command}\nuse_sockets = True\n{options}")
        *pairs, web, other = daemon.out.until("given").split()
        return {**dict(pair.split("=") for pair in pairs), "web": web, "other": other}, daemon

    def test_what_is_given(self) -> None:
        given, daemon = self.given("listen_fds = True\n")
        shown = {entry["name"]: entry for entry in daemon.call("listsockets")["sockets"]}
        self.assertEqual((given["pid"], given["fds"]), ("True", "2"))
        for number, name in enumerate(given["names"].split(":"), 3):
            self.assertEqual(given[str(number)], str(shown[name]["port"]))
        self.assertEqual(
            (given["web"], given["other"]), (str(shown["web"]["fd"]), str(shown["other"]["fd"]))
        )
        self.assertEqual(
            set(given["open"].split(",")), {"0", "1", "2", "3", "4", given["web"], given["other"]}
        )

    def test_with_limits(self) -> None:
        given, _ = self.given("listen_fds = True\nrlimit_nofile = 100\n")
        self.assertEqual((given["pid"], given["fds"]), ("True", "2"))

    def test_nothing_without_it(self) -> None:
        given, _ = self.given("")
        self.assertEqual((given["fds"], given["names"]), ("None", "None"))
        self.assertEqual(
            set(given["open"].split(",")), {"0", "1", "2", given["web"], given["other"]}
        )

    def test_a_program_that_is_not_there(self) -> None:
        daemon = self.daemon(
            "[socket:web]\npath = web.sock\n[watcher:a]\ncmd = /no/such $(circus.sockets.web)\n"
            "use_sockets = True\nlisten_fds = True\nmax_retry = 1\n"
        )
        daemon.wire.events.next("giveup")
        self.assertIn("/no/such", daemon.wire.status("a")[1])

    def test_a_socket_stays_at_a_number_that_it_has(self) -> None:
        for fds, order in (
            ({"a": 17, "b": 18}, [17, 18]),
            ({"a": 4, "b": 3}, [3, 4]),
            ({"a": 17, "b": 3}, [3, 17]),
            ({"a": 5, "b": 17, "c": 4}, [17, 4, 5]),
        ):
            with self.subTest(fds):
                found, variables = listen_fds(fds)
                self.assertEqual(found, order)
                names = variables["LISTEN_FDNAMES"].split(":")
                self.assertEqual([fds[name] for name in names], order)
        self.assertEqual(listen_fds({"a:b": 9})[1]["LISTEN_FDNAMES"], "a_b")


if __name__ == "__main__":
    unittest.main()
