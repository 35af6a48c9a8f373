"""--daemon: the messages to the launching shell, and the daemon afterwards."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import unittest
from pathlib import Path

from tests.support.background import Background
from tests.support.daemon import BIN, DaemonCase, folder
from tests.support.eventually import eventually

TEXT = """
[watcher:a]
cmd = sh -c "cat relative; exec sleep 1000"
stdout_stream.filename = told
"""


def files(pid: int) -> list[str]:
    """What the standard files of a process are."""
    return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)]


class TestUp(DaemonCase):
    """It comes up, and the command that started it returns when it has."""

    def test_what_it_is_then(self) -> None:
        daemon = Background(self, TEXT)
        daemon.path("relative").write_text("found\n")
        left, theirs = os.pipe()
        self.addCleanup(os.close, left)
        daemon.up("--log-output", "log", pass_fds=[theirs])
        os.close(theirs)
        self.assertEqual(os.read(left, 1), b"", "a file of the shell's is still open")
        pid = daemon.pid
        self.assertEqual(daemon.wire.call("ping")["pid"], pid)
        self.assertIn(" is up: ", daemon.path("log").read_text())
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        session, terminal = int(stat[3]), int(stat[4])
        self.assertNotIn(session, (pid, os.getsid(0)))
        self.assertEqual(terminal, 0)
        self.assertEqual(files(pid), [os.devnull] * 3)
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), os.path.realpath(daemon.folder))
        told = daemon.path("told")
        self.assertTrue(eventually(lambda: told.exists() and told.read_text() == "found\n"))
        (child,) = daemon.wire.pids("a")
        self.assertEqual(files(child)[2], os.devnull)
        daemon.ended()

    def test_what_is_said_until_then(self) -> None:
        daemon = Background(self, "[watcher:a]\ncmd = sleep 1000\nsignleton = True\n")
        done = daemon.start()
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 3, done.stderr)
        self.assertIn("did you mean singleton?", lines[0])
        self.assertIn("this log is lost in the background", lines[1])
        self.assertIn(" is up: ", lines[2])

    def test_closed_standard_files(self) -> None:
        daemon = Background(self, TEXT)
        daemon.path("relative").write_text("found\n")
        daemon.up("--log-output", "log", wrapper=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
        self.assertEqual(files(daemon.pid), [os.devnull] * 3)
        daemon.ended()


class TestNotUp(DaemonCase):
    """It does not come up, and the command that started it says why."""

    def refuses(self, daemon: Background, *arguments: object, says: str) -> None:
        done = daemon.start(*arguments)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        (line,) = done.stderr.splitlines()
        self.assertTrue(line.startswith("error: "), line)
        self.assertIn(says, line)

    def test_a_broken_configuration(self) -> None:
        daemon = Background(self, circus="warmup_delay = long")
        self.refuses(daemon, says="warmup_delay: 'long' is not a time: write 30, 30s, 5m or 1h")
        self.refuses(daemon, "--log-output", "no/such/log", says="warmup_delay")

    def test_a_log_that_cannot_be_opened(self) -> None:
        self.refuses(Background(self), "--log-output", "no/log", says="no/log: No such file")

    def test_a_port_in_use(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            daemon = Background(self, f"[socket:web]\nhost = 127.0.0.1\nport = {port}\n")
            says = f"[socket:web] port: cannot listen on 127.0.0.1:{port}: Address already"
            self.refuses(daemon, "--log-output", "log", says=says)
        self.assertFalse(daemon.path("pid").exists())

    def test_one_that_runs_already(self) -> None:
        daemon = Background(self).up("--log-output", "log")
        pid = daemon.pid
        self.refuses(daemon, "--log-output", "log", says=f"already running with pid {pid}")
        self.assertEqual(daemon.pid, pid)
        daemon.ended()

    def test_the_demonstration(self) -> None:
        done = Background(self).start("--demo")
        self.assertEqual((done.returncode, done.stdout), (2, ""))


PROGRAM = """
import json, os, sys, threading
sys.path.insert(0, sys.argv[1])
from cvec_circus import exc
{body}
told = {"pid": os.getpid(), "sid": os.getsid(0), "cwd": os.getcwd(), "modules": list(sys.modules),
        "files": [os.readlink(f"/proc/self/fd/{fd}") for fd in range(3)]}
with open("draft", "w") as file:
    json.dump(told, file)
os.rename("draft", "told")
"""


class TestDaemonize(DaemonCase):
    """`cvec_circus.circusd.daemonize`, for programs of others."""

    def run_program(self, body: str) -> tuple[Path, subprocess.CompletedProcess[str]]:
        place = folder(self)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.replace("{body}", body), str(BIN.parent)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=place,
            check=False,
        )
        return place / "told", done

    def test_it(self) -> None:
        path, done = self.run_program(
            "from cvec_circus.circusd import daemonize\n"
            "print('before')\ndaemonize()\nprint('after')"
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "before\n", ""))
        self.assertTrue(eventually(path.exists))
        told = json.loads(path.read_text())
        self.assertEqual(told["files"], [os.devnull] * 3)
        self.assertEqual(told["cwd"], os.path.realpath(path.parent))
        self.assertNotIn(told["sid"], (told["pid"], os.getsid(0)))
        self.assertNotIn("zmq", told["modules"])

    def test_what_a_program_says_before_it_is_up(self) -> None:
        _, done = self.run_program(
            "from cvec_circus.system import daemonize\ndaemonize.detach()\n"
            "raise ValueError('for everybody to see')"
        )
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertTrue(done.stderr.endswith("ValueError: for everybody to see\n"), done.stderr)

    def test_a_program_that_ends_without_a_word(self) -> None:
        path, done = self.run_program(
            "from cvec_circus.system import daemonize\ndaemonize.detach('it: ')\nos._exit(0)"
        )
        expected = (1, "it: the daemon ended during its start without a message\n")
        self.assertEqual((done.returncode, done.stderr), expected)
        self.assertFalse(path.exists())

    def test_not_with_threads(self) -> None:
        _, done = self.run_program(
            "from cvec_circus.circusd import daemonize\n"
            "thread = threading.Timer(60, print)\nthread.start()\n"
            "try:\n    daemonize()\nfinally:\n    thread.cancel()"
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("CircusError: cannot go to the background: this process has", done.stderr)


if __name__ == "__main__":
    unittest.main()
