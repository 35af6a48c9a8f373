"""The daemon under test: bin/cvec_circusd as a person starts it."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from cvec_circus.base.clock import SYSTEM
from cvec_circus.system.statedir import default_path
from tests.support import children
from tests.support.children import Lines
from tests.support.eventually import eventually
from tests.support.leaks import LeakCheckedTestCase
from tests.support.wire import TIMEOUT, Wire

BIN = Path(__file__).resolve().parents[2] / "bin"
MARK = b"CVEC_CIRCUS_MARK="
LINE = re.compile(r"^\S+ \S+ cvec_circus\[\d+\] \[(\w+)\] (.*)$")


def child(name: str, *args: object) -> str:
    """Write the command line of tests/children/<name>.py for a configuration."""
    return shlex.join(children.command(name, *args))


def script(name: str, *args: object) -> list[str]:
    """Make the argv of a script of ours."""
    return [sys.executable, str(BIN / name), *map(str, args)]


def folder(test: unittest.TestCase) -> Path:
    """Make a directory that goes when the test ends; its name is short enough for a socket."""
    path = tempfile.mkdtemp(prefix="circus-")
    test.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def alive(pid: int) -> bool:
    """Whether a process is there, and is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def gone(*pids: int, timeout: float = TIMEOUT) -> bool:
    """Wait until processes are gone that are not the test's own children."""
    return eventually(lambda: not any(map(alive, pids)), timeout)


def end_of(process: subprocess.Popen[Any], timeout: float = TIMEOUT) -> int:
    """Wait for the end of a child, and return its code: at once, where `wait` looks every 50 ms.

    Raises:
        subprocess.TimeoutExpired: It has not ended within `timeout` seconds.
    """
    if process.poll() is None:
        fd = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            if not poll.poll(timeout * 1000):
                raise subprocess.TimeoutExpired(process.args, timeout)
        finally:
            os.close(fd)
    return process.wait()


def marked(*runs: str) -> list[int]:
    """List the processes that daemons of these runs have started, and those that they started."""
    marks = [MARK + run.encode() for run in runs]
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                environment = file.read()
                if any(mark in environment for mark in marks) and alive(int(name)):
                    found.append(int(name))
    return found


class Output(Lines):
    """What a program writes to a pipe, and all it has written. Owned by the test."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self.seen: list[str] = []

    def next(self, timeout: float = TIMEOUT) -> str | None:
        """Wait for a line; None at the end."""
        line = super().next(timeout)
        if line is not None:
            self.seen.append(line)
        return line

    def containing(self, text: str, timeout: float = TIMEOUT) -> str:
        """Wait for a line that has that in it, and return it."""
        deadline = SYSTEM.monotonic() + timeout
        while True:
            line = self.next(deadline - SYSTEM.monotonic())
            if line is None:
                shown = "\n".join(self.seen[-20:])
                raise AssertionError(f"the program ended without a line with {text!r}:\n{shown}")
            if text in line:
                return line

    def shows(self, text: str, timeout: float = TIMEOUT) -> str:
        """Return the first line that has that in it; wait for one if none was read yet."""
        found = (line for line in self.seen if text in line)
        return next(found, "") or self.containing(text, timeout)

    def rest(self) -> list[str]:
        """Read to the end, and return every line there ever was."""
        while self.next() is not None:
            pass
        return self.seen


class Daemon:
    """A cvec_circusd of its own, in a directory of its own. Owned by the test.

    Whatever the test does, it is gone afterwards with all that it started. A test that ends it
    itself says so by `ended`, which also shows that nothing is left.

    Attributes:
        folder: Its directory, which is also the working directory.
        state_dir: Where it keeps what survives it.
        process: The daemon; the wrapper if there is one.
        log: What it writes to stderr. Its children write there too.
        out: What its children write to stdout.
        wire: A client, once it is up.
        run, runs: The id of its life, once it is up, and of all lives so far.
    """

    wire: Wire

    def __init__(
        self,
        test: unittest.TestCase,
        text: str = "",
        *arguments: object,
        circus: str = "",
        wrapper: Sequence[object] = (),
        env: Mapping[str, str] | None = None,
        prepare: Callable[[Path], object] | None = None,
        up: bool = True,
    ) -> None:
        """Start it, and wait until it answers.

        Args:
            test: The test.
            text: The configuration without the `[circus]` section, in which `{DIR}` is replaced.
            arguments: Further words of the command line.
            circus: Further lines of the `[circus]` section.
            wrapper: What the daemon is started by: argv in front of its own.
            env: Variables in addition to the test's own.
            prepare: Called with the directory before it is started.
            up: Whether it is to come up; otherwise nobody waits for it.
        """
        self._test = test
        self.folder = folder(test)
        self.run = ""
        self.runs: list[str] = []
        self.config = self.folder / "circus.ini"
        self.endpoint = f"ipc://{self.folder}/control"
        self.pubsub_endpoint = f"ipc://{self.folder}/events"
        found = re.search(r"^state_dir = (.+)$", circus, re.MULTILINE)
        path = found[1] if found else default_path(None, str(self.config), os.environ)
        self.state_dir = Path(path.replace("{DIR}", str(self.folder)))
        test.addCleanup(shutil.rmtree, self.state_dir, ignore_errors=True)  # of one that was killed
        head = f"[circus]\nendpoint = {self.endpoint}\npubsub_endpoint = {self.pubsub_endpoint}\n"
        body = f"{head}{circus}\n{text}".replace("{DIR}", str(self.folder))
        self.config.write_text(body, encoding="utf-8")
        if prepare is not None:
            prepare(self.folder)
        argv = [*map(str, wrapper), *script("cvec_circusd", self.config, *arguments)]
        self._command = argv, {**os.environ, **(env or {})}
        self._start(*self._command)
        if up:
            self.log.containing(" is up: ")
            self.connect()

    def kill(self) -> None:
        """Kill the daemon, as by a crash."""
        self.signal(signal.SIGKILL)
        end_of(self.process)

    def again(self, *wrapper: str) -> None:
        """Start another one with the same command, when this one has ended, by a wrapper perhaps;
        wait until it answers."""
        argv, env = self._command
        self._start([*wrapper, *argv], env)
        self.log.containing(" is up: ")
        self.connect()

    def _start(self, argv: list[str], env: Mapping[str, str]) -> None:
        out, theirs_out = os.pipe()
        log, theirs_log = os.pipe()
        self.out, self.log = Output(out), Output(log)
        self._test.addCleanup(self.out.close)
        self._test.addCleanup(self.log.close)
        try:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=theirs_out,
                stderr=theirs_log,
                cwd=self.folder,
                env=env,
                start_new_session=True,
            )
        finally:
            os.close(theirs_out)
            os.close(theirs_log)
        self._test.addCleanup(self._clean_up)

    def connect(self) -> None:
        """Become a client of it."""
        self.wire = Wire(self._test, self.endpoint, self.pubsub_endpoint)
        self.run = self.wire.call("ping")["run"]
        self.runs.append(self.run)

    def _clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                end_of(self.process)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(TIMEOUT)
        runs, self.runs = self.runs, []
        for pid in marked(*runs) if runs else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        """Of the daemon."""
        return self.process.pid

    def signal(self, signum: int) -> None:
        """Send the daemon a signal."""
        self.process.send_signal(signum)

    def interrupt(self) -> None:
        """Interrupt it until it takes that for an order to kill what is left, and ends."""

        def ended() -> bool:
            self.signal(signal.SIGINT)
            return self.process.poll() is not None

        self._test.assertTrue(eventually(ended, TIMEOUT))

    def ended(self, code: int = 0, timeout: float = TIMEOUT) -> list[str]:
        """Wait until it has ended with that code and has left nothing; return its log."""
        try:
            found = end_of(self.process, timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended within {timeout:g} s") from None
        self._test.assertEqual(marked(*self.runs), [], "processes are left behind")
        log = self.log.rest()
        self._test.assertEqual(found, code, "\n".join(log))
        left = [path.name for path in self.folder.iterdir() if path.is_socket()]
        self._test.assertEqual(left, [], "sockets are left behind")
        return log

    def told(self) -> list[tuple[str, str]]:
        """The level and the text of each of its log lines, after its end."""
        return [match.groups() for match in map(LINE.match, self.log.rest()) if match]  # type: ignore

    def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """See `Wire.call`."""
        return self.wire.call(command, **properties)

    def order(self, command: str, **properties: Any) -> dict[str, Any]:
        """See `Wire.order`."""
        return self.wire.order(command, **properties)

    def ctl(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Run cvec_circusctl."""
        return subprocess.run(
            script("cvec_circusctl", "--endpoint", self.endpoint, *words),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


class DaemonCase(LeakCheckedTestCase):
    """Starts daemons, and sees to their end."""

    def daemon(self, text: str = "", *arguments: object, **options: Any) -> Daemon:
        """Start one; see `Daemon`."""
        return Daemon(self, text, *arguments, **options)

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Fail when something takes longer."""
        began = SYSTEM.monotonic()
        yield
        self.assertLess(SYSTEM.monotonic() - began, seconds)
