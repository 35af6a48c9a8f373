"""What `--check` says of sockets and endpoints that this machine cannot have."""

from __future__ import annotations

import socket
import unittest

from tests.daemon.machine_case import WEB, MachineCase


class TestListening(MachineCase):
    """What a start refuses on this machine."""

    def refused(self, text: str, *expected: str) -> None:
        self.assertEqual(self.problems(f"{WEB}{text}\n"), list(expected))

    def test_what_is_at_a_path(self) -> None:
        (self.folder / "sub").mkdir()
        (self.folder / "notes").touch()
        listening, long = "cannot listen: ", "x" * 107
        for path, reason in (
            ("sub", "HERE/sub is a folder; name a file in it"),
            ("notes", "the file there is not a socket; remove it, or use another path"),
            ("notes/x", "HERE/notes/x cannot be reached: Not a directory"),
            (long, f"HERE/{long} has more than the 107 bytes that a unix socket can have"),
        ):
            self.refused(f"[socket:s]\npath = {path}", f"4: [socket:s] path: {reason}")
            endpoint = f"4: [circus] endpoint: ipc://{path}: {listening}{reason}"
            self.refused(f"[circus]\nendpoint = ipc://{path}", endpoint)

    def test_a_socket_that_is_there_may_be_the_daemons_own(self) -> None:
        with socket.socket(socket.AF_UNIX) as there:
            there.bind(str(self.folder / "s"))
            self.silent(f"{WEB}[socket:s]\npath = s\n", f"{WEB}[circus]\nendpoint = ipc://s\n")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.silent(f"{WEB}[socket:s]\nport = {port}\n")

    def test_hosts(self) -> None:
        for host, reason in (
            ("no.such.host.invalid", "cannot resolve no.such.host.invalid: "),
            ("192.0.2.1", "192.0.2.1 is no address of this machine: "),
            ("x" * 64, "cannot resolve xxx"),
        ):
            [said] = self.problems(f"{WEB}[socket:s]\nport = 0\nhost = {host}\n")
            self.assertIn(f"5: [socket:s] host: {reason}", said)
        endpoint = "tcp://no.such.host.invalid:1"
        [said] = self.problems(
            f"{WEB}[circus]\npubsub_endpoint = {endpoint}\nallow_remote = True\n"
        )
        self.assertIn(f"{endpoint}: cannot listen: no such host or interface", said)

    def test_types_that_no_family_has(self) -> None:
        for lines, key in (
            ("type = SOCK_SEQPACKET", "type"),
            ("type = SOCK_DGRAM\nproto = tcp", "proto"),
            ("path = s\nproto = tcp", "proto"),
        ):
            [said] = self.problems(
                f"{WEB}[socket:s]\nport = 0\n{lines}\n".replace("port = 0\npath", "path")
            )
            self.assertIn(f"[socket:s] {key}: this machine has no AF_", said)
        self.silent(f"{WEB}[socket:s]\nport = 0\ntype = SOCK_DGRAM\nproto = udp\n")

    def test_statistics_are_not_needed(self) -> None:
        (said,) = self.found(f"{WEB}[circus]\nstats_endpoint = ipc://no/s\n")
        self.assertIn("4: [circus] stats_endpoint: ipc://no/s: cannot listen", said)


if __name__ == "__main__":
    unittest.main()
