"""The daemon is killed, and another one goes on with its sockets, as its processes have them."""

from __future__ import annotations

import os
import signal
import socket
import unittest

from tests.daemon.test_survival import SurvivalCase
from tests.support.daemon import Daemon, child, gone
from tests.support.eventually import eventually

SERVE = child("serve", "$(circus.sockets.web)")

WEB = """
[watcher:web]
cmd = {CMD}
use_sockets = True
min_uptime = 0.1
stdout_stream.filename = {DIR}/out.log
[socket:web]
host = 127.0.0.1
port = 0
"""


class TestSockets(SurvivalCase):
    """Managed sockets are taken over with the connections that wait in them."""

    def test_a_port(self) -> None:
        daemon = self.daemon(WEB.replace("{CMD}", SERVE))
        address = self.address(daemon)
        (pid,) = daemon.wire.pids("web")
        self.assertEqual(ask(address), pid)
        os.kill(pid, signal.SIGSTOP)
        daemon.kill()
        with socket.create_connection(address) as waiting:
            waiting.sendall(b"GET /\r\n")
            daemon.again()
            self.assertEqual(self.address(daemon), address)
            os.kill(pid, signal.SIGCONT)
            self.assertEqual(answer(waiting), pid)
        daemon.order("reload", name="web")
        (new,) = daemon.wire.pids("web")
        self.assertNotEqual(new, pid)
        self.assertEqual(ask(address), new)

    def address(self, daemon: Daemon) -> tuple[str, int]:
        """Return where the socket of the daemon listens."""
        (row,) = daemon.call("listsockets")["sockets"]
        return row["host"], row["port"]

    def test_one_that_no_process_has_got_yet(self) -> None:
        """A rollout for another socket has failed: it has not been applied, also later."""
        cmd = f"sh -c 'test ! -e {{DIR}}/broken && exec {SERVE}'"
        # Long enough for a process that fails at once, on a busy machine too.
        slow = WEB.replace("min_uptime = 0.1", "min_uptime = 3")
        daemon = self.daemon(slow.replace("{CMD}", cmd))
        address = self.address(daemon)
        (pid,) = daemon.wire.pids("web")
        self.assertTrue(eventually(lambda: daemon.call("is-active", name="web")["active"]))
        (daemon.folder / "broken").touch()
        changed = daemon.config.read_text().replace("127.0.0.1\nport = 0", "127.0.0.2\nport = 0")
        daemon.config.write_text(changed)
        reply = daemon.wire.client.call("reloadconfig", waiting=True)
        self.assertEqual(reply["failed"], ["web"])
        other = self.address(daemon)
        for _ in range(2):
            daemon.kill()
            daemon.again()
            daemon.wire.events.wait("watcher.web.rollback", 1)  # tried once more
            self.assertEqual(daemon.wire.pids("web"), [pid])
            self.assertEqual(self.address(daemon)[0], other[0])
            [leaving] = daemon.call("listsockets")["leaving"]
            self.assertEqual((leaving["host"], leaving["port"]), address)
            self.assertEqual(ask(address), pid)
            plan = daemon.call("reloadconfig", dry_run=True)["plan"]
            [step] = plan["watchers"]
            self.assertEqual(step["why"], "socket web is another one")
        (daemon.folder / "broken").unlink()
        daemon.call("reloadconfig", waiting=True)
        [fresh] = daemon.wire.pids("web")
        self.assertEqual(ask(self.address(daemon)), fresh)
        self.assertFalse(daemon.call("reloadconfig", dry_run=True)["plan"]["changes"])
        self.assertTrue(eventually(lambda: not daemon.call("listsockets")["leaving"]))

    UNIX = f"""
[watcher:web]
cmd = {child("serve", "$(circus.sockets.web)")}
use_sockets = True
[socket:web]
path = {{DIR}}/web.sock
"""

    def test_a_path(self) -> None:
        daemon = self.daemon(self.UNIX)
        path = str(daemon.folder / "web.sock")
        (pid,) = daemon.wire.pids("web")
        inode = os.stat(path).st_ino
        daemon.kill()
        daemon.again()
        self.assertEqual(os.stat(path).st_ino, inode)
        self.assertEqual(ask(path), pid)
        daemon.kill()
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(gone(pid))
        daemon.again()  # nobody serves it any more
        daemon.wire.events.wait("spawn", 1)
        (pid,) = daemon.wire.pids("web")
        self.assertEqual(ask(path), pid)
        daemon.kill()
        os.unlink(path)
        daemon.again()  # it has a second name
        self.assertEqual(ask(path), pid)
        daemon.kill()
        os.unlink(path)
        os.unlink(daemon.folder / ".web.sock.spare")
        daemon.again()
        daemon.wire.events.wait("spawn", 1)
        self.assertTrue(gone(pid))
        self.assertTrue(any("its path was removed" in line for line in daemon.log.seen))
        self.assertEqual(ask(path), daemon.wire.pids("web")[0])
        daemon.signal(signal.SIGTERM)
        daemon.ended()


def ask(address: tuple[str, int] | str) -> int:
    """Ask the server there for its pid."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as asking:
        asking.settimeout(20)
        asking.connect(address)
        asking.sendall(b"GET /\r\n")
        return answer(asking)


def answer(asking: socket.socket) -> int:
    """Return the pid in an answer."""
    content = b""
    while block := asking.recv(4096):
        content += block
    return int(content.rpartition(b"\r\n")[2])


if __name__ == "__main__":
    unittest.main()
