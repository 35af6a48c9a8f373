"""From typed options to a configuration: the checks that files and mappings have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus.config.configuration import (
    Configuration,
    LeftOut,
    PluginConfig,
    SocketConfig,
    WatcherConfig,
)
from cvec_circus.config.findings import Findings, Place
from cvec_circus.exc import OptionError
from cvec_circus.options.arbiter import ARBITER_OPTIONS, check_size
from cvec_circus.options.plugin import PLUGIN_WATCHER_DEFAULTS
from cvec_circus.options.rights import accounts_of, judge
from cvec_circus.options.socket import SOCKET_OPTIONS, check
from cvec_circus.options.table import OptionTable
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.wire.topics import fold

PLUGIN_PREFIX = "plugin:"

STATISTICS = "circusd-stats"
"""The watcher that the daemon adds by itself where it publishes statistics."""

_OLD_WID = re.compile(r"\$WID\b|\$\{WID\}")

OBSOLETE = frozenset({"check_flapping", "refresh_time", "stream_backend"})
"""Keys of Circus that mean nothing here, neither for the daemon nor for a watcher."""

Where = Mapping[str, Place]


class Assembly:
    """A configuration in the making. Owned by the thread that loads it.

    Attributes:
        configuration: What there is so far.
        findings: Takes what is wrong.
    """

    def __init__(self, findings: Findings, circus: dict[str, Any]) -> None:
        self.configuration = Configuration(circus)
        self.findings = findings
        self._runnable: dict[str, WatcherConfig | PluginConfig] = {}
        self._watcher_names = {STATISTICS: STATISTICS} if circus.get("statsd") else {}
        self._socket_names: dict[str, str] = {}

    def add_watcher(
        self,
        name: str,
        given: Mapping[str, Any],
        where: Where,
        refused: Iterable[str] = (),
        section: str = "",
    ) -> None:
        """Add a watcher.

        Args:
            name: Its name.
            given: Its options, typed.
            where: Where they stand; the section itself under "".
            refused: The keys that were given but not taken, which is said already.
            section: The header of its section, if it comes from a file.
        """
        section = section or f"watcher:{name}"
        self._check_name(name, section, where, self._watcher_names)
        if not given.get("cmd") and "cmd" not in refused:
            text = "missing; say which program to run"
            self.findings.problem(where.get("cmd") or where.get(""), text, section, "cmd")
        for key in ("cmd", "args"):
            if _OLD_WID.search(str(given.get(key, ""))):
                text = "$WID is not replaced here; write $(circus.wid)"
                self.findings.warn(where.get(key), text, section, key)
        full = self._complete(given, section, where)
        watcher = WatcherConfig(name, full, where)
        self.configuration.watchers.append(watcher)
        if name:
            self._runnable[section] = watcher

    def add_plugin(
        self,
        name: str,
        use: str,
        config: dict[str, Any],
        given: Mapping[str, Any],
        where: Where,
        section: str = "",
    ) -> None:
        """Add a plugin; the arguments are those of `PluginConfig`, the options typed but few."""
        section = section or name
        self._check_name(name, section, where, self._watcher_names)
        if not use:
            text = "missing; say which class to run, such as myproject.plugins.Logger"
            self.findings.problem(where.get("use") or where.get(""), text, section, "use")
        options = {key: value for key, value in given.items() if key not in ("use", "active")}
        full = self._complete({**PLUGIN_WATCHER_DEFAULTS, **options}, section, where)
        active = given.get("active", True)
        plugin = PluginConfig(name, use, config, full, active, where)
        self.configuration.plugins.append(plugin)
        if name != PLUGIN_PREFIX:
            self._runnable[section] = plugin

    def add_socket(self, name: str, given: Mapping[str, Any], where: Where) -> None:
        """Add a socket with typed options."""
        self._check_name(name, f"socket:{name}", where, self._socket_names)
        full = SOCKET_OPTIONS.complete(given)
        try:
            check(full)
        except OptionError as error:
            place = where.get(error.option) or where.get("")
            self.findings.problem(place, error.reason, f"socket:{name}", error.option)
        known = {option.name: full[option.name] for option in SOCKET_OPTIONS if option.available}
        self.configuration.sockets.append(SocketConfig(name, known, where))

    def finish(self, leave_out: bool = False) -> Configuration:
        """Return the configuration.

        Args:
            leave_out: Whether a watcher or plugin that is wrong in itself is left out, as long as
                something else is to run and is all right.

        Raises:
            ConfigError: Everything that is wrong with it.
        """
        if not (leave_out and self._rest_is_right()):
            self.findings.raise_problems()
        configuration = self.configuration
        for section in self.findings.sections_with_problems():
            self._leave_out(section)
        configuration.left_out.sort(key=lambda one: one.name)
        configuration.warnings = self.findings.warnings
        return configuration

    def _rest_is_right(self) -> bool:
        """Whether all problems are those of watchers and plugins, and some of these have none."""
        wrong = self.findings.sections_with_problems()
        rest = [one for section, one in self._runnable.items() if section not in wrong]
        is_any = any(not isinstance(one, PluginConfig) or one.active for one in rest)
        return is_any and wrong <= self._runnable.keys()

    def _leave_out(self, section: str) -> None:
        one = self._runnable[section]
        if isinstance(one, PluginConfig):
            self.configuration.plugins.remove(one)
        else:
            self.configuration.watchers.remove(one)
        left_out = LeftOut(one.name, self.findings.problems_of(section))
        self.configuration.left_out.append(left_out)

    def _complete(self, given: Mapping[str, Any], section: str, where: Where) -> WatcherOptions:
        try:
            full = WATCHER_OPTIONS.complete(given)
            check_size(full.numprocesses, self.configuration.circus["max_processes"])
            judge(accounts_of(full))
            return full
        except OptionError as error:
            place = where.get(error.option) or where.get("")
            self.findings.problem(place, error.reason, section, error.option)
            return WatcherOptions(WATCHER_OPTIONS.merged(given))

    def _check_name(self, name: str, section: str, where: Where, names: dict[str, str]) -> None:
        """Refuse a name that is empty, or that clients could not tell from another one."""
        bare = name[len(PLUGIN_PREFIX) :] if section.startswith(PLUGIN_PREFIX) else name
        if not bare:
            text = "the name is missing; write [" + section.partition(":")[0] + ":NAME]"
            self.findings.problem(where.get(""), text, section)
            return
        folded = fold(name)
        if folded in names:
            other = names[folded]
            text = f"commands and events cannot tell this name from {other}; rename one of them"
            self.findings.problem(where.get(""), text, section)
        names.setdefault(folded, name)


def note_unknown(
    findings: Findings, table: OptionTable, keys: Iterable[str], section: str, where: Where
) -> None:
    """Warn of keys that mean nothing in their section."""
    for key in keys:
        if table.find(key) is None:
            text = f"unknown option, ignored{table.near(key)}"
            findings.warn(where.get(key), text, section, key)


def note_near_misses(findings: Findings, keys: Iterable[str], section: str, where: Where) -> None:
    """Warn of options of a watcher that mean nothing, and of freeform ones that look like slips."""
    for key in keys:
        option = WATCHER_OPTIONS.find(key)
        obsolete = ARBITER_OPTIONS.by_name[key] if key in OBSOLETE else option
        near = "" if "." in key or option else WATCHER_OPTIONS.near(key)
        if obsolete is not None and obsolete.warning:
            findings.warn(where.get(key), obsolete.warning, section, key)
        elif near:
            text = f"unknown option, kept as it is{near}"
            findings.warn(where.get(key), text, section, key)
