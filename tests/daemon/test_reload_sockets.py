"""reloadconfig and the sockets that the daemon holds."""

from __future__ import annotations

import os
import signal
import socket
import unittest
from pathlib import Path
from typing import Any

from tests.support.daemon import child, gone, marked
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.reloads import ReloadCase

SERVE = child("serve", "FD").replace("FD", "$(circus.sockets.web)")
WEB = f"[watcher:web]\ncmd = {SERVE}\nuse_sockets = True\nmin_uptime = 0\n"
SOCKET = "[socket:%s]\nhost = 127.0.0.1\nport = %s\n"
PATH = "[socket:s]\npath = {DIR}/s\n"
PLAIN = "[watcher:plain]\ncmd = sleep 600\n"


def connects(port: int, host: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((host, port), timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True


def ask(port: int) -> int:
    """Return the pid of the process that serves a port."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while block := client.recv(65536):
            answer += block
    return int(answer.rpartition(b"\r\n\r\n")[2])


class TestPorts(ReloadCase):
    """Sockets of the internet."""

    def test_an_unchanged_socket_keeps_its_descriptor(self) -> None:
        self.up(WEB + SOCKET % ("web", 0) + PLAIN)
        before, web, plain = self.sockets(), self.pids("web"), self.pids("plain")
        self.reload(WEB + SOCKET % ("web", 0) + SOCKET % ("new", 0))
        self.assertEqual(self.sockets()["web"], before["web"])
        self.assertEqual(self.pids("web"), web)
        self.assertTrue(gone(*plain))
        self.assertTrue(connects(self.sockets()["new"]["port"]))

    def test_another_port(self) -> None:
        self.up(WEB + SOCKET % ("web", 0) + PLAIN)
        old, [web], plain = self.sockets()["web"], self.pids("web"), self.pids("plain")
        self.assertEqual(ask(old["port"]), web)
        port = free_port()
        plan = self.reload(WEB + SOCKET % ("web", port) + PLAIN)
        [step] = plan["watchers"]
        self.assertEqual(
            (step["name"], step["processes"], step["why"]),
            ("web", "replace", "socket web is another one"),
        )
        [fresh] = self.pids("web")
        self.assertEqual(ask(port), fresh)
        self.assertTrue(gone(web))
        self.assertTrue(eventually(lambda: not connects(old["port"])))
        self.assertEqual(self.pids("plain"), plain)

    def test_there_and_back_while_the_old_processes_go_on(self) -> None:
        ports = free_port(), free_port()
        stubborn = WEB.replace(SERVE, child("wait", "ignore", "TERM") + " $(circus.sockets.web)")
        text = f"{stubborn}graceful_timeout = 600\n"
        daemon = self.up(text + SOCKET % ("web", ports[0]))
        daemon.out.until("ready")
        fd = self.sockets()["web"]["fd"]
        self.write(text + SOCKET % ("web", ports[1]))
        daemon.call("reloadconfig")
        daemon.out.until("ready")
        self.assertTrue(connects(ports[0]) and connects(ports[1]))
        self.write(text + SOCKET % ("web", ports[0]))
        daemon.call("reloadconfig")
        self.assertEqual(self.sockets()["web"]["fd"], fd)
        for pid in marked(daemon.run):
            os.kill(pid, signal.SIGKILL)

    def test_another_address_at_the_same_port(self) -> None:
        self.up(WEB + SOCKET % ("web", 0))
        port, [web] = self.sockets()["web"]["port"], self.pids("web")
        every = f"[socket:web]\nhost = 0.0.0.0\nport = {port}\n"
        self.reload(WEB + every)
        self.assertTrue(gone(web))
        self.assertEqual(self.sockets()["web"]["host"], "0.0.0.0")
        [fresh] = self.pids("web")
        self.assertTrue(eventually(lambda: ask(port) == fresh))

    def test_a_backlog_is_changed_where_it_is(self) -> None:
        self.up(WEB + SOCKET % ("web", 0))
        before, web = self.sockets()["web"], self.pids("web")
        self.reload(WEB + SOCKET % ("web", 0) + "backlog = 5\n")
        self.assertEqual(self.sockets()["web"], {**before, "backlog": 5})
        self.assertEqual(self.pids("web"), web)

    def test_names_that_are_exchanged(self) -> None:
        a, b = free_port(), free_port()
        self.up(SOCKET % ("a", a) + SOCKET % ("b", b) + PLAIN)
        before = self.sockets()
        self.reload(SOCKET % ("a", b) + SOCKET % ("c", a) + PLAIN)
        after = self.sockets()
        self.assertEqual(after["a"]["fd"], before["b"]["fd"])
        self.assertEqual(after["c"]["fd"], before["a"]["fd"])
        self.assertEqual(set(after), {"a", "c"})

    def test_a_removed_one_serves_till_its_processes_are_gone(self) -> None:
        daemon = self.up(WEB + SOCKET % ("web", 0) + PLAIN)
        daemon.out.until("ready")
        port, [web] = self.sockets()["web"]["port"], self.pids("web")
        self.reload(PLAIN)
        self.assertEqual(self.sockets(), {})
        self.assertTrue(gone(web))
        self.assertTrue(eventually(lambda: not connects(port)))

    def test_all_or_nothing(self) -> None:
        free = free_port()
        daemon = self.up(WEB + SOCKET % ("web", 0))
        before, web = self.sockets(), self.pids("web")
        fds = len(os.listdir(f"/proc/{daemon.pid}/fd"))
        with socket.create_server(("127.0.0.1", 0)) as busy:
            taken = busy.getsockname()[1]
            self.write(
                WEB
                + SOCKET % ("web", 0)
                + "backlog = 7\n"
                + SOCKET % ("a", free)
                + SOCKET % ("z", taken)
                + PATH
            )
            said = daemon.wire.refused("reloadconfig")
            self.assertIn("[socket:z] port: cannot listen on ", said)
        self.assertEqual(self.sockets(), before)
        self.assertEqual(self.pids("web"), web)
        self.assertFalse(connects(free))
        self.assertFalse((daemon.folder / "s").exists())
        self.assertTrue(eventually(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) == fds))

    def test_a_host_that_nobody_knows(self) -> None:
        daemon = self.up(PLAIN)
        self.write(PLAIN + "[socket:x]\nhost = no.such.host.invalid\nport = 0\n")
        self.assertIn("[socket:x] host: cannot resolve", daemon.wire.refused("reloadconfig"))
        self.assertEqual(self.sockets(), {})


class TestPaths(ReloadCase):
    """Sockets at a path."""

    def path(self) -> Path:
        return self.served.folder / "s"

    def serves(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.path()))
            except (ConnectionRefusedError, FileNotFoundError, OSError):
                return False
        return True

    def test_its_mode_is_changed_where_it_is(self) -> None:
        self.up(PLAIN + PATH)
        before, inode = self.sockets(), self.path().stat().st_ino
        self.reload(PLAIN + PATH + "umask = 077\n")
        self.assertEqual(self.path().stat().st_mode & 0o777, 0o700)
        self.assertEqual((self.sockets(), self.path().stat().st_ino), (before, inode))

    def test_another_kind_at_the_same_path(self) -> None:
        daemon = self.up(PLAIN + PATH)
        inode = self.path().stat().st_ino
        self.reload(PLAIN + PATH + "type = SOCK_SEQPACKET\n")
        self.assertNotEqual(self.path().stat().st_ino, inode)
        self.assertTrue(eventually(lambda: [*daemon.folder.glob("s*")] == [self.path()]))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(self.path()))

    def test_a_failure_leaves_the_path_as_it_was(self) -> None:
        daemon = self.up(PLAIN + PATH)
        inode = self.path().stat().st_ino
        with socket.create_server(("127.0.0.1", 0)) as busy:
            other = SOCKET % ("z", busy.getsockname()[1])
            self.write(PLAIN + PATH + "type = SOCK_SEQPACKET\n" + other)
            daemon.wire.refused("reloadconfig")
        self.assertEqual(self.path().stat().st_ino, inode)
        self.assertEqual(sorted(daemon.folder.glob("s*")), [self.path()])
        self.assertTrue(self.serves())

    def test_an_owner_that_nobody_is_changes_nothing(self) -> None:
        daemon = self.up(PLAIN + PATH)
        mode = self.path().stat().st_mode
        self.write(PLAIN + PATH + "umask = 077\nowner = no-such-user\n")
        daemon.wire.refused("reloadconfig")
        self.assertEqual(self.path().stat().st_mode, mode)

    def test_a_removed_path(self) -> None:
        self.up(PLAIN + PATH)
        self.reload(PLAIN)
        self.assertTrue(eventually(lambda: not self.path().exists()))

    def test_a_path_of_another_program_stays(self) -> None:
        self.up(PLAIN + PATH)
        self.path().unlink()
        self.path().write_text("mine")
        self.reload(PLAIN)
        self.assertTrue(eventually(lambda: self.sockets() == {}))
        self.assertEqual(self.path().read_text(), "mine")


class TestStatistics(ReloadCase):
    """The process that counts on all sockets."""

    def test_it_lets_go_of_a_removed_one(self) -> None:
        statistics: Any = {"circus": "stats_endpoint = tcp://127.0.0.1:*\n"}
        self.up(PLAIN + SOCKET % ("web", 0), **statistics)
        port = self.sockets()["web"]["port"]
        self.reload(PLAIN)
        self.assertTrue(eventually(lambda: not connects(port)))


if __name__ == "__main__":
    unittest.main()
