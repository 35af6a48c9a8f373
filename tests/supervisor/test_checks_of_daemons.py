"""Checks from end to end: a daemon, its file, its events, and what it does about them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import unittest
from pathlib import Path
from typing import Any

from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually
from tests.support.probing import NOTIFY
from tests.support.silence import silence
from tests.test_docs import DOCS

EXAMPLE = DOCS / "examples" / "ready"


def script(folder: Path, text: str) -> None:
    """Write a program that the file runs as `python3 -I program.py`."""
    (folder / "program.py").write_text(f"import os, socket, sys, time\n{NOTIFY}\n{text}\n")


PROGRAM = f"{shlex.quote(sys.executable)} -I program.py"


class ChecksTest(DaemonCase):
    def until(self, daemon: Daemon, name: str, action: str) -> dict[str, object]:
        """Wait for an event of a watcher; return its payload."""
        return daemon.wire.events.next(f"watcher.{name}.{action}")

    @unittest.skipUnless(shutil.which("python3"), "the page runs python3")
    def test_the_example_of_the_page(self) -> None:
        text = (EXAMPLE / "ready.ini").read_text()

        def prepare(folder: Path) -> None:
            for name in ("worker.py", "cache.sh"):
                shutil.copy(EXAMPLE / name, folder)

        daemon = self.daemon(text, prepare=prepare, circus="warmup_delay = 0\n")
        waiting = {"worker", "queue", "cache", "web", "files", "batch"}
        while waiting:
            waiting.discard(daemon.wire.events.next("ready")["topic"].split(".")[1])
        self.assertEqual(daemon.wire.events.of("unready"), [])
        daemon.order("quit")
        daemon.ended()

    def test_one_that_is_not_ready_in_time_says_what_it_did_say(self) -> None:
        text = f"[watcher:web]\ncmd = {PROGRAM}\nready.up = notify\nready_timeout = 1s\n"
        says = "notify('STATUS=warming up')\ntime.sleep(1000)"
        daemon = self.daemon(text, prepare=lambda folder: script(folder, says))
        told = self.until(daemon, "web", "unready")
        said = "no READY=1 came on NOTIFY_SOCKET; it did send STATUS=warming up"
        self.assertIn(f"check up: {said}", str(told["reason"]))
        daemon.order("quit")
        daemon.ended()

    def test_one_that_is_not_alive_is_replaced(self) -> None:
        text = (
            "[watcher:web]\ncmd = sleep 1000\nmin_uptime = 0\nlive.x = exec:test ! -e bad\n"
            "live_interval = 20ms\nlive_failures = 2\n"
        )
        daemon = self.daemon(text)
        first = self.until(daemon, "web", "spawn")["process_pid"]
        (daemon.folder / "bad").touch()
        told = self.until(daemon, "web", "kill")
        self.assertEqual((told["process_pid"], told["cause"]), (first, "live"))
        self.assertIn("live check x failed: exit code 1", str(told["why"]))
        (daemon.folder / "bad").unlink()
        self.assertNotEqual(self.until(daemon, "web", "spawn")["process_pid"], first)
        daemon.order("quit")
        daemon.ended()

    def test_one_that_never_is_alive_backs_off_and_is_counted(self) -> None:
        text = (
            "[watcher:web]\ncmd = sleep 1000\nmin_uptime = 0.2\nready.a = exec:true\n"
            "live.x = exec:false\nlive_interval = 20ms\nlive_failures = 1\nbackoff_max = 60\n"
            "ready_interval = 20ms\ncopy_env = True\n"
        )
        daemon = self.daemon(text)
        told = self.until(daemon, "web", "backoff")
        self.assertEqual((told["cause"], told["wid"]), ("live", 1))
        self.assertGreaterEqual(told["delay"], 1)
        said = "slot 1 was not alive ([0-9]+) times in a row, each within 0.2 s of being ready"
        row: dict[str, Any] = {}

        def waits() -> bool:
            row.update(daemon.call("status", name="web", details=True)["watcher"])
            return "; next start in " in row["reason"]

        self.assertTrue(eventually(waits), row)
        self.assertNotIn("checks", row)
        found = re.match(
            f"{said}: process [0-9]+: live check x failed: exit code 1;", row["reason"]
        )
        deaths = int(found[1]) if found else row["reason"]
        self.assertEqual((row["phase"], row["restarts"]), ("backoff", deaths - 1))
        row = daemon.call("status", name="web", details=True, deaths=True)["watcher"]
        self.assertLessEqual(set(map(int, row["checks"])), {one["pid"] for one in row["deaths"]})
        self.assertIn("live: live check x failed: exit code 1", daemon.ctl("why", "web").stdout)
        daemon.order("quit")
        self.assertTrue(any(re.search(f"web: {said}", line) for line in daemon.ended()))

    def test_one_that_is_never_alive_is_never_up(self) -> None:
        text = (
            "[watcher:web]\ncmd = sleep 1000\nmin_uptime = 0\nlive.x = exec:test ! -e bad\n"
            "live_interval = 0.2\nlive_failures = 2\nbackoff = False\ncopy_env = True\n"
        )
        daemon = self.daemon(text)
        self.until(daemon, "web", "ready")
        (daemon.folder / "bad").touch()
        for _ in range(3):
            self.until(daemon, "web", "kill")
        self.until(daemon, "web", "spawn")
        said = daemon.ctl("is-active", "web")
        self.assertEqual((said.returncode, len(daemon.wire.events.of("ready"))), (1, 1))
        (daemon.folder / "bad").unlink()
        self.until(daemon, "web", "ready")
        self.assertEqual(daemon.ctl("wait", "web").returncode, 0)
        daemon.order("quit")
        daemon.ended()

    def test_a_reload_waits_for_the_new_process(self) -> None:
        silence(self)
        text = (
            "[watcher:web]\ncmd = sh -c 'while ! test -e go; do sleep 0.01; done; echo up;"
            " exec sleep 1000'\nready.up = log:up\n"
        )
        daemon = self.daemon(text, prepare=lambda folder: (folder / "go").touch())
        first = self.until(daemon, "web", "spawn")["process_pid"]
        self.until(daemon, "web", "ready")
        (daemon.folder / "go").unlink()
        daemon.call("reload", name="web")
        second = self.until(daemon, "web", "spawn")["process_pid"]
        os.kill(int(str(first)), 0)
        (daemon.folder / "go").touch()
        self.assertEqual(self.until(daemon, "web", "kill")["process_pid"], first)
        self.assertNotEqual(first, second)
        daemon.order("quit")
        daemon.ended()

    def test_reloads_of_a_broken_program_keep_the_same_processes(self) -> None:
        silence(self)
        common = "cmd = sh web.sh\nready.up = log:up\nmin_uptime = 0.1\n"
        text = (
            f"[watcher:half]\n{common}numprocesses = 4\nmax_surge = 0\nmax_unavailable = 50%\n"
            f"[watcher:each]\n{common}numprocesses = 3\nrollout = recreate\n"
        )

        def prepare(folder: Path) -> None:
            (folder / "web.sh").write_text("echo up; exec sleep 1000")

        daemon = self.daemon(text, prepare=prepare)
        for _ in range(2):
            daemon.wire.events.next("ready")
        (daemon.folder / "web.sh").write_text("sleep 0.2; exit 6")
        for name in ("half", "each"):
            found = []
            for _ in range(3):
                said = daemon.ctl("reload", name, "--waiting")
                self.assertIn("exited with 6", said.stderr)
                found.append(self.until(daemon, name, "rollback")["kept"])
            self.assertEqual([len(kept) for kept in found], [2, 2, 2], found)
            self.assertEqual(found[1:], found[:1] * 2)
            self.assertLessEqual({*found[0]}, {*daemon.wire.pids(name)})
        daemon.order("quit")
        daemon.ended()

    def test_nothing_of_it_is_left(self) -> None:
        text = (
            "[watcher:web]\ncmd = sleep 1000\nready.a = notify\nready.b = fd:3\n"
            "ready.c = exec:sleep 1000\nready.d = tcp://127.0.0.1:1\nready.e = log:x\n"
            "numprocesses = 3\n"
        )
        daemon = self.daemon(text)
        environ = Path(f"/proc/{self.until(daemon, 'web', 'spawn')['process_pid']}/environ")
        # The launch shim has another environment until it is the program.
        self.assertTrue(eventually(lambda: "NOTIFY_SOCKET=" in environ.read_text()))
        (address,) = (
            entry.partition("=")[2]
            for entry in environ.read_text().split("\0")
            if entry.startswith("NOTIFY_SOCKET=")
        )
        self.assertTrue(os.path.exists(address))
        daemon.order("quit")
        daemon.ended()
        self.assertFalse(os.path.exists(os.path.dirname(address)))

    def test_orders_are_judged(self) -> None:
        text = (
            "[socket:front]\nhost = 127.0.0.1\nport = 0\n"
            "[watcher:web]\ncmd = sleep 1000 $(circus.sockets.front)\nuse_sockets = True\n"
            "autostart = False\n"
        )
        daemon = self.daemon(text)
        port = daemon.call("listsockets")["sockets"][0]["port"]
        check = f"tcp://127.0.0.1:{port}"
        self.assertEqual(daemon.ctl("set", "web", "ready.a", check).returncode, 0)
        said = daemon.ctl("set", "web", "ready.b", "fd:3", "ready.c", "fd:3")
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("ready.c: fd:3 is that of ready.b already; write another number", said.stderr)
        daemon.order("quit")
        log = "\n".join(daemon.ended())
        self.assertIn(f"web: ready.a: {check} is the socket front, which is open", log)
        self.assertNotIn("Traceback", log)
