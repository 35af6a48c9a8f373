"""Checks by programs: `exec:COMMAND`."""

from __future__ import annotations

import os
import signal
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cvec_circus import logger
from cvec_circus.base.clock import SYSTEM
from cvec_circus.supervisor.ending import reaper
from cvec_circus.supervisor.probing import probe_programs
from cvec_circus.system import accounts, exits
from tests.supervisor.probing.test_probes import FAST
from tests.support.daemon import alive
from tests.support.probing import ProbeCase, Program


class ExecTest(ProbeCase):
    def check(self, command: str, **more: Any) -> Program:
        return Program(**{"ready.a": f"exec:{command}", **FAST, **more})

    def test_exit_codes(self) -> None:
        for command, said in (
            ("true", ""),
            ("sh -c 'echo fine'", ""),
            ("false", "exit code 1"),
            ("sh -c 'echo one; echo two >&2; echo; exit 3'", "exit code 3: two"),
            ("sh -c 'kill -9 $$$$'", "killed by SIGKILL"),
            ("/no/such/program", "cannot run /no/such/program: No such file or directory"),
        ):
            with self.subTest(command):
                command = command.replace("$$$$", "$$")
                watcher = self.check(command)
                process = self.start(watcher)
                self.until(lambda: self.state(process, "a") != "not yet")  # noqa: B023
                self.assertEqual(self.desk.unmet(process), f"check a: {said}" if said else "")
                self.desk.release(watcher, process)

    def test_what_it_gets(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            script = (
                'test "$1 $2" = "$CVEC_CIRCUS_WID $CVEC_CIRCUS_PID" && test "$MINE" = "a b"'
                ' && test "$PWD" = "$3" && test "$4" = "x y" && test "$CVEC_CIRCUS_WATCHER" = web'
                " && test $# = 4"
            )
            command = f"sh -c '{script}' sh $(circus.wid) $(circus.pid) $(circus.working_dir)"
            watcher = self.check(
                f"{command} $(circus.mine)",
                working_dir=os.path.realpath(folder),
                env={"MINE": "a b"},
                **{"mine.x": "y"},
            )
            watcher.options = watcher.options.replace({"mine": "x y"})
            self.probe(watcher, wid=7)
        self.assertEqual(self.probed, [(7, False, "")])

    def test_one_that_hangs_is_killed_with_its_group(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pids")
            script = f"sleep 1000 & echo $! $$ > {path}.new; mv {path}.new {path}; echo busy; wait"
            options = {"live.a": f"exec:sh -c '{script}'", "live_timeout": 0.3}
            watcher = Program(**options, live_interval=1000, live_failures=1)
            process = self.start(watcher)
            self.desk.proved(watcher, process)
            self.until(lambda: self.probed)
            said = "live check a failed: no exit within 0.3 s, so it was killed; it said: busy"
            self.assertEqual(self.probed, [(1, True, said)])
            pids = [int(word) for word in path.read_text().split()]
        self.until(lambda: not any(map(alive, pids)))

    def test_what_it_leaves_in_its_group_is_killed(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pid")
            watcher = self.check(f"sh -c 'sleep 1000 & echo $! > {path}'", ready_interval=1000)
            self.probe(watcher)
            self.assertEqual(self.probed, [(1, False, "")])
            pid = int(path.read_text())
        self.until(lambda: not alive(pid))

    def test_one_that_writes_without_end(self) -> None:
        process = self.start(self.check("yes", ready_interval=1000))
        self.until(lambda: self.state(process, "a") == "fails")
        self.assertEqual(
            self.desk.unmet(process), "check a: it wrote more than 1 MiB and was killed"
        )

    def test_the_release_kills_it(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pid")
            watcher = self.check(f"sh -c 'echo $$ > {path}.new; mv {path}.new {path}; sleep 1000'")
            process = self.start(watcher)
            self.until(path.exists)
            pid = int(path.read_text())
            self.release(watcher, process)
            self.until(lambda: not alive(pid))
        self.assertEqual(self.probed, [])

    def test_the_end_of_the_daemon_kills_it(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pid")
            watcher = self.check(f"sh -c 'echo $$ > {path}.new; mv {path}.new {path}; sleep 1000'")
            self.start(watcher)
            self.until(path.exists)
            pid = int(path.read_text())
            self.desk.close()
            self.assertFalse(alive(pid))

    def test_many_at_a_time(self) -> None:
        checks = {f"ready.a{number}": "exec:true" for number in range(50)}
        self.probe(Program(**checks, ready_interval=1000))
        self.assertEqual(self.probed, [(1, False, "")])

    def test_those_that_hang_hold_up_no_other_watcher(self) -> None:
        hanging = {f"ready.a{number}": "exec:sleep 1000" for number in range(50)}
        for name in ("web", "worker"):
            process = self.start(Program(name, **hanging, ready_interval=1000))
            self.addCleanup(self.desk.release, None, process)
        programs = self.desk._runs_with.programs
        self.until(lambda: len(programs._running) == 2 * probe_programs.MOST_OF_ONE)
        self.probe(Program("other", **{"ready.a": "exec:true", "ready_interval": 1000}), wid=2)
        self.assertEqual(self.probed, [(2, False, "")])
        self.assertEqual(len(programs._running), 2 * probe_programs.MOST_OF_ONE)
        self.desk.close()
        self.assertEqual((dict(programs._waiting), self.reaper._attended), ({}, {}))

    def test_no_orphan_of_ours_is_taken_from_us(self) -> None:
        watcher = self.check("sh -c 'sleep 0.1; exit 3'")
        process = self.start(watcher)
        self.until(lambda: self.reaper._attended)
        while self.state(process, "a") == "not yet":
            self.signals._finder.look(lambda: None)
            self.signals._finder.new_batch()
            self.until(lambda: True)
        self.assertEqual(self.desk.unmet(process), "check a: exit code 3")

    def test_what_it_leaves_is_no_riddle(self) -> None:
        watcher = self.check("sh -c 'sleep 0.01 & sleep 0.02 & exit 0'")
        with self.assertLogs("cvec_circus", "WARNING") as logs:
            self.start(watcher)
            for _ in range(20):
                ended = self.reaper._families.attended.copy()
                self.until(lambda: len(self.reaper._families.attended) > len(ended))  # noqa: B023
                self.signals._finder.new_batch()
                self.signals._finder.look(lambda: None)
            logger.warning("the end")
        self.assertEqual([line for line in logs.output if "unknown" in line], [])

    def test_what_leaves_its_session_is_a_stray_of_the_slot(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pid")
            leaves = f'setsid sh -c "echo \\$\\$ > {path}; exec sleep 1000" &'
            script = f"{leaves} until test -s {path}; do :; done"
            watcher = self.check(f"sh -c '{script}'", ready_interval=1000)
            process = self.probe(watcher)
            pid = int(path.read_text())
        self.release(watcher, process)
        self.stop(process)
        self.until(lambda: self.is_over(process))
        self.assertEqual([one.pid for one in self.strays["web"]], [pid])

    def test_what_leaves_its_session_at_each_run_is_bounded(self) -> None:
        """No other run before they have ended; and that is no failure of what is checked."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "pids")
            leaves = f'setsid sh -c "echo \\$\\$ >> {path}; exec sleep 1000" &'
            count = f"$(wc -l < {path})"
            script = f"n={count}; {leaves} until test {count} -gt $n; do :; done"
            path.touch()
            watcher = self.check(f"sh -c '{script}; exit 1'")
            with self.assertLogs("cvec_circus", "WARNING") as logs:
                process = self.start(watcher)
                self.until(lambda: "left" in self.row(process, "a")["answer"])
                said = self.row(process, "a")
                deadline = SYSTEM.monotonic() + 1.0
                self.until(lambda: SYSTEM.monotonic() > deadline)
            pids = [int(line) for line in path.read_text().split()]
            self.assertRegex(
                said["answer"], r"^cannot check: earlier runs have left \d+ processes be"
            )
            self.assertLess(len(pids), 2 * probe_programs.MOST_LEFT)
            (told,) = [line for line in logs.output if "its checks run no program" in line]
            self.assertRegex(told, r"\(sleep\) and \d+ more$")
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            self.until(lambda: len(path.read_text().split()) > len(pids))
            self.release(watcher, process)
            self.stop(process)
            self.until(lambda: self.is_over(process))
            for one in self.strays.get("web", ()):  # those that are not dead already
                os.kill(one.pid, signal.SIGKILL)

    def test_old_ones_are_forgotten(self) -> None:
        with mock.patch.object(reaper, "MOST_REMEMBERED", 3):
            watcher = self.check("true")
            self.start(watcher)
            seen: set[int] = set()

            def many() -> bool:
                seen.update(self.reaper._families.attended)
                return len(seen) > 9

            self.until(many)
            self.assertLessEqual(len(self.reaper._families.attended), 3)

    def test_a_shortage_of_ours_says_nothing(self) -> None:
        trouble = OSError(24, "Too many open files")
        with mock.patch.object(probe_programs, "launch", side_effect=trouble):
            process = self.start(self.check("true"))
            self.until(lambda: self.row(process, "a")["answer"])
            self.assertEqual(self.state(process, "a"), "not yet")
            self.assertIn("Too many open files", self.desk.unmet(process))
        self.until(lambda: self.probed)
        self.assertEqual(self.probed, [(1, False, "")])

    def test_its_user(self) -> None:
        if os.getuid():
            self.skipTest("only root changes users")
        accounts.look_up(65534, None)
        self.probe(self.check("sh -c 'test $(id -u) = 65534'", uid=65534))
        self.assertEqual(self.probed, [(1, False, "")])


class ExecWithoutPidfdsTest(ExecTest):
    """The same on a kernel that has no pidfds."""

    def setUp(self) -> None:
        with mock.patch.object(exits, "choose", exits.WaitThreadExitWatcher):
            super().setUp()


if __name__ == "__main__":
    unittest.main()
