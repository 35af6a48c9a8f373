"""Helpers: the processes that serve the daemon itself, which are the plugins and the statistics."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import cvec_circus
from cvec_circus.config.configuration import PluginConfig
from cvec_circus.control.events import EventStream
from cvec_circus.core.process import ManagedProcess
from cvec_circus.core.watcher import Watcher

if TYPE_CHECKING:
    from cvec_circus.supervisor.statistics import Statistics

VARIABLE = "CVEC_CIRCUS_PLUGIN"
"""Carries everything the runner needs, as JSON: blanks, colons and newlines arrive as they are."""

UNUSABLE = frozenset({2})
"""Exit codes with which the runner says that starting it again is of no use."""

PACKAGE_PARENT = os.path.dirname(os.path.dirname(os.path.realpath(cvec_circus.__file__)))

PROGRESS = struct.Struct("=Q")
"""What a plugin notes after each event: its number. It stands in memory that daemon and plugin
share, so the successor of one that was killed begins where that one had got to."""

REPORT_SIZE = 4096

FEW = 3
"""With so many plugins or fewer each event goes out at once."""

HOLD = 0.0005
"""Seconds for which an event may be held back for each plugin beyond these, so that all are woken
for several events at a time. Beside ten plugins a respawn took twice as long without it."""

LONGEST_HOLD = 0.005
"""Seconds that it comes to at most."""


class Extra:
    """What a helper gets beside its command line. Immutable.

    Attributes:
        env: Variables.
        fds: Files, under their own numbers.
    """

    def __init__(self, env: dict[str, str], fds: tuple[int, ...] = ()) -> None:
        self.env = env
        self.fds = fds


class Helpers:
    """What ties the helpers to their daemon. Owned by the supervisor thread.

    Every helper inherits the read end of the *lifeline*, a pipe that nobody writes: its end of file
    tells that the daemon is gone, and the helper ends too.

    Attributes:
        control_address: Where the daemon takes commands.
        events: What it publishes.
        statistics: How the process is started that measures all others; None for not at all.
        check_delay, log_level: As given; they may be changed, for those that start later.
    """

    def __init__(self, check_delay: float, log_level: str, log_url: str = "-") -> None:
        """Makes the lifeline.

        Args:
            check_delay: Seconds; handed to the plugins, which may have a use for it.
            log_level: The word for the daemon's level, for the plugins' own logs.
            log_url: Where the plugins log to: a path, the URL of a syslog, or "-" for stderr.
        """
        self.check_delay = check_delay
        self.log_level = log_level
        self._log_url = log_url
        self._lifeline, self._life = os.pipe()
        self._plugins: dict[Watcher, PluginConfig] = {}
        self._progress: dict[Watcher, int] = {}
        self._reports: dict[ManagedProcess, int] = {}
        self.control_address = ""
        self.events: EventStream
        self.statistics: Statistics | None = None

    def watcher(self, plugin: PluginConfig) -> Watcher:
        """Makes the watcher of a plugin."""
        watcher = Watcher(plugin.name, options(plugin), helper=True, fatal_exit_codes=UNUSABLE)
        self.serve(watcher, plugin)
        return watcher

    def serve(self, watcher: Watcher, plugin: PluginConfig) -> None:
        """Has the next process of a plugin's watcher run that plugin."""
        self._plugins[watcher] = plugin
        self._set_hold()

    def _set_hold(self) -> None:
        """Has events go out at once, or together, by how many plugins are woken for each."""
        crowd = len(self._plugins) - FEW
        self.events.hold = min(crowd * HOLD, LONGEST_HOLD) if crowd > 0 else 0.0

    @contextmanager
    def prepare(self, watcher: Watcher, process: ManagedProcess) -> Iterator[Extra]:
        """What a process of that watcher gets; nothing unless it is a helper's.

        Its `report` is a pipe for the one line that says why it cannot run. The child's end of it
        is closed when the context is left.
        """
        plugin, statistics = self._plugins.get(watcher), self.statistics
        if plugin is None and (statistics is None or watcher is not statistics.watcher):
            yield Extra({})
            return
        ours, theirs = os.pipe()
        try:
            if plugin is not None:
                extra = self._for_plugin(watcher, plugin, theirs)
            else:
                assert statistics is not None
                extra = self._for_statistics(statistics, theirs)
            yield extra
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._drop_report(process)
        self._reports[process] = ours

    def _for_plugin(self, watcher: Watcher, plugin: PluginConfig, report: int) -> Extra:
        progress = self._progress_of(watcher)
        message = {
            "use": plugin.use,
            "config": {**plugin.config, "name": watcher.name},
            "check_delay": self.check_delay,
            "sys_path": sys.path,
            "since": PROGRESS.unpack(os.pread(progress, PROGRESS.size, 0))[0],
            "run": self.events.run,
            "progress": progress,
            **self._surroundings(report),
        }
        return Extra({VARIABLE: json.dumps(message)}, (self._lifeline, report, progress))

    def _for_statistics(self, statistics: Statistics, report: int) -> Extra:
        task, fds = statistics.task()
        message = {**task, **self._surroundings(report)}
        return Extra({statistics.VARIABLE: json.dumps(message)}, (self._lifeline, report, *fds))

    def _surroundings(self, report: int) -> dict[str, Any]:
        """What every helper is told."""
        return {
            "endpoint": self.control_address,
            "pubsub_endpoint": self.events.address,
            "lifeline": self._lifeline,
            "report": report,
            "log_level": self.log_level,
            "log_output": self._log_url,
        }

    def _progress_of(self, watcher: Watcher) -> int:
        if watcher not in self._progress:
            fd = os.memfd_create("cvec_circus-progress", os.MFD_CLOEXEC)
            os.pwrite(fd, PROGRESS.pack(0), 0)
            self._progress[watcher] = fd
        return self._progress[watcher]

    def report(self, process: ManagedProcess) -> str:
        """Returns the line with which a helper's process has said why it cannot run, or ""."""
        fd = self._reports.pop(process, None)
        if fd is None:
            return ""
        try:
            os.set_blocking(fd, False)
            return os.read(fd, REPORT_SIZE).decode("utf-8", "replace").strip()
        except BlockingIOError:
            return ""
        finally:
            os.close(fd)

    def _drop_report(self, process: ManagedProcess) -> None:
        fd = self._reports.pop(process, None)
        if fd is not None:
            os.close(fd)

    def forget(self, watcher: Watcher) -> None:
        """Lets go of what belongs to a watcher that is gone for good."""
        self._plugins.pop(watcher, None)
        self._set_hold()
        progress = self._progress.pop(watcher, None)
        if progress is not None:
            os.close(progress)

    def close(self) -> None:
        """Lets every helper know that the daemon is gone."""
        for watcher in list(self._plugins):
            self.forget(watcher)
        if self.statistics is not None:
            self.statistics.close()
        for fd in [*self._reports.values(), self._lifeline, self._life]:
            os.close(fd)
        self._reports.clear()


def options(plugin: PluginConfig) -> dict[str, Any]:
    """All the options of the watcher of a plugin."""
    return {
        **plugin.options,
        "cmd": sys.executable,
        "args": ["-m", "cvec_circus.plugins.runner"],
        "numprocesses": 1,
        "singleton": True,
        "env": importable(plugin.options["env"]),
    }


def importable(env: dict[str, str]) -> dict[str, str]:
    """The environment in which `python -m cvec_circus...` finds this very package, after all that
    the user has put there."""
    parts = [part for part in env.get("PYTHONPATH", "").split(os.pathsep) if part]
    return {**env, "PYTHONPATH": os.pathsep.join([*parts, PACKAGE_PARENT])}
