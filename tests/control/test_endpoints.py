from __future__ import annotations

import os
import pwd
import socket
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus.control import endpoints, ownership
from cvec_circus.control.endpoints import Access, Listener, listen
from cvec_circus.exc import MessageError, SocketError
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.endpoint import why_no_endpoint
from tests.support.leaks import LeakCheckedTestCase


class TestBind(LeakCheckedTestCase):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def listen(self, endpoint: str, access: Access = endpoints.OURS_ALONE) -> Listener:
        listener = listen("endpoint", endpoint, access)
        self.addCleanup(listener.close)
        return listener

    def bind(self, endpoint: str) -> str:
        return self.listen(endpoint).address

    def assert_refused(self, endpoint: str, reason: str) -> None:
        with self.assertRaises(SocketError) as caught:
            self.bind(endpoint)
        self.assertEqual(str(caught.exception), f"endpoint {endpoint}: cannot listen: {reason}")

    def test_a_free_port_is_told(self) -> None:
        self.assertRegex(self.bind("tcp://127.0.0.1:*"), r"^tcp://127\.0\.0\.1:[1-9]\d*$")
        self.assertRegex(self.bind("tcp://127.0.0.1:0"), r"^tcp://127\.0\.0\.1:[1-9]\d*$")

    def test_hosts(self) -> None:
        for host, shown in (
            ("*", "0.0.0.0"),
            ("lo", "127.0.0.1"),
            ("localhost", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
        ):
            with self.subTest(host):
                self.assertRegex(self.bind(f"tcp://{host}:*"), rf"^tcp://{shown}:[1-9]\d*$")

    def test_without_a_file(self) -> None:
        name = f"@cvec-circus-{os.getpid()}"
        self.assertEqual(self.bind(f"ipc://{name}"), f"ipc://{name}")
        self.assert_refused(f"ipc://{name}", "Address already in use")
        self.assertRegex(self.bind("ipc://*"), "^ipc://@[0-9a-f]+$")

    def test_a_socket_that_was_bound_elsewhere(self) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            listener = endpoints.inherited(os.dup(bound.fileno()), "tcp://127.0.0.1:1")
        self.addCleanup(listener.close)
        socket.create_connection(listener.sock.getsockname(), 10).close()
        self.assertEqual(listener.address, "tcp://127.0.0.1:1")

    def test_what_is_taken(self) -> None:
        for endpoint in ("tcp://127.0.0.1:*", f"ipc://{self.folder}/sock"):
            comm = Path("/proc/self/comm").read_text().strip()
            holder = f"; pid {os.getpid()} ({comm}) listens there"
            more = "" if endpoint.startswith("ipc:///") else "; set endpoint"
            self.assert_refused(self.bind(endpoint), f"Address already in use{holder}{more}")

    def test_what_is_no_endpoint(self) -> None:
        for endpoint in (
            "",
            "web",
            "tcp://127.0.0.1",
            "smtp://x:1",
            "tcp://127.0.0.1:99999",
            "ipc://",
            "inproc://x",
        ):
            self.assert_refused(endpoint, why_no_endpoint(endpoint))

    def test_what_cannot_be(self) -> None:
        self.assert_refused("tcp://no.such.host.invalid:1", "no such host or interface")
        self.assert_refused(
            f"ipc://{self.folder}/no/sock", f"there is no folder {self.folder}/no; make it first"
        )
        self.assert_refused(f"ipc://{self.folder}/{'x' * 108}", "File name too long")

    def test_a_file_is_not_deleted(self) -> None:
        path = self.folder / "notes"
        path.write_text("mine")
        self.assert_refused(
            f"ipc://{path}", "the file there is not a socket; remove it, or use another path"
        )
        self.assertEqual(path.read_text(), "mine")

    def test_what_a_dead_daemon_left_is_replaced(self) -> None:
        path = self.folder / "sock"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        self.assertEqual(self.bind(f"ipc://{path}"), f"ipc://{path}")

    def test_an_owner_that_there_is_not(self) -> None:
        endpoint = f"ipc://{self.folder}/sock"
        with self.assertRaisesRegex(SocketError, "there is no user no-such-user$"):
            self.bind_file(endpoint, Access(owner="no-such-user"))

    def bind_file(self, endpoint: str, access: Access = endpoints.OURS_ALONE) -> Path:
        """Listen on an ipc endpoint, and return its file."""
        self.listener = self.listen(endpoint, access)
        self.assertEqual(self.listener.address, endpoint)
        return Path(endpoint[len("ipc://") :])

    def test_a_file_is_for_its_owner_alone(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        endpoint = f"ipc://{self.folder}/sock"
        path = self.bind_file(endpoint)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            self.listener.sock.accept()[0].close()
        self.listener.close()
        self.assertFalse(path.exists())

    def test_another_mode(self) -> None:
        path = self.bind_file(f"ipc://{self.folder}/sock", Access(0o660))
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)

    @unittest.skipIf(os.getuid(), "only root may give something away")
    def test_another_owner(self) -> None:
        path = self.bind_file(f"ipc://{self.folder}/sock", Access(owner="nobody"))
        self.assertEqual(path.stat().st_uid, pwd.getpwnam("nobody").pw_uid)

    def test_somebody_elses_file_stays(self) -> None:
        path = self.bind_file(f"ipc://{self.folder}/sock")
        path.unlink()
        path.write_text("mine")
        self.listener.close()
        self.assertEqual(path.read_text(), "mine")


class TestExamine(unittest.TestCase):
    """What is refused, and what is warned of."""

    def examine(self, **given: object) -> list[str]:
        """Return the warnings."""
        circus = ARBITER_OPTIONS.complete(ARBITER_OPTIONS.convert(given))
        with mock.patch("os.geteuid", return_value=self.uid):
            return endpoints.examine(circus)

    uid = 1000

    def test_what_is_local(self) -> None:
        for endpoint in (
            "tcp://127.0.0.1:5555",
            "tcp://127.8.9.10:*",
            "tcp://localhost:1",
            "tcp://[::1]:1",
            "tcp://lo:1",
            "ipc:///run/circus",
        ):
            with self.subTest(endpoint):
                self.assertEqual(self.examine(endpoint=endpoint), [])
                self.assertEqual(self.examine(pubsub_endpoint=endpoint, endpoint="ipc:///x"), [])

    def test_what_is_not(self) -> None:
        for endpoint in (
            "tcp://*:5555",
            "tcp://0.0.0.0:5555",
            "tcp://[::]:5555",
            "tcp://192.0.2.1:5555",
            "tcp://eth0:5555",
            "tcp://127.0.0.1.example.org:5555",
        ):
            with self.subTest(endpoint):
                with self.assertRaises(SocketError) as caught:
                    self.examine(endpoint=endpoint)
                text = str(caught.exception)
                self.assertTrue(text.startswith(f"endpoint {endpoint}: refused, because "), text)
                for word in ("ipc://", "127.0.0.1", "ssh -L", "allow_remote", "--allow-remote"):
                    self.assertIn(word, text)
                said = self.examine(endpoint=endpoint, allow_remote="yes")
                self.assertEqual(len(said), 1)
                self.assertIn("can run programs here", said[0])
                said = self.examine(
                    endpoint="ipc:///x", pubsub_endpoint=endpoint, stats_endpoint=endpoint
                )
                self.assertEqual(
                    [text.split()[0] for text in said], ["pubsub_endpoint", "stats_endpoint"]
                )

    def test_all_are_named(self) -> None:
        with self.assertRaises(SocketError) as caught:
            self.examine(endpoint="tcp://192.0.2.1:5555", endpoint_owner="no-such")
        one, other = str(caught.exception).split("\n")
        self.assertTrue(one.startswith("endpoint tcp://192.0.2.1:5555: refused, because "), one)
        self.assertEqual(other, "endpoint_owner: there is no user no-such")

    def test_an_owner_that_is_not_there(self) -> None:
        circus = ARBITER_OPTIONS.complete({"endpoint_owner": "no-such"})
        with self.assertRaisesRegex(SocketError, "endpoint_owner: there is no user no-such"):
            endpoints.examine(circus)
        self.assertEqual(self.examine(endpoint_owner=54321987, endpoint="ipc:///x"), [])

    def test_who_may_connect_to_what_is_no_file(self) -> None:
        for endpoint in ("tcp://127.0.0.1:5555", "ipc://@abstract"):
            said = self.examine(endpoint=endpoint, endpoint_mode="660", endpoint_owner=5)
            what = f"has no effect on {endpoint}, which is no file; write endpoint = ipc://PATH"
            self.assertEqual(said, [f"endpoint_mode {what}", f"endpoint_owner {what}"])
        self.assertEqual(self.examine(endpoint="ipc:///x", endpoint_mode="660"), [])

    def test_root(self) -> None:
        self.uid = 0
        for endpoint in ("tcp://127.0.0.1:5555", "ipc://@abstract"):
            (said,) = self.examine(endpoint=endpoint)
            self.assertIn("any local user can run programs as root", said)
        self.assertEqual(self.examine(endpoint="ipc:///run/circus"), [])


class TestOwnership(unittest.TestCase):
    """What is refused where the endpoint is somebody else's."""

    def test_requests(self) -> None:
        self.assertIsNone(ownership.guard("tcp://127.0.0.1:1", "nobody"))
        self.assertIsNone(ownership.guard("ipc:///x", None))
        nobody = pwd.getpwnam("nobody").pw_uid
        for owner in ("nobody", nobody):
            guard = ownership.guard("ipc:///x", owner)
            assert guard is not None
            for uid in ("nobody", nobody, str(nobody)):
                guard("add", {"options": {"uid": uid}})
            guard("set", {"options": {"numprocesses": 2}})
            guard("stop", {})
            for command, options in (
                ("add", {}),
                ("add", None),
                ("add", {"uid": "root"}),
                ("add", {"uid": "no-such-user"}),
                ("add", {"uid": None}),
                ("set", {"uid": "nobody"}),
                ("set", {"cmd": "x"}),
                ("set", {"args": []}),
                ("set", {"executable": "x"}),
                ("set", {"hooks": {}}),
                ("set", {"hooks.before_start": "x"}),
                ("set", {"env": {}}),
                ("set", {"stdout_stream.class": "x"}),
                ("set", {"numprocesses": 1, "stderr_stream": {"class": "x"}}),
            ):
                with self.subTest(command, options=options):
                    with self.assertRaises(MessageError) as caught:
                        guard(command, {"options": options})
                    self.assertEqual(str(caught.exception), "uid does not match endpoint_owner")
                    self.assertEqual(caught.exception.errno, 3)
            for options in (
                {"hooks.before_start": "x.y"},
                {"hooks": {"before_start": "x.y"}},
                {"stdout_stream.class": "mine.Stream"},
                {"stderr_stream": {"class": "mine.Stream"}},
            ):
                with self.subTest("add", options=options):
                    with self.assertRaisesRegex(MessageError, "run inside the daemon"):
                        guard("add", {"options": {"uid": nobody, **options}})
            guard("add", {"options": {"uid": nobody, "stdout_stream": {"class": "FileStream"}}})
