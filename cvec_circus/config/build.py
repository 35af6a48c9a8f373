"""From sections to a configuration: typed options, and the checks of what belongs together.

Every reader hands its sections to this one builder. The tables of options judge single values.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from cvec_circus.base.patterns import regex
from cvec_circus.config import places
from cvec_circus.config.configuration import (
    Configuration,
    LeftOut,
    PluginConfig,
    SocketConfig,
    WatcherConfig,
)
from cvec_circus.config.dependencies import dependants, look_for_circles
from cvec_circus.config.env_files import KEY as ENV_FILE
from cvec_circus.config.environment import Environments
from cvec_circus.config.inheritance import KEY as EXTENDS
from cvec_circus.config.section import (
    CIRCUS,
    PLUGIN,
    SOCKET,
    WATCHER,
    Findings,
    Section,
    header_meant,
)
from cvec_circus.config.sockets import look as look_at_sockets
from cvec_circus.exc import OptionError
from cvec_circus.options import renamed
from cvec_circus.options.arbiter import ARBITER_OPTIONS, CHECK_DELAY_IN_FILES, check_size
from cvec_circus.options.expand import names_in
from cvec_circus.options.needs import NEEDS
from cvec_circus.options.rights import accounts_of, problems, why_no_user
from cvec_circus.options.socket import SOCKET_OPTIONS, check
from cvec_circus.options.syslog import doubt_of
from cvec_circus.options.table import OptionTable
from cvec_circus.options.typed import WatcherOptions
from cvec_circus.options.watcher import (
    NEWER,
    PLUGIN_OPTIONS,
    PLUGIN_WATCHER_DEFAULTS,
    WATCHER_OPTIONS,
    stands_beside,
)
from cvec_circus.wire.topics import fold, why_no_name

TABLES: Mapping[str, OptionTable] = {
    CIRCUS: ARBITER_OPTIONS,
    WATCHER: WATCHER_OPTIONS,
    SOCKET: SOCKET_OPTIONS,
    PLUGIN: PLUGIN_OPTIONS,
}

STATISTICS = "circusd-stats"
"""The watcher that the daemon adds by itself if it publishes statistics."""

DIRECTIVES = frozenset(option.name for option in PLUGIN_OPTIONS if option.is_directive)
"""The keys that readers act upon, and no plugin gets."""

OBSOLETE = frozenset({"check_flapping", "refresh_time", "stream_backend"})
"""Keys of Circus without a meaning here."""

_OF_OTHERS = frozenset({"program", "process"})
"""How other supervisors call a section of a watcher."""

_TOML = regex(r"\[(?:watcher|socket|plugin)\]?$|(?:watcher|socket|plugin|env)\.")
_OLD_WID = regex(r"\$WID\b|\$\{WID\}")


class Build:
    """One build of a configuration. Owned by the thread that loads it.

    Args:
        sections: What a reader has read. Names of variables in them are replaced here.
        findings: Takes what is wrong.
        environ: The environment that names in a file see. None for sections from a program: no name
            is replaced, an unknown option of the daemon or a socket is a problem, and a watcher
            that is wrong is not left out but refused with the rest.
        judges_users: Whether users and groups must be those of this machine.
        sockets: The names of sockets that are there beside those of the sections.
        before: The headers of the watchers, sockets and plugins that a daemon has from its files.

    Attributes:
        sections, findings: The arguments.
        circus: The section of the daemon, empty if there is none.
        environments: The environment of each watcher, as the sections give it.
        refused: By the header of a section the keys whose values were refused: in `everything`
            they have their defaults.
        everything: The configuration, with the watchers and plugins that have problems.
        gone: By its folded name the header of what a daemon has, and no section makes any more. A
            section of no known kind that was not there before may be meant for it.
    """

    def __init__(
        self,
        sections: Iterable[Section],
        findings: Findings,
        environ: Mapping[str, str] | None = None,
        judges_users: bool = True,
        sockets: Collection[str] = (),
        before: Iterable[str] = (),
    ) -> None:
        self._judges_users = judges_users
        self.sections = list(sections)
        self._watchers = {fold(one.name) for one in self.sections if one.kind == WATCHER}
        ours = (one for one in self.sections if one.kind == CIRCUS)
        self.circus = next(ours, Section(CIRCUS, "", CIRCUS))
        self.findings = findings
        self.refused: dict[str, set[str]] = {}
        self._is_file = environ is not None
        self._misspelt: dict[str, str] = {}  # the kind that was meant, by header
        self._before = {fold(header) for header in before}
        here = {(one.kind, fold(one.name)) for one in self.sections}
        parts = ((header, *header.partition(":")) for header in before)
        self.gone = {
            fold(name): header
            for header, kind, _, name in parts
            if name and kind in TABLES and (kind, fold(name)) not in here
        }
        for section in (one for one in self.sections if not one.kind):
            self._judge_unknown(section)
        self.environments = Environments(self.sections, environ or {}, findings)
        known = [one for one in self.sections if one.kind in TABLES]
        for section in known if self._is_file else ():
            self.environments.replace(section)
        findings.variables.show((one.name for one in known), (environ or {}).get("PATH", ""))
        self.everything = Configuration(self._circus())
        self.everything.variables = findings.variables
        self.everything.strangers = [one.header for one in self.sections if not one.kind]
        self._socket_names: dict[str, str] = {}
        self._watcher_names: dict[str, str] = {}
        if self.everything.circus["statsd"]:
            self._watcher_names[STATISTICS] = STATISTICS
        add = {WATCHER: self._add_watcher, SOCKET: self._add_socket, PLUGIN: self._add_plugin}
        for section in self.sections:
            if section.kind in add:
                add[section.kind](section)
        places.look(self.everything, self.circus, self.sections, self.refused, findings)
        look_at_sockets(self.everything, sockets, self.refused, findings)
        look_for_circles(self.everything.watchers, findings)

    def configuration(self) -> Configuration:
        """Return the configuration.

        Raises:
            ConfigError: All problems. Those of watchers and plugins in a file, and sections with
                a misspelt kind, are none as long as something else is to run that has no problem
                and depends on nothing that has: they are left out. No essential watcher is, nor
                what it depends on.
        """
        everything = self.everything
        everything.warnings = self.findings.warnings
        wrong = self.findings.problems()
        if not wrong:
            return everything
        runnable: list[WatcherConfig | PluginConfig]
        runnable = [*everything.watchers, *everything.plugins]
        named = {one.section.header: one for one in runnable if one.section.name}
        rest = [one for one in runnable if one.section.header not in wrong]
        lost = dependants(rest, (one.name for one in runnable if one.section.header in wrong))
        runs = any(
            one.name not in lost and (not isinstance(one, PluginConfig) or one.active)
            for one in rest
        )
        # The daemon of an essential watcher has nothing to do without it.
        lacks = any(
            one.options.essential and (header in wrong or one.name in lost)
            for header, one in named.items()
        )
        if lacks or not (self._is_file and runs and wrong.keys() <= {*named, *self._misspelt}):
            self.findings.raise_problems()
        configuration = copy.copy(everything)
        configuration.watchers = [one for one in rest if isinstance(one, WatcherConfig)]
        configuration.plugins = [one for one in rest if isinstance(one, PluginConfig)]
        configuration.warnings = list(everything.warnings)
        for header, lines in wrong.items():
            if self._misspelt.get(header, WATCHER) in (WATCHER, PLUGIN):
                name = named[header].name if header in named else header
                configuration.left_out.append(LeftOut(name, lines))
            else:
                configuration.warnings += lines
        configuration.left_out.sort()
        return configuration

    def _judge_unknown(self, section: Section) -> None:
        """Find what may be meant by a section of no known kind: what is near one is a problem, and
        so is what is called like something that runs and would be removed."""
        header = section.header
        kind, _, name = header.partition(":")
        name = name.strip()
        gone = {} if fold(header) in self._before else self.gone
        meant = header_meant(header) or gone.get(fold(header)) or gone.get(fold(name), "")
        if meant and self._is_file:
            self._misspelt[header] = meant.partition(":")[0].lower()
            said = f"unknown section; did you mean [{meant}]?"
            if _TOML.match(header):
                said += " (TOML needs a name that ends in .toml)"
            self.findings.problem(section, "", said)
            return
        is_like_one = kind.lower() in _OF_OTHERS or "cmd" in section.own_keys()
        hint = f"; did you mean [{WATCHER}:{name or header}]?" if is_like_one else ""
        self.findings.warn(section, "", f"unknown section, ignored{hint}")

    def _refuse(self, section: Section, error: OptionError) -> None:
        if ENV_FILE in section.lacks and names_in(str(section.values.get(error.option, ""))):
            return  # the file that is missing may give it a value
        self.findings.problem(section, error.option, error.reason)

    def _typed(self, section: Section, is_open: bool = False) -> dict[str, Any]:
        """Return the options in a section, typed; what cannot be taken becomes a finding.

        Args:
            section: The section.
            is_open: Whether the section may have keys that are no options.
        """
        table = TABLES[section.kind]
        typed: dict[str, Any] = {}
        freeform: dict[str, str] = {}
        refused = self.refused.setdefault(section.header, set())
        refused.update(section.lacks & {EXTENDS})
        for key, value in section.values.items():
            for said in renamed.of_circus(key, value):
                self.findings.warn(section, key, said)
            option = table.find(key)
            if not is_open and option is None:
                self._refuse_unknown(section, key, table)
                continue
            if option is not None and option.is_directive:
                continue  # the readers have done what it says
            try:
                typed[key] = table.convert_one(key, value)
            except OptionError as error:
                if not self._is_freeform(key, value):
                    self._refuse(section, error)
                    refused.add(key)
                    continue
                self._keep_freeform(section, key, error.reason)
                if "." in key:
                    typed[key] = value
                else:
                    freeform[key] = value
        for key, text in self.environments.commands(section, freeform).items() if freeform else ():
            typed[key] = text
        return typed

    def _is_freeform(self, key: str, value: Any) -> bool:
        """Tell whether a value that an option cannot take may be meant otherwise."""
        is_newer = self._is_file and key.partition(".")[0] in NEWER
        return is_newer and not (key in NEEDS and self._names_a_watcher(value))

    def _names_a_watcher(self, value: Any) -> bool:
        """Tell whether a value was meant as a list of watchers, and cannot be read as one."""
        words = (word.partition(":")[0].strip() for word in str(value).split(","))
        return not self._watchers.isdisjoint(map(fold, words))

    def _keep_freeform(self, section: Section, key: str, reason: str) -> None:
        """Warn of a value that a newer option cannot read: a file for Circus may mean anything."""
        from cvec_circus.options.checks import is_meant

        what = "an option of your own"
        if "." not in key:
            name = f"$(circus.{key})"
            said = f"{reason}; the default is used, and {name} stands for what is written here"
        elif is_meant(section.values[key]):
            said = f"{reason}; as it stands it is {what}, and nothing is checked"
        else:
            said = f"{reason}; it is kept as {what}"
        self.findings.warn(section, key, said)

    def _refuse_unknown(self, section: Section, key: str, table: OptionTable) -> None:
        near = table.near(key)
        if not self._is_file:
            self.findings.problem(section, key, f"unknown option{near}")
        elif key not in section.inherited:
            self.findings.warn(section, key, f"unknown option, ignored{near}")

    def _circus(self) -> dict[str, Any]:
        """Return the options of the daemon."""
        given = self._typed(self.circus)
        for key in given:
            option = ARBITER_OPTIONS.by_name[key]
            if option.warning and given[key] != option.default:
                self.findings.warn(self.circus, key, option.warning)
        if doubt := doubt_of(given.get("logoutput", "")):
            self.findings.warn(self.circus, "logoutput", doubt)
        if "stats_endpoint" in given:
            given["statsd"] = True
        defaults = {"check_delay": CHECK_DELAY_IN_FILES} if self._is_file else {}
        return ARBITER_OPTIONS.complete({**defaults, **given})

    def _add_watcher(self, section: Section) -> None:
        self._look_for_slips(section)
        given = self._typed(section, is_open=True)
        given["env"] = {**self.environments.of(section.name), **given.get("env", {})}
        self._check_name(section, section.name, self._watcher_names)
        if not (given.get("cmd", "cmd" in section.values) or section.lacks):
            self.findings.problem(section, "cmd", "missing; say which program to run")
        for key in ("cmd", "args"):
            if _OLD_WID.search(str(given.get(key, ""))):
                text = "$WID is not replaced here; write $(circus.wid)"
                self.findings.warn(section, key, text)
        options = self._complete(section, given)
        self.everything.watchers.append(WatcherConfig(section.name, options, section))

    def _look_for_slips(self, section: Section) -> None:
        """Warn of options without a meaning, and of freeform ones that look like another one."""
        for key in section.own_keys():
            table = ARBITER_OPTIONS if key in OBSOLETE else WATCHER_OPTIONS
            option = table.find(key)
            if option is not None and option.warning:
                self.findings.warn(section, key, option.warning)
            elif option is None and (near := WATCHER_OPTIONS.near(key)):
                text = f"unknown option{near} (kept for hooks and plugins)"
                self.findings.warn(section, key, text)

    def _add_plugin(self, section: Section) -> None:
        """Add a plugin. Its options are those of its watcher; its class gets all keys."""
        skipped = DIRECTIVES - section.owns
        config = {key: value for key, value in section.values.items() if key not in skipped}
        use = renamed.ours(str(config.pop("use", "")).strip())
        given = self._typed(section, is_open=True)
        given = {k: v for k, v in given.items() if PLUGIN_OPTIONS.find(k) and k != "use"}
        active = given.pop("active", True)
        given["env"] = self.environments.of(section.watcher)
        if not self._is_file:
            self._check_travel(section, config)
        self._check_name(section, section.watcher, self._watcher_names)
        if not (use or section.lacks):
            text = "missing; say which class to run, such as myproject.plugins.Logger"
            self.findings.problem(section, "use", text)
        options = self._complete(section, {**PLUGIN_WATCHER_DEFAULTS, **given})
        plugin = PluginConfig(section.watcher, use, config, options, active, section)
        self.everything.plugins.append(plugin)

    def _check_travel(self, section: Section, config: dict[str, Any]) -> None:
        """Refuse what a program gives to a plugin and cannot reach the plugin's process."""
        for key in [key for key in config if key.partition(".")[0] == "hooks"]:
            if _why_not_json(config[key]):
                del config[key]  # a function, which the daemon calls
        reason = _why_not_json(config)
        if reason:
            self.findings.problem(section, "", f"its options cannot travel as JSON: {reason}")

    def _add_socket(self, section: Section) -> None:
        if self._is_file and not section.values:
            self.findings.warn(section, "", "says nothing, so there is no such socket")
            return
        full = SOCKET_OPTIONS.complete(self._typed(section))
        self._check_name(section, section.name, self._socket_names)
        try:
            check(full)
        except OptionError as error:
            self._refuse(section, error)
            self.refused[section.header].add(error.option)
        if self._judges_users and (reason := why_no_user(full["owner"])):
            self.findings.problem(section, "owner", reason)
        self.everything.sockets.append(SocketConfig(section.name, full, section))

    def _complete(self, section: Section, given: Mapping[str, Any]) -> WatcherOptions:
        full, contradictions = WATCHER_OPTIONS.judged(given)
        wanted = accounts_of(full) if self._judges_users else None
        found = [*contradictions, *problems(wanted)]
        try:
            check_size(full.numprocesses, self.everything.circus["max_processes"])
        except OptionError as error:
            found.append((error.option, error.reason))
        for key, reason in found:
            if not stands_beside(key, self.refused[section.header]):
                self._refuse(section, OptionError(key, reason))
        return full

    def _check_name(self, section: Section, name: str, names: dict[str, str]) -> None:
        """Refuse a name that cannot be used, or that clients could not tell from another one."""
        if not section.name:
            self.findings.problem(section, "", f"the name is missing; write [{section.kind}:NAME]")
            return
        if reason := why_no_name(section.name):
            self.findings.problem(section, "", reason)
        if fold(name) in names:
            other = names[fold(name)]
            text = f"commands and events cannot tell this name from {other}; rename one of them"
            self.findings.problem(section, "", text)
        names.setdefault(fold(name), name)


def _why_not_json(value: Any) -> str:
    """Return why a value cannot travel as JSON, "" if it can."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return ""
