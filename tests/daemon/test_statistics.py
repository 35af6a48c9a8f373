"""The statistics process as the daemon's helper: started, told everything, and gone with it."""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys
import unittest
from pathlib import Path
from typing import Any

from cvec_circus import get_arbiter
from tests.stats.case import TIMEOUT, Listener
from tests.support.daemon import BIN, Daemon, DaemonCase, gone
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.support.hurry import hurried, hurry

NAME = "circusd-stats"
QUICK = {"supervisor.helper_rows.INTERVAL": 0.1}
SLEEPER = "[watcher:Big One]\ncmd = sleep 1000\nnumprocesses = 2\n"


class TestStatistics(DaemonCase):
    def start(self, text: str = SLEEPER, more: str = "") -> Daemon:
        circus = f"stats_endpoint = ipc://{{DIR}}/stats\n{more}"
        return self.daemon(text, circus=circus, wrapper=hurried(QUICK))

    def listen(self, daemon: Daemon) -> Listener:
        return Listener(self, f"ipc://{daemon.folder}/stats")

    def pid(self, daemon: Daemon, name: str = NAME) -> int:
        """The first of a watcher's processes, which may be starting still."""
        pids: list[int] = []

        def has_some() -> bool:
            pids[:] = daemon.call("list", name=name)["pids"]
            return bool(pids)

        self.assertTrue(eventually(has_some))
        return pids[0]

    def test_what_is_published(self) -> None:
        daemon = self.start()
        listener = self.listen(daemon)
        self.assertTrue(listener.until(lambda: "stat.big_one" in listener.last))
        self.assertTrue(listener.until(lambda: "stat.circus" in listener.last))
        pids = daemon.call("list", name="big one")["pids"]
        self.assertEqual(listener.last["stat.big_one"]["pid"], pids)
        self.assertEqual(
            [listener.last[f"stat.circus.{pid}"]["name"] for pid in (self.pid(daemon), daemon.pid)],
            [NAME, "circusd"],
        )
        self.assertIn(NAME, daemon.call("list")["watchers"])
        self.assertEqual(
            daemon.call("globaloptions")["options"]["stats_endpoint"],
            f"ipc://{daemon.folder}/stats",
        )
        self.assertEqual(stat.S_IMODE(os.stat(daemon.folder / "stats").st_mode), 0o600)
        daemon.order("quit")
        daemon.ended()
        self.assertFalse((daemon.folder / "stats").exists())

    def test_the_processes_of_all_watchers_in_one_answer(self) -> None:
        daemon = self.daemon(f"{SLEEPER}[watcher:off]\ncmd = sleep 1\nautostart = False\n")
        pids = daemon.call("list", name="Big One")["pids"]
        told = daemon.call("list", pids=True)
        self.assertEqual(told["watchers"], ["big one", "off"])
        self.assertEqual(told["pids"], {"Big One": pids, "off": []})
        self.assertNotIn("pids", daemon.call("list"))

    def test_children_and_no_names_of_others(self) -> None:
        daemon = self.start("[watcher:a]\ncmd = sh -c 'sleep 1000; true'\n")
        listener = self.listen(daemon)
        self.assertTrue(listener.until(lambda: "stat.a" in listener.last))
        (pid,) = listener.last["stat.a"]["pid"]
        topic = f"stat.a.{pid}"
        self.assertTrue(listener.until(lambda: bool(listener.last[topic]["children"])))
        [child] = listener.last[topic]["children"]
        self.assertEqual((child["command"], listener.last[topic]["name"]), ("sleep", None))

    def test_it_stops_last(self) -> None:
        daemon = self.start()
        listener = self.listen(daemon)
        self.assertTrue(listener.until(lambda: "stat.circus" in listener.last))
        daemon.signal(signal.SIGTERM)
        stops = [line for line in daemon.ended() if ": stopped (" in line]
        self.assertEqual(len(stops), 2, stops)
        self.assertIn("Big One: stopped", stops[0])
        self.assertIn(f"{NAME}: stopped", stops[1])

    def test_one_that_is_killed_comes_back(self) -> None:
        daemon = self.start()
        listener = self.listen(daemon)
        self.assertTrue(listener.until(lambda: "stat.big_one" in listener.last))
        os.kill(self.pid(daemon), signal.SIGKILL)
        daemon.wire.events.wait("reap", 1)
        listener.forget()
        self.assertTrue(listener.until(lambda: "stat.big_one" in listener.last))

    def test_a_daemon_that_is_killed_leaves_none(self) -> None:
        daemon = self.start()
        pids = [self.pid(daemon), self.pid(daemon, "big one")]
        daemon.signal(signal.SIGKILL)
        try:
            self.assertTrue(gone(pids[0]))
        finally:
            for pid in pids[1:]:
                os.kill(pid, signal.SIGKILL)

    def test_another_program_listens_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            daemon = self.daemon(SLEEPER, circus=f"stats_endpoint = tcp://127.0.0.1:{port}\n")
            self.assertTrue(eventually(lambda: "reason" in daemon.call("status", name=NAME), 15))
            reason = daemon.call("status", name=NAME)["reason"]
            self.assertIn(f"stats_endpoint tcp://127.0.0.1:{port}: cannot listen", reason)
            self.assertEqual(daemon.call("status", name="Big One")["status"], "active")

    def test_sockets(self) -> None:
        daemon = self.start(f"[socket:web]\nhost = 127.0.0.1\nport = 0\n{SLEEPER}")
        (row,) = daemon.call("listsockets")["sockets"]
        listener = self.listen(daemon)
        topic = f"stat.sockets.{row['fd']}"
        self.assertTrue(listener.until(lambda: topic in listener.last))
        with socket.create_connection(("127.0.0.1", row["port"])):
            self.assertTrue(listener.until(lambda: listener.last[topic]["reads"] == 1))
        self.assertTrue(listener.until(lambda: "stat.sockets" in listener.last))
        self.assertEqual(listener.last["stat.sockets"]["addresses"], [f"127.0.0.1:{row['port']}"])

    def test_its_output_can_go_nowhere(self) -> None:
        daemon = self.start(more="statsd_close_outputs = True\n")
        listener = self.listen(daemon)
        self.assertTrue(listener.until(lambda: "stat.circus" in listener.last))
        for fd in (1, 2):
            self.assertEqual(os.readlink(f"/proc/{self.pid(daemon)}/fd/{fd}"), "/dev/null")

    @unittest.skipUnless(sys.version_info >= (3, 11), "older ones import from there first")
    def test_a_module_in_the_current_directory(self) -> None:
        def prepare(folder: Path) -> None:
            (folder / "psutil.py").write_text("raise RuntimeError('not yours')\n")

        circus = "stats_endpoint = ipc://{DIR}/stats\n"
        path = {"PYTHONPATH": str(BIN.parent)}
        daemon = self.daemon(SLEEPER, circus=circus, env=path, prepare=prepare)
        listener = self.listen(daemon)
        self.assertTrue(listener.until(lambda: "stat.circus" in listener.last))

    def test_without(self) -> None:
        daemon = self.daemon(SLEEPER)
        self.assertNotIn(NAME, daemon.call("list")["watchers"])


class TestEmbedded(EmbeddedCase):
    def test_at_any_free_port(self) -> None:
        hurry(self, QUICK)
        options: dict[str, Any] = {"stats_endpoint": "tcp://127.0.0.1:*", "statsd": True}
        arbiter = self.arbit({"name": "a", "cmd": "sleep 1000"}, **options)
        self.assertRegex(arbiter.stats_endpoint, r"^tcp://127\.0\.0\.1:[1-9]\d+$")
        listener = Listener(self, arbiter.stats_endpoint)
        self.assertTrue(listener.until(lambda: "stat.a" in listener.last))
        told = self.wire.call("globaloptions")["options"]["stats_endpoint"]
        self.assertEqual(told, arbiter.stats_endpoint)
        # The port stays the daemon's: connected clients wait for the next process.
        self.wire.call("restart", name=NAME, waiting=True)
        listener.forget()
        self.assertTrue(listener.until(lambda: "stat.a" in listener.last, TIMEOUT))

    def test_get_arbiter(self) -> None:
        for options, wanted in (
            ({"stats_endpoint": "ipc:///x"}, True),
            ({"statsd": True}, True),
            ({}, False),
        ):
            arbiter = get_arbiter([{"cmd": "sleep 1"}], **options)
            self.assertIs(arbiter._configuration.circus["statsd"], wanted)


if __name__ == "__main__":
    unittest.main()
