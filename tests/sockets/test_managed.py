"""One listening socket: what it takes, what it refuses, who inherits it."""

import errno
import os
import socket
import subprocess
import sys
import unittest
from unittest import mock

from cvec_circus import exc
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.sockets.managed import CircusSocket
from tests.support.leaks import LeakCheckedTestCase

ACCEPT_ONE = """
import socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
listener.setblocking(True)
connection, _ = listener.accept()
connection.sendall(b"hello")
"""


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class ManagedSocketTest(LeakCheckedTestCase):
    def bound(self, **options):
        options = {"name": "web", "host": "127.0.0.1", "port": 0, **options}
        managed = CircusSocket(**options)
        self.addCleanup(managed.close)
        managed.open()
        return managed

    def test_defaults_are_those_of_circus(self):
        managed = CircusSocket("web")
        self.assertEqual((managed.host, managed.port), ("localhost", 8080))
        self.assertEqual((managed.family, managed.type), (socket.AF_INET, socket.SOCK_STREAM))
        self.assertEqual((managed.backlog, managed.blocking), (2048, False))
        self.assertEqual(managed.fileno(), -1)

    def test_listens_and_describes_the_real_port(self):
        managed = self.bound()
        shown = managed.describe()
        self.assertEqual(
            shown,
            {
                "fd": managed.fileno(),
                "name": "web",
                "backlog": 2048,
                "host": "127.0.0.1",
                "port": managed.port,
            },
        )
        self.assertGreater(shown["port"], 0)
        socket.create_connection((shown["host"], shown["port"]), timeout=30).close()
        self.assertEqual(str(managed), f"socket 'web' at 127.0.0.1:{managed.port}")

    def test_bind_twice_keeps_the_socket(self):
        managed = self.bound()
        before = managed.describe()
        managed.open()
        self.assertEqual(managed.describe(), before)

    def test_close_twice_and_bind_again(self):
        managed = self.bound()
        managed.close()
        managed.close()
        self.assertEqual((managed.fileno(), managed.port), (-1, 0))
        managed.open()
        self.assertGreater(managed.port, 0)

    def test_a_host_name_is_resolved_when_it_is_bound(self):
        with mock.patch("socket.getaddrinfo", side_effect=AssertionError):
            managed = CircusSocket(name="web", host="localhost", port=0)
        self.addCleanup(managed.close)
        managed.open()
        self.assertEqual(managed.host, "127.0.0.1")

    def test_an_empty_host_is_any_address(self):
        self.assertEqual(self.bound(host="").host, "0.0.0.0")
        self.assertEqual(CircusSocket(host=None, port=80).location, "*:80")

    @unittest.skipUnless(has_ipv6(), "no IPv6 on this machine")
    def test_ipv6(self):
        managed = self.bound(host="::1", family="af_inet6")
        self.assertEqual(managed.location, f"[::1]:{managed.port}")
        socket.create_connection(("::1", managed.port), timeout=30).close()

    def test_blocking_is_off_unless_asked_for(self):
        self.assertFalse(os.get_blocking(self.bound().fileno()))
        self.assertTrue(os.get_blocking(self.bound(blocking=True).fileno()))

    def test_the_address_can_be_taken_again_while_a_connection_lingers(self):
        managed = self.bound(blocking=True)
        port = managed.port
        with socket.create_connection(("127.0.0.1", port), timeout=30):
            with socket.socket(fileno=os.dup(managed.fileno())) as listener:
                listener.accept()[0].close()  # this side closes first and keeps TIME_WAIT
        managed.close()
        self.assertEqual(self.bound(port=port).port, port)

    def test_only_a_child_that_is_given_it_inherits_it(self):
        managed = self.bound()
        look = [sys.executable, "-c", f"import os; os.fstat({managed.fileno()})"]
        self.assertFalse(os.get_inheritable(managed.fileno()))
        without = subprocess.run(look, close_fds=False, capture_output=True, check=False)
        self.assertIn(b"Bad file descriptor", without.stderr)
        command = [sys.executable, "-c", ACCEPT_ONE, str(managed.fileno())]
        with subprocess.Popen(command, pass_fds=[managed.fileno()]):
            with socket.create_connection((managed.host, managed.port), timeout=30) as client:
                self.assertEqual(client.recv(5), b"hello")

    def test_connections_wait_while_nobody_accepts(self):
        managed = self.bound()
        with socket.create_connection((managed.host, managed.port), timeout=30) as client:
            command = [sys.executable, "-c", ACCEPT_ONE, str(managed.fileno())]
            with subprocess.Popen(command, pass_fds=[managed.fileno()]):
                self.assertEqual(client.recv(5), b"hello")

    def refusal(self, **options):
        with self.assertRaises(exc.SocketError) as caught:
            self.bound(**options)
        return str(caught.exception)

    def test_an_address_in_use_is_one_line(self):
        port = self.bound().port
        said = self.refusal(port=port)
        us = rf"pid {os.getpid()} \(.+\) listens there"
        expected = rf"socket web: cannot listen on 127.0.0.1:{port}: Address already in use; {us}"
        self.assertRegex(said, f"^{expected}$")

    def test_a_port_without_permission_is_one_line(self):
        denied = PermissionError(errno.EACCES, "Permission denied")
        with mock.patch.object(socket.socket, "bind", side_effect=denied):
            self.assertEqual(
                self.refusal(port=80),
                "socket web: cannot listen on 127.0.0.1:80: Permission denied",
            )

    def test_an_address_of_another_machine_is_one_line(self):
        self.assertEqual(
            self.refusal(host="192.0.2.1", port=80),
            "socket web: cannot listen on 192.0.2.1:80: Cannot assign requested address",
        )

    def test_a_name_that_does_not_resolve_is_one_line(self):
        for host in ("no.such.host.invalid", "x" * 64 + ".example"):
            text = self.refusal(host=host)
            self.assertRegex(text, f"^socket web: cannot resolve {host}: .+$")
            self.assertNotIn("\n", text)

    def test_an_address_of_the_other_family_is_one_line(self):
        refusal = self.refusal(host="127.0.0.1", family="AF_INET6")
        self.assertRegex(refusal, "^socket web: cannot resolve 127.0.0.1: .+$")

    def test_what_no_machine_can_listen_on_is_refused_at_once(self):
        for options, text in (
            ({"host": "::1"}, "host: an IPv6 address; set family = AF_INET6"),
            ({"path": "x" * 108}, "path: more than the 107 bytes that a unix socket can have"),
        ):
            with self.assertRaises(exc.OptionError) as caught:
                CircusSocket(name="web", **options)
            self.assertEqual(str(caught.exception), text)

    def test_no_descriptor_left_is_one_line(self):
        full = OSError(errno.EMFILE, "Too many open files")
        with mock.patch("socket.socket", side_effect=full):
            self.assertEqual(self.refusal(), "socket web: cannot open it: Too many open files")

    def test_bad_values_are_refused_by_their_name(self):
        for option, value, reason in (
            ("port", 65536, "65536 is more than 65535"),
            ("port", -1, "-1 is less than 0"),
            ("port", "http", "'http' is not a whole number"),
            ("backlog", "many", "'many' is not a whole number"),
            ("family", "AF_APPLETALK", "'AF_APPLETALK' is not one of AF_INET, AF_INET6, AF_UNIX"),
            ("type", "SOCK_PACKET", "'SOCK_PACKET' is not one of SOCK_STREAM, SOCK_DGRAM"),
            ("proto", "tpc", "'tpc' is not a protocol: a number, or one of ip, icmp, tcp"),
            ("replace", "perhaps", "'perhaps' is neither true nor false"),
            ("path", {"family": "AF_UNIX"}, "missing; a unix socket has one"),
            ("owner", "nobody", "only the path of a unix socket has one"),
            ("so_reuseport", {"so_reuseport": True, "path": "x"}, "cannot share its path"),
        ):
            with self.subTest(option, value=value), self.assertRaises(exc.OptionError) as caught:
                given = value if isinstance(value, dict) else {option: value}
                CircusSocket(name="web", **given)
            self.assertEqual(caught.exception.option, option)
            self.assertIn(reason, caught.exception.reason)

    def test_takes_a_full_set_of_options_from_the_table(self):
        options = SOCKET_OPTIONS.complete(SOCKET_OPTIONS.convert({"port": "80"}))
        self.assertEqual(CircusSocket(name="web", **options).port, 80)

    def test_text_from_a_file_will_do(self):
        managed = CircusSocket(
            name="web", port="8000", backlog="16", family="AF_INET", type="sock_stream"
        )
        self.assertEqual((managed.port, managed.backlog), (8000, 16))
        self.assertEqual((managed.family, managed.type), (socket.AF_INET, socket.SOCK_STREAM))


class TestLoaded(unittest.TestCase):
    def test_text(self) -> None:
        """As a program that reads a file by itself has it; Circus' masks are decimal."""
        text = {"name": "s", "port": "0", "backlog": "5", "umask": "63", "blocking": "yes"}
        made = CircusSocket.load_from_config(text)
        self.assertEqual((made.port, made.backlog, made.umask), (0, 5, 0o77))
        self.assertTrue(made.blocking)
        self.assertEqual(CircusSocket.load_from_config({"name": "s"}).umask, 8)
        for mask in ("rwx", "-1", "512", 512):
            with self.subTest(mask), self.assertRaisesRegex(exc.OptionError, "umask"):
                CircusSocket.load_from_config({"name": "s", "umask": mask})
