"""The chain of the page "Ready, live, depends": PostgreSQL, a migration, gunicorn."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path

from tests.support.daemon import Daemon, DaemonCase, gone
from tests.support.eventually import eventually
from tests.test_docs import DOCS

CHAIN = DOCS / "examples" / "ready" / "chain"
PROGRAMS = Path(sys.executable).parent


def programs_of_postgres() -> str | None:
    """Return the folder of the server's programs; Debian has one for each version."""
    found = shutil.which("initdb") or max(
        map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None
    )
    return found and os.path.dirname(found)


def account() -> int | None:
    """Return the user that PostgreSQL runs as; None for our own. It refuses to run as root."""
    return pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else None


@unittest.skipUnless(importlib.util.find_spec("gunicorn"), "gunicorn is not installed")
@unittest.skipUnless(
    programs_of_postgres() and shutil.which("pg_isready"), "PostgreSQL is not installed"
)
class TestChain(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        text = (CHAIN / "chain.ini").read_text().replace("15432", port).replace("18080", "0")
        sockets = "-c unix_socket_directories="
        self.assertIn(sockets, text)
        text = text.replace(sockets, f"{sockets} -c fsync=off")  # a disk may take half a minute
        uid = account()
        if uid is not None:
            text = text.replace("[watcher:db]\n", f"[watcher:db]\nuid = {uid}\n")
        path = f"{PROGRAMS}:{programs_of_postgres()}:{os.environ['PATH']}"
        self.served = self.daemon(text, prepare=self.prepare, env={"PATH": path})

    def prepare(self, folder: Path) -> None:
        """Make a cluster of databases, and the rest of the example."""
        shutil.copytree(CHAIN, folder, dirs_exist_ok=True)
        (folder / "data").mkdir()
        uid, as_user = account(), {}
        if uid is not None:
            folder.chmod(0o755)
            os.chown(folder / "data", uid, -1)
            as_user = {"user": uid}
        words = ["initdb", "-D", "data", "-U", "app", "-A", "trust", "--no-sync", "-E", "UTF8"]
        words[0] = f"{programs_of_postgres()}/initdb"
        subprocess.run(words, cwd=folder, check=True, capture_output=True, **as_user)

    def answers(self) -> bool:
        (listed,) = self.served.call("listsockets")["sockets"]
        with socket.create_connection(("127.0.0.1", listed["port"]), 20) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return client.recv(15) == b"HTTP/1.0 200 OK"

    def order_of(self, daemon: Daemon, *actions: str) -> list[str]:
        """Return which watchers those events were of, in order."""
        events = [one for one in daemon.wire.events.sync() if one["action"] in actions]
        return [f"{one['topic'].split('.')[1]} {one['action']}" for one in events]

    def test_from_the_start_to_the_end(self) -> None:
        served = self.served
        served.wire.events.next("watcher.web.ready")
        begun = self.order_of(served, "spawn", "ready", "reap")
        expected = (
            "db spawn, db ready, migrate spawn, migrate reap, migrate ready, web spawn, web ready"
        )
        self.assertEqual(", ".join(begun), expected)
        self.assertTrue(self.answers())
        served.order("stop")
        ended = self.order_of(served, "kill", "reap")[1:]
        self.assertEqual(", ".join(ended), "web kill, web reap, db kill, db reap")
        served.order("start")
        served.order("quit")
        log = "\n".join(served.ended())
        self.assertEqual(log.count("database system is shut down"), 2)
        self.assertNotIn("not properly shut down", log)

    def test_when_the_database_is_killed(self) -> None:
        served, wire = self.served, self.served.wire
        wire.events.next("watcher.web.ready")
        (postmaster,) = wire.pids("db")
        (served.folder / "data").rename(served.folder / "away")  # so that it cannot come back
        os.kill(postmaster, signal.SIGKILL)
        self.assertTrue(gone(postmaster))
        self.assertEqual(wire.status("web")[0], "active")
        self.assertTrue(self.answers(), "a crash of the database is no end of the server")
        wire.events.next("watcher.db.backoff")
        served.call("restart", name="web")
        self.assertTrue(eventually(lambda: "waits" in wire.status("web")[1]))
        self.assertRegex(
            wire.status("web")[1], "^waits for db to be ready: slot 1(: process .*| has died .*)"
        )
        (served.folder / "away").rename(served.folder / "data")
        wire.events.next("watcher.web.ready")
        self.assertTrue(self.answers())
        served.order("quit")
        log = "\n".join(served.ended())
        self.assertIn("automatic recovery in progress", log)
        self.assertIn("database system is shut down", log)


if __name__ == "__main__":
    unittest.main()
