"""The environment sections of a configuration, and what values may say of the environment.

`[env]` is for every process, `[env:PATTERN,PATTERN]` for the watchers whose names match one of the
patterns. Of several sections that match, the later in the file wins. All of them win over what a
watcher's `env_file` says.

Values in these sections see the daemon's own environment, as `$NAME` and `$(circus.env.NAME)`; as
in Circus, a `$NAME` is in upper case, and empty if it is not set. Values elsewhere have the second
form only, and see the sections too.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from cvec_circus.base.patterns import regex
from cvec_circus.config.section import ENV, WATCHER, Findings, Section
from cvec_circus.options.expand import env_values, expand, expand_words, is_plain, names_in
from cvec_circus.options.variables import parts_of

COMMAND_LINES = frozenset({"cmd", "args", "shell_args"})
PROGRAM = "exec:"
"""How a check or a hook begins that is a command line."""

_NAMES = regex(
    r"\$([A-Z][A-Z0-9_]*)|(?i:\$\(circus\.env\.([^()]+)\)|\(\(circus\.env\.([^()]+)\)\))",
    re.ASCII,
)
_UPPER = regex(r"\$([A-Z][A-Z0-9_]*)", re.ASCII)
_BRACES = regex(r"\$\{(\w+)(?::?[-=?+][^{}]*)?\}", re.ASCII)
_WILD = regex(r"[*?\[]")


class Environments:
    """The environment of each watcher, as the sections give it. Immutable.

    Args:
        sections: All sections. Names in those of the environment are replaced.
        environ: The daemon's own environment.
        findings: Takes patterns that are none, and names that do not mean what they seem to.
    """

    def __init__(
        self, sections: Collection[Section], environ: Mapping[str, str], findings: Findings
    ) -> None:
        self._environ, self._findings = environ, findings
        self._folded = {name.lower(): value for name, value in environ.items()}
        self._common: list[Section] = []
        self._sections: list[Section] = []
        self._files = {one.watcher: one for one in sections if one.variables}
        self._named: dict[str, list[int]] = {}
        self._wild: list[tuple[re.Pattern[str], int]] = []
        for section in sections:
            if section.kind == ENV:
                self._look(section, findings)
                said = section.written
                section.values = {
                    name: _NAMES.sub(self._value, said[name]).strip() for name in said
                }
                if section.header == ENV:
                    self._common.append(section)
                else:
                    self._add(section, findings)
        self._values = env_values(environ)
        for section in self._common:
            self._values.update(env_values(section.values))

    def replaced(self, section: Section, text: str) -> str:
        """Return a value of a section with the names of variables in it replaced."""
        return expand(text, self.values(section.watcher))

    def replace(self, section: Section) -> None:
        """Replace `$(circus.env.NAME)` in a section; other names are for later."""
        section.is_replaced = True
        named = [key for key, text in section.written.items() if "circus.env." in text.lower()]
        if not named:
            return
        changed = {key: self._meant(section, key, section.values[key]) for key in named}
        section.values = {**section.values, **changed}
        section.values.update(self.commands(section))
        values = self.values(section.watcher)
        for key in named:
            for name in names_in(section.written[key]):
                value = values.get(name.lower(), "") if name.lower().startswith("env.") else ""
                if not value:
                    continue
                name = f"$(circus.{name})"
                self._findings.conceal(section, key, name, value, _parts(section, key, value))
                if names_in(value) and _is_address(section, key):
                    said = f"{name} has a name in its value, which no address can have"
                    self._findings.problem(section, key, said)

    def commands(self, section: Section, options: Collection[str] = ()) -> dict[str, str]:
        """Return the command lines of a section that name these options, or some in whose values a
        variable has put what is no plain text. What is written there takes the place of the name,
        so that variables in it mean themselves there too.
        """
        written, values = section.written, section.values
        hard = {key for key in values if values[key] != written[key] and not is_plain(values[key])}
        texts = {key.lower(): written[key] for key in hard.union(options)}
        found: dict[str, str] = {}
        for key in COMMAND_LINES.intersection(values) if texts else ():
            text = expand(written[key], texts)
            if text != written[key]:
                found[key] = self._meant(section, key, text)
        return found

    def _meant(self, section: Section, key: str, text: str) -> str:
        """Return a value as `replaced`; in a command line, each variable means itself."""
        if section.kind == WATCHER and (key in COMMAND_LINES or text.startswith(PROGRAM)):
            return expand_words(text, self.values(section.watcher))
        return self.replaced(section, text)

    def _add(self, section: Section, findings: Findings) -> None:
        number = len(self._sections)
        self._sections.append(section)
        for pattern in patterns(section):
            if not _WILD.search(pattern):
                self._named.setdefault(pattern, []).append(number)
                continue
            try:
                self._wild.append((re.compile(fnmatch.translate(pattern)), number))
            except re.error:  # older Pythons translate [z-a] into nonsense
                findings.problem(section, "", f"{pattern} is not a pattern")

    def _look(self, section: Section, findings: Findings) -> None:
        """Warn of names that are not what they look like."""
        for key in section.own_keys():
            text = str(section.written[key])
            for name in dict.fromkeys(found[1] for found in _NAMES.finditer(text)):
                if name and name not in self._environ:
                    said = f"${name} is not set where the daemon starts, so it is empty here"
                    findings.warn(section, key, said)
            for name in names_in(text):
                kind, _, variable = name.partition(".")
                if kind.lower() == "env" and variable.lower() not in self._folded:
                    said = (
                        f"$(circus.{name}) stays as it is: there is no such variable where the "
                        "daemon starts"
                    )
                    findings.warn(section, key, said)
            for found in _BRACES.finditer(text):
                said = f"${{{found[1]}}} stays as it is; write $(circus.env.{found[1]})"
                findings.warn(section, key, said)

    def of(self, name: str) -> dict[str, str]:
        """Return the variables that the sections give to the watcher of that name."""
        own = dict(self._files[name].variables) if name in self._files else {}
        for section in self.sections_of(name):
            own.update(section.values)
        return own

    def values(self, name: str = "") -> dict[str, str]:
        """Return what `circus.env.*` stands for in the options of that watcher, or elsewhere."""
        if not (name and (name in self._files or self._numbers(name))):
            return self._values
        return {**self._values, **env_values(self.of(name))}

    def sections_of(self, name: str) -> list[Section]:
        """Return the sections that the watcher of that name gets; the last wins."""
        return self._common + [self._sections[number] for number in self._numbers(name)]

    def _numbers(self, name: str) -> list[int]:
        numbers = {number for pattern, number in self._wild if pattern.match(name)}
        numbers.update(self._named.get(name, ()))
        return sorted(numbers)

    def _value(self, found: re.Match[str]) -> str:
        if found[1]:
            return self._environ.get(found[1], "")
        return self._folded.get((found[2] or found[3]).lower(), found[0])


def with_named_env(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Replace `$NAME` in the values of `env` among a program's options, as in Circus.

    A name is in upper case; what is not set in the program's own environment is empty.
    """
    env = options.get("env") if isinstance(options, Mapping) else None
    if not isinstance(env, Mapping):
        return options  # what is no mapping is refused where they all are read
    named = {
        name: _UPPER.sub(lambda found: os.environ.get(found[1], ""), value).strip()
        if isinstance(value, str)
        else value
        for name, value in env.items()
    }
    return {**options, "env": named}


def patterns(section: Section) -> list[str]:
    """Return the patterns of an environment section."""
    return [pattern.strip() for pattern in section.name.split(",")]


def _parts(section: Section, key: str, value: str) -> Iterable[str]:
    """Return what an error of the daemon may show of a value alone: a program, modules."""
    if key == "cmd" or section.values[key].startswith(PROGRAM):
        return value.split()[:1]
    if key == "use" or key.startswith("hooks.") or key.endswith("_stream.class"):
        return parts_of(value, "")
    return ()


def _is_address(section: Section, key: str) -> bool:
    """Tell whether a check that asks an address stands there."""
    family = key.partition(".")[0] if section.kind == WATCHER else ""
    return family in ("ready", "live") and not section.values[key].startswith(PROGRAM)
