"""All the sockets: all bound or none, and which of them a command refers to."""

import errno
import os
import socket
from unittest import mock

from cvec_circus import exc
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import Loan, SocketRegistry
from tests.support.leaks import LeakCheckedTestCase


def local(name, port=0):
    return CircusSocket(name=name, host="127.0.0.1", port=port)


class SocketRegistryTest(LeakCheckedTestCase):
    def setUp(self):
        super().setUp()
        self.registry = SocketRegistry()
        self.addCleanup(self.registry.close_all)

    def bound(self, *names):
        for name in names:
            self.registry.add(local(name))
        self.registry.bind_all()
        return self.registry.fds()

    def test_binds_and_closes_them_all(self):
        fds = self.bound("web", "Api")
        self.assertEqual(list(fds), ["web", "Api"])
        self.assertEqual(len(self.registry), 2)
        rows = self.registry.describe()
        self.assertEqual({row["name"]: row["fd"] for row in rows}, fds)
        self.assertEqual([row["fd"] for row in rows], sorted(fds.values()))
        self.registry.close_all()
        self.assertEqual((self.registry.fds(), self.registry.describe()), ({}, []))

    def test_a_name_stands_once_in_whatever_case(self):
        self.registry.add(local("web"))
        with self.assertRaisesRegex(exc.AlreadyExist, "^there is a socket WEB already$"):
            self.registry.add(local("WEB"))

    def test_none_is_bound_when_one_cannot_be(self):
        before = self.bound("first")
        port = next(iter(self.registry)).port
        self.registry.add(local("second"))
        self.registry.add(local("third", port))
        with self.assertRaisesRegex(exc.SocketError, r"^socket third: .*already in use; pid \d+ "):
            self.registry.bind_all()
        self.assertEqual(self.registry.fds(), before)

    def test_a_command_uses_the_sockets_that_it_names(self):
        fds = self.bound("web", "Api", "my-site")
        for text, names in {
            "chaussette --fd $(circus.sockets.web)": ["web"],
            "serve ((circus.sockets.web)) ((CIRCUS.Sockets.API))": ["web", "Api"],
            "$(Circus.sockets.API) $(circus.sockets.web) $(circus.sockets.api)": ["Api", "web"],
            "fd://$(circus.sockets.my-site)": ["my-site"],
            "no $(circus.wid) at all, circus.sockets.web neither": [],
        }.items():
            with self.subTest(text):
                with Loan(self.registry) as loan:
                    found = loan.used_by(text)
                self.assertEqual(list(found.items()), [(name, fds[name]) for name in names])

    def test_a_socket_that_is_not_there_is_refused_by_its_name(self):
        with self.assertRaises(exc.OptionError) as caught:
            Loan(self.registry).used_by("$(circus.sockets.web)")
        self.assertEqual(str(caught.exception), "use_sockets: there is no socket web")
        self.bound("api", "admin")
        self.registry.add(local("late"))
        for name in ("wbe", "late"):
            with self.assertRaises(exc.OptionError) as caught:
                Loan(self.registry).used_by(f"$(circus.sockets.api) $(circus.sockets.{name})")
            self.assertIn(f"there is no socket {name}; there is api, admin", str(caught.exception))

    def test_an_option_names_a_socket(self):
        fds = self.bound("web")
        self.assertEqual(Loan(self.registry).fd("stdin_socket", "Web"), fds["web"])
        with self.assertRaises(exc.OptionError) as caught:
            Loan(self.registry).fd("stdin_socket", "wbe")
        self.assertEqual(
            str(caught.exception), "stdin_socket: there is no socket wbe; there is web"
        )


class LoanTest(LeakCheckedTestCase):
    """A socket of its own for every process."""

    def setUp(self):
        super().setUp()
        self.registry = SocketRegistry()
        self.addCleanup(self.registry.close_all)

    def bound(self, **options):
        self.web = CircusSocket(name="Web", host="127.0.0.1", port=0, so_reuseport=True, **options)
        self.registry.add(self.web)
        self.registry.bind_all()

    def test_each_gets_its_own(self):
        self.bound()
        with self.assertRaises(ConnectionRefusedError):  # nobody would accept it
            socket.create_connection(("127.0.0.1", self.web.port), timeout=30)
        with Loan(self.registry) as first, Loan(self.registry) as second:
            numbers = {loan.used_by("$(circus.sockets.web)")["Web"] for loan in (first, second)} | {
                self.web.fileno()
            }
            self.assertEqual(len(numbers), 3)
            for loan in (first, second):
                fd = loan.used_by("((circus.sockets.web)) $(circus.sockets.WEB)")["Web"]
                self.assertIn(fd, numbers)
                self.assertEqual((loan.fds(), loan.fd("x", "web")), ({"Web": fd}, fd))
                self.assertFalse(os.get_inheritable(fd) or os.get_blocking(fd))
                with socket.socket(fileno=os.dup(fd)) as its:
                    self.assertEqual(its.getsockname(), ("127.0.0.1", self.web.port))
            with socket.create_connection(("127.0.0.1", self.web.port), timeout=30):
                pass
        self.assertEqual(Loan(self.registry).fds(), {"Web": self.web.fileno()})

    def test_datagrams_are_not_lost_in_ours(self):
        self.bound(type="SOCK_DGRAM")
        with Loan(self.registry) as loan, socket.socket(type=socket.SOCK_DGRAM) as client:
            with socket.socket(fileno=os.dup(loan.fd("x", "web"))) as its:
                its.settimeout(30)
                for number in range(50):
                    client.sendto(b"%d" % number, ("127.0.0.1", self.web.port))
                    self.assertEqual(its.recv(10), b"%d" % number)

    def test_why_there_is_none(self):
        self.bound()
        full = OSError(errno.EMFILE, "Too many open files")
        with mock.patch("socket.socket", side_effect=full):
            with Loan(self.registry) as loan, self.assertRaises(OSError) as caught:
                loan.fd("stdin_socket", "web")
        self.assertEqual(caught.exception.errno, errno.EMFILE)
        self.assertEqual(str(caught.exception), "socket Web: cannot open it: Too many open files")
