"""A process on its own."""

from __future__ import annotations

import os
import pwd
import signal
import threading
import unittest
from typing import Any

from cvec_circus import exc
from cvec_circus.process import DEAD_OR_ZOMBIE, RUNNING, UNEXISTING, Process
from tests.support import children
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase


class TestProcess(LeakCheckedTestCase):
    def process(self, *args: Any, **options: Any) -> Process:
        process = Process(*args, **options)
        self.addCleanup(process.stop)
        return process

    def test_by_name_and_command(self) -> None:
        process = self.process("Sleep", "sleep 1000")
        self.assertEqual((process.name, process.wid), ("Sleep", 1))
        self.assertGreater(process.pid, 1)
        self.assertLess(process.age(), 100)
        self.assertEqual(process.status, RUNNING)
        # Amid its exec it has no command line.
        self.assertTrue(eventually(lambda: process.info()["cmdline"] != "N/A"))
        info = process.info()
        self.assertEqual((info["cmdline"], info["pid"], info["wid"]), ("sleep", process.pid, 1))
        self.assertEqual((process.children(), process.is_child(1)), ([], False))
        self.assertEqual(process.stop(), -signal.SIGTERM)
        self.assertEqual((process.status, process.info(), process.children()), (UNEXISTING, {}, []))
        self.assertEqual(process.returncode, -signal.SIGTERM)
        process.send_signal("KILL")  # which is nobody's business any more
        self.assertEqual(process.stop(), -signal.SIGTERM)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become another user")
    def test_another_user(self) -> None:
        nobody = pwd.getpwnam("nobody")
        process = self.process("Sleep", 1, "sleep 1000", uid="nobody")
        self.assertEqual(os.stat(f"/proc/{process.pid}").st_uid, nobody.pw_uid)
        with self.assertRaisesRegex(exc.OptionError, "gid: there is no group no-such"):
            self.process("Sleep", 1, "sleep 1000", gid="no-such")

    def test_as_watchers_make_them(self) -> None:
        process = self.process(
            "w", 3, "echo $(circus.wid)", args=["$(circus.env.X)"], env={"X": "a b"}
        )
        assert process.stdout is not None
        self.assertEqual(process.stdout.read(), b"3 a b\n")
        self.assertEqual(process.wait(20), 0)

    def test_a_name_as_its_number(self) -> None:
        process = self.process("w", "blue", "echo $(circus.wid)")
        assert process.stdout is not None
        self.assertEqual((process.wid, process.stdout.read()), ("blue", b"blue\n"))

    def test_shell(self) -> None:
        process = self.process("w", 1, "exit 3", shell=True)
        self.assertEqual(process.wait(20), 3)

    def test_its_end_is_seen_before_it_is_noted(self) -> None:
        process = self.process("w", "true")
        self.assertTrue(eventually(lambda: process.status == DEAD_OR_ZOMBIE))
        self.assertIsNone(process.returncode)
        self.assertEqual(process.poll(), 0)
        self.assertEqual((process.status, process.returncode), (UNEXISTING, 0))

    def test_one_that_does_not_end(self) -> None:
        argv = children.command("wait", "ignore", "TERM")
        process = self.process("w", 1, argv[0], argv[1:])
        assert process.stdout is not None
        self.assertTrue(process.stdout.readline().startswith(b"ready"))
        with self.assertRaisesRegex(TimeoutError, "has not ended within 0.01 s"):
            process.wait(0.01)
        self.assertEqual(process.stop(0.05), -signal.SIGKILL)
        self.assertTrue(process.stdout.closed)

    def test_output_that_goes_nowhere_reads_as_empty(self) -> None:
        with Process("a", 1, "echo x", close_child_stdout=True) as first:
            self.assertEqual(first.stdout.read(), b"")
            with Process("b", 1, "echo y") as second:
                self.assertEqual(second.stdout.read(), b"y\n")
                self.assertEqual(sorted([second, first]), [first, second])

    def test_not_started_yet(self) -> None:
        process = self.process("w", 1, "sleep 1000", spawn=False, pipe_stdout=False)
        self.assertEqual((process.pid, process.status, process.poll()), (0, UNEXISTING, None))
        self.assertEqual((process.wait(), process.stop(), process.info()), (None, None, {}))
        process.spawn()
        pid = process.pid
        process.spawn()
        self.assertEqual((process.pid, process.stdout), (pid, None))

    def test_one_that_cannot_be_started(self) -> None:
        with self.assertRaisesRegex(OSError, "/no/such/program"):
            Process("w", "/no/such/program")
        with self.assertRaises(exc.OptionError):
            Process("w", 1, "true", close_child_stdin="perhaps")  # type: ignore[arg-type]

    def test_children(self) -> None:
        process = self.process("w", 1, "sh", ["-c", "sleep 1000 & sleep 999 & wait"])
        self.assertTrue(eventually(lambda: len(process.children(recursive=True)) == 2))
        first, _ = process.children()
        process.send_signal_child(first, "KILL")
        self.assertTrue(eventually(lambda: len(process.children()) == 1))
        with self.assertRaises(ProcessLookupError):
            process.send_signal_child(1, "HUP")
        process.send_signal_children(signal.SIGKILL)
        self.assertEqual(process.wait(20), 0)

    def test_used_by_many_threads(self) -> None:
        with Process("w", "sleep 1000") as process:
            codes: list[Any] = []

            def use() -> None:
                process.info()
                process.send_signal("TERM")
                codes.append(process.wait(20))

            threads = [threading.Thread(target=use) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(codes, [-15] * 8)


if __name__ == "__main__":
    unittest.main()
