"""A process on its own, for programs that need no watcher."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, BinaryIO

from cvec_circus.base.clock import SYSTEM, poll_milliseconds
from cvec_circus.core.watcher import Watcher
from cvec_circus.embedding.processes import DEAD_OR_ZOMBIE, OTHER, RUNNING, UNEXISTING
from cvec_circus.options.rights import accounts_of, judge
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.registry import Loan, SocketRegistry
from cvec_circus.supervisor.launching import Template
from cvec_circus.system import collecting, exits, proctable
from cvec_circus.system.launch import LaunchSpec, launch
from cvec_circus.system.procfs import Sampler
from cvec_circus.system.signals import to_signum

__all__ = ["DEAD_OR_ZOMBIE", "OTHER", "RUNNING", "UNEXISTING", "Process"]

STOP_TIMEOUT = 1.0
"""Seconds that a process has to end after SIGTERM, before it gets SIGKILL."""


class Process:
    """One process of a command, without a watcher. Safe from any thread.

    >>> with Process("Top", "top") as process:  # doctest: +SKIP
    ...     process.info()["mem_info1"]
    '3.41M'

    Nobody looks after it: it is replaced by nothing, and whoever makes it stops it, or waits for
    its end. It is a child of this program, in a session of its own.

    Attributes:
        name: What it is called.
        wid: Its number: what `$(circus.wid)` is in the command.
        started: When it was started, in seconds since 1970; 0 before.
        stdout: What it writes, to read from; None unless `pipe_stdout`.
        stderr: Likewise.
    """

    def __init__(
        self,
        name: str,
        wid: int | str,
        cmd: str | None = None,
        args: Any = None,
        working_dir: str | None = None,
        shell: bool = False,
        uid: int | str | None = None,
        gid: int | str | None = None,
        *,
        env: Mapping[str, str] | None = None,
        executable: str | None = None,
        spawn: bool = True,
        pipe_stdout: bool = True,
        pipe_stderr: bool = True,
        close_child_stdin: bool = True,
        close_child_stdout: bool = False,
        close_child_stderr: bool = False,
    ) -> None:
        """Describe a process, and start it.

        Args:
            name: See the class.
            wid: See the class; or the command, if nothing else is given.
            cmd: The command.
            args: Its arguments, as text or as a list.
            working_dir: Its working directory.
            shell: Whether a shell runs it.
            uid: The user it runs as.
            gid: The group it runs as.
            env: Its whole environment; by default that of this program.
            executable: The file to run under the name that the command begins with.
            spawn: False to have it started by `spawn`.
            pipe_stdout: Whether its output is for `stdout`, as in Circus. Read it then: a process
                that nobody listens to waits sooner or later.
            pipe_stderr: Likewise.
            close_child_stdin: Whether its input is /dev/null.
            close_child_stdout: Whether its output goes there.
            close_child_stderr: Likewise.

        Raises:
            OptionError: An option does not take the value.
            OSError: It cannot be started.
        """
        if cmd is None:
            wid, cmd = 1, str(wid)
        given = {
            "cmd": cmd,
            "args": args,
            "working_dir": working_dir,
            "shell": shell,
            "executable": executable,
            "uid": uid,
            "gid": gid,
            "env": dict(env or {}),
            "copy_env": env is None,
            "close_child_stdin": close_child_stdin,
            "close_child_stdout": close_child_stdout,
            "close_child_stderr": close_child_stderr,
        }
        given = {key: value for key, value in given.items() if value is not None}
        options = WATCHER_OPTIONS.complete(WATCHER_OPTIONS.convert(given))
        judge(accounts_of(options))
        self.name = name
        self.wid = int(wid)
        self.started = 0.0
        self.stdout: BinaryIO | None = None
        self.stderr: BinaryIO | None = None
        self._watcher = Watcher(name, options)
        self._pipes = {"stdout": pipe_stdout, "stderr": pipe_stderr}
        self._sampler = Sampler()
        # Between a look at the process and a signal to it nobody else may collect it.
        self._lock = threading.RLock()
        self._pid = 0
        self._exit: collecting.Exit | None = None
        if spawn:
            self.spawn()

    def __repr__(self) -> str:
        return f"<process {self.name}:{self.wid} pid={self._pid}>"

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its pid; 0 before it was started."""
        return self._pid

    def spawn(self) -> None:
        """Start it, unless it was started before.

        Raises:
            OSError: It cannot be started.
            ValueError: The command makes no sense.
        """
        with self._lock:
            if self._pid:
                return
            template = Template(self.name, self._watcher.options, "process")
            self._launch(template.spec(self.wid, Loan(SocketRegistry())))
            self.started = SYSTEM.time()

    def _launch(self, spec: LaunchSpec) -> None:
        options = self._watcher.options
        ours: dict[str, int] = {}
        theirs: dict[str, Any] = {}
        theirs["stdin"] = subprocess.DEVNULL if options["close_child_stdin"] else None
        try:
            for name, piped in self._pipes.items():
                theirs[name] = subprocess.DEVNULL if options[f"close_child_{name}"] else None
                if piped and theirs[name] is None:
                    ours[name], theirs[name] = os.pipe()
            self._pid = launch(spec._replace(**theirs)).pid
        except BaseException:
            for fd in ours.values():
                os.close(fd)
            raise
        finally:
            for name in ours:
                os.close(theirs[name])
        for name, fd in ours.items():
            setattr(self, name, os.fdopen(fd, "rb", buffering=0))

    # -- what it is

    def age(self) -> float:
        """Seconds since it was started."""
        return SYSTEM.time() - self.started

    @property
    def status(self) -> int:
        """RUNNING; DEAD_OR_ZOMBIE when it has ended; UNEXISTING when that was noted, by `poll`,
        `wait`, `stop` or `is_alive`, or when it was never started."""
        with self._lock:
            if self._exit is not None or not self._pid:
                return UNEXISTING
            return DEAD_OR_ZOMBIE if collecting.peek(self._pid) else RUNNING

    @property
    def returncode(self) -> int | None:
        """Its exit code as `poll`, `wait` or `stop` noted it, negative for a signal; or None."""
        return None if self._exit is None else self._exit.exit_code

    def poll(self) -> int | None:
        """Note whether it has ended, and return its exit code; None while it has not."""
        with self._lock:
            if self._exit is None and self._pid:
                try:
                    self._exit = collecting.collect(self._pid)
                except BlockingIOError:
                    return None
            return self.returncode

    def is_alive(self) -> bool:
        """Whether it has been started and has not ended."""
        return bool(self._pid) and self.poll() is None

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end, and return its exit code; None if it was never started.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Raises:
            TimeoutError: It takes longer.
        """
        if self.is_alive():
            watcher = exits.choose()
            try:
                watcher.add(self._pid)
                ended = select.poll()
                ended.register(watcher.fileno(), select.POLLIN)
                if not ended.poll(poll_milliseconds(timeout)) and self.is_alive():
                    raise TimeoutError(f"{self!r} has not ended within {timeout:g} s")
            finally:
                watcher.close()
        return self.poll()

    def info(self) -> dict[str, Any]:
        """What `stats` tells of a process; empty once it has ended."""
        with self._lock:  # the sampler is for one thread at a time
            found = self._sampler.sample([self._pid]) if self.is_alive() else {}
        if self._pid not in found:
            return {}
        return {**found[self._pid], "started": self.started, "wid": self.wid}

    def children(self, recursive: bool = False) -> list[int]:
        """The pids of its children; `recursive` lists those below them too."""
        return proctable.descendants(self._pid, recursive) if self.is_alive() else []

    def is_child(self, pid: int) -> bool:
        """Whether that is a child of it."""
        return pid in self.children()

    # -- what is done to it

    def send_signal(self, signum: int | str) -> None:
        """Send it a signal, by number or name. Nothing once it has ended.

        Raises:
            ValueError: There is no such signal.
        """
        number = to_signum(signum)
        with self._lock:
            if self.is_alive():
                os.kill(self._pid, number)

    def send_signal_child(self, pid: int, signum: int | str) -> None:
        """Send a signal to one of its children.

        Raises:
            ProcessLookupError: It is none.
        """
        if not self.is_child(pid):
            raise ProcessLookupError(f"process {pid} is no child of {self!r}")
        os.kill(pid, to_signum(signum))

    def send_signal_children(self, signum: int | str, recursive: bool = False) -> None:
        """Send a signal to its children; `recursive` reaches those below them too."""
        for pid in self.children(recursive):
            try:
                os.kill(pid, to_signum(signum))
            except ProcessLookupError:
                continue  # it has ended meanwhile

    def stop(self, timeout: float = STOP_TIMEOUT) -> int | None:
        """End it, wait for that, close its pipes, and return its exit code.

        What it has started itself goes on, if it does not see to that: only a watcher does.

        Args:
            timeout: Seconds between SIGTERM and SIGKILL.
        """
        try:
            self.send_signal(signal.SIGTERM)
            try:
                return self.wait(timeout)
            except TimeoutError:
                self.send_signal(signal.SIGKILL)
                return self.wait()
        finally:
            self.close_output_channels()

    def close_output_channels(self) -> None:
        """Close the pipes that it writes to."""
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()
