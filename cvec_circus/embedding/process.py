"""A process without a watcher."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from cvec_circus.base.clock import SYSTEM, poll_milliseconds
from cvec_circus.compat.errors import gone, late
from cvec_circus.compat.members import Members
from cvec_circus.compat.values import get_username_from_uid, get_working_dir
from cvec_circus.options.expand import expand
from cvec_circus.options.rights import LIMIT, accounts_of, judge
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.sockets.registry import Loan, SocketRegistry
from cvec_circus.supervisor.launching import Template
from cvec_circus.system import collecting, exits, proctable
from cvec_circus.system.launch import LaunchSpec, explain, launch
from cvec_circus.system.procfs import Sampler
from cvec_circus.system.signals import to_signum

RUNNING, DEAD_OR_ZOMBIE, UNEXISTING, OTHER = range(4)
"""Values of a process's `status`."""

STOP_TIMEOUT = 1.0
"""Seconds between SIGTERM and SIGKILL."""


class HasOptions(Protocol):
    """What a process asks of its watcher."""

    def options(self) -> list[tuple[str, Any]]: ...


class Process(Members):
    """One process of a command. Safe from any thread.

    >>> with Process("Top", "top") as process:  # doctest: +SKIP
    ...     process.info()["mem_info1"]
    '3.41M'

    It is a child of this program, in a session of its own. Nothing supervises it: the program
    stops it, or waits for its end, and it is never replaced.

    Each of its options is an attribute, such as `cmd` and `env`.

    Attributes:
        name: Its name.
        wid: Its number, or any name: what `$(circus.wid)` is in the command.
        pid: Its pid; 0 before the start.
        started: When it was started, in seconds since 1970; 0 before.
        stdout, stderr: The pipes to read its output from; None without a pipe.
        pipe_stdout, pipe_stderr, use_fds, watcher: As it was made with.
    """

    _circus_class = "process.Process"

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
        env: Mapping[str, str] | None = None,
        rlimits: Mapping[str, Any] | None = None,
        executable: str | None = None,
        use_fds: bool = False,
        watcher: HasOptions | None = None,
        spawn: bool = True,
        pipe_stdout: bool = True,
        pipe_stderr: bool = True,
        close_child_stdin: bool = True,
        close_child_stdout: bool = False,
        close_child_stderr: bool = False,
    ) -> None:
        """Describe a process, and start it.

        Args:
            name: Its name.
            wid: Its number; or the command, if no `cmd` is given.
            cmd, args, working_dir, shell, uid, gid, executable: As in the options reference of
                watchers; `args` is text or a list.
            env: Its whole environment; by default that of this program.
            rlimits: Resource limits by their names.
            use_fds: Whether it inherits the files that this program has made inheritable.
            watcher: One whose options the command may refer to: `$(circus.OPTION)`.
            spawn: False leaves the start to `spawn`.
            pipe_stdout, pipe_stderr: Whether its output goes to a pipe, as in Circus. Read it
                then: the process blocks once the pipe is full.
            close_child_stdin, close_child_stdout, close_child_stderr: Whether that is /dev/null.

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
            **{f"{LIMIT}{key}": value for key, value in (rlimits or {}).items()},
        }
        given = {key: value for key, value in given.items() if value is not None}
        given = {**_borrowed(watcher), **WATCHER_OPTIONS.convert(given)}
        self._options = WATCHER_OPTIONS.complete(given)
        wanted = accounts_of(self._options)
        judge({} if wanted is None else {wanted: ""})
        self.name = name
        self.wid = wid
        self.started = 0.0
        self.stdout: BinaryIO | None = None
        self.stderr: BinaryIO | None = None
        self.pipe_stdout, self.pipe_stderr = pipe_stdout, pipe_stderr
        self.use_fds, self.watcher = use_fds, watcher
        self._sampler = Sampler()
        # Between a look at the process and a signal to it no other thread may collect it.
        self._lock = threading.RLock()
        self.pid = 0
        self._exit: collecting.Exit | None = None
        if spawn:
            self.spawn()

    def __repr__(self) -> str:
        return f"<process {self.name}:{self.wid} pid={self.pid}>"

    def __lt__(self, other: Process) -> bool:
        """Tell whether it was started before another one, for `sorted`."""
        return self.started < other.started

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def spawn(self) -> None:
        """Start it, unless it has been started.

        Raises:
            OSError: It cannot be started.
            ValueError: The command cannot be parsed.
        """
        with self._lock:
            if self.pid:
                return
            spec = self._spec()
            if self.use_fds:
                spec = spec._replace(pass_fds=(*spec.pass_fds, *_inheritable()))
            self._launch(spec)
            self.started = SYSTEM.time()

    def _spec(self) -> LaunchSpec:
        template = Template(self.name, self._options, "process")
        return template.spec(self.wid, Loan(SocketRegistry()))

    def format_args(self, sockets_fds: Mapping[str, int] | None = None) -> list[str]:
        """Return the words of its command line.

        Args:
            sockets_fds: What `$(circus.sockets.NAME)` stands for, by name.

        Raises:
            ValueError: The command cannot be parsed.
        """
        fds = {f"sockets.{name.lower()}": str(fd) for name, fd in (sockets_fds or {}).items()}
        return [expand(word, fds) for word in self._spec().argv]

    def _launch(self, spec: LaunchSpec) -> None:
        ours: dict[str, int] = {}
        theirs: dict[str, Any] = {
            name: subprocess.DEVNULL if self._options[f"close_child_{name}"] else None
            for name in ("stdin", "stdout", "stderr")
        }
        try:
            pipes = {"stdout": self.pipe_stdout, "stderr": self.pipe_stderr}
            for name, piped in pipes.items():
                if piped:
                    ours[name], end = os.pipe()
                    if theirs[name] is None:
                        theirs[name] = end
                    else:
                        os.close(end)  # it reads as empty, as in Circus
            self.pid = _executed(spec._replace(**theirs))
        except BaseException:
            for fd in ours.values():
                os.close(fd)
            raise
        finally:
            for name in ours:
                if theirs[name] != subprocess.DEVNULL:
                    os.close(theirs[name])
        for name, fd in ours.items():
            setattr(self, name, os.fdopen(fd, "rb"))

    # -- state

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return the value of an option."""
            options = vars(self).get("_options", {})
            if name == "working_dir" and options[name] is None:
                return get_working_dir()
            return options[name] if name in options else super().__getattr__(name)

    @property
    def rlimits(self) -> dict[str, int]:
        """Its resource limits by their names."""
        extra = self._options.extra
        return {key[len(LIMIT) :]: extra[key] for key in extra if key.startswith(LIMIT)}

    @property
    def username(self) -> str | None:
        """The name of the user that it runs as; None for that of this program."""
        return None if self._options.uid is None else get_username_from_uid(self._options.uid)

    def age(self) -> float:
        """Return the seconds since it was started."""
        return SYSTEM.time() - self.started

    @property
    def status(self) -> int:
        """RUNNING; DEAD_OR_ZOMBIE when it has ended; UNEXISTING before the start, and after
        `poll`, `wait`, `stop` or `is_alive` has noted the end."""
        with self._lock:
            if self._exit is not None or not self.pid:
                return UNEXISTING
            return DEAD_OR_ZOMBIE if collecting.peek(self.pid) else RUNNING

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None until `poll`, `wait` or `stop` notes it."""
        return None if self._exit is None else self._exit.exit_code

    def poll(self) -> int | None:
        """Return its exit code; None while it has not ended."""
        with self._lock:
            if self._exit is None and self.pid:
                try:
                    self._exit = collecting.collect(self.pid)
                except BlockingIOError:
                    return None
            return self.returncode

    def is_alive(self) -> bool:
        """Tell whether it has been started and has not ended."""
        return bool(self.pid) and self.poll() is None

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
                watcher.add(self.pid)
                ended = select.poll()
                ended.register(watcher.fileno(), select.POLLIN)
                if not ended.poll(poll_milliseconds(timeout)) and self.is_alive():
                    raise late(
                        f"{self!r} has not ended within {timeout:g} s", self.pid, timeout or 0.0
                    )
            finally:
                watcher.close()
        return self.poll()

    def info(self) -> dict[str, Any]:
        """Return what `stats` reports of a process; empty once it has ended."""
        with self._lock:  # the sampler is for one thread at a time
            found = self._sampler.sample([self.pid]) if self.is_alive() else {}
        if self.pid not in found:
            return {}
        return {**found[self.pid], "started": self.started, "wid": self.wid}

    def children(self, recursive: bool = False) -> list[int]:
        """List the pids of its children; `recursive`: and those below them."""
        return proctable.descendants(self.pid, recursive) if self.is_alive() else []

    def is_child(self, pid: int) -> bool:
        """Tell whether that is a child of it."""
        return pid in self.children()

    # -- signals

    def send_signal(self, sig: int | str) -> None:
        """Send it a signal, by number or name; do nothing once it has ended.

        Raises:
            ValueError: There is no such signal.
        """
        number = to_signum(sig)
        with self._lock:
            if self.is_alive():
                os.kill(self.pid, number)

    def send_signal_child(self, pid: int, signum: int | str) -> None:
        """Send a signal to one of its children.

        Raises:
            ProcessLookupError: It is not a child of it.
        """
        if not self.is_child(pid):
            raise gone(f"process {pid} is not a child of {self!r}", pid)
        os.kill(pid, to_signum(signum))

    def send_signal_children(self, signum: int | str, recursive: bool = False) -> None:
        """Send a signal to its children; `recursive`: and to those below them."""
        for pid in self.children(recursive):
            try:
                os.kill(pid, to_signum(signum))
            except ProcessLookupError:
                continue  # it has ended meanwhile

    def stop(self, timeout: float = STOP_TIMEOUT) -> int | None:
        """End it, wait for that, close its pipes, and return its exit code.

        Its own children go on unless it ends them: only a watcher does that.

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
        """Close the pipes of its output."""
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()


def _executed(spec: LaunchSpec) -> int:
    """Start a child, and return its pid when it is the program.

    Raises:
        LaunchError: It cannot become that.
        ValueError: Something in the spec cannot be passed to a program.
    """
    launched = launch(spec)
    if launched.report_fd is None:
        return launched.pid
    os.set_blocking(launched.report_fd, True)
    with os.fdopen(launched.report_fd, "rb") as report:
        failed, _ = explain(spec, report.read())  # its end is the program's beginning
    if failed is not None:
        os.waitpid(launched.pid, 0)
        raise failed
    return launched.pid


def _borrowed(watcher: HasOptions | None) -> dict[str, Any]:
    """Return the options of a watcher that its command may name, and that do nothing here."""
    known = WATCHER_OPTIONS.by_name
    idle = {key for key, row in known.items() if row.harmless and not row.reloads} - {"on_demand"}
    options = () if watcher is None else watcher.options()
    return {
        key: value for key, value in options if key in idle or WATCHER_OPTIONS.find(key) is None
    }


def _inheritable() -> list[int]:
    """List the files, but for the standard ones, that programs started by this one may inherit."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the file of the listing itself
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
    return found
