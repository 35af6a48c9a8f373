"""A configuration from Python: what `Arbiter` and `get_arbiter` are called with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count
from typing import Any

from cvec_circus.config.build import Build
from cvec_circus.config.configuration import Configuration
from cvec_circus.config.env_files import EnvFiles
from cvec_circus.config.inheritance import inherit
from cvec_circus.config.section import (
    CIRCUS,
    PLUGIN,
    PLUGIN_PREFIX,
    SOCKET,
    WATCHER,
    Findings,
    Section,
)
from cvec_circus.options.rights import LIMIT
from cvec_circus.options.words import split

Mappings = Iterable[Mapping[str, Any]]


def from_mappings(
    watchers: Mappings = (),
    plugins: Mappings = (),
    sockets: Mappings = (),
    circus: Mapping[str, Any] | None = None,
    open_sockets: Iterable[str] = (),
) -> Configuration:
    """Return the configuration that mappings of options describe.

    Values may be typed or text. Nothing in them is replaced now; names in a command are when a
    process starts.

    Args:
        watchers: Options with `cmd` and, mostly, `name`. A nameless one is called like its program,
            with a number where that is taken.
            Keys that are no options stay freeform options.
        plugins: Options with `use` and, mostly, `name`, which its watcher has as it is: only the
            plugins of a file get a prefix. Everything but these two reaches the plugin's
            constructor as it is, so it must be something that JSON can carry.
        sockets: Options with `name`.
        circus: Options of the daemon; None stands for "not given".
        open_sockets: The names of sockets that are there beside those.

    Raises:
        ConfigError: All problems.
    """
    findings = Findings()
    given = {key: value for key, value in (circus or {}).items() if value is not None}
    sections = [_section(CIRCUS, "", given)]
    for options in _usable(SOCKET, sockets, findings):
        sections.append(_section(SOCKET, str(options.pop("name", None) or ""), options))
    described = list(_usable(WATCHER, watchers, findings))
    names = {str(options["name"]).lower() for options in described if options.get("name")}
    for options in described:
        name = str(options.pop("name", None) or _free(_program(options.get("cmd")), names))
        limits = options.pop("rlimits", None) or {}
        if _is_mapping(limits, f"{WATCHER}:{name}", "rlimits", findings):
            options.update({f"{LIMIT}{key}": value for key, value in limits.items()})
        sections.append(_section(WATCHER, name, options))
    for options in _usable(PLUGIN, plugins, findings):
        options["use"] = str(options.get("use") or "")
        name = str(options.pop("name", None) or options["use"])
        section = _section(PLUGIN, name.removeprefix(PLUGIN_PREFIX), options)
        section.watcher = name
        sections.append(section)
    inherit(sections, findings)
    EnvFiles(sections, os.environ, "", findings)
    return Build(sections, findings, sockets=[*open_sockets]).configuration()


def _section(kind: str, name: str, options: dict[str, Any]) -> Section:
    section = Section(kind, name, CIRCUS if kind == CIRCUS else f"{kind}:{name}")
    section.values = section.written = options
    return section


def _usable(kind: str, given: Mappings, findings: Findings) -> Iterator[dict[str, Any]]:
    """Yield copies of those that are mappings of options."""
    for number, options in enumerate(given, 1):
        if _is_mapping(options, f"{kind} {number}", "", findings):
            yield dict(options)


def _is_mapping(options: Any, header: str, key: str, findings: Findings) -> bool:
    if isinstance(options, Mapping) and all(isinstance(name, str) for name in options):
        return True
    findings.at(None, "this is not a mapping of names to values", header, key, is_problem=True)
    return False


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no watcher has yet, and note that one has it."""
    if not name:
        return name
    numbered = (f"{name}-{number}" for number in count(2))
    free = next(one for one in chain((name,), numbered) if one.lower() not in taken)
    taken.add(free.lower())
    return free


def _program(command: Any) -> str:
    """Return the base name of the program that a command runs, "" if there is none."""
    words = command
    if isinstance(command, str):
        try:
            words = split(command)
        except ValueError:
            words = command.split()
    return os.path.basename(str(words[0])) if isinstance(words, (list, tuple)) and words else ""
