"""Helpers: the processes that serve the daemon itself, such as the plugins and the statistics.

Each is a row of one list: an object of a subclass of `Helper`; see `helper_rows`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import cvec_circus
from cvec_circus.base.named import NamedTuple
from cvec_circus.control.events import EventStream
from cvec_circus.core.process import ManagedProcess, ProcessState
from cvec_circus.core.watcher import Kind, Watcher
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.system.handover import Handover

PACKAGE_PARENT = os.path.dirname(os.path.dirname(os.path.realpath(cvec_circus.__file__)))

REPORT_SIZE = 4096

FEW = 3
"""With so many helpers or fewer each event goes out at once."""

HOLD = 0.0005
"""Seconds for which an event may be held back for each helper beyond these, so that all are woken
for several events at a time. Beside ten plugins a respawn took twice as long without it."""

LONGEST_HOLD = 0.005
"""Seconds that it comes to at most."""


class Extra(NamedTuple):
    """What a helper's process gets beside its command line. Immutable."""

    env: Mapping[str, str] = {}
    fds: Sequence[int] = ()  # under their own numbers


NOTHING = nullcontext(Extra())


class Helper:
    """One row: what is started, with which message. Owned by the supervisor thread.

    Attributes:
        name: The name of its watcher.
        module: What its process runs: `python -m MODULE`.
        variable: The variable that carries its message, as JSON: blanks, colons and newlines arrive
            as they are.
        useless: The exit codes with which it says that starting it again is of no use.
        has_sockets: Whether its process has the listening sockets that were there at its start.
    """

    name = ""
    module = ""
    variable = ""
    useless = (2,)
    has_sockets = False

    def own_options(self) -> WatcherOptions:
        """Return the options of its watcher, but for those that `options` adds."""
        raise NotImplementedError

    def message(self) -> dict[str, Any]:
        """Return the message to its next process, beside what every helper gets. JSON values."""
        return {}

    def descriptors(self) -> Sequence[int]:
        """Return the files that its next process gets under their own numbers."""
        return ()

    def exited(self, by_itself: bool, is_wanted: bool) -> None:
        """Take note that a process of it has ended.

        Args:
            by_itself: Whether no order and none of our signals has ended it.
            is_wanted: Whether another one is to follow.
        """

    def close(self) -> None:
        """Let go of what is open: there is no further process."""

    def hand_over(self, out: Handover) -> dict[str, Any]:
        """Return what the program that is to be executed needs to go on with it."""
        raise NotImplementedError

    @property
    def options(self) -> WatcherOptions:
        """All the options of its watcher."""
        own = self.own_options()
        copied = dict(os.environ) if own.copy_env else {}
        path = importable({**copied, **own.env})["PYTHONPATH"]
        return own.replace(
            {
                "cmd": sys.executable,
                "args": ["-m", self.module],
                "numprocesses": 1,
                "singleton": True,
                "env": {**own.env, "PYTHONPATH": path},
            }
        )


class Helpers:
    """What ties the helpers to their daemon. Owned by the supervisor thread.

    Every helper inherits the read end of the *lifeline*, a pipe that is never written to: its end
    of file tells that the daemon is gone, and the helper ends too.

    Args:
        events: What the daemon publishes.
        control_address: Where it takes commands.
        check_delay: Seconds; handed to the plugins, which may have a use for it.
        log_level: The word for the daemon's level, for the helpers' own logs.
        log_url: Where the helpers log to: a path, the URL of a syslog, or "-" for stderr.
        life: The two ends of the lifeline of the program that was here before an upgrade.

    Attributes:
        rows: Every helper, by its watcher.
        check_delay, log_level: As given; they may be changed, for those that start later.
    """

    def __init__(
        self,
        events: EventStream,
        control_address: str,
        check_delay: float,
        log_level: str,
        log_url: str = "-",
        life: tuple[int, int] | None = None,
    ) -> None:
        self.events = events
        self.check_delay = check_delay
        self.log_level = log_level
        self._control_address = control_address
        self._log_url = log_url
        self._lifeline, self._life = life or os.pipe()
        self.rows: dict[Watcher, Helper] = {}
        self._reports: dict[ManagedProcess, int] = {}

    def add(self, helper: Helper) -> Watcher:
        """Take up a helper, and make its watcher."""
        watcher = Watcher(helper.name, helper.options, Kind(True, helper.useless))
        self.rows[watcher] = helper
        self._set_hold()
        return watcher

    def _set_hold(self) -> None:
        """Send events at once, or several together, by how many helpers are woken for each."""
        crowd = max(0, len(self.rows) - FEW)
        self.events.hold = min(crowd * HOLD, LONGEST_HOLD)

    def prepare(self, watcher: Watcher, process: ManagedProcess) -> AbstractContextManager[Extra]:
        """Return what a process of that watcher gets: nothing, unless it is a helper's.

        Its `report` is a pipe for the one line that says why it cannot run. The child's end of it
        is closed when the context is left.
        """
        helper = self.rows.get(watcher)
        if helper is None:
            return NOTHING
        memory = watcher.places.backoffs.get(process.wid)
        return self._prepare(helper, process, 0 if memory is None else memory.deaths)

    @contextmanager
    def _prepare(self, helper: Helper, process: ManagedProcess, deaths: int) -> Iterator[Extra]:
        ours, theirs = os.pipe()
        try:
            message = {**helper.message(), **self._surroundings(theirs), "deaths": deaths}
            fds = (self._lifeline, theirs, *helper.descriptors())
            yield Extra({helper.variable: json.dumps(message)}, fds)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._read_report(process)
        self._reports[process] = ours

    def _surroundings(self, report: int) -> dict[str, Any]:
        """Return the part of the message that every helper gets."""
        return {
            "endpoint": self._control_address,
            "pubsub_endpoint": self.events.address,
            "run": self.events.run,
            "check_delay": self.check_delay,
            "lifeline": self._lifeline,
            "report": report,
            "helpers": [one.name.lower() for one in self.rows],
            "log_level": self.log_level,
            "log_output": self._log_url,
        }

    def exited(self, watcher: Watcher, process: ManagedProcess) -> str:
        """Take note that a process has ended, before the core does.

        Returns:
            The line with which a helper's process has said why it cannot run, or "".
        """
        helper = self.rows.get(watcher)
        if helper is not None:
            helper.exited(process.state is ProcessState.RUNNING, watcher.goal.up)
        return self._read_report(process)

    def _read_report(self, process: ManagedProcess) -> str:
        """Return what is in the pipe of a process, and close it; "" if there is none."""
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

    def hand_over(self, out: Handover) -> dict[str, Any]:
        """Hand all of them to the program that is to be executed, in which they go on."""
        return {
            "life": [out.file(self._lifeline), out.file(self._life)],
            "rows": {watcher.name: one.hand_over(out) for watcher, one in self.rows.items()},
            "reports": [[one.pid, out.file(fd)] for one, fd in self._reports.items()],
        }

    def take_over(self, watcher: Watcher, helper: Helper, reports: dict[int, int]) -> None:
        """Go on with a helper, whose processes have reports by their pids."""
        self.rows[watcher] = helper
        self._set_hold()
        for process in watcher.places.slots.values():
            if process.pid in reports:
                self._reports[process] = reports.pop(process.pid)

    def forget(self, watcher: Watcher) -> None:
        """Let go of what belongs to a watcher that is gone for good."""
        helper = self.rows.pop(watcher, None)
        if helper is not None:
            helper.close()
            self._set_hold()

    def close(self) -> None:
        """Let every helper know that the daemon is gone."""
        for watcher in list(self.rows):
            self.forget(watcher)
        for fd in [*self._reports.values(), self._lifeline, self._life]:
            os.close(fd)
        self._reports.clear()


def importable(env: dict[str, str]) -> dict[str, str]:
    """Return the environment in which `python -m cvec_circus...` finds this very package, after all
    that the user has put into PYTHONPATH."""
    parts = [part for part in env.get("PYTHONPATH", "").split(os.pathsep) if part]
    return {**env, "PYTHONPATH": os.pathsep.join(dict.fromkeys([*parts, PACKAGE_PARENT]))}
