"""The demonstration's programs, run for real."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import unittest
import urllib.request

from cvec_circus import demo
from tests.support.eventually import eventually

DEADLINE = 20.0


class Worker(unittest.TestCase):
    """Starts programs of the demonstration and ends them with the test."""

    def start(self, name: str, *arguments: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, str(demo.FILES / name), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            text=True,
        )
        self.addCleanup(self.end, process)
        return process

    def end(self, process: subprocess.Popen) -> None:
        process.kill()
        process.communicate(timeout=DEADLINE)


class TestWeb(Worker):
    """Workers that share a listening socket."""

    def setUp(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listening.close)
        self.port = self.listening.getsockname()[1]

    def serve(self, wid: int) -> subprocess.Popen:
        fd = self.listening.fileno()
        return self.start("web.py", str(fd), str(wid), pass_fds=(fd,))

    def get(self, path: str = "/") -> str:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            return answer.read().decode()

    def test_answers_with_pid_and_wid(self) -> None:
        worker = self.serve(3)
        self.assertEqual(self.get(), f"worker 3, pid {worker.pid}, answers\n")
        self.assertEqual(self.get("/pid"), f"{worker.pid}\n")

    def test_two_share_and_one_goes_on(self) -> None:
        first, second = self.serve(1), self.serve(2)
        answered: set[int] = set()

        def both_answered() -> bool:
            answered.add(int(self.get("/pid")))
            return answered == {first.pid, second.pid}

        self.assertTrue(eventually(both_answered, DEADLINE), answered)
        first.send_signal(signal.SIGTERM)
        self.assertEqual(first.wait(DEADLINE), 0)
        for _ in range(20):
            self.assertEqual(self.get("/pid"), f"{second.pid}\n")

    def test_ends_cleanly(self) -> None:
        worker = self.serve(1)
        self.get()
        worker.send_signal(signal.SIGTERM)
        self.assertEqual(worker.wait(DEADLINE), 0)
        self.assertNotIn("Traceback", worker.stderr.read())

    def test_a_client_that_says_nothing_does_not_hold_it_up(self) -> None:
        worker = self.serve(1)
        self.get()
        with socket.create_connection(("127.0.0.1", self.port)):
            self.get()
            worker.send_signal(signal.SIGTERM)
            self.assertEqual(worker.wait(DEADLINE), 0)


class TestTick(Worker):
    """The worker that prints."""

    def test_ticks_until_the_signal(self) -> None:
        worker = self.start("tick.py")
        self.assertEqual(worker.stdout.readline(), f"tick 1 of pid {worker.pid}\n")
        worker.send_signal(signal.SIGTERM)
        self.assertEqual(worker.stdout.readline(), "SIGTERM after 1 ticks\n")
        self.assertEqual(worker.wait(DEADLINE), 0)

    def test_a_line_a_second(self) -> None:
        worker = self.start("tick.py")
        worker.stdout.readline()
        self.assertEqual(worker.stdout.readline(), f"tick 2 of pid {worker.pid}\n")


class TestLogger(unittest.TestCase):
    """The file of the plugin."""

    def test_imports_nothing_else(self) -> None:
        text = (demo.FILES / "logger.py").read_text(encoding="utf-8")
        imports = [line for line in text.splitlines() if "import" in line]
        self.assertEqual(imports, ["from cvec_circus.plugins import CircusPlugin"])


if __name__ == "__main__":
    unittest.main()
