"""Children that get what only code in the child itself can give: limits, sockets, scores."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import resource
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import unittest
from pathlib import Path
from unittest import mock

from cvec_circus.system import launch as launching
from cvec_circus.system.accounts import Identity
from cvec_circus.system.launch import (
    MARK,
    REPORT_SIZE,
    Launched,
    LaunchError,
    LaunchSpec,
    explain,
    launch,
)
from tests.support import cgroups
from tests.support.children import TIMEOUT
from tests.system.test_launch import LaunchTestCase

ROOT = Path(__file__).resolve().parent.parent.parent
AS_ROOT = unittest.skipUnless(os.geteuid() == 0, "only root can have less than nothing")
SOFT, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)


def shell(script: str, *words: str, **fields) -> LaunchSpec:
    """What is to run in a shell."""
    fields = {"env": {"PATH": os.environ["PATH"]}, **fields}
    return LaunchSpec(["/bin/sh", "-c", script, *words], **fields)


class ShimTestCase(LaunchTestCase):
    def said(self, spec: LaunchSpec) -> list[str]:
        """Run it to its end, which is well, and return the lines it printed."""
        status, lines = self.run_to_end(**spec._asdict())
        self.assertEqual(status.exit_code, 0, self.report)
        return lines

    def failure(self, spec: LaunchSpec) -> LaunchError:
        """Run what cannot become its program, and return why."""
        status, _ = self.run_to_end(**spec._asdict())
        self.assertEqual(status.exit_code, 127)
        failed, _ = explain(spec, self.report)
        assert failed is not None
        return failed


class GivenTest(ShimTestCase):
    def test_limits_soft_and_hard(self) -> None:
        script = "ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc"
        lines = self.said(shell(script, limits={"nofile": 77, "core": 0}))
        self.assertEqual(lines, ["77", "77", "0", "0"])

    def test_files_without_end_are_as_many_as_the_system_allows(self) -> None:
        spec = shell("ulimit -Sn", limits={"nofile": -1})
        self.assertEqual(self.said(spec), [str(HARD)])
        remark = f"rlimit_nofile: infinity is more than the system allows, so it is {HARD}"
        self.assertEqual(explain(spec, self.report), (None, [remark]))

    def test_sockets_at_their_places(self) -> None:
        pair = socket.socketpair()
        for one in pair:
            self.addCleanup(one.close)
        # Beyond the places, which cover what has their numbers.
        given = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in pair]
        for fd in given:
            self.addCleanup(os.close, fd)
        script = 'test "$LISTEN_PID" = $$ && for n in 3 4 "$@"; do readlink /proc/$$/fd/$n; done'
        words = ["sh", *map(str, given)]
        lines = self.said(shell(script, *words, pass_fds=given, listen=given))
        self.assertEqual(len(set(lines[:2])), 2)
        self.assertEqual(lines[:2], lines[2:])
        # No file of the shim is left, and no other of ours.
        script = "ls /proc/$$/fd"
        lines = self.said(shell(script, pass_fds=given, listen=given))
        self.assertEqual(sorted(map(int, lines)), sorted({0, 1, 2, 3, 4, *given}))

    def test_other_files_at_their_places(self) -> None:
        """Even where one stands at the place of another."""
        pipes = [os.pipe() for _ in range(2)]
        for fd in (fd for pair in pipes for fd in pair):
            self.addCleanup(os.close, fd)
        (one, _), (two, _) = pipes
        links = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in (one, two)}
        for places in ({7: one, 4: two}, {two: one, one: two}, {3: one, 9: two}):
            script = 'for n in "$@"; do readlink /proc/$$/fd/$n; done; ls /proc/$$/fd'
            words = ["sh", *map(str, places)]
            lines = self.said(shell(script, *words, pass_fds=(one, two), places=places))
            self.assertEqual(lines[:2], [links[fd] for fd in places.values()])
            self.assertEqual(sorted(map(int, lines[2:])), sorted({0, 1, 2, *places}))

    def test_a_cgroup(self) -> None:
        folder = cgroups.own(self)
        folder.mkdir()
        self.addCleanup(folder.rmdir)
        lines = self.said(shell("cat /proc/self/cgroup", cgroup=str(folder)))
        self.assertEqual([line for line in lines if line.endswith(f"/{folder.name}")], lines[-1:])

    def test_nice(self) -> None:
        before = os.getpriority(os.PRIO_PROCESS, 0)
        self.assertEqual(self.said(shell("nice", scores={"nice": before + 3})), [str(before + 3)])

    def test_oom_score(self) -> None:
        spec = shell("cat /proc/self/oom_score_adj", scores={"oom_score_adj": 999})
        self.assertEqual(self.said(spec), ["999"])

    @AS_ROOT
    def test_scores_and_limits_come_before_the_user(self) -> None:
        nobody = pwd.getpwnam("nobody")
        who = Identity("nobody", nobody.pw_uid, nobody.pw_gid, (nobody.pw_gid,))
        spec = shell(
            "nice; ulimit -Sc; id -u; id -G", scores={"nice": -3}, limits={"core": -1}, identity=who
        )
        expected = ["-3", "unlimited", str(nobody.pw_uid), str(nobody.pw_gid)]
        self.assertEqual(self.said(spec), expected)

    def test_every_byte_of_words_and_environment(self) -> None:
        odd = "\udcff\u00fc\n'\\\"\u2028 "
        script = 'printf %s "$0$ODD" | od -An -v -tx1 | tr -d " \\n"; echo'
        spec = shell(script, odd, limits={"core": 0})
        spec = spec._replace(env={**spec.env, "ODD": odd})
        self.assertEqual(self.said(spec), [2 * os.fsencode(odd).hex()])

    def test_the_name_it_sees_and_the_file_it_is(self) -> None:
        argv = ["-other", "-c", "tr '\\0' ' ' </proc/$$/cmdline; echo"]
        spec = LaunchSpec(argv, executable="sh", env={"PATH": "/nowhere:/bin"}, limits={"core": 0})
        self.assertTrue(self.said(spec)[0].startswith("-other -c tr"))

    def test_nothing_is_ignored_or_blocked(self) -> None:
        lines = self.said(shell("grep -E '^Sig(Ign|Blk)' /proc/self/status", limits={"core": 0}))
        self.assertEqual([int(line.split()[1], 16) for line in lines], [0, 0])

    def test_the_shim_has_our_environment_and_the_mark(self) -> None:
        seen = []

        def popen(spec: LaunchSpec) -> int:
            seen.append(spec)
            return 7

        env = {"LD_PRELOAD": "/evil.so", MARK: "run:web:1"}
        with mock.patch.object(launching, "_popen", popen):
            launched = launch(LaunchSpec(["true"], env=env, limits={"core": 0}))
        os.close(launched.report_fd)
        self.assertEqual(seen[0].env, {**os.environ, MARK: "run:web:1"})
        self.assertEqual(len(seen[0].argv), 5)


class DeathSignalTest(LaunchTestCase):
    def test_it_dies_with_its_parent(self) -> None:
        program = textwrap.dedent("""
            import os, select, signal, sys
            from cvec_circus.system.launch import LaunchSpec, launch
            spec = LaunchSpec(["/bin/sleep", "1000"], pdeathsig=signal.SIGTERM)
            launched = launch(spec)
            select.select([launched.report_fd], [], [])
            sys.exit(str(os.read(launched.report_fd, 100)))
        """)
        # Its output ends when the child has ended, too.
        run = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        self.assertEqual((run.stdout, run.stderr.strip()), ("", "b''"))

    def test_a_signal_that_there_is_not(self) -> None:
        spec = LaunchSpec(["/bin/true"], pdeathsig=4000)
        self.run_to_end(**spec._asdict())
        said = str(explain(spec, self.report)[0])
        self.assertEqual(said, "cannot set pdeathsig: there is no such signal")

    def test_a_parent_that_has_ended_already(self) -> None:
        spec = LaunchSpec(["/bin/true"], pdeathsig=signal.SIGTERM)
        with mock.patch.object(launching.os, "getpid", return_value=1):
            status, _ = self.run_to_end(**spec._asdict())
        self.assertEqual(status.exit_code, 127)
        said = str(explain(spec, self.report)[0])
        self.assertEqual(said, "cannot set pdeathsig: the parent has ended")


class FailureTest(ShimTestCase):
    def test_each_step_says_what_it_could_not_do(self) -> None:
        nobody = Identity("nobody", 2**32 - 2, 2**32 - 2, (2**32 - 1,))
        for fields, expected in (
            ({"limits": {"nofile": 10**15}}, f"cannot set rlimit_nofile: {10**15} is more"),
            ({"scores": {"nice": 5}, "identity": nobody}, "cannot become nobody: "),
            ({"cgroup": "/no/such"}, "cannot join the cgroup /no/such: No such file or directory"),
            ({"scores": {"oom_score_adj": 5000}}, "cannot set oom_score_adj: Invalid argument"),
        ):
            with self.subTest(fields):
                failed = self.failure(shell("exit 0", **fields))
                self.assertTrue(str(failed).startswith(expected), failed)
                self.assertTrue(failed.errno)

    def test_programs_that_cannot_be_run(self) -> None:
        script = os.path.join(self.folder, "script")
        with open(script, "w") as file:
            file.write("hello\n")
        os.chmod(script, 0o755)
        for argv, number, expected in (
            (["/no/such"], errno.ENOENT, "cannot run /no/such: No such file or directory"),
            (["no-such"], errno.ENOENT, "cannot run no-such: there is no such program in /bin"),
            ([self.folder], errno.EACCES, f"cannot run {self.folder}: Permission denied"),
            ([script], errno.ENOEXEC, f"cannot run {script}: it is not a program"),
        ):
            with self.subTest(argv):
                failed = self.failure(LaunchSpec(argv, env={"PATH": "/bin"}, scores={"nice": 19}))
                self.assertTrue(str(failed).startswith(expected), failed)
                self.assertEqual(failed.errno, number)

    def test_what_no_program_can_be_given(self) -> None:
        for argv, env in (
            (["true", "a\0b"], {}),
            (["true", "\ud800"], {}),
            (["true"], {"A": "1\0LD_PRELOAD=x"}),
            (["true"], {"A=B": "1"}),
            (["true"], {"": "1"}),
            ([], {}),
        ):
            with self.subTest(argv=argv, env=env), self.assertRaisesRegex(ValueError, "cannot run"):
                launch(LaunchSpec(argv, env=env, scores={"nice": 19}))

    def test_the_working_directory_is_entered_before(self) -> None:
        with self.assertRaisesRegex(LaunchError, "cannot enter the working directory /no/such: "):
            launch(LaunchSpec(["/bin/true"], cwd="/no/such", scores={"nice": 19}))


class OpenFilesTest(ShimTestCase):
    """The soft limit of open files that we had, for a child of ours that has more."""

    def setUp(self) -> None:
        super().setUp()
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, HARD))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (SOFT, HARD))
        self.ways: list[bool] = []
        real = launching._popen

        def popen(spec: LaunchSpec) -> int:
            self.ways.append("-I" in spec.argv)
            return real(spec)

        patch = mock.patch.object(launching, "_popen", popen)
        patch.start()
        self.addCleanup(patch.stop)

    def limits(self, nofile: int | None) -> list[str]:
        return self.said(shell("ulimit -Sn; ulimit -Hn", nofile=nofile))

    def assert_through_shim(self, expected: bool) -> None:
        self.assertEqual(self.ways, [expected])
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (512, HARD))

    def test_ours_is_lowered_for_a_moment(self) -> None:
        self.assertEqual(self.limits(200), ["200", str(HARD)])
        self.assert_through_shim(False)

    def test_ours_is_the_same(self) -> None:
        self.assertEqual(self.limits(512), ["512", str(HARD)])
        self.assert_through_shim(False)

    def test_it_is_raised_again_after_a_failure(self) -> None:
        with self.assertRaises(LaunchError):
            launch(LaunchSpec(["/no/such"], nofile=200))
        self.assert_through_shim(False)

    def test_too_few_are_free_below(self) -> None:
        fd = os.open(os.devnull, os.O_RDONLY)
        taken = [fd]
        while taken[-1] < 200 - launching.MARGIN:
            taken.append(os.dup(fd))
        try:
            self.assertEqual(self.limits(200), ["200", str(HARD)])
        finally:
            for fd in taken:
                os.close(fd)
        self.assert_through_shim(True)

    def test_another_thread(self) -> None:
        found: list[list[str]] = []
        thread = threading.Thread(target=lambda: found.append(self.limits(200)))
        thread.start()
        thread.join(TIMEOUT)
        self.assertEqual(found, [["200", str(HARD)]])
        self.assert_through_shim(True)

    def test_beside_other_limits(self) -> None:
        spec = shell("ulimit -Sn; ulimit -Sc", nofile=200, limits={"core": 0})
        self.assertEqual(self.said(spec), ["200", "0"])
        self.assert_through_shim(True)

    def test_a_limit_of_its_own_wins(self) -> None:
        spec = shell("ulimit -Sn; ulimit -Hn", nofile=200, limits={"nofile": 100})
        self.assertEqual(self.said(spec), ["100", "100"])


class ReportTest(LaunchTestCase):
    def test_it_ends_when_the_program_begins(self) -> None:
        ours, theirs = os.pipe()
        self.addCleanup(os.close, ours)
        launched = launch(LaunchSpec(["/bin/cat"], stdin=ours, scores={"nice": 19}))
        self.addCleanup(os.waitpid, launched.pid, 0)
        self.addCleanup(os.close, theirs)
        assert isinstance(launched, Launched) and launched.report_fd is not None
        self.addCleanup(os.close, launched.report_fd)
        readable, _, _ = select.select([launched.report_fd], [], [], TIMEOUT)
        self.assertEqual(readable, [launched.report_fd])
        self.assertEqual(os.read(launched.report_fd, REPORT_SIZE), b"")

    def test_without_the_shim_there_is_none(self) -> None:
        launched = launch(LaunchSpec(["/bin/true"]))
        os.waitpid(launched.pid, 0)
        self.assertIsNone(launched.report_fd)


if __name__ == "__main__":
    unittest.main()
