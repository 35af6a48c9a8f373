"""From a file to a configuration: the steps, each in a module of its own.

`readers.lines` knows the grammar, `readers.ini` puts files together, `environment` has what `[env]`
says, the tables of options judge values, `assembly` checks what belongs together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from cvec_circus.config.assembly import PLUGIN_PREFIX, Assembly, note_near_misses, note_unknown
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.environment import COMMON, PREFIX, Environments
from cvec_circus.config.findings import Findings, Place
from cvec_circus.config.readers.ini import Document, read
from cvec_circus.exc import OptionError
from cvec_circus.options.arbiter import ARBITER_OPTIONS, CHECK_DELAY_IN_FILES
from cvec_circus.options.expand import expand
from cvec_circus.options.nearest import did_you_mean
from cvec_circus.options.plugin import PLUGIN_OPTIONS
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.table import OptionTable
from cvec_circus.options.watcher import WATCHER_OPTIONS

CIRCUS = "circus"
WATCHER_PREFIX = "watcher:"
SOCKET_PREFIX = "socket:"

_SECTIONS = ("circus", "watcher", "socket", "plugin", "env")
_TABLES = {
    CIRCUS: ARBITER_OPTIONS,
    WATCHER_PREFIX: WATCHER_OPTIONS,
    SOCKET_PREFIX: SOCKET_OPTIONS,
    PLUGIN_PREFIX: PLUGIN_OPTIONS,
}


def load(
    path: str, environ: Mapping[str, str] | None = None, cwd: str | None = None
) -> Configuration:
    """Read a configuration file with all that it includes. It may block: files are read.

    Args:
        path: The main file.
        environ: The environment that `$(circus.env.NAME)` and `$NAME` see; None for the process'.
        cwd: The folder that a relative `path` begins in; None for the process'.

    Returns:
        What it comes to. A watcher or plugin that is wrong in itself is in `left_out` instead.

    Raises:
        ConfigError: Everything that is wrong, at once: with the file, the daemon, the sockets or
            the environment; or with so many watchers and plugins that nothing is left to run.
    """
    environ = os.environ if environ is None else environ
    document = read(path, environ, os.getcwd() if cwd is None else cwd, Findings())
    return Build(document, environ).configuration()


def _take_apart(section: str) -> tuple[str, str]:
    """Return a section's kind, up to and with the colon, and the name that follows it."""
    kind, colon, name = section.partition(":")
    return kind + colon, name.strip()


class Build:
    """One load of one document. Owned by the thread that loads it.

    Attributes:
        document: What the files say; `assembly` replaces names of variables in it.
        findings: What is wrong with it, and what is odd.
        environments: What it says of the environment of each watcher.
        tables: The table of each section that has one.
    """

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self.document = document
        self.findings = document.findings
        self.environments = Environments(document, environ)
        self.tables = {
            section: table for section in document.tree if (table := self._table(section))
        }

    def configuration(self) -> Configuration:
        """Return what the document comes to.

        Raises:
            ConfigError: As for `load`.
        """
        return self.assembly().finish(leave_out=True)

    def assembly(self) -> Assembly:
        """Replace names of variables, and put together what the document comes to."""
        for section in self.tables:
            self._expand(section)
        assembly = Assembly(self.findings, self._circus())
        add = {
            WATCHER_PREFIX: self._add_watcher,
            SOCKET_PREFIX: self._add_socket,
            PLUGIN_PREFIX: self._add_plugin,
        }
        for section in self.tables:
            prefix, name = _take_apart(section)
            if prefix in add:
                add[prefix](assembly, section, name)
        return assembly

    def _table(self, section: str) -> OptionTable | None:
        """Return the table of a section; warn of one that has no meaning."""
        prefix, _ = _take_apart(section)
        if prefix not in _TABLES and prefix not in (COMMON, PREFIX):
            near = did_you_mean(prefix.strip(": "), _SECTIONS)
            text = f"unknown section, ignored{near}"
            self.findings.warn(self.document.place(section), text, section)
        return _TABLES.get(prefix)

    def _expand(self, section: str) -> None:
        """Replace `$(circus.env.NAME)` in a section; other names are for later."""
        keys = self.document.tree[section]
        for key in keys:
            if "circus.env." in keys[key].lower():
                keys[key] = self.replaced(section, keys[key])

    def replaced(self, section: str, text: str) -> str:
        """Return a value of a section with the names of variables in it replaced."""
        prefix, name = _take_apart(section)
        if prefix == PLUGIN_PREFIX:
            name = PLUGIN_PREFIX + name
        runs = prefix in (WATCHER_PREFIX, PLUGIN_PREFIX)
        return expand(text, self.environments.values(name if runs else ""))

    def _given(self, section: str) -> dict[str, Any]:
        """Return what a section says, typed; what cannot be taken becomes a problem.

        The table judges what a file says as it judges what a message says. ConfigObj's validate
        would be a second judge, made from the same table, and 7 ms more to start with.
        """
        table = self.tables[section]
        given = {}
        for key, value in self.document.tree[section].items():
            try:
                given[key] = table.convert_one(key, value)
            except OptionError as error:
                place = self.document.place(section, key)
                self.findings.problem(place, error.reason, section, key)
        return given

    def _where(self, section: str) -> dict[str, Place]:
        where = {"": self.document.headers[section]}
        for key in self.document.tree[section]:
            where[key] = self.document.places[section, key]
        return where

    def _own_keys(self, section: str) -> list[str]:
        """Return the keys that stand in the section itself and not in `[DEFAULT]`."""
        keys = self.document.tree[section]
        return [key for key in keys if (section, key) not in self.document.inherited]

    def _circus(self) -> dict[str, Any]:
        """Return the options of the daemon."""
        defaults = {"check_delay": CHECK_DELAY_IN_FILES}
        if CIRCUS not in self.tables:
            return ARBITER_OPTIONS.complete(defaults)
        given = self._given(CIRCUS)
        where = self._where(CIRCUS)
        note_unknown(self.findings, ARBITER_OPTIONS, self._own_keys(CIRCUS), CIRCUS, where)
        if "stats_endpoint" in given:
            given["statsd"] = True
        for option in ARBITER_OPTIONS:
            if option.warning and given.get(option.name, option.default) != option.default:
                key = option.name if option.name in where else "stats_endpoint"
                self.findings.warn(where[key], option.warning, CIRCUS, key)
        return ARBITER_OPTIONS.complete({**defaults, **given})

    def _add_watcher(self, assembly: Assembly, section: str, name: str) -> None:
        given = self._given(section)
        where = self._where(section)
        note_near_misses(self.findings, self._own_keys(section), section, where)
        given["env"] = {**self.environments.of(name), **given.get("env", {})}
        refused = [key for key in where if key and key not in given]
        assembly.add_watcher(name, given, where, refused, section)

    def _add_plugin(self, assembly: Assembly, section: str, name: str) -> None:
        config = dict(self.document.tree[section])
        use = config.pop("use", "").strip()
        given = {k: v for k, v in self._given(section).items() if PLUGIN_OPTIONS.find(k)}
        given["env"] = self.environments.of(PLUGIN_PREFIX + name)
        where = self._where(section)
        assembly.add_plugin(PLUGIN_PREFIX + name, use, config, given, where, section)

    def _add_socket(self, assembly: Assembly, section: str, name: str) -> None:
        where = self._where(section)
        note_unknown(self.findings, SOCKET_OPTIONS, self._own_keys(section), section, where)
        given = {k: v for k, v in self._given(section).items() if SOCKET_OPTIONS.find(k)}
        assembly.add_socket(name, given, where)
