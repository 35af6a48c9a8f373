"""Starting children: what they get, what they do not get, and why it failed."""

import contextlib
import errno
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
import warnings
from pathlib import Path
from unittest import mock

from cvec_circus.system.collecting import collect
from cvec_circus.system.launch import REPORT_SIZE, LaunchError, LaunchSpec, launch
from tests.support.children import TIMEOUT, command, output
from tests.support.eventually import eventually
from tests.support.files import take_all
from tests.support.leaks import LeakCheckedTestCase

ROOT = Path(__file__).resolve().parent.parent.parent


class LaunchTestCase(LeakCheckedTestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)

    def run_to_end(self, argv, **fields):
        """Launch a program; return its exit and the lines it printed. `report` is its report."""
        write_fd, lines = output(self)
        fields["stdout"] = write_fd
        try:
            pid, report_fd = launch(LaunchSpec(argv, **fields))
        finally:
            os.close(write_fd)
        printed = []
        line = lines.next()
        while line is not None:
            printed.append(line)
            line = lines.next()
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.report = b""
        if report_fd is not None:
            self.report = os.read(report_fd, REPORT_SIZE)
            os.close(report_fd)
        return collect(pid), printed

    def told(self, *args, **fields):
        """Launch the program that tells what it was given."""
        status, lines = self.run_to_end(command("tell", *args), **fields)
        self.assertEqual(status.exit_code, 0)
        return json.loads(lines[0])


class GivenTest(LaunchTestCase):
    def test_a_session_of_its_own(self):
        self.assertTrue(self.told()["session"])

    def test_arguments_environment_and_directory_exactly(self):
        told = self.told("a b", "", "'$x;*", "ünïcode\n", env={"ONLY": "this one"}, cwd=self.folder)
        self.assertEqual(told["argv"], ["a b", "", "'$x;*", "ünïcode\n"])
        # A Python in the C locale adds LC_CTYPE to its own environment.
        told["env"].pop("LC_CTYPE", None)
        self.assertEqual(told["env"], {"ONLY": "this one"})
        self.assertEqual(told["cwd"], self.folder)

    def test_no_files_but_the_standard_ones_and_those_passed(self):
        passed, other = (open(os.path.join(self.folder, name), "w") for name in "ab")
        self.addCleanup(passed.close)
        self.addCleanup(other.close)
        os.set_inheritable(other.fileno(), True)
        fds = self.told(stdin=subprocess.DEVNULL, pass_fds=(passed.fileno(),))["fds"]
        self.assertEqual(set(fds), {"0", "1", "2", str(passed.fileno())})
        self.assertEqual(fds[str(passed.fileno())], passed.name)
        self.assertEqual(fds["0"], os.devnull)
        self.assertFalse(os.get_inheritable(passed.fileno()))

    def test_no_signals_ignored_or_blocked(self):
        self.assertEqual(signal.getsignal(signal.SIGPIPE), signal.SIG_IGN)
        # Asked of a program that is no Python: every Python ignores them for itself.
        _, lines = self.run_to_end(["/bin/grep", "^Sig", "/proc/self/status"])
        masks = {field: int(mask, 16) for field, mask in (line.split(":\t") for line in lines[1:])}
        self.assertEqual(masks["SigBlk"], 0)
        for signum in (signal.SIGPIPE, signal.SIGXFSZ):
            self.assertFalse(masks["SigIgn"] >> (signum - 1) & 1)

    def test_nor_what_a_program_that_embeds_the_supervisor_ignores(self):
        for signum in (signal.SIGINT, signal.SIGHUP):
            self.addCleanup(signal.signal, signum, signal.signal(signum, signal.SIG_IGN))
        _, lines = self.run_to_end(["/bin/grep", "^SigIgn", "/proc/self/status"])
        ignored = int(lines[0].split()[1], 16)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            self.assertFalse(ignored >> (signum - 1) & 1, signum)

    def test_the_program_is_looked_for_in_the_path_of_its_environment(self):
        os.symlink("/bin/echo", os.path.join(self.folder, "say"))
        status, lines = self.run_to_end(["say", "found"], env={"PATH": self.folder})
        self.assertEqual((status.exit_code, lines), (0, ["found"]))

    def test_a_relative_program_is_looked_for_from_the_working_directory(self):
        os.symlink("/bin/echo", os.path.join(self.folder, "say"))
        status, lines = self.run_to_end(["./say", "found"], cwd=self.folder)
        self.assertEqual((status.exit_code, lines), (0, ["found"]))


class FailureTest(LaunchTestCase):
    def failure(self, argv, **fields):
        with self.assertRaises(LaunchError) as caught:
            launch(LaunchSpec(argv, **fields))
        self.assertIsInstance(caught.exception, OSError)
        return caught.exception

    def write(self, name, text, mode=0o755):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def test_no_such_program(self):
        error = self.failure(["/no/such/program", "x"])
        self.assertEqual(str(error), "cannot run /no/such/program: No such file or directory")
        self.assertEqual(error.errno, errno.ENOENT)

    def test_no_such_program_in_the_path(self):
        error = self.failure(["no-such-program"], env={"PATH": "/bin:/opt/nowhere"})
        self.assertEqual(
            str(error),
            "cannot run no-such-program: there is no such program in /bin:/opt/nowhere",
        )

    def test_a_program_that_only_our_path_has(self):
        self.write("here", "#!/bin/sh\n")
        hint = "; copy_env = True gives it the daemon's PATH, which has it"
        with mock.patch.dict(os.environ, {"PATH": self.folder}):
            self.assertTrue(str(self.failure(["here"], env={})).endswith(hint))
            for words, env in ((["no-such"], {}), (["here"], {"PATH": "/bin"})):
                self.assertNotIn("copy_env", str(self.failure(words, env=env)))

    def test_no_such_directory(self):
        error = self.failure(["/bin/true"], cwd="/no/such/folder")
        self.assertEqual(
            str(error),
            "cannot enter the working directory /no/such/folder: No such file or directory",
        )
        self.assertEqual(error.errno, errno.ENOENT)

    def test_a_directory_that_is_a_file(self):
        error = self.failure(["/bin/true"], cwd="/bin/true")
        self.assertEqual(
            str(error), "cannot enter the working directory /bin/true: Not a directory"
        )

    def test_a_program_that_may_not_be_run(self):
        path = self.write("plain", "#!/bin/sh\n", mode=0o644)
        self.assertEqual(str(self.failure([path])), f"cannot run {path}: Permission denied")

    def test_a_script_without_its_interpreter(self):
        path = self.write("script", "#!/no/such/interpreter\n")
        for argv in ([path], ["./script"]):
            self.assertEqual(
                str(self.failure(argv, cwd=self.folder)),
                f"cannot run {argv[0]}: the interpreter it names does not exist",
            )

    def test_a_script_without_a_first_line(self):
        path = self.write("script", "echo hello\n")
        self.assertEqual(
            str(self.failure([path])),
            f"cannot run {path}: it is not a program (a script begins with #! and a path)",
        )

    def test_no_file_descriptors_left(self):
        take_all(self)
        error = self.failure(["/bin/true"])
        self.assertEqual(str(error), "cannot start a process: Too many open files")
        self.assertEqual(error.errno, errno.EMFILE)

    def test_what_no_program_can_be_given(self):
        with self.assertRaisesRegex(ValueError, "cannot run '/bin/echo': embedded null byte"):
            launch(LaunchSpec(["/bin/echo", "a\0b"]))
        with self.assertRaisesRegex(ValueError, "cannot run '/bin/echo': "):
            launch(LaunchSpec(["/bin/echo"], env={"A=B": "c"}))
        with self.assertRaises(ValueError):
            launch(LaunchSpec([]))


class PopenTest(LaunchTestCase):
    def test_popen_neither_warns_nor_waits_for_the_child(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pids = [launch(LaunchSpec(["/bin/true"])).pid for _ in range(20)]
            gc.collect()
            self.assertEqual(subprocess._active, [])
            for pid in pids:
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            # Another Popen collects what earlier ones have left behind. It must not find ours.
            subprocess.run(["/bin/true"], check=True)
        for pid in pids:
            status = collect(pid)
            self.assertEqual((status.exit_code, status.status_lost), (0, False))

    def test_no_memory_after_the_fork_leaves_no_child(self):
        before = set(os.listdir("/proc"))
        with mock.patch("os.read", side_effect=MemoryError), self.assertRaises(MemoryError):
            launch(LaunchSpec(["/bin/sleep", "1000"]))
        self.assertEqual(subprocess._active, [])
        for name in set(os.listdir("/proc")) - before:
            with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as file:
                self.assertNotIn(b"/bin/sleep\0001000\0", file.read())

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    @unittest.skipIf(sys.version_info < (3, 10), "Popen forks before Python 3.10")
    def test_takes_vfork(self):
        trace = os.path.join(self.folder, "trace")
        program = textwrap.dedent("""
            import os, subprocess
            from cvec_circus.system.launch import LaunchSpec, launch
            fd = os.open(os.devnull, os.O_RDONLY)
            pid = launch(LaunchSpec(["true"], cwd="/", env={"PATH": "/bin"}, pass_fds=(fd,),
                                    stdin=subprocess.DEVNULL, stdout=fd, stderr=fd)).pid
            os.waitpid(pid, 0)
        """)
        calls = "trace=vfork,fork,clone,clone3"
        run = subprocess.run(
            ["strace", "-f", "-e", calls, "-o", trace, sys.executable, "-c", program],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT * 3,
        )
        if "PTRACE" in run.stderr or "ptrace" in run.stderr:
            self.skipTest("tracing is not permitted here")
        self.assertEqual(run.returncode, 0, run.stderr)
        with open(trace) as file:
            text = file.read()
        self.assertEqual(text.count("vfork(") + text.count("CLONE_VFORK"), 1, text)
        self.assertNotIn("fork(", text.replace("vfork(", ""))

    def test_a_failure_leaves_no_child(self):
        with self.assertRaises(LaunchError):
            launch(LaunchSpec(["/no/such/program"]))
        self.assertTrue(eventually(lambda: subprocess._active == []))
