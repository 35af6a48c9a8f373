"""Whether a daemon can have on this machine what it listens at and writes: for `--check` and
`reloadconfig`.

A start finds out by doing it. What only another user could have, or at another moment, is none of
it: a port that is in use, a folder that belongs to root.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from cvec_circus.config.build import Build
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.places import ENDPOINTS
from cvec_circus.control import endpoints
from cvec_circus.logs import configured, trial
from cvec_circus.logs.log import NO_CONFIG
from cvec_circus.logs.syslog import Syslog
from cvec_circus.options.socket import TUNABLE
from cvec_circus.options.syslog import SCHEME
from cvec_circus.sockets import possible
from cvec_circus.system.paths import make_it, why_no_file

STATISTICS, RUNS = "stats_endpoint", "schedule_file"
"""What the daemon runs without, too."""

FILES = ("pidfile", "logoutput", RUNS)
"""The options of the daemon that name a file which it writes."""


def locate(build: Build, cwd: str, former: Configuration | None = None) -> None:
    """Add to the findings of a build what this machine cannot give. It may wait for a name server.

    Args:
        build: What a file says.
        cwd: The directory that relative paths start in.
        former: The configuration that runs, if one does: what has not changed is not looked at.
    """
    _Looking(build, cwd, former).go()


class _Looking:
    """One look at this machine. Owned by the thread that loads the file."""

    def __init__(self, build: Build, cwd: str, former: Configuration | None) -> None:
        self._build, self._cwd = build, cwd
        self._circus = build.everything.circus
        self._before = former.circus if former else {}
        self._known = [_place(one.options) for one in former.sockets] if former else []

    def go(self) -> None:
        for key in FILES:
            self._look(key, self._why_no_file)
        self._look("loggerconfig", self._why_no_configuration)
        wrong = {one.option for one in endpoints.judge(self._circus) if one.is_problem}
        for key in ENDPOINTS:
            if key not in wrong and (key != STATISTICS or self._circus["statsd"]):
                self._look(key, self._why_not_listening)
        for one in self._build.everything.sockets:
            path = one.options["path"]
            if self._build.refused[one.section.header] or _place(one.options) in self._known:
                continue
            whole = {"path": os.path.join(self._cwd, path)} if path else {}
            if found := possible.why_not({**one.options, **whole}):
                self._build.findings.problem(one.section, *found)

    def _look(self, key: str, why: Callable[[str], str]) -> None:
        """Look at an option of the daemon."""
        value, section = self._circus[key], self._build.circus
        if not isinstance(value, str) or self._before.get(key) == value:
            return
        if key not in self._build.refused[section.header] and (reason := why(value)):
            is_needed = key not in (STATISTICS, RUNS)
            add = self._build.findings.problem if is_needed else self._build.findings.warn
            add(section, key, reason)

    def _why_no_file(self, path: str) -> str:
        if path.startswith(SCHEME):
            return _why_no_syslog(path)
        return why_no_file(os.path.join(self._cwd, path)) if is_file(path) else ""

    def _why_no_configuration(self, path: str) -> str:
        """Return why a configuration of logging cannot be applied."""
        if path.strip().lower() in ("", NO_CONFIG):
            return ""
        whole = os.path.join(self._cwd, path)
        try:
            configured.read(whole)
        except FileNotFoundError:
            return f"there is no {path}; {make_it(path)}"
        except PermissionError:
            return ""  # another user may
        except Exception as error:  # what YAML raises, too
            return f"{path}: {configured.describe(error, whole)}"
        reason = trial.why_not(whole, self._cwd)
        return f"{path}: {reason}" if reason else ""

    def _why_not_listening(self, endpoint: str) -> str:
        reason = endpoints.why_not_here(endpoint, self._cwd)
        return f"{endpoint}: cannot listen: {reason}" if reason else ""


def is_file(path: str | None) -> bool:
    """Tell whether what a log or another file of the daemon is called names a file."""
    return bool(path) and path != "-" and "://" not in str(path)


def _why_no_syslog(url: str) -> str:
    try:
        Syslog(url).close()
    except OSError as error:
        return f"{url}: {error.strerror}"
    return ""


def _place(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in TUNABLE}
