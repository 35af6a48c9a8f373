"""Starting the daemon, and every way in which it cannot be started."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from cvec_circus import __version__
from tests.support.daemon import DaemonCase, folder, script

ROOT = Path(__file__).resolve().parents[2]

BREAK_AND_START = """
import sys
from unittest import mock
from cvec_circus.daemon.main import main
from cvec_circus.supervisor import compose

with mock.patch.object(compose, sys.argv[1], side_effect=ZeroDivisionError):
    main(sys.argv[2:])
"""


BREAK_STANDARD_FILES = """
import sys
from unittest import mock
from cvec_circus.daemon import main

with mock.patch.object(main, "fill_standard_files", side_effect=ERROR):
    sys.exit(main.main(sys.argv[1:]))
"""


class TestRefusals(DaemonCase):
    """One clear line each on stderr, and exit code 1."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = folder(self)

    def run_daemon(self, *words: object, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            script("cvec_circusd", *words),
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            check=False,
            **options,
        )

    def test_without_a_file(self) -> None:
        done = self.run_daemon()
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("error: no configuration: name a file", done.stderr)

    def test_a_fault_of_ours_ends_it(self) -> None:
        config = str(self.configure("[watcher:web]", "cmd = sleep 60"))
        for name in ("ControlServer", "Roster"):
            with self.subTest(name):
                done = subprocess.run(
                    [sys.executable, "-c", BREAK_AND_START, name, config],
                    capture_output=True,
                    text=True,
                    timeout=30,
                    cwd=ROOT,
                    check=False,
                )
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("ZeroDivisionError", done.stderr)

    def configure(self, *lines: str, name: str = "circus.ini") -> Path:
        path = self.folder / name
        text = [
            "[circus]",
            f"endpoint = ipc://{self.folder}/control",
            f"pubsub_endpoint = ipc://{self.folder}/events",
            *lines,
        ]
        path.write_text("\n".join(text) + "\n")
        return path

    def refuses(self, *words: object, says: str) -> None:
        done = self.run_daemon(*words)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("error: "), lines)
        self.assertIn(says, lines[0])

    def test_what_the_system_refuses_before_anything_else(self) -> None:
        config = str(self.configure("[watcher:web]", "cmd = sleep 60"))
        for raised, said in (
            ("MemoryError", "there is not enough memory to start"),
            ("OSError(24, 'Too many open files')", "Too many open files"),
        ):
            code = BREAK_STANDARD_FILES.replace("ERROR", raised)
            argv = [sys.executable, "-c", code, config]
            done = subprocess.run(
                argv, capture_output=True, text=True, timeout=30, cwd=ROOT, check=False
            )
            self.assertEqual((done.returncode, done.stderr), (1, f"error: {said}\n"))

    def test_a_missing_file(self) -> None:
        self.refuses("no-such.ini", says="no-such.ini")

    def test_a_directory(self) -> None:
        self.refuses(self.folder, says="Is a directory")

    def test_a_broken_configuration(self) -> None:
        path = self.configure("[watcher:a]", "cmd = sleep 1000", "numprocesses = many")
        self.refuses(path, says=f"{path}:6: [watcher:a] numprocesses: 'many' is not a whole number")

    def test_every_problem_is_told(self) -> None:
        path = self.configure("[watcher:a]", "numprocesses = -1", "[watcher:b]", "uid = no-such")
        done = self.run_daemon(path)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(len(done.stderr.splitlines()), 4, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_an_unwritable_log(self) -> None:
        self.refuses(
            self.configure("logoutput = no/such/log"), says="logoutput: there is no folder "
        )

    def test_an_unwritable_pidfile(self) -> None:
        path = self.configure("pidfile = no/such/pid")
        self.refuses(path, says="pidfile: there is no folder ")

    def test_no_endpoint(self) -> None:
        self.refuses(
            self.configure(name="a.ini"), "--pidfile", "p", "--log-output", "no/l", says=""
        )
        path = self.folder / "b.ini"
        path.write_text("[circus]\nendpoint = nonsense\n")
        self.refuses(path, says="endpoint")

    def test_ports_in_use(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            in_use = f"127.0.0.1:{port}"
            path = self.folder / "circus.ini"
            path.write_text(f"[circus]\nendpoint = tcp://{in_use}\n")
            self.refuses(
                path, says=f"2: [circus] endpoint: tcp://{in_use}: cannot listen: Address already"
            )
            path = self.configure("[socket:web]", "host = 127.0.0.1", f"port = {port}")
            self.refuses(
                path, says=f"[socket:web] port: cannot listen on {in_use}: Address already in"
            )
        self.assertEqual([entry.name for entry in self.folder.iterdir()], ["circus.ini"])

    def test_command_lines_that_make_no_sense(self) -> None:
        for words in ([], ["--zork"], ["a.ini", "b.ini"], ["--demo", "a.ini"]):
            done = self.run_daemon(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertNotIn("Traceback", done.stderr)

    def test_version_and_help(self) -> None:
        done = self.run_daemon("--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, f"cvec_circus {__version__}\n")
        self.assertIn("--pidfile", self.run_daemon("--help").stdout)

    def test_a_folder_that_is_gone(self) -> None:
        path = self.configure()
        gone = self.folder / "gone"
        gone.mkdir()
        command = ["sh", "-c", 'cd gone; rmdir ../gone; exec "$@"', "sh"]
        done = subprocess.run(
            [*command, *script("cvec_circusd", path)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"]},  # a relative path in PYTHONPATH would be Python's end
            check=False,
        )
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("working directory", done.stderr)


class TestPidfile(DaemonCase):
    """Who may have it, what stands in it, and that it goes."""

    def test_it_holds_the_pid_while_the_daemon_runs(self) -> None:
        daemon = self.daemon("", "--pidfile", "pid")
        path = daemon.folder / "pid"
        self.assertEqual(path.read_text(), f"{daemon.pid}\n")
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertFalse(path.exists())

    def test_the_one_of_a_daemon_that_lives(self) -> None:
        first = self.daemon(circus="pidfile = {DIR}/pid")
        second = self.daemon("", "--pidfile", first.folder / "pid", up=False)
        (line,) = second.ended(1)
        path = first.folder / "pid"
        self.assertEqual(line, f"error: already running with pid {first.pid}, as {path} says")
        self.assertEqual((first.folder / "pid").read_text(), f"{first.pid}\n")
        self.assertEqual(first.call("ping")["pid"], first.pid)

    def test_the_one_of_a_daemon_that_was_killed(self) -> None:
        first = self.daemon("", "--pidfile", "pid")
        first.signal(signal.SIGKILL)
        first.process.wait()
        self.assertTrue((first.folder / "pid").exists())
        second = self.daemon("", "--pidfile", first.folder / "pid")
        self.assertEqual((first.folder / "pid").read_text(), f"{second.pid}\n")
        second.signal(signal.SIGTERM)
        second.ended()
        self.assertFalse((first.folder / "pid").exists())

    def test_one_with_nonsense_in_it(self) -> None:
        daemon = self.daemon("", "--pidfile", "pid", prepare=lambda f: (f / "pid").write_text("x"))
        self.assertEqual((daemon.folder / "pid").read_text(), f"{daemon.pid}\n")
        self.assertIn("[WARNING]", daemon.log.seen[0])
        self.assertIn("contains no pid; overwriting it", daemon.log.seen[0])

    def test_the_one_of_a_process_that_is_no_daemon(self) -> None:
        text = f"{os.getpid()}\n"
        daemon = self.daemon("", "--pidfile", "pid", prepare=lambda f: (f / "pid").write_text(text))
        self.assertEqual((daemon.folder / "pid").read_text(), f"{daemon.pid}\n")
        self.assertIn(
            f"names process {os.getpid()}, which is not a cvec_circusd", daemon.log.seen[0]
        )

    def test_two_at_once(self) -> None:
        path = folder(self) / "pid"
        daemons = [self.daemon("", "--pidfile", path, up=False) for _ in range(2)]
        lines = [daemon.log.next() or "" for daemon in daemons]
        self.assertEqual(sorted("already running" in line for line in lines), [False, True], lines)
        loser, winner = sorted(daemons, key=lambda d: "already running" not in d.log.seen[0])
        self.assertEqual(len(loser.ended(1)), 1)
        self.assertEqual(path.read_text(), f"{winner.pid}\n")
        winner.signal(signal.SIGTERM)
        winner.ended()
        self.assertFalse(path.exists())

    def test_one_that_is_taken(self) -> None:
        daemon = self.daemon("", "--pidfile", "pid")
        (daemon.folder / "pid").write_text("1\n")
        daemon.signal(signal.SIGTERM)
        daemon.ended()
        self.assertEqual((daemon.folder / "pid").read_text(), "1\n")


class TestSurroundings(DaemonCase):
    """What the daemon may be started with."""

    def test_a_daemon_that_was_killed_leaves_its_socket_to_the_next(self) -> None:
        first = self.daemon()
        first.signal(signal.SIGKILL)
        first.process.wait()
        self.assertTrue((first.folder / "control").is_socket())
        second = self.daemon(prepare=lambda f: os.rename(first.folder / "control", f / "control"))
        second.signal(signal.SIGTERM)
        second.ended()

    def test_two_daemons_on_one_endpoint(self) -> None:
        first = self.daemon()
        second = self.daemon(prepare=lambda f: shutil.copy(first.config, f), up=False)
        (line,) = second.ended(1)
        self.assertIn(f"endpoint: {first.pubsub_endpoint}: cannot listen: Address already in", line)
        self.assertEqual(first.call("ping")["pid"], first.pid)

    def test_closed_standard_files(self) -> None:
        wrapper = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
        daemon = self.daemon(
            "[watcher:a]\ncmd = sh -c 'echo out; echo err >&2; exec sleep 1000'",
            "--log-output",
            "log",
            wrapper=wrapper,
            up=False,
        )
        self.assertEqual(daemon.log.rest(), [])
        daemon.connect()
        daemon.wire.events.next("start")
        (pid,) = daemon.wire.pids("a")
        for fd in range(3):
            self.assertEqual(os.readlink(f"/proc/{pid}/fd/{fd}"), "/dev/null")
            self.assertEqual(os.readlink(f"/proc/{daemon.pid}/fd/{fd}"), "/dev/null")
        daemon.signal(signal.SIGTERM)
        daemon.ended()

    def test_a_file_without_a_circus_section(self) -> None:
        path = folder(self) / "a.ini"
        path.write_text("[watcher:a]\ncmd = true\nuid = no-such\n")
        done = subprocess.run(
            script("cvec_circusd", path), capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("[watcher:a] uid: there is no user no-such", done.stderr)


if __name__ == "__main__":
    unittest.main()
