"""Files by which the daemon is found, deleted by others: they are made again, and serve on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import unittest
from pathlib import Path

from cvec_circus.client import Client
from tests.support.daemon import Daemon, DaemonCase, child
from tests.support.eventually import eventually
from tests.support.hurry import hurried

SERVE = child("serve", "FD").replace("FD", "$(circus.sockets.web)")
TEXT = f"""
[socket:web]
path = {{DIR}}/run/web.sock
umask = 117

[watcher:web]
cmd = {SERVE}
use_sockets = True
copy_env = True

[watcher:other]
cmd = sleep 1000
"""
CIRCUS = "pidfile = {DIR}/run/pid"


def make_folder(folder: Path) -> None:
    (folder / "run").mkdir()


class TestOwnFiles(DaemonCase):
    def serve(self, period: float = 1000.0) -> Daemon:
        times = {"supervisor.own_files.PERIOD": period, "supervisor.own_files.PAUSE": 0.02}
        daemon = self.daemon(TEXT, circus=CIRCUS, wrapper=hurried(times), prepare=make_folder)
        daemon.out.containing("ready")
        daemon.wire.events.wait("start", 2)
        self.path = daemon.folder / "run/web.sock"
        return daemon

    def answer(self) -> str:
        """Ask the program behind the socket who it is."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(20)
            asking.connect(str(self.path))
            asking.sendall(b"who")
            return asking.recv(100).decode()

    def paths(self, daemon: Daemon) -> list[Path]:
        names = ("control", "events", "run/web.sock", "run/pid")
        return [daemon.folder / name for name in names]

    def is_back(self, daemon: Daemon) -> bool:
        return eventually(lambda: all(path.exists() for path in self.paths(daemon)))

    def ask(self, daemon: Daemon) -> str:
        """Ask the daemon over a new connection."""
        with Client(daemon.endpoint) as client:
            return str(client.call("ping")["status"])

    def delete(self, daemon: Daemon) -> None:
        for path in self.paths(daemon):
            path.unlink()

    def test_the_same_processes_go_on_to_serve(self) -> None:
        daemon = self.serve()
        before, inodes = self.answer(), [os.stat(path).st_ino for path in self.paths(daemon)[:3]]
        self.delete(daemon)
        daemon.order("restart", name="other")  # any process that comes or goes will do
        self.assertTrue(self.is_back(daemon))
        self.assertEqual(inodes, [os.stat(path).st_ino for path in self.paths(daemon)[:3]])
        self.assertEqual((self.answer(), self.ask(daemon)), (before, "ok"))
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o660)
        self.assertEqual((daemon.folder / "run/pid").read_text(), f"{daemon.pid}\n")
        daemon.signal(signal.SIGTERM)
        log = "\n".join(daemon.ended())
        for path in self.paths(daemon):
            self.assertIn(f"{path} was deleted, and was made again", log)
        self.assertEqual(os.listdir(self.path.parent), [])

    def test_every_moment(self) -> None:
        daemon = self.serve()
        moments = [
            *(lambda word=word: daemon.order(word, name="other") for word in ("stop", "start")),
            lambda: daemon.order("reload", name="other"),
            lambda: os.kill(daemon.wire.pids("other")[0], signal.SIGKILL),
            lambda: daemon.signal(signal.SIGHUP),
        ]
        for moment in moments:
            self.path.unlink()
            moment()
            self.assertTrue(eventually(self.path.exists))
            daemon.log.containing("was made again")

    def test_once_a_minute(self) -> None:
        daemon = self.serve(period=0.05)
        self.delete(daemon)
        self.assertTrue(self.is_back(daemon))
        self.assertEqual(self.ask(daemon), "ok")

    def test_with_the_whole_folder(self) -> None:
        daemon = self.serve(period=0.05)
        shutil.rmtree(self.path.parent)
        daemon.log.containing("cannot be restored: there is no folder ")
        make_folder(daemon.folder)
        self.assertTrue(self.is_back(daemon))
        daemon.order("restart", name="web")  # it has the new socket from its next start on
        pid = daemon.wire.pids("web")[0]
        self.assertIn(str(pid), self.answer())
        daemon.signal(signal.SIGTERM)
        log = "\n".join(daemon.ended())
        self.assertEqual(log.count("web.sock was deleted"), 2)

    def test_endpoints_with_their_second_names(self) -> None:
        daemon = self.serve(period=0.05)
        for name in ("control", "events"):
            (daemon.folder / f".{name}.spare").unlink()
            (daemon.folder / name).unlink()
        self.assertTrue(self.is_back(daemon))
        self.assertTrue(eventually(lambda: self.ask(daemon) == "ok"))
        self.assertEqual(daemon.call("ping")["status"], "ok")  # by the connection of before

    def test_what_another_process_has_put_there_stays(self) -> None:
        daemon = self.serve(period=0.05)
        self.path.unlink()
        self.path.write_text("mine")
        daemon.log.containing(f"another process has put its own file at {self.path}")
        daemon.signal(signal.SIGTERM)
        log = "\n".join(daemon.ended())
        self.assertEqual(log.count("another process has put"), 1)
        self.assertEqual(self.path.read_text(), "mine")
        self.assertEqual(os.listdir(self.path.parent), ["web.sock"])

    def test_a_socket_that_a_reload_of_the_file_replaces(self) -> None:
        daemon = self.serve()
        text = daemon.config.read_text()
        daemon.config.write_text(text.replace("umask = 117", "umask = 117\ntype=SOCK_SEQPACKET"))
        daemon.call("reloadconfig")
        self.assertTrue(eventually(lambda: f".{self.path.name}.old.spare" not in self.files()))
        self.path.unlink()
        daemon.order("restart", name="other")
        daemon.log.containing("was made again")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
            asking.connect(str(self.path))
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertEqual(self.files(), [])

    def files(self) -> list[str]:
        return sorted(os.listdir(self.path.parent))


if __name__ == "__main__":
    unittest.main()
