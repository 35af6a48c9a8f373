"""Which sockets and endpoints cannot listen at the same time."""

from __future__ import annotations

import os
import tempfile
import unittest
from unittest import mock

from cvec_circus.options import address
from cvec_circus.options.address import Address, are_one, of_endpoint, of_file, of_socket
from cvec_circus.options.socket import SOCKET_OPTIONS


def socket(**given: object) -> Address | None:
    return of_socket(SOCKET_OPTIONS.complete(SOCKET_OPTIONS.convert(given)))


class TestAddress(unittest.TestCase):
    """What is one address, and what is not."""

    def check(self, expected: bool, *pairs: tuple[Address | None, Address | None]) -> None:
        for one, other in pairs:
            with self.subTest(one=one, other=other):
                assert one is not None and other is not None
                self.assertIs(are_one(one, other), expected)
                self.assertIs(are_one(other, one), expected)

    def test_one(self) -> None:
        self.check(
            True,
            (socket(port=80), socket(port="80")),
            (socket(host="127.0.0.1", port=80), socket(host="LOCALHOST", port=80)),
            (socket(host="", port=80), socket(host="192.0.2.1", port=80)),
            (socket(host="::", family="AF_INET6", port=80), of_endpoint("tcp://[::1]:80")),
            (socket(port=80, so_reuseport=True), socket(port=80)),
            (socket(port=80, interface="eth0"), socket(port=80)),
            (socket(path="/run/a"), socket(path="/run/./a", replace=True)),
            (socket(path="/run/a"), of_endpoint("ipc:///run/a")),
            (of_endpoint("tcp://lo:80"), of_endpoint("tcp://localhost:80")),
            (of_endpoint("tcp://*:80"), socket(host="192.0.2.1", port=80)),
            (of_endpoint("ipc://@a"), of_endpoint("ipc://@a")),
            (socket(path="/run/a"), socket(path="/run/.a.spare")),
            (socket(path="/run/.a.spare"), of_endpoint("ipc:///run/a")),
            (socket(path="/run/a"), of_file("/run/x/../a")),
            (socket(host="0.0.0.0", port=80), socket(host="::", family="AF_INET6", port=80)),
            (socket(host="192.0.2.1", port=80), of_endpoint("tcp://[::]:80")),
            (socket(host="127.1", port=80), of_endpoint("tcp://[::ffff:127.0.0.1]:80")),
            (socket(host="::1", family="AF_INET6", port=80), of_endpoint("tcp://[0:0::1]:80")),
        )

    def test_several(self) -> None:
        self.check(
            False,
            (socket(port=80), socket(port=81)),
            (socket(host="127.0.0.1", port=80), socket(host="127.0.0.2", port=80)),
            (socket(port=80, so_reuseport=True), socket(port=80, so_reuseport=True)),
            (socket(port=80, interface="eth0"), socket(port=80, interface="eth1")),
            (socket(port=80), socket(host="::1", family="AF_INET6", port=80)),
            (socket(host="0.0.0.0", port=80), socket(host="::1", family="AF_INET6", port=80)),
            (socket(path="/run/a.spare"), socket(path="/run/a")),
            (socket(path="/run/a"), socket(path="/run/b")),
            (socket(path="/run/a"), of_endpoint("ipc://@/run/a")),
            (of_endpoint("tcp://127.0.0.1:80"), of_endpoint("tcp://127.0.0.1:81")),
        )

    def test_ipv6_sockets_that_leave_ipv4_to_others(self) -> None:
        pair = (socket(port=80), socket(host="::", family="AF_INET6", port=80))
        for text, expected in (("1\n", False), ("0\n", True)):
            with tempfile.NamedTemporaryFile("w") as file:
                file.write(text)
                file.flush()
                with mock.patch.object(address, "_ONLY_V6", file.name):
                    self.check(expected, pair)
        with mock.patch.object(address, "_ONLY_V6", "/nonexistent"):
            self.check(True, pair)

    def test_links_in_the_folder(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/real")
            os.symlink("real", f"{folder}/link")
            os.mkdir(f"{folder}/real/in")
            os.symlink("real/in", f"{folder}/deep")
            self.check(
                True,
                (socket(path=f"{folder}/real/a"), socket(path=f"{folder}/link/a")),
                (socket(path=f"{folder}/real/a"), of_endpoint(f"ipc://{folder}/deep/../a")),
            )

    def test_what_is_nobodys(self) -> None:
        self.assertIsNone(socket(port=0))
        self.assertIsNone(socket(port=80, type="SOCK_DGRAM"))
        for endpoint in ("tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "ipc://*", "inproc://a", "x"):
            self.assertIsNone(of_endpoint(endpoint))


if __name__ == "__main__":
    unittest.main()
