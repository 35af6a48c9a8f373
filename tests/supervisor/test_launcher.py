"""The launcher by itself, with real children: what it hands to whom, and what it keeps."""

from __future__ import annotations

import errno
import os
import select
import signal
import unittest
from contextlib import contextmanager
from typing import Any
from unittest import mock

from cvec_circus.base.readers import Readers
from cvec_circus.core.watcher import PROGRAM
from cvec_circus.options.stream import is_captured
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.managed import CircusSocket
from cvec_circus.sockets.registry import Loan, SocketRegistry
from cvec_circus.supervisor import launcher as desk
from cvec_circus.supervisor import launching
from cvec_circus.supervisor.ending.cgroups import Cgroups
from cvec_circus.supervisor.helpers import Extra
from cvec_circus.supervisor.launcher import Launcher, Reports
from cvec_circus.supervisor.launching import MOST_KEPT, Templates
from cvec_circus.supervisor.probing.probes import Given
from cvec_circus.supervisor.survival.bookkeeper import Bookkeeper
from cvec_circus.system import files
from cvec_circus.system.launch import LaunchError
from tests.support.children import TIMEOUT
from tests.support.eventually import eventually
from tests.support.leaks import children
from tests.support.loops import LoopTestCase


class Slot:
    """What the launcher sees of a process."""

    def __init__(self, wid: int = 1) -> None:
        self.name = "web"
        self.wid = wid


class Program:
    """What the launcher sees of a watcher."""

    kind = PROGRAM
    name = "web"

    def __init__(self, **options: Any) -> None:
        self.set(**options)

    def set(self, **options: Any) -> None:
        self.given = options
        given = WATCHER_OPTIONS.convert({"copy_env": True, **options})
        self.options = WATCHER_OPTIONS.complete(given)


class LauncherCase(LoopTestCase):
    """Stands for all that the launcher works with."""

    def setUp(self) -> None:
        super().setUp()
        self.sockets = SocketRegistry()
        self.addCleanup(self.sockets.close_all)
        self.given: dict[str, int] = {}
        self.watched: list[int] = []
        self.taken_away: frozenset[str] = frozenset()
        self.extra = Extra({})
        self.readers = Readers(self.loop)
        self.reports = Reports(self.readers)
        self.launcher: Any = Launcher(
            self.loop,
            Templates("run7", lambda watcher: self.withheld(watcher)),  # type: ignore[arg-type]
            self.sockets,
            Outputs(self),
            self,
            self,
            Checks(),
            self.reports,
            Cgroups("there are none"),
            Bookkeeper(),
        )
        self.addCleanup(self.close)

    def close(self) -> None:
        self.launcher.close()
        self.loop.close()
        self.reports.close()
        self.readers.close()
        for fd in self.given.values():
            os.close(fd)
        for pid in self.watched:
            os.waitpid(pid, 0)

    def add(self, watcher: Program, process: Slot, pid: int) -> None:
        self.watched.append(pid)

    def withheld(self, watcher: Program) -> frozenset[str]:
        return self.taken_away

    @contextmanager
    def prepare(self, watcher: Program, process: Slot) -> Any:
        yield self.extra

    def says(self, watcher: Program, wid: int = 1) -> str:
        """Start a process whose output is captured; return all that it writes."""
        self.launcher.spawn(watcher, Slot(wid))
        with open(self.given.pop("stdout"), "rb") as file:
            return file.read().decode()


class Checks:
    """Stands for the desk of probes."""

    given = Given()

    @contextmanager
    def prepare(self, watcher: Program, process: Slot) -> Any:
        yield self.given


class Outputs:
    """Takes the read ends of pipes."""

    def __init__(self, case: LauncherCase) -> None:
        self.case = case

    def is_captured(self, watcher: Program, channel: str) -> bool:
        return is_captured(watcher.options, channel)

    def add(
        self, watcher: Program, process: Slot, name: str, fd: int, pid: int, sought: Any
    ) -> None:
        self.case.given[name] = fd


def shell(script: str, **options: Any) -> Program:
    """A watcher of a shell whose output is captured."""
    args = ["-c", script]
    return Program(cmd="/bin/sh", args=args, **{"stdout_stream.class": "StdoutStream", **options})


class SpawnTest(LauncherCase):
    def test_what_goes_where(self) -> None:
        slot = Slot(3)
        pid = self.launcher.spawn(shell("echo $$ $CVEC_CIRCUS_MARK"), slot)
        self.assertEqual(self.watched, [pid])
        self.assertEqual(set(self.given), {"stdout"})
        with open(self.given.pop("stdout")) as file:
            self.assertEqual(file.read(), f"{pid} run7:web:3\n")

    def test_what_a_helper_gets(self) -> None:
        self.extra = Extra({"GIVEN": "this"})
        self.assertEqual(self.says(shell("echo $GIVEN")), "this\n")

    def test_the_last_files_are_kept_back(self) -> None:
        with mock.patch.object(files, "has_room", return_value=False):
            with self.assertRaisesRegex(LaunchError, "cannot start a process: Too many") as caught:
                self.launcher.spawn(shell("exit"), Slot())
        self.assertEqual(caught.exception.errno, errno.EMFILE)

    def test_a_child_that_cannot_be_watched(self) -> None:
        def refuse(watcher: Program, process: Slot, pid: int) -> None:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise OSError(errno.EMFILE, "none left")

        self.add = refuse  # type: ignore[method-assign]
        for options in ({}, {"rlimit_core": 0}):
            with self.assertRaisesRegex(OSError, "none left"):
                self.launcher.spawn(shell("exec sleep 1000", **options), Slot())
        self.assertEqual((self.given, children()), ({}, {}))

    def test_a_command_that_makes_no_sense_starts_nothing(self) -> None:
        for given in ("", "'x"):
            program = Program(cmd="$(circus.mine)")
            program.options = program.options.replace({"mine": given})
            for _ in range(2):
                with self.assertRaises(ValueError):
                    self.launcher.spawn(program, Slot())

    def test_sockets(self) -> None:
        for name in ("a", "b"):
            self.sockets.add(CircusSocket(name=name, host="127.0.0.1", port=0))
        self.sockets.bind_all()
        program = shell(
            "echo $LISTEN_FDNAMES; test $LISTEN_PID = $$; readlink /proc/$$/fd/$0 /proc/$$/fd/3",
            use_sockets=True,
            listen_fds=True,
        )
        program.set(**{**program.options, "args": [*program.given["args"], "$(circus.sockets.b)"]})
        names, own, third = self.says(program).split()
        self.assertEqual((names, own), ("b", third))


class TemplateTest(LauncherCase):
    """What is made once for each set of options."""

    def setUp(self) -> None:
        super().setUp()
        real = launching.environment
        patch = mock.patch.object(launching, "environment", side_effect=real)
        self.made = patch.start()
        self.addCleanup(patch.stop)

    def test_it_is_made_once(self) -> None:
        program = shell("echo $(circus.wid) $CVEC_CIRCUS_MARK ((circus.env.cvec_circus_mark))")
        for wid in (1, 2, 9):
            self.assertEqual(self.says(program, wid), f"{wid} run7:web:{wid} run7:web:{wid}\n")
        self.assertEqual(self.made.call_count, 1)

    def test_other_options(self) -> None:
        program = shell("echo $A", env={"A": "1"})
        self.assertEqual(self.says(program), "1\n")
        program.set(**{**program.given, "env": {"A": "2"}})
        self.assertEqual(self.says(program), "2\n")
        program.set(**{**program.given, "args": ["-c", "echo three"]})
        self.assertEqual(self.says(program), "three\n")
        self.assertEqual(self.made.call_count, 3)

    def test_what_a_hook_takes_away(self) -> None:
        program = shell("echo ${PATH-none}")
        with mock.patch.dict(os.environ, PATH="/bin"):
            self.assertEqual(self.says(program), "/bin\n")
            self.taken_away = frozenset({"PATH"})
            # A shell without a PATH has one of its own.
            self.assertNotEqual(self.says(program), "/bin\n")
        self.assertEqual(self.made.call_count, 2)

    def test_what_depends_on_folders_is_made_each_time(self) -> None:
        program = shell("exit", copy_path=True)
        for _ in range(2):
            self.says(program)
        self.assertEqual(self.made.call_count, 2)

    def test_it_dies_with_the_daemon(self) -> None:
        watcher: Any = shell("exit", die_with_daemon=True)
        template = Templates("run", lambda watcher: frozenset()).of(watcher)
        self.assertEqual(template.spec(1, Loan(self.sockets)).pdeathsig, signal.SIGKILL)
        self.assertEqual(template.check_spec(1, ["true"], {}).pdeathsig, 0)
        embedded = Templates("run", lambda watcher: frozenset(), is_embedded=True)
        with self.assertRaisesRegex(ValueError, "die_with_daemon: only in cvec_circusd"):
            embedded.of(watcher)

    def test_no_check_has_the_oom_score(self) -> None:
        watcher: Any = shell("exit", oom_score_adj=5)
        template = Templates("run", lambda watcher: frozenset()).of(watcher)
        self.assertEqual(template.spec(1, Loan(self.sockets)).scores, {"oom_score_adj": 5})
        self.assertEqual(template.check_spec(1, ["true"], {}).scores, {})

    def test_a_watcher_that_is_gone(self) -> None:
        program = shell("exit")
        self.says(program)
        self.launcher.forget(program)
        self.launcher.forget(program)
        self.assertEqual(self.launcher._templates._kept, {})

    def test_those_of_many_watchers_are_not_kept(self) -> None:
        templates = Templates("run", lambda watcher: frozenset())
        watchers: list[Any] = [shell("exit") for _ in range(2 * MOST_KEPT)]
        made = [templates.of(watcher) for watcher in watchers]
        self.assertIs(templates.of(watchers[-1]), made[-1])
        self.assertEqual(len(templates._kept), MOST_KEPT)

    def test_variables_of_one_process_are_not_the_next_one_s(self) -> None:
        self.extra = Extra({"GIVEN": "this"})
        program = shell("echo ${GIVEN-none}")
        self.assertEqual(self.says(program), "this\n")
        self.extra = Extra({})
        self.assertEqual(self.says(program), "none\n")


class FailureTest(LauncherCase):
    """Processes that never become their programs."""

    def end(self, slot: Slot) -> LaunchError | None:
        """Wait for the end of the last one, as the reaper does, and ask why."""
        os.waitid(os.P_PID, self.watched[-1], os.WEXITED | os.WNOWAIT)
        failure: LaunchError | None = self.reports.failure(slot)
        return failure

    def test_the_reason_is_there_when_it_has_ended(self) -> None:
        slot = Slot()
        self.launcher.spawn(Program(cmd="/no/such", rlimit_core=0), slot)
        failure = self.end(slot)
        self.assertEqual(str(failure), "cannot run /no/such: No such file or directory")
        self.assertIsNone(self.reports.failure(slot))

    def test_or_when_the_loop_has_seen_it(self) -> None:
        self.run_loop()
        slot = Slot()
        self.loop.ask(self.launcher.spawn, Program(cmd="/no/such", rlimit_core=0), slot)
        self.assertTrue(eventually(lambda: not self.loop.ask(lambda: self.reports._open)))
        self.assertIn("/no/such", str(self.end(slot)))

    def test_one_that_was_its_program_has_no_failure(self) -> None:
        slot = Slot()
        self.launcher.spawn(Program(cmd="false", rlimit_core=0), slot)
        self.assertIsNone(self.end(slot))
        self.launcher.spawn(Program(cmd="false"), slot)
        self.assertIsNone(self.end(slot))

    def test_a_remark_is_made_once(self) -> None:
        program = Program(cmd="true", rlimit_nofile="infinity")
        with self.assertLogs("cvec_circus", "WARNING") as caught:
            for _ in range(3):
                slot = Slot()
                self.launcher.spawn(program, slot)
                self.assertIsNone(self.end(slot))
        self.assertEqual(len(caught.output), 1)
        self.assertIn("web: rlimit_nofile: infinity is more than", caught.output[0])

    def test_a_report_that_the_loop_cannot_listen_to(self) -> None:
        slot = Slot()
        broken = mock.Mock(side_effect=OSError(errno.EMFILE, "Too many open files"))
        with mock.patch.object(select, "epoll", broken):
            with self.assertLogs("cvec_circus", "WARNING"):
                self.launcher.spawn(Program(cmd="/no/such", rlimit_core=0), slot)
        self.assertIn("/no/such", str(self.end(slot)))

    def test_a_hook_forks_while_it_starts(self) -> None:
        # The copy of this process has both ends of the pipe.
        self.run_loop()
        slot = Slot()
        real = desk.launch
        copies = []

        def launch(spec: Any) -> Any:
            launched = real(spec)
            copies.append(os.dup(launched.report_fd))
            return launched

        with mock.patch.object(desk, "launch", launch):
            self.loop.ask(self.launcher.spawn, Program(cmd="/no/such", rlimit_core=0), slot)
        self.assertTrue(eventually(lambda: not self.loop.ask(lambda: self.reports._open)))
        self.assertIn("/no/such", str(self.end(slot)))
        for _ in range(3):
            self.loop.ask(bool)
        self.assertEqual(self.errors, [])
        os.close(copies[0])

    def test_the_daemon_ends_first(self) -> None:
        self.launcher.spawn(shell("read x", rlimit_core=0), Slot())
        os.kill(self.watched[0], signal.SIGKILL)
        select.select([self.given["stdout"]], [], [], TIMEOUT)


if __name__ == "__main__":
    unittest.main()
