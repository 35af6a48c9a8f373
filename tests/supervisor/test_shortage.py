"""What the system is short of, and has again a moment later."""

from __future__ import annotations

import errno
import os
import signal
import threading
import unittest
from typing import Any
from unittest import mock

from cvec_circus.supervisor import launcher
from cvec_circus.system import exits, proctable
from tests.support.daemon import alive, marked
from tests.support.embedded import EmbeddedCase
from tests.support.eventually import eventually
from tests.support.hurry import hurry

SLEEP = {"name": "a", "cmd": "sleep 1000"}


def failing(times: int, number: int, real: Any, in_python: bool = False) -> Any:
    """Make a function that raises that OSError so many times, and then does as `real`.

    With `in_python` it is a MemoryError instead.
    """
    left = [times]

    def call(*args: Any) -> Any:
        if left[0]:
            left[0] -= 1
            if in_python:
                raise MemoryError
            raise OSError(number, os.strerror(number))
        return real(*args)

    return call


class TestSpawning(EmbeddedCase):
    """What may be there again is tried again, however often; max_retry does not count it."""

    def test_no_process(self) -> None:
        for number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
            with (
                self.subTest(number),
                mock.patch.object(launcher, "launch", failing(3, number, launcher.launch)),
            ):
                self.arbit({**SLEEP, "max_retry": 2, "backoff_max": 0.05})
                self.events.next("spawn")
                self.assertEqual(self.events.of("giveup"), [])
                self.arbiter.stop()

    def test_a_process_that_cannot_be_watched(self) -> None:
        # It must not run: nobody would know of its end.
        watched: list[int] = []
        real = exits.ExitWatcher.add
        refuse = failing(3, errno.EMFILE, real)

        def add(watcher: Any, pid: int, start_time: int | None = None) -> bool:
            watched.append(pid)
            return refuse(watcher, pid, start_time)

        with mock.patch.object(exits.ExitWatcher, "add", add):
            self.arbit({**SLEEP, "max_retry": 1, "backoff_max": 0.05})
            spawned = self.events.next("spawn")["process_pid"]
        self.assertEqual(len(watched), 4)
        self.assertEqual([pid for pid in watched if alive(pid)], [spawned])
        self.assertEqual(len(self.events.of("spawn")), 1)


class TestStrays(EmbeddedCase):
    """Strays that cannot be found, or watched, are looked for again."""

    def stop_with_a_stray(self) -> None:
        text = "setsid sleep 7771 & exec sleep 7772"
        self.arbit({"name": "a", "cmd": "sh", "args": ["-c", text], "strays": "kill"})
        self.events.next("spawn")
        self.assertTrue(eventually(lambda: len(marked(self.run_id)) == 2))
        self.wire.order("stop", name="a")
        self.assertTrue(eventually(lambda: marked(self.run_id) == []))

    def test_proc_cannot_be_read(self) -> None:
        broken = failing(2, errno.EMFILE, proctable.rows)
        with mock.patch.object(proctable, "rows", broken):
            self.stop_with_a_stray()

    def test_no_memory_for_the_process_table(self) -> None:
        with mock.patch.object(proctable, "rows", failing(2, errno.ENOMEM, proctable.rows, True)):
            self.stop_with_a_stray()

    def test_a_stray_cannot_be_watched(self) -> None:
        real = exits.ExitWatcher.add
        refuse = failing(2, errno.EMFILE, real)

        def add(watcher: Any, pid: int, start_time: int | None = None) -> bool:
            if start_time is None:
                return real(watcher, pid)
            return refuse(watcher, pid, start_time)

        with mock.patch.object(exits.ExitWatcher, "add", add):
            self.stop_with_a_stray()


class TestThreads(EmbeddedCase):
    """A thread that cannot be started is started later; nothing is lost by it."""

    def without(self, name: str, times: int) -> Any:
        """Have the system refuse the threads of that name so many times."""
        real = threading.Thread.start
        left = [times]

        def start(thread: threading.Thread) -> None:
            if thread.name == name and left[0]:
                left[0] -= 1
                raise RuntimeError("can't start new thread")
            real(thread)

        return mock.patch.object(threading.Thread, "start", start)

    def test_the_pump(self) -> None:
        hurry(self, {"stream.pump.RETRY_DELAY": 0.1})
        log = self.folder / "log"
        text = "echo here; exec sleep 1000"
        with self.without("pump", 2), self.assertLogs("cvec_circus", "WARNING") as logs:
            self.arbit(
                {"name": "a", "cmd": "sh", "args": ["-c", text], "stdout_stream.filename": str(log)}
            )
            self.events.next("start", watcher="a")
            [pid] = self.wire.pids("a")
            self.assertTrue(eventually(lambda: log.exists() and log.read_text() == "here\n"))
        self.assertEqual(self.wire.pids("a"), [pid])
        said = "no thread to read output now: can't start new thread; it waits in its pipes"
        self.assertIn(said, "\n".join(logs.output))

    def test_the_pump_for_ever(self) -> None:
        with self.without("pump", 1000):
            self.arbit({**SLEEP, "stdout_stream.filename": str(self.folder / "log")})
            self.wire.order("stop", name="a")
            self.arbiter.stop()

    def test_the_process_table(self) -> None:
        self.arbit(
            {"name": "a", **self.program("levels", "exit", "ignore"), "graceful_timeout": 0.2}
        )
        leader, child = (int(self.lines.until("level")) for _ in range(2))
        self.lines.until("ready")
        with self.without("process table", 2):
            os.kill(leader, signal.SIGKILL)
            self.wire.order("stop", name="a")
        self.assertFalse(alive(child))

    def test_the_sampler(self) -> None:
        with self.without("sampling", 1), self.assertLogs("cvec_circus", "WARNING") as logs:
            self.arbit(SLEEP)
            self.wire.call("stats", name="a")
        self.assertIn("no thread for sampling yet", "\n".join(logs.output))


if __name__ == "__main__":
    unittest.main()
