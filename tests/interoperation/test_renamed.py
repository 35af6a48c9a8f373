"""AiiDA and BentoML from PyPI, with our package under the name `circus`.

They take minutes and the network, so they run only with CVEC_CIRCUS_NIGHTLY=1.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.nightly import NIGHTLY

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 300.0
INSTALL_TIMEOUT = 1200.0
"""Seconds for pip, which fetches a hundred packages and builds some."""

MARK = "CIRCUS_TEST_RENAMED"

JOB = """
import time
from aiida import engine, load_profile, orm

load_profile()
code = orm.InstalledCode(
    label="add",
    computer=orm.load_computer("localhost"),
    filepath_executable="/bin/bash",
    default_calc_job_plugin="core.arithmetic.add",
).store()
builder = code.get_builder()
builder.x, builder.y = orm.Int(3), orm.Int(4)
node = engine.submit(builder)
deadline = time.monotonic() + 200
while not node.is_terminated and time.monotonic() < deadline:
    time.sleep(0.2)
print("sum", node.outputs.sum.value if node.is_finished_ok else node.process_state)
"""

SERVICE = """
import os
import bentoml


@bentoml.service(workers=2)
class Echo:
    @bentoml.api
    def pid(self) -> int:
        return {}
"""


@unittest.skipUnless(NIGHTLY, "takes minutes and the network: CVEC_CIRCUS_NIGHTLY=1 runs it")
class RenamedCase(unittest.TestCase):
    """Has a program of the public, in an environment of its own where `circus` is ours.

    Attributes:
        package: What to install from PyPI.
        brings: What comes with it and has a module `circus`.
    """

    package = ""
    brings = ""

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.bin = cls.folder / "venv" / "bin"
        cls.run_it(sys.executable, "-m", "venv", str(cls.folder / "venv"))
        pip = (str(cls.bin / "python"), "-m", "pip", "--quiet")
        cls.run_it(*pip, "install", cls.package)
        cls.run_it(*pip, "uninstall", "--yes", cls.brings)
        cls.run_it(*pip, "install", str(ROOT), str(ROOT / "alias"))

    @staticmethod
    def run_it(*argv: str) -> None:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=INSTALL_TIMEOUT, check=False
        )
        if done.returncode:
            raise AssertionError(f"{argv}:\n{done.stdout}\n{done.stderr}")

    def setUp(self) -> None:
        self.mark = os.urandom(8).hex()
        self.environ = {**os.environ, MARK: self.mark, "PATH": f"{self.bin}:{os.environ['PATH']}"}
        self.environ.pop("PYTHONPATH", None)
        self.work = self.folder / self.mark
        self.work.mkdir()
        self.addCleanup(self.kill_rest)

    def kill_rest(self) -> None:
        for pid in self.running():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def running(self) -> list[int]:
        """List the processes that have come of this test, but for zombies."""
        mark, found = f"{MARK}={self.mark}\0".encode(), []
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{name}/environ").read_bytes():
                    found.append(int(name))
        return found

    def call(self, *argv: str) -> str:
        done = subprocess.run(
            argv,
            cwd=self.work,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        self.assertEqual(done.returncode, 0, f"{argv}:\n{done.stdout}")
        return done.stdout


class TestAiida(RenamedCase):
    package, brings = "aiida-core==2.9.*", "circus"

    def setUp(self) -> None:
        super().setUp()
        self.environ["AIIDA_PATH"] = str(self.work)
        self.verdi("presto", "--profile-name", "test")
        self.verdi("config", "set", "daemon.timeout", "120")  # on a machine that is busy

    def verdi(self, *words: str) -> str:
        return self.call(str(self.bin / "verdi"), *words)

    def workers(self) -> int:
        """Ask for the number of workers."""
        shown = self.verdi("daemon", "status")
        return int(shown.partition("Active workers [")[2].partition("]")[0])

    def daemon(self) -> int:
        """Return the pid of the daemon."""
        shown = self.verdi("daemon", "status")
        return int(shown.partition("running as PID ")[2].split()[0])

    def test_its_daemon(self) -> None:
        self.verdi("daemon", "start")
        self.assertEqual(self.workers(), 1)
        self.verdi("daemon", "incr", "1")
        self.assertTrue(eventually(lambda: self.workers() == 2, TIMEOUT))
        self.verdi("daemon", "decr", "1")
        self.assertTrue(eventually(lambda: self.workers() == 1, TIMEOUT))
        before = self.daemon()
        self.verdi("daemon", "restart")
        self.assertTrue(eventually(lambda: self.workers() == 1, TIMEOUT))
        self.assertNotEqual(self.daemon(), before)
        self.assertIn("sum 7", self.call(str(self.bin / "python"), "-c", JOB))
        self.verdi("daemon", "stop")
        self.assertTrue(eventually(lambda: not self.running(), TIMEOUT), self.running())

    def test_sigterm(self) -> None:
        self.verdi("daemon", "start", "2")
        self.assertEqual(self.workers(), 2)
        self.assertGreater(len(self.running()), 3)
        os.kill(self.daemon(), signal.SIGTERM)
        self.assertTrue(eventually(lambda: not self.running(), TIMEOUT), self.running())


class TestBentoml(RenamedCase):
    package, brings = "bentoml==1.4.*", "kantoku"

    def setUp(self) -> None:
        super().setUp()
        self.environ.update(BENTOML_DO_NOT_TRACK="True", BENTOML_HOME=str(self.folder / "bentos"))
        (self.work / "service.py").write_text(SERVICE.format("os.getpid()"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def serve(self, *switches: str) -> subprocess.Popen[bytes]:
        serving = subprocess.Popen(
            [
                str(self.bin / "bentoml"),
                "serve",
                "service:Echo",
                "--port",
                str(self.port),
                *switches,
            ],
            cwd=self.work,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(serving.wait, TIMEOUT)
        self.addCleanup(serving.kill)
        return serving

    def ask(self) -> int:
        """Return what a worker answers; 0 if none does."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/pid", b"{}", {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return int(json.load(reply))
        except OSError:
            return 0

    def end(self, serving: subprocess.Popen[bytes]) -> None:
        serving.send_signal(signal.SIGTERM)
        self.assertEqual(serving.wait(TIMEOUT), 0)
        self.assertEqual(self.running(), [])

    def test_two_workers(self) -> None:
        serving = self.serve()
        pids: set[int] = set()

        def both_answer() -> bool:
            pids.add(self.ask())
            return len(pids - {0}) == 2

        self.assertTrue(eventually(both_answer, TIMEOUT))
        self.end(serving)

    def test_reload(self) -> None:
        serving = self.serve("--reload")
        self.assertTrue(eventually(self.ask, TIMEOUT))
        (self.work / "service.py").write_text(SERVICE.format("-7"))
        self.assertTrue(eventually(lambda: self.ask() == -7, TIMEOUT))
        self.end(serving)


if __name__ == "__main__":
    unittest.main()
