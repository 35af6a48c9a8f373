"""How the daemon becomes another program in an upgrade: command line, environment, exec."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus import exc
from cvec_circus.supervisor.helpers import PACKAGE_PARENT
from cvec_circus.system import files
from cvec_circus.system.handover import VARIABLE, Handover
from cvec_circus.system.launch import LaunchSpec

if TYPE_CHECKING:
    from cvec_circus.daemon.signals import Signals
    from cvec_circus.daemon.systemd import Unit
    from cvec_circus.logs.queued import QueuedLog
    from cvec_circus.supervisor.heritage import Estate

MODULE, TRIAL = "cvec_circus.daemon.main", "cvec_circus.daemon.trial"
"""What the new Python runs. A version that knows no upgrade has no trial, so it is never run."""


LOG_TIMEOUT = 1.0
"""Seconds for what was logged last."""


class MainSuccession:
    """See `supervisor.upgrade.Succession`. Owned by the main thread.

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

        script = os.path.realpath(sys.argv[0])
        checkout = os.path.dirname(os.path.dirname(script))
        self._script = script if checkout == PACKAGE_PARENT else None

    def find(self, python: str | None) -> str:
        """See `Succession`."""
        import shutil  # 330 KiB, which only an upgrade needs

        found = shutil.which(python or sys.executable)
        if found is None:
            raise exc.CircusError(f"{python or sys.executable} is not an executable program")
        return os.path.abspath(found)

    def document(self, out: Handover) -> dict[str, Any]:
        """See `Succession`."""
        return {"folder": None if self._estate is None else self._estate.folder.hand_over(out)}

    def trial(self, python: str, fd: int) -> LaunchSpec:
        """See `Succession`."""
        front = ["-m", TRIAL]
        if self._runs_again(python):  # no other Python finds what a script in a checkout does
            add = f"import runpy, sys; sys.path[0] = {PACKAGE_PARENT!r}"
            front = ["-c", f"{add}; runpy.run_module({TRIAL!r}, run_name='__main__')"]
        return LaunchSpec(
            [python, *front, *self._words],
            env={**os.environ, VARIABLE: str(fd)},
            stdin=subprocess.DEVNULL,
            pass_fds=(fd,),
            nofile=files.given_limit(),
        )

    def _runs_again(self, python: str) -> bool:
        return self._script is not None and python == sys.executable

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
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        own = self._unit.environment() if self._unit is not None else {}
        try:
            with self._signals.put_off():
                for one in (fd, *files_over):
                    os.set_inheritable(one, True)
                given = files.given_limit()
                resource.setrlimit(resource.RLIMIT_NOFILE, (given or soft, hard))
                front = [str(self._script)] if self._runs_again(python) else ["-m", MODULE]
                env = {**os.environ, **own, VARIABLE: str(fd)}
                os.execve(python, [python, *front, *self._words], env)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for one in (fd, *files_over):
                os.set_inheritable(one, False)
            if self._unit is not None:
                self._unit.reloaded()
