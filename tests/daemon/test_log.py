"""The daemon's log: what a person reads; and what befalls the file does not befall the daemon."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import unittest
from pathlib import Path

from cvec_circus import __version__
from cvec_circus.base.clock import SYSTEM
from cvec_circus.logs.log import READER_TIMEOUT
from tests.support.daemon import Daemon, DaemonCase
from tests.support.eventually import eventually

SCRIPT = """
[watcher:web]
cmd = sleep 1000
min_uptime = 0

[watcher:broken]
cmd = /no/such/program --port 80
max_retry = 2

[watcher:once]
cmd = sh -c "exit 3"
respawn = False
"""

MISSING = "cannot run /no/such/program: No such file or directory"

READ = f"""
INFO cvec_circus {__version__} is up: commands at ipc://DIR/control, events at ipc://DIR/events
INFO web: process P1 started (config)
INFO web: started (config)
WARNING broken: slot 1: {MISSING}; attempt 1, next in 0.05 s
INFO once: process P2 started (config)
INFO once: started (config)
WARNING broken: given up: {MISSING} (2 attempts)
INFO broken: stopped (giveup)
WARNING once: process P2 exited with 3
INFO once: stopped (exit): process P2 exited with 3
WARNING web: process P1 was killed by SIGKILL
INFO web: process P3 started
INFO web: process P3 was killed by SIGTERM (command:stop)
INFO web: stopped (command:stop)
INFO stopping (signal:TERM)
INFO stopped
"""


class TestWhatIsRead(DaemonCase):
    """A start, a death, a bad exec, a stop: line by line."""

    maxDiff = None

    def test_the_whole_log(self) -> None:
        daemon = self.daemon(SCRIPT)
        events = daemon.wire.events
        events.wait("stop", 2)
        (pid,) = daemon.wire.pids("web")
        os.kill(pid, signal.SIGKILL)
        events.wait("spawn", 3)
        daemon.order("stop", name="web")
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertEqual(self.in_order(self.plain(daemon)), self.in_order(READ.split("\n")[1:-1]))

    def plain(self, daemon: Daemon) -> list[str]:
        """The log with its folder and its pids replaced, each pid by the order of its start."""
        pids: dict[str, str] = {}

        def name(found: re.Match[str]) -> str:
            return f"process {pids.setdefault(found[1], f'P{len(pids) + 1}')} "

        lines = [f"{level} {text}" for level, text in daemon.told()]
        self.assertEqual(len(lines), len(daemon.log.seen), "a line of another form")
        named = [re.sub(r"process (\d+) ", name, line) for line in lines]
        return [line.replace(str(daemon.folder), "DIR") for line in named]

    @staticmethod
    def in_order(lines: list[str]) -> dict[str, list[str]]:
        """The lines of each watcher, and of the daemon: only these are in an order of their own."""
        found: dict[str, list[str]] = {}
        for line in lines:
            subject = re.match(r"\w+ (web|broken|once): ", line)
            found.setdefault(subject[1] if subject else "", []).append(line)
        return found

    def test_levels(self) -> None:
        daemon = self.daemon("[watcher:a]\ncmd = sleep 1000\n", "--log-level", "WARNING", up=False)
        daemon.connect()
        daemon.wire.events.next("start")
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.ended(), [])
        daemon = self.daemon("[watcher:a]\ncmd = sleep 1000\n", circus="loglevel = debug")
        daemon.wire.events.next("start")
        daemon.order("stop")
        daemon.signal(signal.SIGTERM)
        text = "\n".join(daemon.ended())
        self.assertIn("[DEBUG] a: added (config)", text)
        self.assertRegex(text, r"\[DEBUG\] a: sending SIGTERM to process \d+ \(command:stop\)")

    def test_bad_input_is_nobodys_error(self) -> None:
        daemon = self.daemon("[watcher:a]\ncmd = sleep 1000\n")
        daemon.wire.events.next("start")
        for command, properties in (
            ("zork", {}),
            ("stop", {"name": "nope"}),
            ("set", {"name": "a", "options": {"numproceses": 2}}),
            ("signal", {"name": "a", "signum": 999}),
            ("incr", {"name": "a", "nb": -5}),
            ("add", {"name": "a", "cmd": "true"}),
        ):
            daemon.wire.refused(command, **properties)
        before = len(daemon.log.seen)
        daemon.signal(signal.SIGTERM)
        log = daemon.ended()
        self.assertEqual({level for level, _ in daemon.told()}, {"INFO"}, log[before:])


class TestWhereItGoes(DaemonCase):
    """Syslog, and a configuration of Python's logging."""

    TEXT = "[watcher:a]\ncmd = sleep 1000\n"

    def connected(self, daemon: Daemon) -> Daemon:
        self.assertTrue(eventually((daemon.folder / "control").exists))
        daemon.connect()
        daemon.wire.events.next("start")
        return daemon

    def test_syslog(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.settimeout(20)

            def listen(folder: Path) -> None:
                server.bind(str(folder / "dev-log"))

            circus = "logoutput = syslog://{DIR}/dev-log?local2"
            plugin = "[plugin:p]\nuse = cvec_circus.plugins.flapping.Flapping\n"
            daemon = self.daemon(self.TEXT + plugin, circus=circus, prepare=listen, up=False)
            pattern = rf"^<150>.{{15}} cvec_circus\[{daemon.pid}\]: cvec_circus \S+ is up: "
            self.assertRegex(server.recv(4096).decode(), pattern)
            self.connected(daemon)
            pattern = r"^<150>.{15} cvec_circus\[\d+\]: plugin:p: Starting"
            while not re.match(pattern, server.recv(4096).decode()):
                pass
            daemon.signal(signal.SIGTERM)
            received = ""
            while not received.endswith("]: stopped"):
                received = server.recv(4096).decode()
            (daemon.folder / "dev-log").unlink()
            self.assertEqual(daemon.ended(), [])

    def test_a_logging_configuration(self) -> None:
        def configure(folder: Path) -> None:
            config = {
                "handlers": {"file": {"class": "logging.FileHandler", "filename": "log"}},
                "root": {"level": "INFO", "handlers": ["file"]},
                "version": 1,
            }
            (folder / "log.json").write_text(json.dumps(config))

        daemon = self.daemon(self.TEXT, "--logger-config", "log.json", prepare=configure, up=False)
        log = self.connected(daemon).folder / "log"
        self.assertTrue(eventually(lambda: "a: started (config)\n" in log.read_text()))
        log.rename(log.with_name("log.1"))
        daemon.signal(signal.SIGHUP)
        daemon.wire.events.next("reload")
        self.assertTrue(eventually(lambda: log.exists() and log.read_text()))
        self.assertTrue(log.read_text().startswith("reloading (signal:HUP)\n"))
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.ended(), [])
        self.assertTrue(log.read_text().endswith("\nstopped\n"))

    def test_one_that_cannot_be_used(self) -> None:
        for circus, says in (
            ("loggerconfig = {DIR}/none.ini", "none.ini; make it first"),
            ("loggerconfig = {DIR}/circus.ini", "circus.ini: "),
            ("logoutput = syslog://{DIR}/none", "none: No such file or directory"),
        ):
            with self.subTest(circus):
                (line,) = self.daemon(circus=circus, up=False).ended(1)
                self.assertTrue(line.startswith("error: "), line)
                self.assertIn(says, line)


class TestWhatBefallsIt(DaemonCase):
    """The file is moved, deleted, full; the pipe has no reader."""

    TEXT = "[watcher:a]\ncmd = sleep 1000\nmin_uptime = 0\n"

    def logging_to(self, *words: object) -> Daemon:
        daemon = self.daemon(
            self.TEXT, "--log-output", *words, prepare=lambda f: (f / "logs").mkdir(), up=False
        )
        self.assertTrue(eventually((daemon.folder / "control").exists))
        daemon.connect()
        daemon.wire.events.next("start")
        return daemon

    def assert_told(self, text: str, path: Path) -> None:
        """Wait until a line is in a file: it is written after what it tells has happened."""
        self.assertTrue(eventually(lambda: path.exists() and text in path.read_text()), text)

    def die(self, daemon: Daemon) -> str:
        """Have the process die, and return the line of its end."""
        (pid,) = daemon.wire.pids("a")
        os.kill(pid, signal.SIGKILL)
        daemon.wire.events.next("reap", process_pid=pid)
        daemon.wire.events.next("spawn")
        return f"a: process {pid} was killed by SIGKILL"

    def test_it_follows_its_name(self) -> None:
        daemon = self.logging_to("logs/daemon.log")
        path = daemon.folder / "logs" / "daemon.log"
        self.assert_told("is up", path)
        self.assert_told("a: started", path)
        path.rename(path.with_name("moved"))
        self.assert_told(self.die(daemon), path)
        path.unlink()
        self.assert_told(self.die(daemon), path)
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.ended(), [])
        self.assertTrue(path.read_text().endswith("] stopped\n"))

    def test_plugins_follow_it_too(self) -> None:
        module = (
            "from cvec_circus import logger\nfrom cvec_circus.plugins import CircusPlugin\n"
            "class Teller(CircusPlugin):\n"
            "    def handle_recv(self, data):\n"
            "        logger.info('hears %s', data[0])\n"
        )
        daemon = self.daemon(
            self.TEXT + "[plugin:t]\nuse = ours.Teller\n",
            "--log-output",
            "log",
            prepare=lambda folder: (folder / "ours.py").write_text(module),
            up=False,
        )
        self.assertTrue(eventually((daemon.folder / "control").exists))
        daemon.connect()
        path = daemon.folder / "log"
        self.assertTrue(eventually(lambda: "hears b'watcher.a.start'" in path.read_text()))
        path.rename(path.with_name("moved"))
        daemon.order("stop", name="a")
        hears = re.compile(r" plugin:t\[\d+\] \[INFO\] hears b'watcher.a.stop'\n")
        self.assertTrue(eventually(lambda: path.exists() and hears.search(path.read_text())))
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_its_folder_is_gone_for_a_while(self) -> None:
        daemon = self.logging_to("logs/daemon.log")
        folder = daemon.folder / "logs"
        shutil.rmtree(folder)
        for _ in range(3):
            self.die(daemon)
        folder.mkdir()
        self.assert_told(self.die(daemon), folder / "daemon.log")
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_a_full_disk(self) -> None:
        daemon = self.logging_to("/dev/full")
        for _ in range(3):
            self.die(daemon)
        daemon.signal(signal.SIGTERM)
        (line,) = daemon.ended()
        self.assertIn("cannot write the log /dev/full: No space left on device", line)

    def test_a_pipe_that_nobody_reads(self) -> None:
        daemon = self.daemon(self.TEXT)
        daemon.wire.events.next("start")
        broken, end = os.pipe()
        os.close(broken)
        os.dup2(end, daemon.log.fd)  # the only reader is gone with it
        os.close(end)
        for _ in range(3):
            self.die(daemon)
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.process.wait(20), 0)

    def test_a_pipe_whose_reader_takes_a_break(self) -> None:
        daemon = self.daemon(self.TEXT)
        daemon.wire.events.next("start")
        fill = os.open(f"/proc/{daemon.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
        filled = 0
        with self.assertRaises(BlockingIOError):
            while True:
                filled += os.write(fill, b"x" * 511 + b"\n") // 512
        os.close(fill)
        stuck_until = SYSTEM.monotonic() + 10 * READER_TIMEOUT
        while SYSTEM.monotonic() < stuck_until:
            self.die(daemon)
        while filled:
            filled -= set(daemon.log.next() or "") == {"x"}
        told = self.die(daemon)
        daemon.log.containing("missing here: nobody read them")
        daemon.log.containing(told)
        daemon.signal(signal.SIGTERM)
        daemon.ended()


if __name__ == "__main__":
    unittest.main()
