"""A configuration from Python: what `Arbiter` and `get_arbiter` are called with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus.config.assembly import PLUGIN_PREFIX, Assembly, note_near_misses
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.findings import Findings
from cvec_circus.exc import OptionError
from cvec_circus.options.arbiter import ARBITER_OPTIONS
from cvec_circus.options.plugin import PLUGIN_OPTIONS
from cvec_circus.options.rights import LIMIT
from cvec_circus.options.socket import SOCKET_OPTIONS
from cvec_circus.options.table import OptionTable
from cvec_circus.options.watcher import WATCHER_OPTIONS
from cvec_circus.options.words import split

HOOKS = "hooks"


def from_mappings(
    watchers: Iterable[Mapping[str, Any]] = (),
    plugins: Iterable[Mapping[str, Any]] = (),
    sockets: Iterable[Mapping[str, Any]] = (),
    circus: Mapping[str, Any] | None = None,
) -> Configuration:
    """Return the configuration that mappings of options come to.

    Values may be typed or text. Nothing in them is replaced now; names in a command are when a
    process starts.

    Args:
        watchers: Options with `cmd` and, mostly, `name`. A nameless one is called like its program.
            Keys that are no options stay freeform options.
        plugins: Options with `use` and, mostly, `name`. Everything but these two reaches the
            plugin's constructor as it is, so it must be something that JSON can carry.
        sockets: Options with `name`.
        circus: Options of the daemon; None stands for "not given".

    Raises:
        ConfigError: Everything that is wrong, at once.
    """
    findings = Findings()
    given = {key: value for key, value in (circus or {}).items() if value is not None}
    own = _converted(given, ARBITER_OPTIONS, "circus", findings, freeform=False)
    if "stats_endpoint" in own:
        own["statsd"] = True  # as in files
    assembly = Assembly(findings, ARBITER_OPTIONS.complete(own))
    for number, options in enumerate(sockets, 1):
        if _is_mapping(options, f"socket {number}", findings):
            _add_socket(assembly, dict(options))
    for number, options in enumerate(watchers, 1):
        if _is_mapping(options, f"watcher {number}", findings):
            _add_watcher(assembly, dict(options))
    for number, options in enumerate(plugins, 1):
        if _is_mapping(options, f"plugin {number}", findings):
            _add_plugin(assembly, dict(options))
    return assembly.finish()


def _is_mapping(options: Any, which: str, findings: Findings) -> bool:
    if isinstance(options, Mapping) and all(isinstance(key, str) for key in options):
        return True
    findings.problem(None, "this is no mapping of names to values", which)
    return False


def _converted(
    options: Mapping[str, Any],
    table: OptionTable,
    section: str,
    findings: Findings,
    freeform: bool = True,
) -> dict[str, Any]:
    """Return options with values of their kinds; what cannot be taken becomes a problem."""
    converted = {}
    for key, value in options.items():
        if table.find(key) is None and not freeform:
            findings.problem(None, f"unknown option{table.near(key)}", section, key)
            continue
        try:
            converted[key] = table.convert_one(key, value)
        except OptionError as error:
            findings.problem(None, error.reason, section, error.option)
    return converted


def _add_watcher(assembly: Assembly, options: dict[str, Any]) -> None:
    name = str(options.pop("name", None) or _program(options.get("cmd")))
    section = f"watcher:{name}"
    limits = options.pop("rlimits", None) or {}
    if _is_mapping(limits, section, assembly.findings):
        options.update({f"{LIMIT}{key}": value for key, value in limits.items()})
    note_near_misses(assembly.findings, options, section, {})
    given = _converted(options, WATCHER_OPTIONS, section, assembly.findings)
    assembly.add_watcher(name, given, {}, refused=options.keys() - given.keys())


def _program(command: Any) -> str:
    """Return the base name of the program that a command runs, "" if there is none."""
    words = command
    if isinstance(command, str):
        try:
            words = split(command)
        except ValueError:
            words = command.split()
    return os.path.basename(str(words[0])) if isinstance(words, (list, tuple)) and words else ""


def _add_plugin(assembly: Assembly, options: dict[str, Any]) -> None:
    use = str(options.pop("use", None) or "")
    name = str(options.pop("name", None) or use)
    if not name.startswith(PLUGIN_PREFIX):
        name = PLUGIN_PREFIX + name
    known = {key: value for key, value in options.items() if PLUGIN_OPTIONS.find(key)}
    given = _converted(known, PLUGIN_OPTIONS, name, assembly.findings)
    for key in [key for key in options if key.partition(".")[0] == HOOKS]:
        if _why_not_json(options[key]):
            del options[key]  # a function, which the daemon calls and no plugin has a use for
    reason = _why_not_json(options)
    if reason:
        assembly.findings.problem(None, f"its options cannot travel as JSON: {reason}", name)
    assembly.add_plugin(name, use, options, given, {})


def _why_not_json(value: Any) -> str:
    """Return why a value cannot travel as JSON, "" if it can."""
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return ""


def _add_socket(assembly: Assembly, options: dict[str, Any]) -> None:
    name = str(options.pop("name", None) or "")
    section = f"socket:{name}"
    given = _converted(options, SOCKET_OPTIONS, section, assembly.findings, freeform=False)
    assembly.add_socket(name, given, {})
