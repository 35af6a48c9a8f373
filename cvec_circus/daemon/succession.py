"""How the daemon becomes another program in an upgrade: command line, environment, exec."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus import __version__, exc
from cvec_circus.supervisor.helpers import PACKAGE_PARENT
from cvec_circus.system import files
from cvec_circus.system.handover import VARIABLE, Handover, Inherited
from cvec_circus.system.launch import LaunchSpec

if TYPE_CHECKING:
    from cvec_circus.daemon.signals import Signals
    from cvec_circus.daemon.systemd import Unit
    from cvec_circus.logs.queued import QueuedLog
    from cvec_circus.supervisor.survival.heritage import Estate

MODULE, TRIAL = "cvec_circus.daemon.main", "cvec_circus.daemon.trial"
"""What the new Python runs. A version that knows no upgrade has no trial, so it is never run."""

SCRIPTS = ("cvec_circusd", "circusd")
"""The names of the scripts that start a daemon, ours and that of the package `circus`."""

LOG_TIMEOUT = 1.0
"""Seconds for what was logged last."""


class MainSuccession:
    """See `supervisor.survival.upgrade.Succession`. Owned by the main thread.

    Args:
        words: The command line of the daemon, without its program.
        estate: The folder with the ledger, if there is one.
        signals, log, unit: Those of the daemon.
    """

    def __init__(
        self,
        words: Sequence[str],
        estate: Estate | None,
        signals: Signals,
        log: QueuedLog,
        unit: Unit | None,
    ) -> None:
        self._words, self._estate = list(words), estate
        self._signals, self._log, self._unit = signals, log, unit
        self._started = os.path.realpath(sys.argv[0])  # a script, or a module that -m has run
        is_script = os.path.basename(self._started) in SCRIPTS
        self._text = _text(self._started) if is_script else None

    def find(self, python: str | None) -> str:
        """See `Succession`."""
        import shutil  # 330 KiB, which only an upgrade needs

        found = shutil.which(python or sys.executable)
        if found is None:
            raise exc.CircusError(f"{python or sys.executable} is not an executable program")
        return os.path.abspath(found)

    def document(self, out: Handover) -> dict[str, Any]:
        """See `Succession`."""
        return {
            "folder": None if self._estate is None else self._estate.folder.hand_over(out),
            "before": {"argv": self._argv(sys.executable), "environ": self._environ()},
        }

    def trial(self, python: str, fd: int) -> LaunchSpec:
        """See `Succession`."""
        front, script = ["-m", TRIAL], self._script_of(python)
        if script is not None:  # find what that does
            folder = os.path.dirname(script)
            first = PACKAGE_PARENT if folder == os.path.join(PACKAGE_PARENT, "bin") else folder
            add = f"import runpy, sys; sys.path[0] = {first!r}"
            front = ["-c", f"{add}; runpy.run_module({TRIAL!r}, run_name='__main__')"]
        return LaunchSpec(
            [python, *front, *self._words],
            env={**os.environ, VARIABLE: str(fd)},
            stdin=subprocess.DEVNULL,
            pass_fds=(fd,),
            nofile=files.given_limit(),
        )

    def _environ(self) -> dict[str, str]:
        return {**os.environ, **(self._unit.environment() if self._unit is not None else {})}

    def _argv(self, python: str) -> list[str]:
        script = self._script_of(python)
        return [python, *(["-m", MODULE] if script is None else [script]), *self._words]

    def _script_of(self, python: str) -> str | None:
        """Return the script that the same Python is to run again; None for the module, which -m
        looks for in the current directory first.

        No trial runs a script, so it must be the one that has started this daemon, unchanged. A
        module that -m has run is none: it would find the modules beside it, by names that a user's
        own may have.
        """
        if self._text is None or python != sys.executable or _text(self._started) != self._text:
            return None
        return self._started

    def settle(self, then: Callable[[], object]) -> None:
        """See `Succession`."""
        self._log.after(then)

    def become(self, python: str, fd: int, files_over: list[int]) -> None:
        """See `Succession`. Signals that come from now on wait for the new program."""
        written = threading.Event()
        self._log.after(written.set)
        if not written.wait(LOG_TIMEOUT):
            raise exc.CircusError("the log cannot be written")
        if self._unit is not None:
            self._unit.reloading()
        try:
            with self._signals.put_off():
                _execute(self._argv(python), self._environ(), fd, files_over)
        finally:
            if self._unit is not None:
                self._unit.reloaded()


def _text(path: str) -> bytes | None:
    """Return what a file holds, None if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def go_back(inherited: Inherited, error: Exception) -> None:
    """Execute the program of before an upgrade again, because this one cannot go on; return if
    that was done before. Nothing that was handed over may have been used, nor any signal unblocked.

    Raises:
        OSError: It cannot be executed.
    """
    before = inherited.document.get("before")
    if before is None:
        return
    reason = str(error) if isinstance(error, exc.CircusError) else repr(error)
    failed = f"{sys.executable} with cvec_circus {__version__} could not go on: {reason}"
    fd = inherited.again(before=None, failed=failed)
    _execute(before["argv"], before["environ"], fd, inherited.document["files"])


def _execute(argv: list[str], env: Mapping[str, str], fd: int, files_over: Sequence[int]) -> None:
    """Execute a program with a document and its files; all is as before if it raises."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        for one in (fd, *files_over):
            os.set_inheritable(one, True)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files.given_limit() or soft, hard))
        os.execve(argv[0], argv, {**env, VARIABLE: str(fd)})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in (fd, *files_over):
            os.set_inheritable(one, False)
