"""All the sockets: all bound or none, and which of them a command refers to."""

from cvec_circus import exc
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import SocketRegistry
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
        with self.assertRaisesRegex(exc.AlreadyExist, "^socket WEB is there already$"):
            self.registry.add(local("WEB"))

    def test_none_is_bound_when_one_cannot_be(self):
        before = self.bound("first")
        port = next(iter(self.registry)).port
        self.registry.add(local("second"))
        self.registry.add(local("third", port))
        with self.assertRaisesRegex(exc.SocketError, "^socket third: .*already in use$"):
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
                self.assertEqual(self.registry.used_by(text), [fds[name] for name in names])

    def test_a_socket_that_is_not_there_is_refused_by_its_name(self):
        with self.assertRaises(exc.OptionError) as caught:
            self.registry.used_by("$(circus.sockets.web)")
        self.assertEqual(str(caught.exception), "use_sockets: there is no socket web")
        self.bound("api", "admin")
        self.registry.add(local("late"))
        for name in ("wbe", "late"):
            with self.assertRaises(exc.OptionError) as caught:
                self.registry.used_by(f"$(circus.sockets.api) $(circus.sockets.{name})")
            self.assertIn(f"there is no socket {name}; there is api, admin", str(caught.exception))
