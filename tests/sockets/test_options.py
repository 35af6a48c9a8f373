"""Options of sockets beside host, port and path: type, protocol, network device."""

from __future__ import annotations

import errno
import os
import socket
import unittest
from typing import Any
from unittest import mock

from cvec_circus import exc
from cvec_circus.config.readers.mapping import from_mappings
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.sockets.managed import CircusSocket
from tests.support.leaks import LeakCheckedTestCase


class OptionCase(LeakCheckedTestCase):
    """Binds sockets on this machine."""

    def make(self, **options: Any) -> CircusSocket:
        """A socket as a file describes it."""
        given = {"host": "127.0.0.1", "port": "0", **options}
        managed = CircusSocket(name="web", **SOCKET_OPTIONS.complete(SOCKET_OPTIONS.convert(given)))
        self.addCleanup(managed.close)
        return managed

    def bound(self, **options: Any) -> CircusSocket:
        managed = self.make(**options)
        managed.open()
        return managed

    def number(self, managed: CircusSocket, option: int) -> int:
        """What the kernel says of it."""
        with socket.socket(fileno=os.dup(managed.fileno())) as copy:
            return copy.getsockopt(socket.SOL_SOCKET, option)


class TestTypes(OptionCase):
    """SOCK_..."""

    def test_all_of_them(self) -> None:
        for text, kind in (
            ("SOCK_STREAM", socket.SOCK_STREAM),
            ("sock_dgram", socket.SOCK_DGRAM),
        ):
            with self.subTest(text):
                managed = self.bound(type=text)
                self.assertEqual(self.number(managed, socket.SO_TYPE), kind)
                listens = kind == socket.SOCK_STREAM
                self.assertEqual(self.number(managed, socket.SO_ACCEPTCONN), listens)
                self.assertGreater(managed.port or 0, 0)
        for text in ("SOCK_SEQPACKET", "SOCK_RDM"):  # no protocol of the internet is of that type
            with self.subTest(text), self.assertRaises(exc.SocketError) as caught:
                self.bound(type=text)
            self.assertRegex(str(caught.exception), "^socket web: cannot open it: ")

    @unittest.skipIf(os.getuid(), "only root may open a raw socket")
    def test_raw(self) -> None:
        try:
            managed = self.bound(type="SOCK_RAW", proto="icmp")
        except exc.SocketError as error:
            self.skipTest(str(error))
        self.assertEqual(self.number(managed, socket.SO_TYPE), socket.SOCK_RAW)

    def test_a_datagram_arrives(self) -> None:
        managed = self.bound(type="SOCK_DGRAM")
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.sendto(b"hello", (managed.host, managed.port))
        with socket.socket(fileno=os.dup(managed.fileno())) as copy:
            copy.settimeout(30)
            self.assertEqual(copy.recv(9), b"hello")


class TestProto(OptionCase):
    """The protocol."""

    def test_by_name_and_number(self) -> None:
        for given in ("tcp", "6", "TCP", 6):
            managed = self.bound(proto=given)
            self.assertEqual(self.number(managed, socket.SO_PROTOCOL), socket.IPPROTO_TCP)
        self.assertEqual(CircusSocket(proto="udp", type="SOCK_DGRAM").proto, 17)

    def test_numbers_as_programs_for_circus_give_them(self) -> None:
        managed = CircusSocket(family=int(socket.AF_INET), type=int(socket.SOCK_DGRAM))
        self.assertEqual((managed.family, managed.type), (socket.AF_INET, socket.SOCK_DGRAM))
        self.assertEqual(CircusSocket(proto=None).proto, 0)

    def test_one_of_another_type(self) -> None:
        with self.assertRaises(exc.SocketError) as caught:
            self.bound(proto="udp")
        self.assertEqual(
            str(caught.exception), "socket web: cannot open it: Protocol not supported"
        )


class TestInterface(OptionCase):
    """The network device."""

    def test_it_is_bound_to_it(self) -> None:
        try:
            managed = self.bound(interface="lo")
        except exc.SocketError as error:  # needs CAP_NET_RAW before Linux 5.7
            self.skipTest(str(error))
        with socket.socket(fileno=os.dup(managed.fileno())) as copy:
            device = copy.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
        self.assertEqual(device.rstrip(b"\0"), b"lo")
        with socket.create_connection((managed.host, managed.port), timeout=30):
            pass

    def test_one_that_is_not_there(self) -> None:
        with self.assertRaises(exc.SocketError) as caught:
            self.bound(interface="nosuch0")
        self.assertEqual(
            str(caught.exception), "socket web: cannot use the interface nosuch0: No such device"
        )

    def test_one_that_is_not_for_us(self) -> None:
        denied = PermissionError(errno.EPERM, "Operation not permitted")
        with mock.patch("socket.socket.setsockopt", side_effect=[None, denied]):
            with self.assertRaises(exc.SocketError) as caught:
                self.bound(interface="lo")
        self.assertIn("interface lo: Operation not permitted", str(caught.exception))


class TestTogether(unittest.TestCase):
    """Options that cannot be together are found before anything is opened."""

    def test_it_is_said(self) -> None:
        for given, text in (
            ({"family": "AF_UNIX"}, r"path: missing; a unix socket has one"),
            ({"owner": "root"}, r"owner: only the path of a unix socket has one"),
            ({"path": "x", "so_reuseport": "yes"}, r"so_reuseport: a unix socket cannot share"),
            ({"proto": "tpc"}, r"proto: 'tpc' is not a protocol"),
        ):
            with self.subTest(given), self.assertRaisesRegex(exc.ConfigError, text):
                from_mappings([{"name": "a", "cmd": "true"}], sockets=[{"name": "s", **given}])

    def test_what_is_empty_is_not_given(self) -> None:
        options = SOCKET_OPTIONS.complete(
            SOCKET_OPTIONS.convert({"path": "", "owner": "", "interface": ""})
        )
        managed = CircusSocket(name="s", **options)
        self.assertEqual((managed.path, managed.owner, managed.interface), (None, None, None))


if __name__ == "__main__":
    unittest.main()
