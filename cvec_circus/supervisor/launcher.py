"""The desk that starts processes, and says why one never became its program."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

from cvec_circus import logger
from cvec_circus.base.loop import Loop
from cvec_circus.base.named import NamedTuple
from cvec_circus.base.readers import Readers
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher
from cvec_circus.options.stream import CHANNELS
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.sockets.registry import Loan, SocketRegistry
from cvec_circus.supervisor.ending.cgroups import Cgroups
from cvec_circus.supervisor.ending.reaper import Reaper
from cvec_circus.supervisor.helpers import Helpers
from cvec_circus.supervisor.launching import Templates
from cvec_circus.supervisor.output.outputs import OutputDesk
from cvec_circus.supervisor.probing.probes import ProbeDesk
from cvec_circus.supervisor.survival.bookkeeper import Bookkeeper, Launched
from cvec_circus.system import files, pipes
from cvec_circus.system.launch import REPORT_SIZE, LaunchError, LaunchSpec, explain, launch


class Launcher:
    """Starts the processes of watchers. Owned by the supervisor thread, which waits for none.

    Args:
        templates: What the processes of each watcher have in common.
        helpers: Tells what plugins get in addition.
        probes: Tells what processes with checks get in addition.
        cgroups: Tells which cgroup a process joins.
        books: Takes note of each process, before it is started and after that.
        log_fd: Returns the file that the daemon's log goes to, None where that is stderr.
    """

    def __init__(
        self,
        loop: Loop,
        templates: Templates,
        sockets: SocketRegistry,
        outputs: OutputDesk,
        reaper: Reaper,
        helpers: Helpers,
        probes: ProbeDesk,
        reports: Reports,
        cgroups: Cgroups,
        books: Bookkeeper,
        log_fd: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._loop, self._log_fd = loop, log_fd
        self._templates, self._sockets = templates, sockets
        self._outputs, self._reaper = outputs, reaper
        self._helpers, self._probes, self._reports = helpers, probes, reports
        self._cgroups, self.limit = cgroups, cgroups.limit
        self._books = books
        self._null = files.moved_up(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))

    def spawn(self, watcher: Watcher, process: ManagedProcess) -> int:
        """Start a process in a slot of the watcher.

        Returns:
            Its pid, which is also the number of its session and process group.

        Raises:
            LaunchError: The system refused; `errno` tells whether trying again may help.
            ValueError: The options cannot be made into a command.
        """
        try:
            if not files.has_room(self._loop.wakeup.fd):
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return self._spawn(watcher, process)
        except LaunchError:
            raise
        except OSError as error:
            raise LaunchError(error.errno, f"cannot start a process: {error.strerror}") from error

    def _spawn(self, watcher: Watcher, process: ManagedProcess) -> int:
        template = self._templates.of(watcher)
        options = template.options
        inherited = self._log_fd() if watcher.kind.is_helper else None
        captured = [name for name in CHANNELS if self._outputs.is_captured(watcher, name)]
        survives = self._books.is_on and not (watcher.kind.is_helper or options.die_with_daemon)
        made = StandardFiles(options, inherited, captured, survives, template.uid, self._null)
        with made as standard, Loan(self._sockets) as loan:
            helped, probed = self._helpers.prepare, self._probes.prepare
            with helped(watcher, process) as extra, probed(watcher, process) as checked:
                env = {**extra.env, **checked.env}
                fds, places, cgroup = extra.fds, checked.places, self._cgroups.prepare(watcher)
                spec = template.spec(process.wid, loan, env, fds, places, standard.files, cgroup)
                inodes = {name: os.fstat(fd).st_ino for name, fd in standard.ours.items()}
                self._books.intends(watcher)
                pid, report_fd = launch(spec)  # nothing may fail now: its pid would be lost
            try:
                self._reaper.add(watcher, process, pid)
            except BaseException:
                if report_fd is not None:
                    os.close(report_fd)
                raise
            if report_fd is not None:
                self._reports.add(watcher, process, spec, report_fd)
            if self._books.is_on:
                about = Launched(*self._reaper.identity(pid), inodes)
                self._books.launched(process, about)
            for name, fd in standard.take().items():
                self._outputs.add(watcher, process, name, fd, pid, checked.sought)
        return pid

    def forget(self, watcher: Watcher) -> None:
        """Drop what is kept for a watcher that is gone for good; it may be called twice."""
        self._templates.forget(watcher)
        self._reports.forget(watcher)

    def close(self) -> None:
        """Close what is open, after the last spawn."""
        os.close(self._null)


class StandardFiles:
    """The standard files of a process that starts, by name. Owned by the supervisor thread.

    A context, at whose end the child's ends of pipes are closed, and ours that were not taken.
    Their keys are those of a LaunchSpec. A helper that writes to the daemon's own log has that
    `inherited`, which is None for our stdout and stderr. Those `captured` become pipes, of the user
    `uid` unless that is None: only then can the process open /dev/stdout by its name. Those that
    are closed for the process are `null`, /dev/null by default.

    The pipes of a process that `survives` the daemon last, too.

    Attributes:
        ours: Our ends of the pipes, by name, until they are taken.
    """

    def __init__(
        self,
        options: WatcherOptions,
        inherited: int | None,
        captured: Collection[str],
        survives: bool = False,
        uid: int | None = None,
        null: int = subprocess.DEVNULL,
    ) -> None:
        self._survives, self._uid = survives, uid
        self._theirs: list[int] = []
        self.ours: dict[str, int] = {}
        self.files = {"stdin": null if options.close_child_stdin else None}
        closed = {"stdout": options.close_child_stdout, "stderr": options.close_child_stderr}
        try:
            for name in CHANNELS:
                if closed[name]:
                    self.files[name] = null
                elif name in captured:
                    self.files[name] = self._pipe(name)
                else:
                    self.files[name] = inherited
        except OSError:
            self.__exit__()
            raise

    def _pipe(self, name: str) -> int:
        ours, theirs = os.pipe()
        self._theirs.append(theirs)
        self.ours[name] = files.moved_up(ours)
        if self._survives:
            self._theirs[-1] = pipes.lasting(theirs)
        if self._uid is not None:
            with suppress(PermissionError):  # we may become that user, and not give files away
                os.fchown(self._theirs[-1], self._uid, -1)
        return self._theirs[-1]

    def take(self) -> dict[str, int]:
        """Return the read ends by name; they are the caller's now."""
        taken, self.ours = self.ours, {}
        return taken

    def __enter__(self) -> StandardFiles:
        return self

    def __exit__(self, *details: object) -> None:
        for fd in (*self._theirs, *self.ours.values()):
            os.close(fd)


class _Report(NamedTuple):
    """What a process says until it is its program. Immutable."""

    watcher: Watcher
    process: ManagedProcess
    spec: LaunchSpec  # what it is to become
    fd: int  # the pipe


class Reports:
    """Listens to processes that are not their programs yet. Owned by the supervisor thread.

    Args:
        readers: The readers of the supervisor's loop.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._open: dict[int, _Report] = {}
        self._failed: dict[ManagedProcess, LaunchError] = {}
        self._told: dict[Watcher, set[str]] = {}

    def add(self, watcher: Watcher, process: ManagedProcess, spec: LaunchSpec, fd: int) -> None:
        """Listen to a new one; the pipe is owned here from now on."""
        self._open[fd] = report = _Report(watcher, process, spec, fd)
        try:
            self._readers.add(fd, partial(self._read, report))
        except OSError as error:
            # It is read when the process has ended.
            reason = f"{error.strerror}; a failure shows when it has ended"
            logger.warning("%s: cannot watch slot %d start: %s", process.name, process.wid, reason)

    def awaited(self) -> str:
        """Name a process that is not its program yet; "" if there is none."""
        return next(
            (f"{one.watcher.name} (pid {one.process.pid})" for one in self._open.values()), ""
        )

    def _read(self, report: _Report) -> None:
        """Take what there is: it has been written at once."""
        watcher, process, spec, fd = report
        del self._open[fd]
        text = b""
        try:
            text = os.read(fd, REPORT_SIZE)
        except BlockingIOError:
            pass  # a process that a hook has forked has the other end as well
        finally:
            self._readers.remove(fd)
            os.close(fd)
        failed, remarks = explain(spec, text)
        if failed is not None:
            self._failed[process] = failed
        told = self._told.setdefault(watcher, set()) if remarks else set()
        for remark in remarks:
            if remark not in told:
                told.add(remark)
                logger.warning("%s: %s", watcher.name, remark)

    def failure(self, process: ManagedProcess) -> LaunchError | None:
        """Return why a process that has ended never became its program, None if it did."""
        for report in [one for one in self._open.values() if one.process is process]:
            self._read(report)
        return self._failed.pop(process, None)

    def forget(self, watcher: Watcher) -> None:
        """Drop what was logged about a watcher that is gone for good."""
        self._told.pop(watcher, None)

    def close(self) -> None:
        """Close all pipes, after the loop has been closed."""
        for fd in self._open:
            self._readers.remove(fd)
            os.close(fd)
        self._open.clear()
