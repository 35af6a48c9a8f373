"""Sockets with a path: whose it is, who may connect, and when it is taken away."""

from __future__ import annotations

import errno
import os
import pwd
import socket
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus import exc
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.sockets import unix
from cvec_circus.sockets.managed import CircusSocket
from tests.support.leaks import LeakCheckedTestCase


class UnixCase(LeakCheckedTestCase):
    """Has a folder for sockets."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "web.sock"

    def make(self, **options: Any) -> CircusSocket:
        managed = CircusSocket(**{"name": "web", "path": str(self.path), **options})
        self.addCleanup(managed.close)
        return managed

    def bound(self, **options: Any) -> CircusSocket:
        managed = self.make(**options)
        managed.open()
        return managed

    def mode(self) -> int:
        return stat.S_IMODE(self.path.stat().st_mode)

    def refusal(self, **options: Any) -> str:
        managed = self.make(**options)
        with self.assertRaises(exc.SocketError) as caught:
            managed.open()
        self.assertEqual(managed.fileno(), -1)
        return str(caught.exception)


class TestPath(UnixCase):
    """What there is while it listens, and afterwards."""

    def test_it_listens(self) -> None:
        managed = self.bound()
        self.assertEqual(
            managed.describe(),
            {"fd": managed.fileno(), "name": "web", "backlog": 2048, "path": str(self.path)},
        )
        self.assertEqual((managed.host, managed.port), (None, None))
        self.assertEqual(str(managed), f"socket 'web' at {self.path}")
        self.assertFalse(os.get_inheritable(managed.fileno()))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.path))
        managed.close()
        self.assertFalse(self.path.exists())
        managed.open()
        self.assertTrue(self.path.is_socket())

    def test_the_family_does_not_matter(self) -> None:
        self.assertEqual(self.make(family="AF_INET6").family, socket.AF_UNIX)

    def test_types(self) -> None:
        for kind in ("SOCK_DGRAM", "SOCK_SEQPACKET", "SOCK_STREAM"):
            with self.subTest(kind):
                managed = self.bound(type=kind)
                with socket.socket(socket.AF_UNIX, managed.type) as client:
                    client.connect(str(self.path))
                managed.close()

    def test_somebody_elses_path_stays(self) -> None:
        managed = self.bound()
        self.path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.path))
            managed.close()
            self.assertTrue(self.path.is_socket())

    def test_a_path_that_is_gone_is_no_error(self) -> None:
        managed = self.bound()
        self.path.unlink()
        managed.close()

    def test_a_look_after_it_while_it_is_removed_leaves_nothing(self) -> None:
        unlinked = os.unlink
        for moment in range(3):
            with self.subTest(moment), tempfile.TemporaryDirectory() as folder:
                with socket.socket(socket.AF_UNIX) as sock:
                    own = unix.bind(sock, f"{folder}/s", 0o600, None)
                    own.keep()
                    left = [moment]

                    def unlink(name: str, own: unix.OwnPath = own, left: list[int] = left) -> None:
                        unlinked(name)
                        if left[0] == 0:
                            own.look_after("socket s", lambda own: lambda: None)
                        left[0] -= 1

                    with mock.patch.object(os, "unlink", unlink):
                        own.unlink()
                self.assertEqual(os.listdir(folder), [])

    def test_a_change_of_the_directory_in_between(self) -> None:
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.path.parent)
        managed = self.bound(path="web.sock")
        self.assertEqual(managed.describe()["path"], "web.sock")
        os.chdir("/")
        managed.close()
        self.assertFalse(self.path.exists())


class TestInTheWay(UnixCase):
    """Something is at the path already."""

    def leave(self) -> None:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(self.path))

    def test_a_socket(self) -> None:
        self.leave()
        self.assertEqual(
            self.refusal(),
            f"socket web: cannot listen on {self.path}: a socket is there already; "
            "remove it, or set replace = True",
        )
        self.assertTrue(self.path.is_socket())

    def test_a_socket_with_a_server_is_not_to_be_removed(self) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.path))
            server.listen()
            refusal = self.refusal()
        said = r"\) serves the socket there; stop it first, or use another path$"
        self.assertRegex(refusal, rf": pid {os.getpid()} \(.*{said}")

    def test_what_a_killed_daemon_has_left(self) -> None:
        """Its second name shows whose it was, even after a boot that has removed the ledger."""
        self.leave()
        spare = self.path.with_name(f".{self.path.name}.spare")
        os.link(self.path, spare)
        bound = self.bound()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.path))
        self.assertIn("serves the socket there", self.refusal())
        bound.close()
        self.leave()
        other = self.path.with_name("other")
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(other))
        os.rename(other, spare)
        self.assertIn("a socket is there already", self.refusal())

    def test_a_socket_that_is_to_be_replaced(self) -> None:
        self.leave()
        self.bound(replace=True)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.path))

    def test_a_socket_that_is_served_is_never_replaced(self) -> None:
        us = Path("/proc/self/comm").read_text().strip()
        for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
            with self.subTest(kind), socket.socket(socket.AF_UNIX, kind) as served:
                served.bind(str(self.path))
                if kind != socket.SOCK_DGRAM:
                    served.listen(0)
                    # A queue that is full does not make it free.
                    queued = [socket.socket(socket.AF_UNIX, kind) for _ in range(2)]
                    for one in queued:
                        self.addCleanup(one.close)
                        one.setblocking(False)
                        one.connect_ex(str(self.path))
                self.assertEqual(
                    self.refusal(replace=True),
                    f"socket web: cannot listen on {self.path}: pid {os.getpid()} ({us}) serves "
                    "the socket there; stop it first, or use another path",
                )
                self.assertTrue(self.path.is_socket())
            self.bound(replace=True).close()

    def test_children_that_have_it_are_named(self) -> None:
        with socket.socket(socket.AF_UNIX) as served:
            served.bind(str(self.path))
            served.listen()
            command = ["sleep", "600"]
            child = subprocess.Popen(command, pass_fds=[served.fileno()])
        with child:
            try:
                self.assertIn(f": pid {child.pid} (", self.refusal(replace=True))
            finally:
                child.kill()
        self.bound(replace=True)

    def test_a_file_is_never_removed(self) -> None:
        self.path.write_text("mine")
        for replace in (True, False):
            self.assertIn("the file there is not a socket", self.refusal(replace=replace))
        self.assertEqual(self.path.read_text(), "mine")

    def test_a_link_is_never_followed(self) -> None:
        self.path.symlink_to(self.path.parent / "other")
        self.assertIn("the file there is not a socket", self.refusal(replace=True))

    def test_no_such_folder(self) -> None:
        path = self.path.parent / "no" / "sock"
        self.assertEqual(
            self.refusal(path=str(path)),
            f"socket web: cannot listen on {path}: there is no folder {path.parent}; make it first",
        )

    def test_a_path_that_is_too_long(self) -> None:
        with self.assertRaisesRegex(exc.OptionError, "^path: more than the 107 bytes"):
            self.make(path=str(self.path.parent / ("x" * 108)))


class TestRights(UnixCase):
    """Who may connect."""

    def test_the_mask(self) -> None:
        for umask, mode in ((0o177, 0o600), (0, 0o777), (0o117, 0o660), (0o010, 0o767)):
            managed = self.bound(umask=umask)
            self.assertEqual(self.mode(), mode)
            managed.close()

    def test_without_one_it_is_ours_as_it_is_then(self) -> None:
        before = os.umask(0o027)
        self.addCleanup(os.umask, before)
        self.assertEqual(unix.umask(), 0o027)
        self.bound()
        self.assertEqual(self.mode(), 0o750)

    def test_the_default_in_a_file_is_that_of_circus(self) -> None:
        options = SOCKET_OPTIONS.complete(SOCKET_OPTIONS.convert({"path": str(self.path)}))
        self.bound(**options)
        self.assertEqual(self.mode(), 0o767)

    def test_nobody_gets_in_before_the_mode_is_right(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        modes = []

        def note(path: str, mode: int) -> None:
            modes.append(self.mode())
            raise PermissionError(1, "Operation not permitted")

        with mock.patch("os.chmod", note):
            self.assertIn("Operation not permitted", self.refusal(umask=0o177))
        self.assertEqual(modes, [0])
        self.assertFalse(self.path.exists())

    @unittest.skipIf(os.getuid(), "only root may give something away")
    def test_the_owner(self) -> None:
        nobody = pwd.getpwnam("nobody").pw_uid
        for owner in ("nobody", nobody):
            managed = self.bound(owner=owner, umask=0o177)
            self.assertEqual((self.path.stat().st_uid, self.mode()), (nobody, 0o600))
            managed.close()
        self.assertFalse(self.path.exists())

    def test_somebody_puts_a_link_there_before_the_mode_is_given(self) -> None:
        other = self.path.with_name("other")
        other.write_text("")
        other.chmod(0o640)

        class Raced(socket.socket):
            """Whoever may write to the folder is quicker."""

            def bind(self, address: Any) -> None:
                super().bind(address)
                os.rename(address, f"{address}.taken")
                os.symlink(other, address)

        with Raced(socket.AF_UNIX) as opened, self.assertRaisesRegex(OSError, "something else"):
            unix.bind(opened, str(self.path), 0o666, os.getuid())
        self.assertEqual(stat.S_IMODE(other.stat().st_mode), 0o640)
        own = unix.OwnPath(str(self.path), 0, 0)
        own.give(0o666, None)
        self.assertEqual(stat.S_IMODE(other.stat().st_mode), 0o640)

    def test_we_may_own_it(self) -> None:
        self.bound(owner=os.getuid())

    def test_an_owner_that_there_is_not(self) -> None:
        self.assertEqual(
            self.refusal(owner="no-such-user"),
            f"socket web: cannot listen on {self.path}: there is no user no-such-user",
        )
        self.assertFalse(self.path.exists())


class TestFailures(UnixCase):
    """Nothing of ours is left."""

    def test_what_cannot_be_finished_is_taken_away(self) -> None:
        error = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        for name in ("_holding", "_give"):
            with mock.patch.object(unix, name, side_effect=error):
                self.assertIn("Cannot allocate memory", self.refusal())
            self.assertFalse(self.path.exists())

    def test_what_others_have_put_there_stays(self) -> None:
        self.path.write_text("mine")
        unix._take_away(str(self.path))
        self.assertTrue(self.path.exists())


class TestInherited(UnixCase):
    """A child serves it."""

    def test_it_serves(self) -> None:
        managed = self.bound()
        code = (
            "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.setblocking(True);"
            "c, _ = s.accept(); c.sendall(b'hello'); c.close()"
        )
        argv = [sys.executable, "-c", code, str(managed.fileno())]
        with subprocess.Popen(argv, pass_fds=[managed.fileno()]):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(str(self.path))
                self.assertEqual(client.recv(5), b"hello")


if __name__ == "__main__":
    unittest.main()
